/* Real-time signals: queue order, payloads, sigwaitinfo, sigtimedwait, handlers by number. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)context;
    printf("handler %d value %d\n", signo - SIGRTMIN, info->si_value.sival_int);
}

static void queue(int offset, int value)
{
    if (sigqueue(getpid(), SIGRTMIN + offset, (union sigval){.sival_int = value}))
        perror("sigqueue");
}

int main(void)
{
    struct timespec none = {0, 0}, soon = {0, 10000000};
    struct sigaction action;
    siginfo_t info;
    sigset_t set;

    sigemptyset(&set);
    for (int i = 0; i < 4; i++)
        sigaddset(&set, SIGRTMIN + i);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int result = sigtimedwait(&set, NULL, &none);
    printf("nothing: %d %d\n", result, errno == EAGAIN);
    result = sigtimedwait(&set, NULL, &soon);
    printf("still nothing: %d %d\n", result, errno == EAGAIN);
    queue(2, 1);
    queue(1, 2);
    queue(2, 3);
    queue(0, 4);
    queue(1, 5);
    kill(getpid(), SIGUSR1);
    while ((result = sigtimedwait(&set, &info, &none)) > 0)
        printf("signal %d code %d value %d own %d\n", result == SIGUSR1 ? -1 : result - SIGRTMIN, info.si_code,
               result == SIGUSR1 ? 0 : info.si_value.sival_int, info.si_pid == getpid());
    if (!fork()) {
        for (int i = 0; i < 5; i++)
            sigqueue(getppid(), SIGRTMIN + 3, (union sigval){.sival_int = i * i});
        _exit(0);
    }
    for (int i = 0; i < 5; i++) {
        result = sigwaitinfo(&set, &info);
        printf("from the child: %d value %d\n", result - SIGRTMIN, info.si_value.sival_int);
    }
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO;
    sigfillset(&action.sa_mask);
    for (int i = 0; i < 4; i++)
        sigaction(SIGRTMIN + i, &action, NULL);
    queue(1, 10);
    queue(0, 11);
    queue(1, 12);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return 0;
}
