/* Descriptors and credentials in messages: boundaries, truncation, failures, sockets inside of sockets. */
#include "checks.h"
#include <sys/resource.h>
#include <sys/prctl.h>

struct room { size_t length; char data[1200]; };

/* Send with descriptors; returns as sendmsg. */
static long give(int s, const char *text, int count, int *fds) {
    char c[CMSG_SPACE(300 * sizeof(int))];
    struct iovec v = {(void *)text, strlen(text)};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    memset(c, 0, sizeof c);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET; h->cmsg_type = SCM_RIGHTS; h->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(h), fds, count * sizeof(int));
    return sendmsg(s, &m, MSG_NOSIGNAL);
}

static int got[300], gotten;

/* Receive up to `size` bytes with `room` bytes for control messages, and print everything. */
static long take(int s, int size, int room, int flags) {
    char b[64] = "", c[1300];
    struct iovec v = {b, size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room >= 0 ? c : NULL, .msg_controllen = room < 0 ? 0 : room};
    memset(c, 0x55, sizeof c);
    gotten = 0;
    errno = 0;
    long r = recvmsg(s, &m, flags | MSG_DONTWAIT);
    printf("take %d into %d, %x: %ld %s flags %x control %s", size, room < 0 ? room : room / (int)CMSG_SPACE(4), flags, r,
           r < 0 ? strerrorname_np(errno) : b, m.msg_flags & ~MSG_CMSG_CLOEXEC, m.msg_controllen ? "" : "none");
    if (r >= 0)
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        int n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        printf(" [%d/%d:", h->cmsg_level, h->cmsg_type);
        if (h->cmsg_type == SCM_RIGHTS) {
            printf(" %d files", n);
            memcpy(got, CMSG_DATA(h), n * sizeof(int));
            gotten = n;
        } else {
            struct ucred u;
            memcpy(&u, CMSG_DATA(h), n * sizeof(int) < sizeof u ? n * sizeof(int) : sizeof u);
            printf(" %d ints pid %s uid %d gid %d", n, u.pid == getpid() ? "own" : u.pid ? "other" : "0", u.uid, u.gid);
        }
        printf("]");
    }
    printf("\n");
    return r;
}

static void done(void) { for (int i = 0; i < gotten; i++) close(got[i]); gotten = 0; }

static void files(int type) {
    int s[2], p[2]; char b[8] = "";
    pair(type, s);
    if (pipe(p)) return;
    R(give(s[0], "one", 2, p));
    close(p[0]);
    take(s[1], 10, 200, 0);
    R(gotten == 2 ? write(got[1], "through", 7) : -1); R(gotten ? read(got[0], b, 7) : -1); printf("%s\n", b);
    printf("cloexec %d\n", fcntl(got[0], F_GETFD));
    done();
    R(give(s[0], "x", 1, p + 1)); take(s[1], 10, 200, MSG_CMSG_CLOEXEC); printf("cloexec %d\n", fcntl(got[0], F_GETFD)); done();
    int two[3] = {p[1], p[1], p[1]};
    R(give(s[0], "none", 3, two)); take(s[1], 10, -1, 0);
    R(give(s[0], "cut", 3, two)); take(s[1], 10, CMSG_LEN(2 * sizeof(int)), 0); done();
    R(give(s[0], "tiny", 3, two)); take(s[1], 10, CMSG_LEN(0), 0);
    R(give(s[0], "odd", 3, two)); take(s[1], 10, CMSG_LEN(6), 0); done();
    R(give(s[0], "peek", 1, two)); take(s[1], 10, 200, MSG_PEEK); done(); take(s[1], 10, 200, 0); done();
    R(give(s[0], "plain", 1, two)); R(read(s[1], b, 8));
    R(give(s[0], "recv", 1, two)); R(recv(s[1], b, 8, 0));
    two[1] = 99;
    R(give(s[0], "bad", 2, two));
    two[1] = -1;
    R(give(s[0], "bad", 2, two));
    R(give(s[0], "zero", 0, two)); take(s[1], 10, 200, 0);
    int many[254];
    for (int i = 0; i < 254; i++) many[i] = p[1];
    R(give(s[0], "many", 254, many)); R(give(s[0], "many", 253, many)); take(s[1], 10, 1200, 0); done();
    R(give(s[0], "", 1, two)); take(s[1], 10, 200, 0); done();
    R(give(s[0], "unread", 1, two));
    struct rlimit l = {8, 8}, old;
    int dupped = dup(0);
    getrlimit(RLIMIT_NOFILE, &old);
    two[1] = two[2] = p[1];
    R(give(s[0], "limit", 3, two));
    take(s[1], 6, 200, 0); done();
    l.rlim_cur = dupped + 1; l.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_NOFILE, &l);
    take(s[1], 10, 200, 0); done();
    setrlimit(RLIMIT_NOFILE, &old);
    close(dupped);
    close(s[0]); close(s[1]); close(p[1]);
}

static void boundaries(void) {
    int s[2], p[2];
    pair(SOCK_STREAM, s);
    pipe(p);
    R(write(s[0], "before", 6)); R(give(s[0], "with", 1, p)); R(write(s[0], "after", 5));
    take(s[1], 20, 200, MSG_PEEK); done();
    take(s[1], 20, 200, 0); done();
    take(s[1], 20, 200, 0); done();
    R(give(s[0], "with", 1, p)); R(give(s[0], "more", 1, p));
    take(s[1], 2, 200, 0); done();
    take(s[1], 20, 200, 0); done();
    take(s[1], 20, 200, 0); done();
    R(give(s[0], "with", 1, p)); R(write(s[0], "after", 5));
    take(s[1], 9, 200, MSG_WAITALL); done();
    take(s[1], 9, 200, 0);
    /* the writer of a pipe is closed when the message that has it is thrown away */
    char b;
    R(give(s[0], "pipe", 1, p + 1));
    close(p[1]);
    struct pollfd q = {p[0], POLLIN, 0};
    R(poll(&q, 1, 0));
    close(s[1]);
    R(poll(&q, 1, 0)); R(read(p[0], &b, 1));
    close(s[0]); close(p[0]);
}

static void inside(void) {  /* sockets in flight inside of themselves are collected */
    int s[2], t[2], p[2]; char b;
    pipe(p);
    pair(SOCK_STREAM, s); pair(SOCK_STREAM, t);
    R(give(s[0], "s", 1, s + 1)); R(give(s[0], "p", 1, p + 1));
    R(give(t[0], "u", 1, s)); R(give(s[0], "v", 1, t + 1));
    close(p[1]); close(s[1]); close(s[0]); close(t[0]); close(t[1]);
    pair(SOCK_DGRAM, s); close(s[0]); close(s[1]);
    usleep(50000);
    struct pollfd q = {p[0], POLLIN, 0};
    printf("collected: %d\n", poll(&q, 1, 3000));
    R(read(p[0], &b, 1));
    close(p[0]);
    pipe(p);
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un a; socklen_t n = name(&a, "inside", -1);
    bind(l, (struct sockaddr *)&a, n); listen(l, 3); connect(c, (struct sockaddr *)&a, n);
    R(give(c, "listener", 1, &l)); R(give(c, "pipe", 1, p + 1));
    close(l); close(c); close(p[1]);
    pair(SOCK_DGRAM, s); close(s[0]); close(s[1]);
    usleep(50000);
    q.fd = p[0];
    printf("collected: %d\n", poll(&q, 1, 3000));
    close(p[0]);
    unlink("inside");
    /* alive: the far end is still open */
    pair(SOCK_STREAM, s); pair(SOCK_STREAM, t);
    R(give(t[0], "alive", 1, s));
    close(s[0]);
    pair(SOCK_DGRAM, p); close(p[0]); close(p[1]);
    R(write(s[1], "still", 5));
    take(t[1], 9, 200, 0);
    char text[8] = "";
    R(read(got[0], text, 5)); printf("%s\n", text);
    done();
}

static long identify(int s, int pid, int uid, int gid, int length) {
    char c[CMSG_SPACE(sizeof(struct ucred))];
    struct ucred u = {pid, uid, gid};
    struct iovec v = {"who", 3};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
    memset(c, 0, sizeof c);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET; h->cmsg_type = SCM_CREDENTIALS; h->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(h), &u, sizeof u);
    return sendmsg(s, &m, 0);
}

static void credentials(int type) {
    int s[2], one = 1, p[2];
    pair(type, s);
    pipe(p);
    R(write(s[0], "early", 5));
    R(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one)); R(option(s[1], SO_PASSCRED));
    R(write(s[0], "late", 4));
    take(s[1], 20, 200, 0); take(s[1], 20, 200, 0);
    R(identify(s[0], getpid(), 0, 0, 12)); take(s[1], 20, 200, 0);
    R(identify(s[0], 1, 77, 88, 12)); R(write(s[0], "own", 3));
    take(s[1], 20, 200, 0); take(s[1], 20, 200, 0);
    R(identify(s[0], getpid(), 0, 0, 11)); R(identify(s[0], 99999999, 0, 0, 12)); R(identify(s[0], getpid(), -1, 0, 12));
    R(give(s[0], "both", 2, p)); take(s[1], 20, 200, 0); done();
    R(give(s[0], "cut", 2, p)); take(s[1], 20, CMSG_SPACE(12), 0); done();
    R(write(s[0], "cut", 3)); take(s[1], 20, CMSG_LEN(8), 0);
    R(write(s[0], "none", 4)); take(s[1], 20, -1, 0);
    if (!fork()) {
        setvbuf(stdout, NULL, _IONBF, 0);
        setgid(500); setuid(1000);
        R(write(s[0], "child", 5));
        R(identify(s[0], getpid(), 1000, 500, 12)); R(identify(s[0], getpid(), 0, 500, 12));
        R(identify(s[0], getppid(), 1000, 500, 12)); R(identify(s[0], getpid(), 1000, 0, 12));
        _exit(0);
    }
    wait(NULL);
    take(s[1], 5, 200, 0); take(s[1], 20, 200, 0);
    close(s[0]); close(s[1]); close(p[0]); close(p[1]);
}

static void malformed(void) {
    int s[2]; char c[64];
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = 0};
    struct cmsghdr *h = (struct cmsghdr *)c;
    pair(SOCK_DGRAM, s);
    memset(c, 0, sizeof c);
    if (sizeof(long) == 8) { m.msg_controllen = sizeof *h - 1; R(sendmsg(s[0], &m, 0)); }  /* EINVAL for 32 bits */
    m.msg_controllen = sizeof *h; R(sendmsg(s[0], &m, 0));
    h->cmsg_len = sizeof *h; R(sendmsg(s[0], &m, 0));
    h->cmsg_level = SOL_SOCKET; h->cmsg_type = 99; R(sendmsg(s[0], &m, 0));
    h->cmsg_type = SCM_RIGHTS; R(sendmsg(s[0], &m, 0));
    h->cmsg_len = sizeof *h + 8; R(sendmsg(s[0], &m, 0));
    m.msg_controllen = sizeof c; h->cmsg_len = CMSG_LEN(3); R(sendmsg(s[0], &m, 0));
    m.msg_control = (void *)16; R(sendmsg(s[0], &m, 0));
    if (sizeof(long) == 8) { m.msg_controllen = 1 << 20; R(sendmsg(s[0], &m, 0)); }
    m.msg_control = NULL; m.msg_controllen = 0; m.msg_iov = (void *)16; R(sendmsg(s[0], &m, 0));
    m.msg_iovlen = 0; R(sendmsg(s[0], &m, 0));
    R(recvmsg(s[1], &m, MSG_DONTWAIT));
    close(s[0]); close(s[1]);
}

int main(void) {
    begin();
    printf("-- streams\n"); files(SOCK_STREAM);
    printf("-- datagrams\n"); files(SOCK_DGRAM);
    boundaries(); inside();
    printf("-- credentials\n"); credentials(SOCK_STREAM); credentials(SOCK_DGRAM);
    malformed();
    return 0;
}
