/* Faults: signal, code, address, error code and trap number, and recovery by siglongjmp. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf back;
static volatile uintptr_t expected; /* address to compare with; 1: RIP */
static volatile int code, number, matches, trap, error;

static void handler(int signo, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    number = signo;
    code = info->si_code;
    uintptr_t wanted = expected == 1 ? (uintptr_t)registers[REG_RIP] : expected;
    matches = (uintptr_t)info->si_addr == wanted;
    trap = registers[REG_TRAPNO];
    error = registers[REG_ERR];
    siglongjmp(back, 1);
}

#define TRY(name, address, ...)                                                                                        \
    do {                                                                                                               \
        expected = (uintptr_t)(address);                                                                               \
        number = 0;                                                                                                    \
        if (!sigsetjmp(back, 1)) {                                                                                     \
            __VA_ARGS__;                                                                                               \
            printf("%-20s no fault\n", name);                                                                          \
        } else                                                                                                         \
            printf("%-20s signal %d code %d address %s trap %d error %#x\n", name, number, code,                       \
                   matches ? "right" : "wrong", trap, error);                                                          \
    } while (0)

int main(void)
{
    struct sigaction action;
    int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO;
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *hole = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(hole + 4096, 4096);
    *data = (char)0xc3;

    TRY("write to NULL", 0, *(volatile int *)0 = 1);
    TRY("read low", 0x1234, (void)*(volatile int *)0x1234);
    TRY("write to read-only", page + 5, *(volatile char *)(page + 5) = 1);
    TRY("into a hole", hole + 4096, memset(hole + 4000, 1, 200));
    TRY("jump to data", data, ((void (*)(void))data)());
    TRY("kernel address", 0xffffffff80000000ul, (void)*(volatile int *)0xffffffff80000000ul);
    TRY("non-canonical", 0, (void)*(volatile int *)0x8000000000000000ul);
    TRY("hlt", 0, __asm__ volatile("hlt"));
    TRY("cli", 0, __asm__ volatile("cli"));
    TRY("in", 0, __asm__ volatile("in $0x60, %%al" ::: "rax"));
    TRY("ud2", 1, __asm__ volatile("ud2"));
    TRY("int3", 0, __asm__ volatile("int3"));
    TRY("int 0x81", 0, __asm__ volatile("int $0x81"));
    TRY("divide by zero", 1,
        __asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; mov $1, %%eax; div %%ecx" ::: "rax", "rcx", "rdx"));
    TRY("quotient too large", 1,
        __asm__ volatile("mov $1, %%ecx; mov $1, %%edx; xor %%eax, %%eax; div %%ecx" ::: "rax", "rcx", "rdx"));
    for (volatile int i = 0; i < 3; i++)
        TRY("again", 8 + i, *(volatile char *)(uintptr_t)(8 + i) = 1);
    return 0;
}
