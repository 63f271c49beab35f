/* Stream sockets: bytes, halves, errors, readiness, waiting. */
#include "checks.h"

static volatile int signals;
static void count(int signo) { (void)signo; signals++; }
static void nothing(int signo) { (void)signo; }

static void bytes(void) {
    int s[2]; char b[64] = "";
    pair(SOCK_STREAM, s);
    ready("new", s[0]);
    R(send(s[0], "hello", 5, 0));
    R(write(s[0], " world", 6));
    ready("full", s[1]);
    R(inq(s[1])); R(outq(s[0]));
    R(recv(s[1], b, 3, MSG_PEEK)); printf("%.3s\n", b);
    R(recv(s[1], b, sizeof b, MSG_PEEK)); printf("%.11s\n", b);
    R(recv(s[1], b, 7, 0)); printf("%.7s\n", b);
    R(recv(s[1], NULL, 3, MSG_TRUNC));
    R(recv(s[1], b, 0, 0));
    R(read(s[1], b, sizeof b)); printf("%.4s\n", b);
    R(recv(s[1], b, 1, MSG_DONTWAIT));
    R(read(s[1], b, 0));
    R(send(s[0], "", 0, 0));
    R(write(s[0], "", 0));
    struct iovec v[3] = {{"one", 3}, {NULL, 0}, {"two", 3}};
    R(writev(s[0], v, 3));
    char c[4], d[4];
    struct iovec w[2] = {{c, 4}, {d, 4}};
    R(readv(s[1], w, 2)); printf("%.4s %.2s\n", c, d);
    R(preadv2(s[1], w, 2, -1, RWF_NOWAIT));
    R(pread(s[1], b, 1, 0)); R(pwrite(s[1], b, 1, 0)); R(lseek(s[1], 0, SEEK_SET)); R(fsync(s[1]));
    R(ftruncate(s[1], 0));
    R(send(s[0], (void *)16, 5, 0));
    R(recv(s[1], (void *)16, 5, MSG_DONTWAIT));
    R(send(s[0], "xyz", 3, 0));
    R(recv(s[1], (void *)16, 5, 0));
    R(recv(s[1], b, 5, 0));
    R(send(s[0], "x", 1, MSG_OOB | MSG_DONTWAIT)); R(recv(s[1], b, 1, MSG_OOB));
    R(sendto(s[0], "x", 1, 0, (struct sockaddr *)b, 1));
    R(fcntl(s[0], F_GETFL)); R(fcntl(s[0], F_SETFL, O_NONBLOCK)); R(fcntl(s[0], F_GETFL)); R(read(s[0], b, 1));
    int one = 0;
    R(ioctl(s[0], FIONBIO, &one)); R(fcntl(s[0], F_GETFL));
    close(s[0]); close(s[1]);
}

static void boundaries(void) {  /* WAITALL, low water, timeouts */
    int s[2]; char b[64];
    pair(SOCK_STREAM, s);
    struct timeval t = {0, 20000};
    R(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    R(recv(s[1], b, 1, 0));
    R(read(s[1], b, 1));
    R(send(s[0], "abc", 3, 0));
    R(recv(s[1], b, 5, MSG_WAITALL));
    R(recv(s[1], b, 5, MSG_WAITALL));
    int low = 4;
    R(setsockopt(s[1], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low));
    R(send(s[0], "abc", 3, 0));
    ready("low", s[1]);
    R(recv(s[1], b, sizeof b, 0));
    if (!fork()) { usleep(20000); send(s[0], "12", 2, 0); usleep(20000); send(s[0], "345", 3, 0); _exit(0); }
    t.tv_usec = 0;
    setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    R(recv(s[1], b, 5, MSG_WAITALL)); printf("%.5s\n", b);
    wait(NULL);
    t.tv_usec = 1000000;
    R(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    t.tv_usec = 0; t.tv_sec = -1;
    R(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    R(recv(s[1], b, 5, 0));
    close(s[0]); close(s[1]);
}

static void room(void) {
    int s[2], size = 1; char *big = calloc(1, 1 << 20); long n, total = 0;
    pair(SOCK_STREAM, s);
    R(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size)); R(option(s[0], SO_SNDBUF));
    R(send(s[0], big, 1 << 20, MSG_DONTWAIT));
    ready("stuffed", s[0]);
    R(send(s[0], big, 1, MSG_DONTWAIT));
    struct timeval t = {0, 10000};
    setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    R(send(s[0], big, 1, 0));
    t.tv_usec = 0;
    setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    if (!fork()) {
        while (total < 300000 && (n = read(s[1], big, 4096)) > 0) total += n;
        shutdown(s[1], SHUT_RDWR);
        _exit(0);
    }
    n = send(s[0], big, 1 << 20, MSG_NOSIGNAL);
    printf("cut off: %s\n", n >= 300000 - 40000 && n < 1 << 20 ? "part" : "strange");
    wait(NULL);
    R(send(s[0], big, 1, MSG_NOSIGNAL));
    close(s[0]); close(s[1]);
    int counts[] = {1, 500, 4000, 40000};
    for (int i = 0; i < 4; i++) {
        pair(SOCK_STREAM, s);
        for (n = 0; send(s[0], big, counts[i], MSG_DONTWAIT) == counts[i]; n++) ;
        printf("%ld of %d: %s outq %d inq %d\n", n, counts[i], strerrorname_np(errno), outq(s[0]), inq(s[1]));
        close(s[0]); close(s[1]);
    }
    free(big);
}

static void halves(void) {
    int s[2]; char b[16];
    pair(SOCK_STREAM, s);
    R(shutdown(s[0], 3)); R(shutdown(s[0], -1));
    R(send(s[0], "last", 4, 0));
    R(shutdown(s[0], SHUT_WR));
    ready("writer", s[0]); ready("reader", s[1]);
    R(send(s[0], "x", 1, MSG_NOSIGNAL));
    R(recv(s[1], b, 16, 0)); R(recv(s[1], b, 16, 0));
    R(send(s[1], "back", 4, 0)); R(recv(s[0], b, 16, 0));
    R(shutdown(s[1], SHUT_WR));
    ready("writer", s[0]); ready("reader", s[1]);
    close(s[0]); close(s[1]);
    pair(SOCK_STREAM, s);
    R(shutdown(s[0], SHUT_RD));
    ready("deaf", s[0]); ready("its peer", s[1]);
    R(recv(s[0], b, 1, 0));
    signals = 0;
    R(send(s[1], "x", 1, 0)); R(write(s[1], "x", 1)); R(send(s[1], "x", 1, MSG_NOSIGNAL));
    printf("signals %d\n", signals);
    close(s[0]); close(s[1]);
}

static void ends(void) {
    int s[2]; char b[16];
    pair(SOCK_STREAM, s);
    R(send(s[0], "unread", 6, 0));
    close(s[1]);
    ready("reset", s[0]);
    R(send(s[0], "x", 1, MSG_NOSIGNAL));
    R(recv(s[0], b, 1, 0)); R(recv(s[0], b, 1, 0));
    ready("after", s[0]);
    R(getpeername(s[0], (struct sockaddr *)b, &(socklen_t){16}));
    close(s[0]);
    pair(SOCK_STREAM, s);
    R(send(s[1], "rest", 4, 0));
    close(s[1]);
    ready("closed", s[0]);
    R(option(s[0], SO_ERROR));
    R(recv(s[0], b, 16, 0)); R(recv(s[0], b, 16, 0));
    signals = 0;
    R(write(s[0], "x", 1)); printf("signals %d\n", signals);
    close(s[0]);
    pair(SOCK_STREAM, s);
    R(send(s[0], "unread", 6, 0));
    close(s[1]);
    R(option(s[0], SO_ERROR)); R(option(s[0], SO_ERROR)); R(recv(s[0], b, 1, 0));
    close(s[0]);
    int u = socket(AF_UNIX, SOCK_STREAM, 0);
    ready("unconnected", u);
    R(send(u, "x", 1, 0)); R(recv(u, b, 1, 0)); R(shutdown(u, SHUT_RD)); R(read(u, b, 1)); R(send(u, (void *)16, 1, 0));
    ready("unconnected", u);
    close(u);
}

static void interruptions(void) {
    int s[2]; char b[16];
    struct sigaction a = {.sa_handler = nothing};
    struct timeval t = {5, 0};
    struct itimerval once = {{0, 0}, {0, 30000}}, never = {{0, 0}, {0, 0}};
    pair(SOCK_STREAM, s);
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &once, NULL); R(recv(s[0], b, 1, 0));
    a.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &a, NULL);
    if (!fork()) { usleep(90000); write(s[1], "!", 1); _exit(0); }
    setitimer(ITIMER_REAL, &once, NULL); R(recv(s[0], b, 1, 0));
    wait(NULL);
    setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setitimer(ITIMER_REAL, &once, NULL); R(recv(s[0], b, 1, 0));
    setitimer(ITIMER_REAL, &once, NULL); R(read(s[0], b, 1));
    write(s[1], "ab", 2);
    setitimer(ITIMER_REAL, &once, NULL); R(recv(s[0], b, 8, MSG_WAITALL));
    setitimer(ITIMER_REAL, &never, NULL);
    close(s[0]); close(s[1]);
}

static void kinds(void) {
    struct stat st; char link[64], path[64]; int s[2];
    pair(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, s);
    R(fcntl(s[0], F_GETFD)); R(fcntl(s[1], F_GETFL));
    R(fstat(s[0], &st)); printf("%o nlink %d size %ld\n", st.st_mode, (int)st.st_nlink, (long)st.st_size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", s[0]);
    memset(link, 0, sizeof link);
    R(readlink(path, link, sizeof link - 1) > 8); printf("%.8s\n", link);
    snprintf(path, sizeof path, "socket:[%lu]", (unsigned long)st.st_ino);
    printf("link %s\n", strcmp(path, link) ? "differs" : "is the inode");
    snprintf(path, sizeof path, "/proc/self/fd/%d", s[0]);
    R(open(path, O_RDWR));
    R(stat(path, &st)); printf("%o\n", st.st_mode);
    R(fchmod(s[0], 0600)); fstat(s[0], &st); printf("%o\n", st.st_mode);
    int fd = dup(s[0]);
    close(s[0]);
    R(write(fd, "dup", 3)); R(read(s[1], link, 9));
    R(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)16));
    R(socketpair(AF_UNIX, SOCK_STREAM | 0x100, 0, s)); R(socketpair(77, SOCK_STREAM, 0, s));
    R(socket(AF_UNIX, SOCK_STREAM, 5)); R(socket(AF_UNIX, SOCK_RDM, 0)); R(socket(AF_UNIX, 12, 0)); R(socket(-1, 1, 0));
    R(send(0, "x", 1, 0)); R(getsockname(99, NULL, NULL)); R(listen(1, 1)); R(accept(0, NULL, NULL));
}

int main(void) {
    signal(SIGPIPE, count);
    begin();
    bytes(); boundaries(); room(); halves(); ends(); interruptions(); kinds();
    return 0;
}
