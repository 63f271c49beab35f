/* splice, tee, vmsplice, sendfile and packet pipes: what moves where, what blocks, what is refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(call)                                                                \
    do {                                                                          \
        errno = 0;                                                                \
        long result_ = (long)(call);                                              \
        if (result_ == -1)                                                        \
            printf("%d %s: %s\n", __LINE__, #call, strerrorname_np(errno));       \
        else                                                                      \
            printf("%d %s: %ld\n", __LINE__, #call, result_);                     \
    } while (0)

static char buffer[200000];
static int a[2], b[2], file;
static void *const BAD = (void *)8;

static long get(int fd, size_t size) {
    memset(buffer, 0, 64);
    long count = read(fd, buffer, size);
    if (count > 0)
        printf("[%.20s] ", buffer);
    return count;
}
static void put(int fd, const char *text) {
    if (write(fd, text, strlen(text)) < 0)
        perror("write");
}
static int held(int fd) {
    int count = -1;
    ioctl(fd, FIONREAD, &count);
    return count;
}
static void drain(int fd) {
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    while (read(fd, buffer, sizeof buffer) > 0)
        ;
    fcntl(fd, F_SETFL, flags);
}
static void caught(int signo) {
    char text[40];
    write(1, text, snprintf(text, sizeof text, "signal %d\n", signo == SIGPIPE));
}
static pid_t child(void (*body)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        body();
        fflush(stdout);
        _exit(0);
    }
    return pid;
}
static void move_later(void) {
    close(a[1]);
    SHOW(splice(a[0], NULL, b[1], NULL, 100, 0));
}
static void tee_later(void) {
    SHOW(tee(a[0], b[1], 3, 0));
}
static void into_full(void) {
    struct iovec one = {"vm", 2};
    SHOW(vmsplice(b[1], &one, 1, 0));
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    signal(SIGPIPE, caught);
    pipe(a), pipe(b);
    file = open("data", O_RDWR | O_CREAT | O_TRUNC, 0644);
    put(file, "0123456789abcdefghij");
    loff_t at = 5, at2 = 3;
    /* files */
    SHOW(splice(file, &at, a[1], NULL, 4, 0));
    printf("at %lld, offset %ld\n", (long long)at, (long)lseek(file, 0, SEEK_CUR));
    SHOW(get(a[0], 100));
    lseek(file, 10, SEEK_SET);
    SHOW(splice(file, NULL, a[1], NULL, 100, SPLICE_F_MORE | SPLICE_F_MOVE));
    SHOW(splice(file, NULL, a[1], NULL, 100, 0));
    SHOW(splice(a[0], NULL, file, &at2, 4, 0));
    printf("at %lld, offset %ld, left %d\n", (long long)at2, (long)lseek(file, 0, SEEK_CUR), held(a[0]));
    SHOW(splice(a[0], NULL, file, NULL, 100, 0));
    SHOW(pread(file, buffer, 100, 0));
    printf("%.40s\n", buffer);
    /* errors */
    SHOW(splice(file, NULL, file, NULL, 0, 99));
    SHOW(splice(file, NULL, file, NULL, 1, 99));
    SHOW(splice(file, NULL, file, NULL, 1, 0));
    SHOW(splice(99, NULL, a[1], NULL, 1, 0));
    SHOW(splice(a[0], NULL, 99, NULL, 1, 0));
    SHOW(splice(a[1], NULL, b[1], NULL, 1, 0));
    SHOW(splice(a[0], NULL, b[0], NULL, 1, 0));
    SHOW(splice(a[0], NULL, a[1], NULL, 1, 0));
    SHOW(splice(a[0], &at, file, NULL, 1, 0));
    SHOW(splice(file, NULL, a[1], &at, 1, 0));
    SHOW(splice(file, BAD, a[1], NULL, 1, 0));
    SHOW(splice(a[0], NULL, file, BAD, 1, 0));
    at = -1;
    SHOW(splice(file, &at, a[1], NULL, 1, 0));
    SHOW(splice(a[0], NULL, b[1], NULL, 10, SPLICE_F_NONBLOCK));
    fcntl(a[0], F_SETFL, O_NONBLOCK);
    SHOW(splice(a[0], NULL, b[1], NULL, 10, 0));
    SHOW(splice(a[0], NULL, file, NULL, 10, 0));
    fcntl(a[0], F_SETFL, 0);
    int append = open("data", O_WRONLY | O_APPEND), directory = open(".", O_RDONLY), reader = open("data", O_RDONLY);
    put(a[1], "xyz");
    SHOW(splice(a[0], NULL, append, NULL, 10, 0));
    SHOW(splice(a[0], NULL, reader, NULL, 10, 0));
    SHOW(splice(directory, NULL, a[1], NULL, 10, 0));
    /* pipe to pipe */
    SHOW(splice(a[0], NULL, b[1], NULL, 2, 0));
    printf("%d %d\n", held(a[0]), held(b[0]));
    SHOW(tee(a[0], b[1], 10, 0));
    printf("%d %d\n", held(a[0]), held(b[0]));
    SHOW(get(b[0], 10));
    SHOW(get(a[0], 10));
    SHOW(tee(a[0], b[1], 10, SPLICE_F_NONBLOCK));
    SHOW(tee(a[0], a[1], 10, 0));
    SHOW(tee(file, b[1], 10, 0));
    SHOW(tee(a[0], file, 10, 0));
    SHOW(tee(a[0], b[1], 0, 0));
    SHOW(tee(a[0], b[1], 1, 32));
    SHOW(tee(a[1], b[1], 1, 0));
    SHOW(tee(98, 99, 1, 0));
    pid_t pid = child(move_later);
    usleep(20000);
    put(a[1], "late");
    waitpid(pid, NULL, 0);
    SHOW(get(b[0], 10));
    pid = child(tee_later);
    usleep(20000);
    put(a[1], "later");
    waitpid(pid, NULL, 0);
    SHOW(get(b[0], 10));
    SHOW(get(a[0], 10));
    /* full */
    fcntl(b[1], F_SETFL, O_NONBLOCK);
    while (write(b[1], buffer, 4096) > 0)
        ;
    put(a[1], "abc");
    SHOW(splice(a[0], NULL, b[1], NULL, 10, 0));
    SHOW(tee(a[0], b[1], 10, 0));
    SHOW(splice(file, NULL, b[1], NULL, 10, 0));
    fcntl(b[1], F_SETFL, 0);
    SHOW(splice(a[0], NULL, b[1], NULL, 10, SPLICE_F_NONBLOCK));
    SHOW(splice(file, NULL, b[1], NULL, 10, SPLICE_F_NONBLOCK));
    struct iovec one = {"vm", 2};
    SHOW(vmsplice(b[1], &one, 1, SPLICE_F_NONBLOCK));
    pid = child(into_full);
    usleep(20000);
    drain(b[0]);
    waitpid(pid, NULL, 0);
    usleep(1000);
    drain(b[0]);
    drain(a[0]);
    /* memory */
    struct iovec parts[3] = {{"one ", 4}, {BAD, 0}, {"two", 3}}, bad[2] = {{"good", 4}, {BAD, 4}}, worse = {BAD, 4};
    SHOW(vmsplice(a[1], parts, 3, 0));
    SHOW(vmsplice(a[1], &worse, 1, 0));
    SHOW(vmsplice(a[1], bad, 2, 0));
    SHOW(get(a[0], 100));
    SHOW(vmsplice(a[1], parts, 3, SPLICE_F_GIFT));
    char first[6] = "", second[20] = "";
    struct iovec in[2] = {{first, 5}, {second, 20}};
    SHOW(vmsplice(a[0], in, 2, 0));
    printf("%s|%s\n", first, second);
    SHOW(vmsplice(a[0], in, 2, SPLICE_F_NONBLOCK));
    SHOW(vmsplice(a[0], in, 0, 0));
    SHOW(vmsplice(a[0], in, 1025, 0));
    SHOW(vmsplice(a[0], BAD, 1, 0));
    SHOW(vmsplice(file, in, 1, 0));
    SHOW(vmsplice(99, in, 1, 0));
    SHOW(vmsplice(a[0], in, 1, 64));
    in[0].iov_len = -1;
    SHOW(vmsplice(a[1], in, 1, 0));
    put(a[1], "four");
    in[0] = (struct iovec){BAD, 4};
    SHOW(vmsplice(a[0], in, 1, 0));
    printf("%d\n", held(a[0]));
    drain(a[0]);
    /* nobody there */
    int c[2];
    pipe(c);
    close(c[0]);
    put(a[1], "abc");
    fflush(stdout);
    SHOW(splice(a[0], NULL, c[1], NULL, 3, 0));
    fflush(stdout);
    SHOW(tee(a[0], c[1], 3, 0));
    fflush(stdout);
    SHOW(vmsplice(c[1], &one, 1, 0));
    fflush(stdout);
    SHOW(splice(file, &at2, c[1], NULL, 3, 0));
    fflush(stdout);
    SHOW(sendfile(c[1], file, NULL, 3));
    close(c[1]);
    pipe(c);
    put(c[1], "end");
    close(c[1]);
    drain(a[0]);
    SHOW(splice(c[0], NULL, a[1], NULL, 10, 0));
    SHOW(splice(c[0], NULL, a[1], NULL, 10, 0));
    SHOW(tee(c[0], a[1], 10, 0));
    SHOW(splice(c[0], NULL, file, NULL, 10, 0));
    SHOW(vmsplice(c[0], in, 1, 0));
    drain(a[0]);
    /* devices and sockets */
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
    put(a[1], "gone");
    SHOW(splice(a[0], NULL, null, NULL, 100, 0));
    SHOW(splice(zero, NULL, a[1], NULL, 7, 0));
    SHOW(splice(null, NULL, a[1], NULL, 7, 0));
    SHOW(sendfile(a[1], zero, NULL, 5));
    printf("%d\n", held(a[0]));
    drain(a[0]);
    int s[2];
    if (!socketpair(AF_UNIX, SOCK_STREAM, 0, s)) {
        put(a[1], "to the socket");
        SHOW(splice(a[0], NULL, s[0], NULL, 100, SPLICE_F_MORE));
        SHOW(get(s[1], 100));
        put(s[1], "from the socket");
        SHOW(splice(s[0], NULL, a[1], NULL, 4, 0));
        SHOW(splice(s[0], NULL, a[1], NULL, 100, 0));
        SHOW(get(a[0], 100));
        SHOW(splice(s[0], NULL, a[1], NULL, 100, SPLICE_F_NONBLOCK));
        put(a[1], "x");
        SHOW(splice(a[0], NULL, s[0], &at2, 100, 0));
        SHOW(splice(s[0], &at2, a[1], NULL, 100, 0));
        drain(a[0]);
        off_t from = 2;
        SHOW(sendfile(s[0], file, &from, 6));
        printf("%ld\n", (long)from);
        SHOW(get(s[1], 100));
        SHOW(sendfile(s[0], s[1], NULL, 6));
        close(s[1]);
        put(a[1], "x");
        fflush(stdout);
        SHOW(splice(a[0], NULL, s[0], NULL, 100, 0));
        printf("%d\n", held(a[0]));
        drain(a[0]);
    }
    /* packets */
    int p[2], q[2];
    pipe2(p, O_DIRECT), pipe2(q, O_DIRECT);
    SHOW(fcntl(p[1], F_GETFL) & O_DIRECT ? 1 : 0);
    put(p[1], "first"), put(p[1], "second"), put(p[1], "third");
    SHOW(get(p[0], 3));
    SHOW(tee(p[0], q[1], 100, 0));
    SHOW(get(q[0], 100));
    SHOW(get(q[0], 100));
    SHOW(splice(p[0], NULL, q[1], NULL, 100, 0));
    SHOW(get(q[0], 2));
    SHOW(get(q[0], 100));
    memset(buffer, 'p', 9000);
    SHOW(write(p[1], buffer, 9000));
    SHOW(read(p[0], buffer, 9000));
    SHOW(read(p[0], buffer, 100));
    SHOW(read(p[0], buffer, 9000));
    fcntl(p[1], F_SETFL, 0);
    put(p[1], "no "), put(p[1], "packet ");
    fcntl(p[1], F_SETFL, O_DIRECT);
    put(p[1], "packet");
    SHOW(get(p[0], 12));
    SHOW(write(p[1], "", 0));
    printf("%d\n", held(p[0]));
    /* sizes */
    SHOW(fcntl(a[0], F_GETPIPE_SZ));
    SHOW(fcntl(a[0], F_SETPIPE_SZ, 1));
    SHOW(fcntl(a[0], F_SETPIPE_SZ, 5000));
    SHOW(fcntl(a[0], F_SETPIPE_SZ, 0));
    SHOW(fcntl(a[0], F_SETPIPE_SZ, -1));
    put(a[1], "held");
    SHOW(fcntl(a[0], F_SETPIPE_SZ, 100000));
    SHOW(fcntl(file, F_GETPIPE_SZ));
    SHOW(fcntl(file, F_SETPIPE_SZ, 4096));
    SHOW(splice(zero, NULL, a[1], NULL, 1 << 20, 0));
    SHOW(fcntl(a[0], F_SETPIPE_SZ, 4096));
    SHOW(held(a[0]) > 100000);
    unlink("data");
    return 0;
}
