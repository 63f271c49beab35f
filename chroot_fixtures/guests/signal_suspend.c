/* sigsuspend, and ping-pong between two processes with blocked signals. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t got;

static void handler(int signo) { got = signo; }

int main(void)
{
    sigset_t block, empty, now;
    int rounds = 0, result;

    signal(SIGUSR1, handler);
    signal(SIGUSR2, handler);
    sigemptyset(&empty);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigaddset(&block, SIGUSR2);
    sigprocmask(SIG_BLOCK, &block, NULL);
    raise(SIGUSR1);
    printf("blocked: %d\n", (int)got);
    result = sigsuspend(&empty);
    printf("sigsuspend: %d %s got %d\n", result, strerror(errno), (int)got);
    sigprocmask(SIG_BLOCK, NULL, &now);
    printf("mask again: %d %d\n", sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2));
    fflush(stdout);

    pid_t child = fork();
    if (!child) {
        for (int i = 0; i < 50; i++) {
            got = 0;
            while (got != SIGUSR1)
                sigsuspend(&empty);
            kill(getppid(), SIGUSR2);
        }
        _exit(0);
    }
    for (int i = 0; i < 50; i++) {
        got = 0;
        kill(child, SIGUSR1);
        while (got != SIGUSR2)
            sigsuspend(&empty);
        rounds++;
    }
    wait(NULL);
    printf("rounds %d\n", rounds);
    return 0;
}
