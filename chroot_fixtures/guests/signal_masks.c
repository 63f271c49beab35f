/* Blocking, pending, ignoring, and which signals collapse. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile int seen[65];

static void count(int signo) { seen[signo]++; }

static void pending(const char *when)
{
    sigset_t set;
    sigpending(&set);
    printf("%s:", when);
    for (int signo = 1; signo <= 64; signo++)
        if (sigismember(&set, signo) == 1)
            printf(" %d", signo);
    printf("\n");
}

int main(void)
{
    sigset_t set, old;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    sigprocmask(SIG_BLOCK, NULL, &old);
    printf("kill and stop blocked: %d %d\n", sigismember(&old, SIGKILL), sigismember(&old, SIGSTOP));
    for (int signo = 1; signo <= 31; signo++)
        if (signo != SIGKILL && signo != SIGSTOP)
            signal(signo, count);
    for (int i = 0; i < 3; i++) {
        kill(getpid(), SIGUSR1);
        raise(SIGUSR2);
        kill(getpid(), SIGWINCH);
    }
    pending("sent");
    signal(SIGUSR1, SIG_IGN);
    pending("SIGUSR1 ignored");
    signal(SIGUSR1, count);
    kill(getpid(), SIGTSTP);
    kill(getpid(), SIGCONT);
    pending("SIGTSTP, SIGCONT");
    kill(getpid(), SIGTSTP);
    pending("SIGTSTP again");
    signal(SIGTSTP, count);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    pending("unblocked");
    for (int signo = 1; signo <= 64; signo++)
        if (seen[signo])
            printf("signal %d: %d times\n", signo, seen[signo]);
    return 0;
}
