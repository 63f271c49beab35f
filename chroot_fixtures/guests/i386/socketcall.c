/* Sockets through socketcall, and recvmmsg with seconds of both widths. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static long call(int number, long a, long b, long c, long d, long e, long f) {
    long arguments[] = {a, b, c, d, e, f};
    errno = 0;
    long r = syscall(102, number, arguments);
    printf("%d: %ld %s\n", number, r, r < 0 ? strerrorname_np(errno) : "");
    return r;
}

#define P(x) ((long)(x))

int main(void) {
    int s[2], one = 1; char b[16] = ""; socklen_t n = 4;
    struct sockaddr_un a = {AF_UNIX, ""}; socklen_t length = sizeof a;
    struct iovec v[2] = {{"one", 3}, {"three", 5}};
    struct mmsghdr m[2];
    long wide[] = {0, 0, 1000000, 0}, narrow[] = {0, 1000000};
    snprintf(a.sun_path + 1, 30, "socketcall%d", getpid());
    int l = call(1, AF_UNIX, SOCK_STREAM, 0, 0, 0, 0), c = call(1, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, 0, 0, 0);
    call(2, l, P(&a), sizeof a, 0, 0, 0); call(4, l, 3, 0, 0, 0, 0);
    call(3, c, P(&a), sizeof a, 0, 0, 0);
    int e = call(5, l, P(&a), P(&length), 0, 0, 0);
    printf("%d\n", (int)length);
    call(18, l, 0, 0, 77, 0, 0);
    length = 0; call(6, l, P(&a), P(&length), 0, 0, 0); printf("%d\n", (int)length);
    length = 0; call(7, c, P(&a), P(&length), 0, 0, 0); printf("%d\n", (int)length);
    call(9, c, P("abc"), 3, 0, 0, 0); call(10, e, P(b), 2, 0, 0, 0); printf("%s\n", b);
    call(11, e, P("defg"), 4, MSG_NOSIGNAL, 0, 0); call(12, c, P(b), 9, MSG_PEEK, 0, 0); printf("%s\n", b);
    call(13, e, SHUT_WR, 0, 0, 0, 0); call(14, c, SOL_SOCKET, SO_KEEPALIVE, P(&one), 4, 0);
    one = 0; call(15, c, SOL_SOCKET, SO_KEEPALIVE, P(&one), P(&n), 0); printf("%d\n", one);
    call(8, AF_UNIX, SOCK_DGRAM, 0, P(s), 0, 0);
    memset(m, 0, sizeof m);
    m[0].msg_hdr.msg_iov = v; m[1].msg_hdr.msg_iov = v + 1;
    m[0].msg_hdr.msg_iovlen = m[1].msg_hdr.msg_iovlen = 1;
    call(16, s[0], P(&m[0].msg_hdr), 0, 0, 0, 0);
    call(20, s[0], P(m), 2, 0, 0, 0);
    v[0].iov_base = b; v[1].iov_base = b + 8;
    call(17, s[1], P(&m[0].msg_hdr), 0, 0, 0, 0);
    call(19, s[1], P(m), 2, MSG_DONTWAIT, P(narrow), 0); printf("%d %d %.5s\n", m[0].msg_len, m[1].msg_len, b + 8);
    call(20, s[0], P(m), 2, 0, 0, 0);
    narrow[1] = 1000000;
    printf("%ld\n", syscall(337, s[1], m, 1, 0, narrow));
    printf("%ld\n", syscall(417, s[1], m, 1, 0, wide));
    wide[2] = 2000000000; errno = 0;
    printf("%ld %d\n", syscall(417, s[1], m, 1, MSG_DONTWAIT, wide), errno == EINVAL);
    call(0, 0, 0, 0, 0, 0, 0); call(21, 0, 0, 0, 0, 0, 0);
    printf("%ld %d\n", syscall(102, 1, 16), errno == EFAULT);
    return 0;
}
