/* Single steps by TF: where they stop, what handlers see of the flag, and steps through handlers and out of them. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define TF 0x100

static volatile unsigned long steps, first, last, limit, handler_flags, errors;
static volatile int in_handler;

static unsigned long flags(void) {
    unsigned long value;
    __asm__ volatile("pushf\n pop %0" : "=r"(value));
    return value;
}

static void trap(int signo, siginfo_t *info, void *raw) {
    ucontext_t *uc = raw;
    unsigned long pc = uc->uc_mcontext.gregs[REG_RIP];
    handler_flags |= flags();
    if (!steps++) first = pc;
    last = pc;
    if (info->si_code != TRAP_TRACE || info->si_addr != (void *)pc || uc->uc_mcontext.gregs[REG_TRAPNO] != 1) errors++;
    if (limit && steps >= limit) uc->uc_mcontext.gregs[REG_EFL] &= ~TF;
}

static void begin(unsigned long most) {
    steps = first = last = handler_flags = errors = 0;
    limit = most;
}

static void report(const char *what, void *origin) {
    printf("%-28s %4lu steps, first +%ld, last +%ld, TF in the handler %d, errors %lu\n", what, steps,
           (long)(first - (unsigned long)origin), (long)(last - (unsigned long)origin), !!(handler_flags & TF), errors);
}

#define STEPPED(name, code, ...)                                                                                    \
    do {                                                                                                            \
        void *origin;                                                                                               \
        begin(0);                                                                                                   \
        __asm__ volatile("lea 1f(%%rip), %0\n pushf\n orq $0x100, (%%rsp)\n popf\n 1:\n" code                      \
                         "\n pushf\n andq $~0x100, (%%rsp)\n popf\n nop\n"                                         \
                         : "=&b"(origin)::"rax", "rcx", "rdx", "rsi", "rdi", "r11", "memory", "cc");               \
        report(name, origin);                                                                                       \
    } while (0)

static void user(int signo) {
    in_handler++;
    if (flags() & TF) errors += 10000; /* handlers begin without it */
    if (signo == SIGUSR2) {
        void *origin;
        __asm__ volatile("lea 1f(%%rip), %0\n pushf\n orq $0x100, (%%rsp)\n popf\n 1: nop\n nop\n"
                         "pushf\n andq $~0x100, (%%rsp)\n popf\n"
                         : "=r"(origin)::"cc", "memory");
        report("inside of a handler", origin);
    }
}

char area[64]; /* written by assembly */

int main(void) {
    struct sigaction action = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    struct sigaction plain = {.sa_handler = user};
    sigaction(SIGUSR1, &plain, NULL);
    sigaction(SIGUSR2, &plain, NULL);

    STEPPED("nothing", "");
    STEPPED("nops", "nop\n nop\n nop");
    STEPPED("a loop", "mov $5, %%ecx\n 2: dec %%ecx\n jnz 2b");
    STEPPED("rep stosb", "lea area(%%rip), %%rdi\n mov $7, %%ecx\n mov $1, %%al\n rep stosb");
    STEPPED("rep with nothing to do", "xor %%ecx, %%ecx\n rep movsb");
    STEPPED("a system call", "mov $39, %%eax\n syscall\n nop");
    STEPPED("a failing system call", "mov $3, %%eax\n mov $-1, %%edi\n syscall\n nop\n nop");
    STEPPED("push and pop of flags", "pushf\n popf\n nop");
    STEPPED("thread-local memory", "mov %%fs:0, %%rax\n mov %%fs:0, %%rcx\n cmp %%rax, %%rcx\n mov %%fs:16, %%rdx");
    STEPPED("a call", "call 2f\n jmp 3f\n 2: ret\n 3: nop");
    STEPPED("cpuid", "push %%rbx\n xor %%eax, %%eax\n cpuid\n pop %%rbx");

    /* a stepped program that signals itself: the handler runs in one go, and stepping goes on behind it */
    begin(0);
    errors = 0;
    __asm__ volatile("pushf\n orq $0x100, (%%rsp)\n popf\n syscall\n nop\n nop\n pushf\n andq $~0x100, (%%rsp)\n popf"
                     :
                     : "a"(SYS_tgkill), "D"(getpid()), "S"(getpid()), "d"(SIGUSR1)
                     : "rcx", "r11", "memory", "cc");
    printf("signal to itself: %d handled, %lu steps, errors %lu\n", in_handler, steps, errors);

    begin(0);
    raise(SIGUSR2);

    /* the handler of the trap can end it */
    begin(3);
    __asm__ volatile("pushf\n orq $0x100, (%%rsp)\n popf\n nop\n nop\n nop\n nop\n nop\n nop" ::: "cc", "memory");
    printf("ended by its handler: %lu steps, errors %lu\n", steps, errors);

    /* blocked: the action becomes the default, which kills */
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTRAP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        __asm__ volatile("pushf\n orq $0x100, (%%rsp)\n popf\n nop" ::: "cc", "memory");
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    printf("blocked: status %#x\n", status & 0x7f);
    return 0;
}
