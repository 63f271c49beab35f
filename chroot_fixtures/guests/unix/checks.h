/* What the guests of this directory share: results are printed with their errno, and readiness by name. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run a call, print it with its result, return the result. */
#define R(call) result(#call, (errno = 0, (long)(call)))

static long result(const char *what, long value) {
    printf("%s = %ld%s%s\n", what, value, value < 0 ? " " : "", value < 0 ? strerrorname_np(errno) : "");
    fflush(stdout);
    return value;
}

static void ready(const char *what, int fd) {
    struct pollfd p = {fd, POLLIN | POLLPRI | POLLOUT | POLLRDHUP | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND, 0};
    int n = poll(&p, 1, 0);
    static const struct { int bit; const char *name; } names[] = {
        {POLLIN, "IN"}, {POLLPRI, "PRI"}, {POLLOUT, "OUT"}, {POLLERR, "ERR"}, {POLLHUP, "HUP"}, {POLLNVAL, "NVAL"},
        {POLLRDNORM, "RDNORM"}, {POLLRDBAND, "RDBAND"}, {POLLWRNORM, "WRNORM"}, {POLLWRBAND, "WRBAND"},
        {POLLRDHUP, "RDHUP"}};
    printf("%s ready %d:", what, n);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (p.revents & names[i].bit) printf(" %s", names[i].name);
    printf("\n");
}

static void pair(int type, int fd[2]) {
    if (socketpair(AF_UNIX, type, 0, fd)) { perror("socketpair"); exit(1); }
}

/* Fill in an address; length < 0: strlen. Returns the length of the sockaddr. */
static socklen_t __attribute__((unused)) name(struct sockaddr_un *a, const char *path, int length) {
    memset(a, 0, sizeof *a);
    a->sun_family = AF_UNIX;
    if (length < 0) length = strlen(path) + 1;
    memcpy(a->sun_path, path, length);
    return offsetof(struct sockaddr_un, sun_path) + length;
}

static int __attribute__((unused)) option(int fd, int what) {
    int value = -77;
    socklen_t length = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, what, &value, &length)) return -errno;
    return value;
}

static int __attribute__((unused)) inq(int fd) { int n = -1; return ioctl(fd, FIONREAD, &n) ? -errno : n; }
static int __attribute__((unused)) outq(int fd) { int n = -1; return ioctl(fd, TIOCOUTQ, &n) ? -errno : n; }

static char directory[] = "/tmp/unix-XXXXXX";

static void leave(void) { if (chdir("/") || rmdir(directory)) perror(directory); }

/* Begin: print line by line, never hang, work in an empty directory. */
static void begin(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(30);
    umask(022);
    if (!mkdtemp(directory) || chmod(directory, 0755) || chdir(directory)) { perror(directory); exit(1); }
    atexit(leave);
}
