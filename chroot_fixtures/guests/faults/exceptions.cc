/* Exceptions thrown across sites, out of a signal handler too; thread-local objects with constructors. */
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

struct Noisy {
    std::string name;
    explicit Noisy(const char *name) : name(name) { std::printf("made %s\n", name); }
    ~Noisy() { std::printf("gone %s\n", name.c_str()); }
};

thread_local Noisy noisy("one of a thread");
thread_local int depth;

__attribute__((noinline)) int throw_deep(int level) {
    std::string keeps(level + 20, 'x');
    depth++;
    if (!level) throw std::runtime_error(keeps);
    return throw_deep(level - 1) + (int)keeps.size();
}

extern "C" int through(long offset);
asm(R"(
.text
through:
    .cfi_startproc
    push %rbx
    .cfi_def_cfa_offset 16
    .cfi_offset %rbx, -16
    mov %gs:(%rdi), %rbx
    mov %rbx, %rdi
    call *%gs:8
    mov %fs:0, %rax
    pop %rbx
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
)");

static void called(long value) {
    if (value == 5) throw value;
}

static void on_signal(int) {
    throw std::string("out of a handler");
}

int main() {
    long sum = 0;
    for (int i = 0; i < 200; i++) {
        try {
            throw_deep(i % 30);
        } catch (const std::exception &error) {
            sum += std::string(error.what()).size() + depth;
        }
    }
    std::printf("%ld\n", sum);
    static long block[4] = {5, (long)called, 6};
    syscall(SYS_arch_prctl, 0x1001, block);
    for (int i = 0; i < 6; i++) try {
            through(i & 1 ? 16 : 0);
            std::printf("returned\n");
        } catch (long value) {
            std::printf("caught %ld\n", value);
        }
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_NODEFER;
    sigaction(SIGSEGV, &action, nullptr);
    for (int i = 0; i < 3; i++) try {
            through(1L << 40);
        } catch (const std::string &text) {
            std::printf("%s\n", text.c_str());
        }
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([i] {
            try {
                noisy.name[0] = 'O';
                throw_deep(i);
            } catch (const std::exception &) {
                std::printf("%d\n", depth);
            }
        });
        threads.back().join();
    }
    return 0;
}
