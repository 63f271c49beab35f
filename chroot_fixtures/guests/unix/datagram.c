/* Datagrams and sequenced packets: whole messages, peers, full receivers, readiness. */
#include "checks.h"

static struct sockaddr_un a;
static socklen_t len;
static char big[300000];
static char cli[17];  /* an abstract name that no other process has, 15 bytes long */
#define AT(path, length) (struct sockaddr *)&a, (len = name(&a, path, length))

static void messages(int type) {
    int s[2]; char b[64] = "";
    pair(type, s);
    ready("new", s[0]);
    R(send(s[0], "first", 5, 0)); R(send(s[0], "", 0, 0)); R(send(s[0], "second one", 10, MSG_EOR));
    R(write(s[0], "", 0)); R(writev(s[0], NULL, 0));
    ready("full", s[1]);
    R(inq(s[1])); R(outq(s[0]));
    R(recv(s[1], b, 3, MSG_PEEK)); R(recv(s[1], b, 3, MSG_PEEK | MSG_TRUNC)); R(recv(s[1], b, 3, 0)); printf("%.3s\n", b);
    R(recv(s[1], b, 9, MSG_WAITALL)); R(inq(s[1]));
    struct iovec v[2] = {{b, 4}, {b + 10, 4}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_flags = 77};
    R(recvmsg(s[1], &m, MSG_PEEK)); printf("flags %x\n", m.msg_flags);
    R(recvmsg(s[1], &m, MSG_TRUNC)); printf("flags %x %.4s %.4s\n", m.msg_flags, b, b + 10);
    R(read(s[1], b, 8)); R(recv(s[1], b, 8, MSG_DONTWAIT));
    R(send(s[0], "bad", 3, 0)); R(recv(s[1], (void *)16, 3, 0)); R(recv(s[1], b, 3, MSG_DONTWAIT));
    R(send(s[0], (void *)16, 3, 0));
    R(send(s[0], "zero", 4, 0)); R(recv(s[1], b, 0, 0)); R(recv(s[1], b, 3, MSG_DONTWAIT));
    R(send(s[0], "o", 1, MSG_OOB)); R(recv(s[1], b, 1, MSG_OOB | MSG_DONTWAIT));
    R(send(s[0], big, 212992 - 32, 0)); R(send(s[0], big, 212992 - 31, 0)); R(inq(s[1])); R(outq(s[0]));
    ready("much", s[0]);
    R(send(s[0], "x", 1, MSG_DONTWAIT));
    R(recv(s[1], big, sizeof big, 0));
    ready("taken", s[0]);
    int counts[] = {0, 1, 700, 20000};
    for (int i = 0; i < 4; i++) {
        int n;
        for (n = 0; send(s[0], big, counts[i], MSG_DONTWAIT) == counts[i]; n++) ;
        printf("%d of %d: %s outq %d inq %d\n", n, counts[i], strerrorname_np(errno), outq(s[0]), inq(s[1]));
        while (recv(s[1], big, sizeof big, MSG_DONTWAIT) >= 0) ;
    }
    R(shutdown(s[0], SHUT_WR));
    ready("writer", s[0]); ready("reader", s[1]);
    R(send(s[0], "x", 1, 0)); R(recv(s[1], b, 1, MSG_DONTWAIT));
    if (type == SOCK_SEQPACKET) R(recv(s[1], b, 1, 0));
    R(shutdown(s[1], SHUT_RD)); ready("reader", s[1]);
    R(recv(s[1], b, 1, 0)); R(recv(s[1], b, 1, MSG_DONTWAIT));
    close(s[0]); close(s[1]);
    pair(type, s);
    R(shutdown(s[1], SHUT_RD));
    ready("its peer", s[0]);
    R(send(s[0], "x", 1, 0));
    close(s[0]); close(s[1]);
    pair(type, s);
    R(send(s[0], "unread", 6, 0)); R(send(s[1], "rest", 4, 0));
    close(s[1]);
    ready("left alone", s[0]);
    R(send(s[0], "x", 1, 0)); R(recv(s[0], b, 9, MSG_DONTWAIT)); R(recv(s[0], b, 9, MSG_DONTWAIT));
    R(send(s[0], "x", 1, 0)); R(option(s[0], SO_ERROR));
    ready("left alone", s[0]);
    close(s[0]);
    int u = socket(AF_UNIX, type, 0);
    ready("unconnected", u);
    R(send(u, "x", 1, 0)); R(recv(u, b, 1, MSG_DONTWAIT)); R(send(u, big, 300000, 0));
    close(u);
}

static void from(int fd) {
    struct sockaddr_un b; socklen_t n = sizeof b; char t[16] = "";
    memset(&b, 0, sizeof b);
    long r = recvfrom(fd, t, sizeof t, MSG_DONTWAIT, (struct sockaddr *)&b, &n);
    if (r < 0) printf("from: %s\n", strerrorname_np(errno));
    else printf("from %d %s%s: %s\n", (int)n, n > 2 && !b.sun_path[0] ? "@" : "", n <= 2 ? "" : b.sun_path[0] ? b.sun_path : "cli", t);
}

static void peers(void) {
    int s = socket(AF_UNIX, SOCK_DGRAM, 0), t = socket(AF_UNIX, SOCK_DGRAM, 0), u = socket(AF_UNIX, SOCK_DGRAM, 0);
    R(bind(s, AT("srv", -1)));
    R(sendto(t, "anon", 4, 0, AT("srv", -1))); from(s);
    R(sendto(t, "late", 4, 0, AT("srv", -1))); R(bind(t, AT(cli, 15))); from(s);
    R(sendto(t, "x", 1, 0, AT("none", -1))); R(sendto(t, "x", 1, 0, AT("", -1))); R(sendto(t, "x", 1, 0, (struct sockaddr *)&a, 2));
    R(sendto(t, "x", 1, 0, (struct sockaddr *)&a, 200)); R(sendto(t, "x", 1, 0, (struct sockaddr *)16, 20));
    R(sendto(t, "x", 1, 0, NULL, 20));
    R(connect(t, AT("srv", -1))); R(send(t, "conn", 4, 0)); from(s);
    R(getpeername(s, (struct sockaddr *)&a, &len)); R(getpeername(t, (struct sockaddr *)&a, (len = sizeof a, &len)));
    R(sendto(t, "to", 2, 0, AT("srv", -1))); from(s);
    R(connect(s, AT(cli, 15)));
    R(sendto(u, "x", 1, 0, AT("srv", -1))); R(connect(u, AT("srv", -1)));
    R(send(s, "back", 4, 0)); from(t);
    R(send(t, "lost", 4, 0));
    a.sun_family = AF_UNSPEC;
    R(connect(s, (struct sockaddr *)&a, 2)); R(connect(s, (struct sockaddr *)&a, 1));
    from(s);
    ready("told", t);
    R(option(t, SO_ERROR));
    R(send(s, "x", 1, 0));
    R(connect(t, (struct sockaddr *)&a, sizeof(short))); R(send(t, "x", 1, 0));
    R(connect(t, AT("srv", -1))); R(connect(t, AT("srv", -1)));
    close(s);
    ready("deserted", t);
    R(send(t, "x", 1, 0)); R(send(t, "x", 1, 0)); R(sendto(t, "x", 1, 0, AT("srv", -1)));
    unlink("srv");
    R(sendto(u, "self", 4, 0, AT(cli, 15))); from(t);
    R(connect(t, AT(cli, 15))); R(send(t, "me", 2, 0)); from(t);
    close(t); close(u);
}

static void full(void) {
    int s = socket(AF_UNIX, SOCK_DGRAM, 0), t = socket(AF_UNIX, SOCK_DGRAM, 0), i, n; char b[8];
    bind(s, AT("srv", -1)); connect(t, AT("srv", -1));
    for (n = 0; send(t, "x", 1, MSG_DONTWAIT) == 1; n++) ;
    printf("%d before %s\n", n, strerrorname_np(errno));
    ready("sender", t);
    int u = socket(AF_UNIX, SOCK_DGRAM, 0);
    R(sendto(u, "x", 1, MSG_DONTWAIT, AT("srv", -1)));
    ready("other", u);
    struct timeval tv = {0, 10000};
    setsockopt(t, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    R(send(t, "x", 1, 0));
    tv.tv_usec = 0; setsockopt(t, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    if (!fork()) { usleep(20000); recv(s, b, 1, 0); usleep(20000); recv(s, b, 1, 0); _exit(0); }
    R(send(t, "x", 1, 0));
    struct pollfd p = {t, POLLOUT, 0};
    R(poll(&p, 1, 2000)); printf("%x\n", p.revents);
    wait(NULL);
    R(recv(s, b, 1, 0));
    ready("sender", t);
    if (!fork()) { usleep(30000); for (i = 0; i < 5; i++) recv(s, b, 1, 0); _exit(0); }
    for (i = 0; i < 4; i++) R(sendto(u, "y", 1, 0, AT("srv", -1)));
    wait(NULL);
    R(send(t, "x", 1, MSG_DONTWAIT) <= 1);
    if (!fork()) { close(t); close(u); usleep(30000); _exit(0); }
    while (send(t, "x", 1, MSG_DONTWAIT) == 1) ;
    close(s);
    wait(NULL);
    ready("receiver gone", t);
    R(send(t, "x", 1, 0));
    unlink("srv");
}

static void waiting(void) {
    int s[2]; char b[8];
    struct timeval tv = {0, 10000};
    pair(SOCK_DGRAM, s);
    setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    R(recv(s[0], b, 1, 0));
    tv.tv_usec = 0; setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    if (!fork()) { usleep(20000); send(s[1], "hi", 2, 0); _exit(0); }
    R(recv(s[0], b, 8, 0));
    wait(NULL);
    if (!fork()) { usleep(20000); shutdown(s[0], SHUT_RD); _exit(0); }
    R(recv(s[0], b, 8, 0));
    wait(NULL);
    /* a sender that fills its own buffer */
    pair(SOCK_SEQPACKET, s);
    int n = 0;
    while (send(s[0], big, 30000, MSG_DONTWAIT) > 0) n++;
    if (!fork()) { usleep(20000); for (int i = 0; i < 7; i++) recv(s[1], big, 30000, 0); _exit(0); }
    R(send(s[0], big, 30000, 0)); printf("after %d\n", n);
    wait(NULL);
    struct mmsghdr m[3]; struct iovec v[3]; char c[3][8]; struct timespec limit = {0, 0};
    memset(m, 0, sizeof m);
    pair(SOCK_DGRAM, s);
    for (int i = 0; i < 3; i++) {
        v[i] = (struct iovec){c[i], 1 + i};
        memcpy(c[i], "abcdefg", 8);
        m[i].msg_hdr.msg_iov = v + i; m[i].msg_hdr.msg_iovlen = 1;
    }
    R(sendmmsg(s[0], m, 3, 0)); printf("%d %d %d\n", m[0].msg_len, m[1].msg_len, m[2].msg_len);
    for (int i = 0; i < 3; i++) v[i].iov_len = 2;
    R(recvmmsg(s[1], m, 2, 0, NULL)); printf("%d %d %x\n", m[0].msg_len, m[1].msg_len, m[1].msg_hdr.msg_flags);
    R(recvmmsg(s[1], m, 3, MSG_WAITFORONE, NULL)); printf("%d %x\n", m[0].msg_len, m[0].msg_hdr.msg_flags);
    R(recvmmsg(s[1], m, 3, MSG_DONTWAIT, NULL)); R(recvmmsg(s[1], m, 0, 0, NULL)); R(sendmmsg(s[0], m, 0, 0));
    limit.tv_nsec = -1; R(recvmmsg(s[1], m, 3, 0, &limit));
    R(send(s[0], "1", 1, 0)); R(send(s[0], "2", 1, 0));
    limit.tv_nsec = 0;
    R(recvmmsg(s[1], m, 3, 0, &limit)); printf("left %ld %ld\n", (long)limit.tv_sec, limit.tv_nsec);
    m[1].msg_hdr.msg_iov = (void *)16;
    R(sendmmsg(s[0], m, 3, 0)); R(recvmmsg(s[1], m, 3, MSG_DONTWAIT, NULL));
    R(sendmmsg(s[0], m + 1, 2, 0));
    m[1].msg_hdr.msg_iovlen = 1025; R(sendmsg(s[0], &m[1].msg_hdr, 0)); R(recvmsg(s[0], &m[1].msg_hdr, 0));
    m[1].msg_hdr.msg_namelen = -1; R(sendmsg(s[0], &m[1].msg_hdr, 0)); R(recvmsg(s[0], (void *)16, 0));
}

int main(void) {
    signal(SIGPIPE, SIG_DFL);
    begin();
    snprintf(cli + 1, 16, "lbw-cli-%06d", getpid());
    printf("-- datagrams\n"); messages(SOCK_DGRAM);
    printf("-- packets\n"); messages(SOCK_SEQPACKET);
    peers(); full(); waiting();
    return 0;
}
