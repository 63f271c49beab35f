/* SIGPIPE, ppoll with a mask, and a signal that arrives while a signal is handled. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int got;

static void handler(int signo) { got = signo; }

int main(void)
{
    int ends[2], status;
    sigset_t block, empty, now;
    struct timespec limit = {5, 0};
    struct pollfd poller;

    if (pipe(ends))
        return 1;
    close(ends[0]);
    if (!fork()) {
        (void)!write(ends[1], "x", 1);
        _exit(0);
    }
    wait(&status);
    printf("default: signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    signal(SIGPIPE, SIG_IGN);
    ssize_t written = write(ends[1], "x", 1);
    printf("ignored: %zd %d\n", written, errno == EPIPE);
    signal(SIGPIPE, handler);
    written = write(ends[1], "x", 1);
    printf("caught: %zd %d signal %d\n", written, errno == EPIPE, got);
    close(ends[1]);

    if (pipe(ends))
        return 1;
    signal(SIGUSR1, handler);
    sigemptyset(&empty);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, NULL);
    raise(SIGUSR1);
    poller.fd = ends[0];
    poller.events = POLLIN;
    got = 0;
    int result = ppoll(&poller, 1, &limit, &empty);
    printf("ppoll: %d %s got %d\n", result, strerror(errno), got);
    sigprocmask(SIG_BLOCK, NULL, &now);
    printf("mask again: %d\n", sigismember(&now, SIGUSR1));
    got = 0;
    raise(SIGUSR1);
    (void)!write(ends[1], "x", 1);
    result = ppoll(&poller, 1, &limit, NULL);
    printf("ppoll without mask: %d got %d\n", result, got);
    return 0;
}
