/* Faults and their signals in hard places: handlers that fault, blocked and ignored faults, stacks that are full or
 * nowhere, handlers that cannot be entered, and what the frame says of each exception. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__
#define IP REG_RIP
#define CR2(uc) ((uintptr_t)(uc)->uc_mcontext.gregs[REG_CR2])
#else
#define IP REG_EIP
#define CR2(uc) ((uintptr_t)(uc)->uc_mcontext.cr2)
#endif

static sigjmp_buf back;
static char *page, *hole;
static volatile int count;

static void set(int signo, void *handler, int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigaction(signo, &action, NULL);
}

static void tell(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *regs = uc->uc_mcontext.gregs;
    uintptr_t ip = (uintptr_t)regs[IP], addr = (uintptr_t)info->si_addr;
    printf(" signal %d code %d trap %d err %#x", signo, info->si_code, (int)regs[REG_TRAPNO], (int)regs[REG_ERR]);
    if (addr == ip)
        printf(" at the instruction");
    else if (addr >= (uintptr_t)page && addr < (uintptr_t)page + 65536)
        printf(" page+%#lx", (unsigned long)(addr - (uintptr_t)page));
    else
        printf(" addr %#lx", (unsigned long)addr);
    if (regs[REG_TRAPNO] == 14)
        printf(" cr2 %s", CR2(uc) == addr ? "same" : "other");
    printf(" link %d stack %d\n", uc->uc_link != NULL, (int)uc->uc_stack.ss_flags);
    siglongjmp(back, 1);
}

#define TRY(name, ...)                                                                                                 \
    do {                                                                                                               \
        printf("%-22s", name);                                                                                         \
        fflush(stdout);                                                                                                \
        if (!sigsetjmp(back, 1)) {                                                                                     \
            __VA_ARGS__;                                                                                               \
            printf(" nothing\n");                                                                                      \
        }                                                                                                              \
    } while (0)

static void in_child(const char *name, void (*what)(void))
{
    int status;
    printf("%-22s", name);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        what();
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    printf(" status %#x\n", status & 0xff7f);
}

static void fault(void) { *(volatile int *)hole = 1; }
static void again(int signo)
{
    (void)signo;
    count++;
    fault();
}
static void nested(int signo)
{
    (void)signo;
    if (++count < 5)
        fault();
    siglongjmp(back, 1);
}
static void endless(int signo)
{
    (void)signo;
    fault();
}
static void mend(int signo)
{
    (void)signo;
    if (++count == 3)
        mprotect(page, 4096, PROT_READ | PROT_WRITE);
}
static int deeper(int n)
{
    volatile char block[1024];
    block[0] = (char)n;
    return n == 1 << 30 ? 0 : deeper(n + 1) + block[0];
}
static void survive(int signo)
{
    (void)signo;
    _exit(3);
}

static void faulting_handler(void)
{
    set(SIGSEGV, again, 0);
    fault();
}
static void nodefer(void)
{
    set(SIGSEGV, nested, SA_NODEFER);
    count = 0;
    if (!sigsetjmp(back, 1))
        fault();
    printf(" nested %d", count);
}
static void endless_handler(void)
{
    set(SIGSEGV, endless, SA_NODEFER);
    fault();
}
static void blocked(void)
{
    sigset_t all;
    set(SIGSEGV, survive, 0);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    fault();
}
static void blocked_division(void)
{
    sigset_t all;
    volatile int zero = 0;
    set(SIGFPE, survive, 0);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    zero = 77 / zero;
}
static void ignored(void)
{
    signal(SIGSEGV, SIG_IGN);
    fault();
}
static void sent_while_blocked(void)
{
    sigset_t all, pending;
    set(SIGSEGV, survive, 0);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    raise(SIGSEGV);
    sigpending(&pending);
    printf(" pending %d", sigismember(&pending, SIGSEGV));
}
static void reset(void)
{
    set(SIGSEGV, mend, SA_RESETHAND);
    count = 0;
    *(volatile char *)page = 1;
}
static void retried(void)
{
    set(SIGSEGV, mend, 0);
    count = 0;
    *(volatile char *)page = 1;
    printf(" after %d", count);
}
static void overflow(void)
{
    set(SIGSEGV, survive, 0);
    deeper(0);
}
static char other_stack[65536];
static void use_other_stack(void)
{
    stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
    sigaltstack(&stack, NULL);
}
static void overflow_elsewhere(void)
{
    use_other_stack();
    set(SIGSEGV, survive, SA_ONSTACK);
    deeper(0);
}
static void overflow_not_asked(void)
{
    use_other_stack();
    set(SIGSEGV, survive, 0);
    deeper(0);
}
static void overflow_twice(void)
{
    use_other_stack();
    set(SIGSEGV, endless, SA_ONSTACK | SA_NODEFER);
    deeper(0);
}
static void kill_with_stack(uintptr_t stack, int signo)
{
    long pid = getpid();
#ifdef __x86_64__
    __asm__ volatile("mov %%rsp, %%rbx; mov %0, %%rsp; syscall; mov %%rbx, %%rsp"
                     : : "r"(stack), "a"(62l), "D"(pid), "S"((long)signo) : "rbx", "rcx", "r11", "memory");
#else
    __asm__ volatile("mov %%esp, %%esi; mov %0, %%esp; int $0x80; mov %%esi, %%esp"
                     : : "r"(stack), "a"(37), "b"(pid), "c"(signo) : "esi", "memory");
#endif
}
static void no_stack(void)
{
    set(SIGUSR1, survive, 0);
    kill_with_stack(16, SIGUSR1);
}
static void told(int signo, siginfo_t *info, void *context)
{
    (void)context;
    printf(" signal %d code %d", signo, info->si_code);
    fflush(stdout);
    _exit(5);
}
static void no_stack_caught(void)
{
    use_other_stack();
    set(SIGUSR1, survive, 0);
    set(SIGSEGV, told, SA_ONSTACK);
    kill_with_stack(16, SIGUSR1);
}
static void no_stack_at_all(void)
{
    set(SIGUSR1, survive, 0);
    set(SIGSEGV, told, 0);
    kill_with_stack(16, SIGUSR1);
}
static void frame_into_read_only(void)
{
    set(SIGUSR1, survive, 0);
    kill_with_stack((uintptr_t)page + 4096 - 64, SIGUSR1);
}
#ifdef __x86_64__
static void no_restorer(void)
{
    unsigned long action[4] = {(unsigned long)survive, SA_SIGINFO, 0, 0};
    set(SIGSEGV, told, 0);
    syscall(SYS_rt_sigaction, SIGUSR1, action, NULL, 8);
    raise(SIGUSR1);
}
static void wild_stack(void)
{
    use_other_stack();
    set(SIGUSR1, survive, 0);
    set(SIGSEGV, told, SA_ONSTACK);
    kill_with_stack(0x8000000000000000, SIGUSR1);
}
#endif
static void continued(void)
{
    printf(" (a stopped process)");
    raise(SIGCONT);
}
static void skip(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[IP] += 2;
    count++;
}

int main(void)
{
    struct rlimit limit = {256 * 1024, RLIM_INFINITY};
    setrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &limit);
    page = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hole = page + 32768;
    munmap(hole, 4096);
    in_child("faulting handler", faulting_handler);
    in_child("with SA_NODEFER", nodefer);
    in_child("endless", endless_handler);
    in_child("blocked", blocked);
    in_child("blocked division", blocked_division);
    in_child("ignored", ignored);
    in_child("sent while blocked", sent_while_blocked);
    in_child("SA_RESETHAND", reset);
    in_child("retried", retried);
    in_child("overflow", overflow);
    in_child("on another stack", overflow_elsewhere);
    in_child("SA_ONSTACK missing", overflow_not_asked);
    in_child("both stacks full", overflow_twice);
    in_child("no stack", no_stack);
    in_child("no stack, caught", no_stack_caught);
    in_child("no stack at all", no_stack_at_all);
    in_child("read-only stack", frame_into_read_only);
#ifdef __x86_64__
    in_child("no restorer", no_restorer);
    in_child("wild stack", wild_stack);
#endif
    in_child("cont", continued);

    int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        set(signals[i], tell, 0);
    volatile int zero = 0, least = -2147483647 - 1;
    TRY("write read-only", page[5] = 1);
    TRY("write hole", hole[7] = 1);
    TRY("read hole", zero = *(volatile char *)hole);
    TRY("execute data", ((void (*)(void))page)());
    TRY("execute hole", ((void (*)(void))hole)());
    TRY("read, modify, write", ++*(volatile int *)(page + 16));
    TRY("divide by zero", zero = 77 / zero);
    zero = 0;
    TRY("quotient too large", __asm__ volatile("cltd; idivl %1" : "+a"(least) : "r"(-1) : "edx"));
    TRY("ud2", __asm__ volatile("ud2"));
    TRY("int3", __asm__ volatile("int3"));
    TRY("int 3", __asm__ volatile(".byte 0xcd, 3"));
    TRY("icebp", __asm__ volatile(".byte 0xf1"));
    TRY("int 99", __asm__ volatile("int $99"));
    TRY("hlt", __asm__ volatile("hlt"));
    TRY("cli", __asm__ volatile("cli"));
    TRY("port", __asm__ volatile("outb %%al, $0x80" : : "a"(0)));
    TRY("load segment", __asm__ volatile("mov %0, %%es" : : "r"(0x7f0)));
    TRY("x87 division", unsigned short control = 0x37b; __asm__ volatile("fldcw %0; fldz; fld1; fdivp; fwait" : : "m"(control)));
    __asm__ volatile("fninit");
#ifdef __i386__
    TRY("into", __asm__ volatile("movl $0x7fffffff, %%eax; addl $1, %%eax; into" : : : "eax"));
    TRY("bound", int bounds[2] = {1, 2}; __asm__ volatile("bound %0, %1" : : "r"(7), "m"(bounds)));
#else
    TRY("not canonical", zero = *(volatile char *)0x8000000000000000);
    TRY("kernel", zero = *(volatile char *)0xffffffff81000000);
#endif
    int fd = open("/tmp/faults-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    unlink("/tmp/faults-file");
    if (ftruncate(fd, 100))
        return 1;
    mmap(page, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
    TRY("beyond the file", zero = *(volatile char *)(page + 8192));
    TRY("write beyond", page[8193] = 1);
    TRY("within the last page", zero = page[4000]);
    set(SIGILL, skip, 0);
    count = 0;
    for (int i = 0; i < 3; i++)
        __asm__ volatile("ud2");
    printf("skipped %d\n", count);
    set(SIGUSR1, hole, 0); /* a handler that cannot be entered */
    TRY("handler nowhere", raise(SIGUSR1));
    set(SIGUSR1, page, 0);
    TRY("handler in data", raise(SIGUSR1));
#ifdef __x86_64__
    set(SIGUSR1, (void *)0x8000000000000000, 0);
    TRY("handler not canonical", raise(SIGUSR1));
#endif
    return 0;
}
