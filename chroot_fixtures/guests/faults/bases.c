/* Bases: set, changed, inherited, lost; memory behind them that is made at the first touch. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t first[8] = {11, 12, 13}, second[8] = {21, 22, 23};

static uint64_t load(long offset) {
    uint64_t value;
    asm volatile("mov %%gs:(%1), %0" : "=r"(value) : "r"(offset));
    return value;
}

static void store(long offset, uint64_t value) {
    asm volatile("mov %1, %%gs:(%0)" ::"r"(offset), "r"(value) : "memory");
}

static long set(int code, void *base) {
    return syscall(SYS_arch_prctl, code, base);
}

static uint64_t get(int code) {
    uint64_t base = 1;
    syscall(SYS_arch_prctl, code, &base);
    return base;
}

/* Swap the block of thread-local memory: nothing of libc may be used between. */
static uint64_t elsewhere(uint64_t *block) {
    uint64_t old, result, ignored;
    asm volatile("mov %%fs:0, %0" : "=r"(old));
    asm volatile(
        "syscall\n\tmov %%fs:8, %%r8\n\tmov %%fs:(%%rbx), %%r9\n\tadd %%r9, %%r8\n\tmovq $77, %%fs:16\n\t"
        "mov $158, %%eax\n\tmov %5, %%rsi\n\tmov $0x1002, %%edi\n\tsyscall\n\tmov %%r8, %0"
        : "=r"(result), "=a"(ignored) : "1"(158), "D"(ARCH_SET_FS), "S"(block), "r"(old), "b"(0x10)
        : "rcx", "r11", "r8", "r9", "memory");
    return result;
}

static int child(void *argument) {
    uint64_t mine = load(8);
    if (argument) set(ARCH_SET_GS, second), mine = mine * 100 + load(8);
    syscall(SYS_exit, mine == 12 || mine == 1222 ? 4 : 5);
    return 0;
}


int main(int argc, char **argv) {
    int status;
    if (argc > 1) {
        printf("after exec: gs %lx\n", get(ARCH_GET_GS));
        set(ARCH_SET_GS, second);
        printf("%lu\n", load(8));
        return 0;
    }
    printf("%lx\n", get(ARCH_GET_GS));
    set(ARCH_SET_GS, first);
    for (int i = 0; i < 5; i++) {
        set(ARCH_SET_GS, i & 1 ? second : first);
        printf("%lu ", load(8));
        store(16, i);
    }
    printf("%lu %lu\n", first[2], second[2]);
    printf("%d\n", get(ARCH_GET_GS) == (uint64_t)first);
    uint64_t fs = get(ARCH_GET_FS);
    for (int i = 0; i < 3; i++) printf("%lu %lu %d\n", elsewhere(second), second[2], get(ARCH_GET_FS) == fs);
    printf("%ld %s\n", set(ARCH_SET_GS, (void *)(1L << 47)), strerrorname_np(errno));
    printf("%ld %s\n", set(0x77, NULL), strerrorname_np(errno));
    printf("%ld %s\n", set(ARCH_GET_GS, (void *)8), strerrorname_np(errno));

    /* Children inherit; what they change is theirs. */
    fflush(stdout);
    for (int i = 0; i < 3; i++) {
        pid_t pid = i == 2 ? vfork() : fork();
        if (!pid) {
            uint64_t mine = load(8);
            if (i != 2) set(ARCH_SET_GS, second), store(8, 99);
            _exit(mine + load(8));
        }
        waitpid(pid, &status, 0);
        printf("%x %lu %lu\n", status, load(8), second[1]);
    }
    /* Threads without a block of their own share that of their parent. */
    static char stacks[2][32768] __attribute__((aligned(16)));
    for (long i = 0; i < 2; i++) {
        pid_t pid = clone(child, stacks[i] + 32768, CLONE_VM | CLONE_FILES | SIGCHLD, (void *)i);
        waitpid(pid, &status, 0);
        printf("clone %x %lu\n", status, load(8));
    }
    if (!fork()) {
        execl("/proc/self/exe", "bases", "again", NULL);
        _exit(127);
    }
    wait(&status);

    /* Never touched before; then shared with a child; at the end of what is mapped. */
    char *memory = mmap(NULL, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    set(ARCH_SET_GS, memory);
    uint64_t sum = 0;
    for (long at = 0; at < 1 << 24; at += 1 << 20) sum += load(at) + load(at + 4092), store(at + 8188, at), sum += load(at + 8188);
    printf("%lu\n", sum);
    fflush(stdout);
    if (!fork()) {
        for (long at = 0; at < 1 << 24; at += 1 << 20) {
            asm volatile("lock addq $5, %%gs:(%0)" ::"r"(at + 8188) : "memory");
            sum += load(at + 8188);
        }
        printf("child %lu\n", sum);
        fflush(stdout);
        _exit(0);
    }
    wait(&status);
    for (long at = 0; at < 1 << 24; at += 1 << 20) sum += load(at + 8188);
    printf("parent %lu\n", sum);
    mprotect(memory + 4096, 4096, PROT_READ);
    printf("%lu\n", load(4092));
    mprotect(memory + 4096, 4096, PROT_READ | PROT_WRITE);
    store(4092, 0x1122334455667788);
    printf("%lx %x\n", load(4092), *(int *)(memory + 4096));

    /* A base that is not the start of anything, and one of zero. */
    set(ARCH_SET_GS, memory + 12345);
    store(3, 7);
    printf("%d\n", memory[12348]);
    set(ARCH_SET_GS, NULL);
    printf("%lu\n", load((long)(first + 1)));
    set(ARCH_SET_GS, (char *)first + 0x100000);
    printf("%lu\n", load(8 - 0x100000));
    return 0;
}
