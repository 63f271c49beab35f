/* SIGCHLD: its siginfo, counting children, SA_NOCLDWAIT, SIG_IGN, SA_NOCLDSTOP, stop and continue. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int reaped, statuses;

static void reap(int signo)
{
    int status, saved = errno;
    (void)signo;
    while (waitpid(-1, &status, WNOHANG) > 0) {
        reaped++;
        statuses += WEXITSTATUS(status);
    }
    errno = saved;
}

static void nothing(int signo) { (void)signo; }

static void set(void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(SIGCHLD, &action, NULL);
}

static void wait_info(const char *what, const sigset_t *set, pid_t child)
{
    siginfo_t info;
    sigwaitinfo(set, &info);
    printf("%s: signal %d code %d status %d child %d uid %d\n", what, info.si_signo, info.si_code, info.si_status,
           info.si_pid == child, info.si_uid == getuid());
    fflush(stdout);
}

int main(void)
{
    sigset_t block, old;
    pid_t child;
    int status, ends[2];
    char byte;

    sigemptyset(&block);
    sigaddset(&block, SIGCHLD);
    sigprocmask(SIG_BLOCK, &block, &old);
    set(reap, SA_RESTART);
    for (int i = 0; i < 20; i++)
        if (!fork())
            _exit(i);
    while (reaped < 20)
        sigsuspend(&old);
    printf("reaped %d, sum of statuses %d\n", reaped, statuses);
    fflush(stdout);

    set(nothing, 0);
    while (sigtimedwait(&block, NULL, &(struct timespec){0, 0}) > 0)
        ; /* of a child that was reaped together with another one */
    if (!(child = fork()))
        _exit(42);
    wait_info("exited", &block, child);
    waitpid(child, &status, 0);
    if (!(child = fork()))
        for (;;)
            pause();
    kill(child, SIGSTOP);
    wait_info("stopped", &block, child);
    kill(child, SIGCONT);
    wait_info("continued", &block, child);
    kill(child, SIGTERM);
    wait_info("killed", &block, child);
    waitpid(child, &status, 0);
    printf("by %d\n", WTERMSIG(status));
    fflush(stdout);

    set(nothing, SA_NOCLDSTOP);
    if (!(child = fork()))
        for (;;)
            pause();
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    sigpending(&old);
    printf("stop told: %d\n", sigismember(&old, SIGCHLD));
    kill(child, SIGKILL);
    wait_info("killed while stopped", &block, child);
    waitpid(child, &status, 0);
    printf("by %d\n", WTERMSIG(status));
    fflush(stdout);

    for (int ignore = 0; ignore < 2; ignore++) {
        set(ignore ? SIG_IGN : nothing, ignore ? 0 : SA_NOCLDWAIT);
        if (pipe(ends))
            return 1;
        if (!fork())
            _exit(3);
        close(ends[1]);
        while (read(ends[0], &byte, 1) > 0)
            ;
        close(ends[0]);
        status = wait(NULL);
        printf("no zombie: %d %d\n", status, errno == ECHILD);
        fflush(stdout);
    }
    return 0;
}
