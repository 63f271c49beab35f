/* Every call of sockets once, for the tracer; prints nothing. */
#include "checks.h"

int main(void) {
    int s[2], one = 1, n; char b[16], c[CMSG_SPACE(sizeof(int))] = "";
    struct sockaddr_un a; socklen_t len = sizeof a;
    struct iovec v = {"vec", 3};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
    struct mmsghdr mm[2];
    begin();
    n = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(n, (struct sockaddr *)&a, name(&a, "named", -1));
    listen(n, 5);
    int d = socket(AF_UNIX, SOCK_STREAM, 0);
    connect(d, (struct sockaddr *)&a, sizeof a);
    len = sizeof a;
    int e = accept4(n, (struct sockaddr *)&a, &len, SOCK_NONBLOCK);
    len = sizeof a;
    getpeername(d, (struct sockaddr *)&a, &len);
    bind(d, (struct sockaddr *)&a, name(&a, "\0abstract", 9));
    socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
    setsockopt(s[0], SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    len = sizeof one;
    getsockopt(s[0], SOL_SOCKET, SO_TYPE, &one, &len);
    sendto(s[0], "text", 4, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
    recvfrom(s[1], b, sizeof b, MSG_PEEK | MSG_TRUNC, NULL, NULL);
    recvfrom(s[1], b, sizeof b, 0, NULL, NULL);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET; h->cmsg_type = SCM_RIGHTS; h->cmsg_len = CMSG_LEN(sizeof(int));
    memset(CMSG_DATA(h), 0, sizeof(int));
    sendmsg(s[0], &m, 0);
    v.iov_base = b; v.iov_len = sizeof b;
    recvmsg(s[1], &m, MSG_CMSG_CLOEXEC);
    memset(mm, 0, sizeof mm);
    v.iov_len = 3;
    mm[0].msg_hdr.msg_iov = &v; mm[0].msg_hdr.msg_iovlen = 1;
    sendmmsg(s[0], mm, 1, 0);
    recvmmsg(s[1], mm, 1, MSG_WAITFORONE, NULL);
    shutdown(e, SHUT_RDWR);
    unlink("named");
    return 0;
}
