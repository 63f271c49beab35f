/* The alternate stack: use, nesting, a stack overflow caught on it, its own overflow, errors, SS_AUTODISARM. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static char area[65536] __attribute__((aligned(16)));
static sigjmp_buf back;
static volatile int level;

static int inside(void)
{
    char here;
    return (uintptr_t)&here >= (uintptr_t)area && (uintptr_t)&here < (uintptr_t)area + sizeof area;
}

static void on_stack(int signo)
{
    stack_t stack, other = {.ss_sp = area, .ss_size = sizeof area};
    int result;
    sigaltstack(NULL, &stack);
    result = sigaltstack(&other, NULL);
    printf("signal %d inside %d flags %#x size %zu\n", signo, inside(), (unsigned)stack.ss_flags, stack.ss_size);
    if (!result || errno != EPERM)
        printf("changing it: %d\n", result);
    if (!level++)
        raise(SIGUSR2);
}

static void overflowed(int signo)
{
    (void)signo;
    if (!inside())
        abort();
    siglongjmp(back, 1);
}

static int recurse(int n)
{
    volatile char block[4096];
    block[0] = (char)n;
    if (n == 1 << 30)
        return 0;
    return recurse(n + 1) + block[0];
}

static void deeper(int signo)
{
    volatile char block[2048];
    block[0] = 1;
    raise(signo);
    (void)block[0];
}

static void set(int signo, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(signo, &action, NULL);
}

int main(void)
{
    stack_t stack = {.ss_sp = area, .ss_size = 100}, old;
    struct rlimit limit = {256 * 1024, 256 * 1024};
    int status;

    status = sigaltstack(&stack, NULL);
    printf("too small: %d %d\n", status, errno == ENOMEM);
    stack.ss_size = sizeof area;
    stack.ss_flags = 8;
    status = sigaltstack(&stack, NULL);
    printf("bad flags: %d %d\n", status, errno == EINVAL);
    stack.ss_flags = 0;
    sigaltstack(&stack, &old);
    printf("before: %d\n", old.ss_flags);
    set(SIGUSR1, on_stack, SA_ONSTACK);
    set(SIGUSR2, on_stack, SA_ONSTACK);
    raise(SIGUSR1);
    set(SIGUSR1, on_stack, 0);
    level = 1;
    raise(SIGUSR1);

    stack.ss_flags = (int)SS_AUTODISARM;
    sigaltstack(&stack, NULL);
    set(SIGUSR1, on_stack, SA_ONSTACK);
    printf("disarmed in the handler:\n");
    raise(SIGUSR1);
    sigaltstack(NULL, &old);
    printf("after: %#x %zu\n", (unsigned)old.ss_flags, old.ss_size);

    stack.ss_flags = 0;
    sigaltstack(&stack, NULL);
    setrlimit(RLIMIT_STACK, &limit);
    set(SIGSEGV, overflowed, SA_ONSTACK);
    for (int i = 0; i < 2; i++)
        if (!sigsetjmp(back, 1))
            printf("%d\n", recurse(0));
        else
            printf("stack overflow caught\n");
    fflush(stdout);

    if (!fork()) { /* a handler that recurses on the alternate stack until it is full; there is a guard below */
        stack.ss_sp = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        stack.ss_sp = (char *)stack.ss_sp + 32768;
        stack.ss_size = 32768;
        mprotect(stack.ss_sp, stack.ss_size, PROT_READ | PROT_WRITE);
        sigaltstack(&stack, NULL);
        set(SIGSEGV, SIG_DFL, 0);
        set(SIGUSR1, deeper, SA_ONSTACK | SA_NODEFER);
        raise(SIGUSR1);
        _exit(0);
    }
    wait(&status);
    printf("full alternate stack: signal %d\n", WTERMSIG(status));
    return 0;
}
