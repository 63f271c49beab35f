/* poll, ppoll, select, pselect: readiness, hang-ups, timeouts, masks. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Print an expression, its value, and the errno name when it is -1. */
#define T(expr)                                                                                  \
    do {                                                                                         \
        errno = 0;                                                                               \
        long result_ = (long)(expr);                                                             \
        printf("%s = %ld%s%s\n", #expr, result_, result_ == -1 ? " " : "",                       \
               result_ == -1 ? strerrorname_np(errno) : "");                                     \
    } while (0)

static volatile sig_atomic_t seen;

static void handler(int signo) {
    seen = signo;
}

static void show(struct pollfd *fds, int count) {
    for (int i = 0; i < count; i++)
        printf(" fd %d: %#x", fds[i].fd, fds[i].revents);
    printf("\n");
}

int main(void) {
    int ends[2], file;
    T(pipe(ends));
    T(file = open("f", O_CREAT | O_RDWR, 0600));
    struct pollfd fds[] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}, {file, POLLIN | POLLOUT, 0}, {-1, POLLIN, 9}, {77, POLLIN, 0}};
    T(poll(fds, 5, 0));
    show(fds, 5);
    T(poll(fds, 1, 0));
    show(fds, 1);
    T(poll(fds, 1, 20));
    T(poll(NULL, 0, 10));
    T(write(ends[1], "x", 1));
    T(poll(fds, 2, -1));
    show(fds, 2);
    T(poll((void *)8, 1, 0));

    fd_set r, w, e;
    struct timeval tv = {0, 10000};
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_ZERO(&e);
    FD_SET(ends[0], &r);
    FD_SET(ends[1], &w);
    FD_SET(file, &e);
    T(select(10, &r, &w, &e, &tv));
    printf("%d %d %d\n", FD_ISSET(ends[0], &r) != 0, FD_ISSET(ends[1], &w) != 0, FD_ISSET(file, &e) != 0);
    char byte;
    T(read(ends[0], &byte, 1));
    FD_ZERO(&r);
    FD_SET(ends[0], &r);
    T(select(10, &r, NULL, NULL, &tv));
    printf("%d, left %d\n", FD_ISSET(ends[0], &r) != 0, tv.tv_sec == 0 && tv.tv_usec == 0);
    T(select(-1, NULL, NULL, NULL, &tv));
    FD_ZERO(&r);
    FD_SET(9, &r);
    T(select(10, &r, NULL, NULL, &tv));
    tv = (struct timeval){-1, 0};
    T(select(0, NULL, NULL, NULL, &tv));
    T(select(0, NULL, NULL, NULL, (struct timeval[]){{0, 1000}}));
    T(ppoll(fds, 1, (struct timespec[]){{0, 1000000}}, NULL));
    T(ppoll(fds, 1, (struct timespec[]){{0, 1000000000}}, NULL));

    /* A writer that is a child; then the end of the file. */
    pid_t child = fork();
    if (child == 0) {
        usleep(20000);
        write(ends[1], "y", 1);
        _exit(0);
    }
    T(poll(fds, 1, 5000));
    show(fds, 1);
    T(waitpid(child, NULL, 0) > 0);
    T(read(ends[0], &byte, 1));
    T(close(ends[1]));
    T(poll(fds, 1, -1));
    show(fds, 1);
    FD_ZERO(&r);
    FD_SET(ends[0], &r);
    T(select(10, &r, NULL, NULL, NULL));
    T(pipe(ends));
    T(close(ends[0]));
    fds[0] = (struct pollfd){ends[1], POLLOUT, 0};
    T(poll(fds, 1, -1));
    show(fds, 1);
    T(close(ends[1]));

    /* Signals: blocked outside, let in by the mask. */
    T(pipe(ends));
    fds[0] = (struct pollfd){ends[0], POLLIN, 0};
    sigset_t block, none, now;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    T(sigaction(SIGUSR1, &action, NULL));
    T(sigprocmask(SIG_BLOCK, &block, NULL));
    T(raise(SIGUSR1));
    T(poll(fds, 1, 10));
    printf("seen %d\n", (int)seen);
    T(ppoll(fds, 1, NULL, &none));
    printf("seen %d\n", seen == SIGUSR1);
    T(sigprocmask(SIG_BLOCK, NULL, &now));
    printf("still blocked %d\n", sigismember(&now, SIGUSR1));
    seen = 0;
    T(raise(SIGUSR1));
    FD_ZERO(&r);
    FD_SET(ends[0], &r);
    T(pselect(10, &r, NULL, NULL, NULL, &none));
    printf("seen %d\n", seen == SIGUSR1);
    seen = 0;
    T(sigprocmask(SIG_UNBLOCK, &block, NULL));
    pid_t parent = getpid();
    if ((child = fork()) == 0) {
        usleep(30000);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    T(poll(fds, 1, 10000));
    printf("seen %d\n", seen == SIGUSR1);
    T(waitpid(child, NULL, 0) > 0);

    /* Many descriptors. */
    static struct pollfd many[600];
    for (int i = 0; i < 600; i++)
        many[i] = (struct pollfd){dup(ends[0]), POLLIN, 0};
    T(write(ends[1], "z", 1));
    T(poll(many, 600, -1));
    printf("%d %#x\n", many[599].fd, many[599].revents);
    return 0;
}
