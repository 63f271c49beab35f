/* pidfds: where they come from, what they tell, waiting for one, signalling by one, taking descriptors through one. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static int got;
static int from_whom;

#define SHOW(call) \
    do { \
        errno = 0; \
        long result = (long)(call); \
        printf("%s = %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : ""); \
        fflush(stdout); \
    } while (0)

static int pidfd_of(pid_t pid, unsigned flags) { return syscall(SYS_pidfd_open, pid, flags); }
static int send_by(int fd, int signo, void *info, unsigned flags) {
    return syscall(SYS_pidfd_send_signal, fd, signo, info, flags);
}
static int take_from(int fd, int target, unsigned flags) { return syscall(SYS_pidfd_getfd, fd, target, flags); }

static int ready(int fd, int timeout) {
    struct pollfd one = {fd, POLLIN | POLLOUT, 0};
    return poll(&one, 1, timeout) ? one.revents & (POLLIN | POLLOUT) : 0;
}

static void handler(int signo, siginfo_t *info, void *context) {
    got = signo;
    from_whom = info->si_code == SI_QUEUE ? info->si_value.sival_int : info->si_pid == getpid();
}

static void show_info(int fd, pid_t pid) {
    char path[60], text[400], line[100];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, text, sizeof text - 1);
    text[length < 0 ? 0 : length] = 0;
    printf("link %s", text);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "r");
    while (fgets(line, sizeof line, file)) {
        int number;
        if (sscanf(line, "Pid: %d", &number) == 1) printf(" Pid %s", number == pid ? "right" : number == -1 ? "-1" : "?");
        if (sscanf(line, "NSpid: %d", &number) == 1) printf(" NSpid %s", number == pid ? "right" : number == -1 ? "-1" : "?");
        if (sscanf(line, "flags: %o", &number) == 1) printf(" flags %o", number & ~0100000);
    }
    fclose(file);
    printf(" cloexec %d\n", fcntl(fd, F_GETFD));
}

static void *thread(void *fd) {
    int pid = syscall(SYS_gettid), own = pidfd_of(pid, 0);
    printf("of a thread %d\n", own == -1);
    return NULL;
}

int main(void) {
    siginfo_t info;
    struct stat status;
    int ends[2], fd, other;
    char byte;

    fd = pidfd_of(getpid(), 0);
    show_info(fd, getpid());
    SHOW(pidfd_of(getpid(), 1));
    SHOW(pidfd_of(0, 0));
    SHOW(pidfd_of(-1, 0));
    SHOW(pidfd_of(1 << 22, 0));
    SHOW(read(fd, &byte, 1));
    SHOW(write(fd, &byte, 1));
    SHOW(ready(fd, 0));
    SHOW(fcntl(fd, F_SETFL, O_NONBLOCK));
    SHOW(fcntl(fd, F_GETFL) & O_NONBLOCK);
    pthread_t handle;
    pthread_create(&handle, NULL, thread, &fd);
    pthread_join(handle, NULL);

    /* Signals */
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    SHOW(send_by(fd, 0, NULL, 0));
    SHOW(send_by(fd, SIGUSR1, NULL, 0));
    printf("got %d %d\n", got, from_whom);
    memset(&info, 0, sizeof info);
    info.si_signo = SIGUSR1, info.si_code = SI_QUEUE, info.si_value.sival_int = 77;
    SHOW(send_by(fd, SIGUSR1, &info, 0));
    printf("got %d %d\n", got, from_whom);
    SHOW(send_by(fd, SIGUSR2, &info, 0));
    SHOW(send_by(fd, SIGUSR1, (void *)8, 0));
    SHOW(send_by(fd, 65, NULL, 0));
    SHOW(send_by(fd, -1, NULL, 0));
    SHOW(send_by(fd, 0, NULL, 1 << 20));
    SHOW(send_by(0, 0, NULL, 0));
    SHOW(send_by(999, 0, NULL, 0));
    other = open("/proc/self", O_RDONLY | O_DIRECTORY);
    SHOW(send_by(other, SIGUSR1, NULL, 0));
    close(other);
    other = open("/proc", O_RDONLY | O_DIRECTORY);
    SHOW(send_by(other, 0, NULL, 0));
    close(other);

    /* A child */
    int up[2];
    pipe(ends), pipe(up);
    fflush(stdout);
    struct clone_args arguments = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uintptr_t)&other};
    pid_t pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (!pid) {
        close(ends[1]);
        fd = open("/dev/null", O_RDWR);
        dup2(fd, 40);
        write(up[1], "x", 1);
        _exit(read(ends[0], &byte, 1) == 1 ? byte : 99);
    }
    read(up[0], &byte, 1);
    close(up[0]), close(up[1]);
    show_info(other, pid);
    SHOW(ready(other, 20));
    SHOW(waitid(P_PIDFD, other, &info, WEXITED | WNOHANG));
    SHOW(waitid(P_PIDFD, 0, &info, WEXITED));
    SHOW(waitid(P_PIDFD, 999, &info, WEXITED));
    SHOW(waitid(P_PIDFD, -1, &info, WEXITED));
    fcntl(other, F_SETFL, O_NONBLOCK);
    SHOW(waitid(P_PIDFD, other, &info, WEXITED));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    int taken = take_from(other, 40, 0);
    printf("taken %d cloexec %d write %zd\n", taken >= 0, fcntl(taken, F_GETFD), write(taken, "x", 1));
    SHOW(take_from(other, 41, 0));
    SHOW(take_from(other, 40, 1));
    SHOW(take_from(ends[0], 40, 0));
    SHOW(take_from(999, 40, 0));
    info.si_signo = SIGUSR1, info.si_code = SI_USER;
    SHOW(send_by(other, SIGUSR1, &info, 0));
    int set = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.u32 = 5}};
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, other, &event));
    SHOW(epoll_wait(set, &event, 1, 0));
    write(ends[1], "\x21", 1);
    SHOW(epoll_wait(set, &event, 1, 5000));
    SHOW(ready(other, 5000));
    SHOW(send_by(other, 0, NULL, 0));
    SHOW(take_from(other, 40, 0));
    SHOW(waitid(P_PIDFD, other, &info, WEXITED | WNOWAIT));
    printf("%d %d %d\n", info.si_pid == pid, info.si_code, info.si_status);
    SHOW(waitid(P_PIDFD, other, &info, WEXITED));
    SHOW(waitid(P_PIDFD, other, &info, WEXITED));
    SHOW(send_by(other, 0, NULL, 0));
    SHOW(take_from(other, 40, 0));
    SHOW(ready(other, 0) & POLLIN);
    show_info(other, pid);
    close(other);

    /* The older clone */
    int slot = -1;
    pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0L, &slot, NULL, 0L);
    if (!pid) pause();
    show_info(slot, pid);
    SHOW(send_by(slot, SIGKILL, NULL, 0));
    SHOW(waitid(P_PIDFD, slot, &info, WEXITED));
    printf("%d %d\n", info.si_code, info.si_status);

    /* Others' processes */
    pid = fork();
    if (!pid) pause();
    other = pidfd_of(pid, 0);
    fflush(stdout);
    if (!fork()) {
        syscall(SYS_setresuid, 65534, 65534, 65534);
        SHOW(send_by(other, SIGKILL, NULL, 0));
        SHOW(take_from(other, 0, 0));
        SHOW(take_from(fd, 0, 0));
        SHOW(waitid(P_PIDFD, other, &info, WEXITED));
        _exit(0);
    }
    wait(NULL);
    send_by(other, SIGTERM, NULL, 0);
    SHOW(ready(other, 5000));
    wait(NULL);
    return 0;
}
