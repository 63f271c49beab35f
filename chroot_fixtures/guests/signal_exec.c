/* What execve keeps: ignored signals, mask, pending signals; handlers become defaults. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void handler(int signo) { (void)signo; }

static void report(void)
{
    struct sigaction action;
    sigset_t mask, pending;
    stack_t stack;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    sigpending(&pending);
    sigaltstack(NULL, &stack);
    int signals[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGHUP};
    for (int i = 0; i < 4; i++) {
        sigaction(signals[i], NULL, &action);
        printf("%d: %s flags %#x blocked %d pending %d\n", signals[i],
               action.sa_handler == SIG_DFL   ? "default"
               : action.sa_handler == SIG_IGN ? "ignored"
                                              : "handler",
               action.sa_flags & ~0x4000000, sigismember(&mask, signals[i]), sigismember(&pending, signals[i]));
    }
    printf("alternate stack %d\n", stack.ss_flags);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static char area[65536];
    sigset_t block;
    stack_t stack = {.ss_sp = area, .ss_size = sizeof area};
    if (argc > 1) {
        report();
        return 0;
    }
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigaddset(&block, SIGHUP);
    sigprocmask(SIG_BLOCK, &block, NULL);
    sigaltstack(&stack, NULL);
    raise(SIGUSR1);
    raise(SIGHUP);
    report();
    execl(argv[0], argv[0], "again", (char *)NULL);
    return 1;
}
