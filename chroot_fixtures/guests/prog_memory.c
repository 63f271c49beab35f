// Memory as programs use it: sparse gigabytes, mremap, brk, protection, shared pages between processes, written code.
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L
static sigjmp_buf back;
static void *volatile where;
static volatile int code;

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)context;
    where = info->si_addr;
    code = info->si_code;
    siglongjmp(back, number);
}

#define TRY(what, statement) do { \
    int number = sigsetjmp(back, 1); \
    if (!number) { statement; printf("%s: fine\n", what); } \
    else printf("%s: %s at %+ld, code %d\n", what, strsignal(number), (long)((char *)where - base), code); \
} while (0)

static long descend(long depth) { volatile long here[8] = {depth}; return depth ? descend(depth - 1) + (here[0] & 1) : 0; }

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);
    char *base = 0;

    char *giga = malloc(1L << 30);
    unsigned long sum = 0;
    for (long at = 0; at < 1L << 30; at += 37 * PAGE + 5) giga[at] = (char)(at >> 12);
    for (long at = 0; at < 1L << 30; at += 37 * PAGE + 5) sum += (unsigned char)giga[at];
    printf("sparse gigabyte %lu\n", sum);
    free(giga);
    printf("recursion %ld\n", descend(50000));

    base = mmap(0, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    base[0] = 1;
    mprotect(base + PAGE, PAGE, PROT_READ);
    mprotect(base + 2 * PAGE, PAGE, PROT_NONE);
    munmap(base + 3 * PAGE, PAGE);
    TRY("read-write", base[5] = 1);
    TRY("read of read-only", (void)*(volatile char *)(base + PAGE));
    TRY("write to read-only", base[PAGE + 7] = 1);
    TRY("read of none", (void)*(volatile char *)(base + 2 * PAGE + 9));
    TRY("read of a hole", (void)*(volatile char *)(base + 3 * PAGE + 11));
    TRY("across a boundary", *(volatile uint64_t *)(base + PAGE - 4) = 1);
    TRY("jump to data", ((void (*)(void))(base + 4 * PAGE))());
    base = 0;
    TRY("null", *(volatile char *)8 = 1);
    printf("errors %d", mprotect((void *)PAGE, PAGE, PROT_READ) ? errno : 0);
    printf(" %d", munmap((void *)1, PAGE) ? errno : 0);
    printf(" %d", mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0);
    printf(" %d", mmap(0, PAGE, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED ? errno : 0);
    printf(" %d", madvise((void *)PAGE, PAGE, MADV_DONTNEED) ? errno : 0);
    printf(" %d\n", madvise((void *)PAGE, PAGE, 12345) ? errno : 0);

    char *area = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 'x', 8 * PAGE);
    madvise(area + PAGE, 2 * PAGE, MADV_DONTNEED);
    printf("dontneed %d %d %d\n", area[0], area[PAGE], area[3 * PAGE]);
    char *bigger = mremap(area, 8 * PAGE, 4096 * PAGE, MREMAP_MAYMOVE);
    printf("mremap %d %d %d %d\n", bigger != MAP_FAILED, bigger[0], bigger[7 * PAGE], bigger[4095 * PAGE]);
    bigger = mremap(bigger, 4096 * PAGE, 2 * PAGE, 0);
    base = bigger;
    TRY("behind a shrunk mapping", bigger[2 * PAGE] = 1);
    char *fixed = mmap(bigger + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("fixed %d %d %d\n", fixed == bigger + PAGE, bigger[0], bigger[PAGE]);
    errno = 0;
    mmap(bigger, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    printf("noreplace %d\n", errno);

    char *heap = sbrk(0);
    printf("brk %d", brk(heap + 100 * PAGE));
    memset(heap, 1, 100 * PAGE);
    printf(" %d", brk(heap));
    base = heap = (char *)(((uintptr_t)heap + PAGE - 1) & -PAGE);
    TRY(", behind it", heap[10 * PAGE] = 1);
    sbrk(20 * PAGE);
    printf("fresh again %d\n", heap[10 * PAGE]);

    volatile int *shared = mmap(0, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *private = mmap(0, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 64; i++) private[i * 1024] = i;
    for (int child = 0; child < 5; child++) {
        if (!fork()) {
            for (int i = 0; i < 64; i++) {
                if (private[i * 1024] != i) _exit(1);
                private[i * 1024] = -child;
                __atomic_add_fetch(&shared[i * 1024], child + i, __ATOMIC_SEQ_CST);
            }
            _exit(private[63 * 1024] == -child ? 0 : 2);
        }
    }
    int status, bad = 0;
    while (wait(&status) > 0) bad |= status;
    sum = 0;
    for (int i = 0; i < 64; i++) sum += shared[i * 1024] * (i + 1) + (private[i * 1024] != i);
    printf("shared %lu, children %d\n", sum, bad);

    unsigned char *text = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sum = 0;
    for (int i = 0; i < 300; i++) {  // mov eax, i; ret
        text[0] = 0xB8;
        memcpy(text + 1, &i, 4);
        text[5] = 0xC3;
        sum += ((int (*)(void))text)() * (i & 7);
    }
    // inc byte [rip + 1]; mov eax, 0; ret: it changes the constant of its own next instruction
    memcpy(text + 64, "\xFE\x05\x01\x00\x00\x00\xB8\x00\x00\x00\x00\xC3", 12);
    int own = 0;
    for (int i = 0; i < 50; i++) own += ((int (*)(void))(text + 64))();
    printf("written code %lu, code that writes itself %d\n", sum, own);
    if (!fork()) { text[1] = 42; _exit(((int (*)(void))text)() & 0xFF); }
    wait(&status);
    printf("in a child %d, in the parent %d\n", WEXITSTATUS(status), ((int (*)(void))text)());
    return 0;
}
