/* Locks: flock, POSIX record locks, open file description locks, between processes. */
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

static int lock(int fd, int command, int type, long start, long length) {
    struct flock request = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, command, &request);
}

static void test(int fd, int command, int type, long start, long length, pid_t parent) {
    struct flock request = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    int result = fcntl(fd, command, &request);
    printf("  %d: type %d start %ld len %ld owner %s\n", result, request.l_type, (long)request.l_start, (long)request.l_len,
           request.l_pid == parent ? "parent" : request.l_pid == -1 ? "description" : "-");
    fflush(stdout);
}

static void in_child(void (*body)(pid_t)) {
    fflush(stdout);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        body(parent);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static void record_child(pid_t parent) {
    int fd = open("f", O_RDWR);
    test(fd, F_GETLK, F_WRLCK, 0, 0, parent);
    test(fd, F_GETLK, F_WRLCK, 20, 5, parent);
    test(fd, F_GETLK, F_RDLCK, 30, 5, parent);
    T(lock(fd, F_SETLK, F_WRLCK, 12, 1));
    T(lock(fd, F_SETLK, F_RDLCK, 31, 1));
    T(lock(fd, F_SETLK, F_WRLCK, 31, 1));
    T(lock(fd, F_SETLK, F_WRLCK, 100, 1));
}

static void flock_child(pid_t parent) {
    (void)parent;
    int fd = open("f", O_RDWR);
    T(flock(fd, LOCK_EX | LOCK_NB));
    T(flock(fd, LOCK_SH | LOCK_NB));
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    int fd, again;
    T(fd = open("f", O_CREAT | O_RDWR, 0600));
    T(lock(fd, F_SETLK, F_WRLCK, 10, 10));
    T(lock(fd, F_SETLK, F_RDLCK, 30, 0));
    in_child(record_child);
    T(lock(fd, F_SETLK, F_UNLCK, 13, 2));
    in_child(record_child);
    T(again = open("f", O_RDONLY));
    T(lock(again, F_SETLK, F_WRLCK, 0, 1));
    T(close(again)); /* and all locks of this process on the file are gone */
    in_child(record_child);
    T(lock(fd, F_SETLK, 7, 0, 1));
    T(lock(fd, F_SETLK, F_WRLCK, -1, 1));
    T(lock(fd, F_SETLK, F_WRLCK, 10, -5));
    T(lock(77, F_SETLK, F_WRLCK, 0, 1));

    T(flock(fd, LOCK_SH));
    in_child(flock_child);
    T(flock(fd, LOCK_EX));
    in_child(flock_child);
    T(again = dup(fd));
    T(flock(again, LOCK_EX | LOCK_NB));
    T(flock(again, LOCK_UN));
    in_child(flock_child);
    T(flock(fd, 0));
    T(flock(77, LOCK_SH));

    int other;
    T(other = open("f", O_RDWR));
    T(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
    T(lock(other, F_OFD_SETLK, F_WRLCK, 5, 1));
    test(other, F_OFD_GETLK, F_RDLCK, 0, 0, getpid());
    T(lock(fd, F_SETLK, F_WRLCK, 5, 1));
    T(close(again));
    T(close(fd));
    T(lock(other, F_OFD_SETLK, F_WRLCK, 5, 1));
    T(close(other));

    /* A waiter gets the lock when the holder lets go; a signal breaks the wait off. */
    T(fd = open("f", O_RDWR));
    T(lock(fd, F_SETLKW, F_WRLCK, 0, 0));
    fflush(stdout);
    int ready[2];
    pipe(ready);
    pid_t child = fork();
    if (child == 0) {
        char byte = 0;
        int mine = open("f", O_RDWR);
        write(ready[1], &byte, 1);
        _exit(lock(mine, F_SETLKW, F_WRLCK, 0, 0) == 0 ? 7 : 8);
    }
    char byte;
    T(read(ready[0], &byte, 1));
    usleep(20000);
    T(lock(fd, F_SETLK, F_UNLCK, 0, 0));
    int status;
    T(waitpid(child, &status, 0) == child);
    printf("child %d\n", WEXITSTATUS(status));
    return 0;
}
