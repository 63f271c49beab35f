/* Handlers: arguments, SA_SIGINFO, nesting, SA_NODEFER, SA_RESETHAND, masks, registers and FP state kept. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <ucontext.h>

static volatile int depth, deepest, count;
static volatile double sum;

static void show(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    printf("signal %d code %d from self %d uid ok %d frame aligned %d usr2 saved %d\n", signo, info->si_code,
           info->si_pid == getpid(), info->si_uid == getuid(), ((uintptr_t)__builtin_frame_address(0) & 15) == 0,
           sigismember(&uc->uc_sigmask, SIGUSR2));
    sum = 1.5 / 0.25; /* scribbles over FP registers */
}

static void nested(int signo)
{
    depth++;
    if (depth > deepest)
        deepest = depth;
    if (++count < 3)
        raise(signo);
    depth--;
}

static void set(int signo, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    if (sigaction(signo, &action, NULL))
        perror("sigaction");
}

int main(void)
{
    struct sigaction action, old;
    double a = 3.25, b = 7.5;
    long double c = 1.0L / 3;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = show;
    action.sa_flags = SA_SIGINFO;
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR1);
    printf("%g %g %.18Lg %g\n", a * b, a + b, c, sum);

    set(SIGUSR2, nested, 0);
    raise(SIGUSR2);
    printf("deferred: count %d deepest %d\n", count, deepest);
    count = deepest = 0;
    set(SIGUSR2, nested, SA_NODEFER);
    raise(SIGUSR2);
    printf("nodefer: count %d deepest %d\n", count, deepest);

    count = 5;
    set(SIGUSR2, nested, SA_RESETHAND);
    raise(SIGUSR2);
    sigaction(SIGUSR2, NULL, &old);
    printf("reset to default: %d\n", old.sa_handler == SIG_DFL);
    printf("kill refused: %d\n", sigaction(SIGKILL, &action, NULL));
    sigaction(SIGUSR1, NULL, &old);
    printf("flags %#x mask %d %d\n", old.sa_flags & ~0x4000000, sigismember(&old.sa_mask, SIGUSR1),
           sigismember(&old.sa_mask, SIGUSR2));
    fflush(stdout);
    raise(SIGUSR2);
    return 1;
}
