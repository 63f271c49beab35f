/* Options, urgent data, offsets of peeking, copying inside of the kernel. */
#include "checks.h"
#include <sys/sendfile.h>
#include <sys/un.h>

static void urgent(void) {
    int s[2]; char b[16];
    int mark;
#define MARK (ioctl(s[1], 0x8905, &mark) ? -errno : mark)
    pair(SOCK_STREAM, s);
    R(send(s[0], "abcd", 4, MSG_OOB));
    ready("urgent", s[1]);
    R(MARK); R(inq(s[1]));
    R(recv(s[1], b, 8, MSG_PEEK)); R(recv(s[1], b, 1, MSG_OOB | MSG_PEEK)); R(recv(s[1], b, 8, 0)); printf("%.3s\n", b);
    R(MARK); R(recv(s[1], b, 1, MSG_OOB)); printf("%.1s\n", b); R(MARK); R(recv(s[1], b, 1, MSG_OOB));
    R(recv(s[1], b, 8, MSG_DONTWAIT)); ready("read", s[1]);
    R(send(s[0], "xy", 2, MSG_OOB)); R(send(s[0], "z", 1, 0)); R(recv(s[1], b, 8, 0)); R(MARK); R(recv(s[1], b, 8, 0)); printf("%.1s\n", b);
    R(recv(s[1], b, 1, MSG_OOB));
    R(send(s[0], "1", 1, MSG_OOB)); R(send(s[0], "2", 1, MSG_OOB)); R(recv(s[1], b, 8, 0)); R(recv(s[1], b, 1, MSG_OOB)); printf("%.1s\n", b);
    R(recv(s[1], b, 8, MSG_DONTWAIT));
    int one = 1;
    R(setsockopt(s[1], SOL_SOCKET, SO_OOBINLINE, &one, sizeof one));
    R(send(s[0], "pq", 2, MSG_OOB)); R(send(s[0], "r", 1, 0));
    R(recv(s[1], b, 1, MSG_OOB)); R(recv(s[1], b, 8, 0)); R(MARK); R(recv(s[1], b, 8, MSG_PEEK)); R(recv(s[1], b, 8, 0)); printf("%.2s\n", b);
    R(send(s[0], "", 0, MSG_OOB)); R(recv(s[1], b, 1, MSG_OOB | MSG_DONTWAIT));
    close(s[0]); close(s[1]);
}

static void options(void) {
    int s[2], value; char b[64]; socklen_t n;
    struct linger l; struct timeval t;
    pair(SOCK_STREAM, s);
    int plain[] = {SO_DEBUG, SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE, SO_PASSCRED, SO_TIMESTAMP,
                   SO_NO_CHECK, SO_BSDCOMPAT, SO_REUSEPORT, SO_PRIORITY, SO_MARK, SO_RCVLOWAT, SO_SNDLOWAT, SO_TYPE, SO_DOMAIN,
                   SO_PROTOCOL, SO_ACCEPTCONN, SO_ERROR, SO_PEERSEC, SO_PEEK_OFF, 21 + 78, 0};
    for (unsigned i = 0; i < sizeof plain / sizeof *plain; i++) {
        int before = option(s[0], plain[i]);
        value = 5;
        int r = setsockopt(s[0], SOL_SOCKET, plain[i], &value, sizeof value) ? -errno : 0;
        printf("option %d: %d, set %d, %d\n", plain[i], before, r, option(s[0], plain[i]));
        value = 0;
        setsockopt(s[0], SOL_SOCKET, plain[i], &value, sizeof value);
    }
    int sizes[] = {0, 1, 2303, 2304, 5000, 100000, 5000000, -1};
    for (int i = 0; i < 8; i++) {
        setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, sizes + i, 4); setsockopt(s[0], SOL_SOCKET, SO_RCVBUF, sizes + i, 4);
        printf("buffers %d: %d %d\n", sizes[i], option(s[0], SO_SNDBUF), option(s[0], SO_RCVBUF));
        setsockopt(s[0], SOL_SOCKET, SO_SNDBUFFORCE, sizes + i, 4); setsockopt(s[0], SOL_SOCKET, SO_RCVBUFFORCE, sizes + i, 4);
        printf("forced %d: %d %d\n", sizes[i], option(s[0], SO_SNDBUF), option(s[0], SO_RCVBUF));
    }
    l.l_onoff = 5; l.l_linger = 7; n = sizeof l;
    R(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, 4)); R(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, sizeof l));
    memset(&l, 0, sizeof l);
    R(getsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, &n)); printf("%d %d %d\n", (int)n, l.l_onoff, l.l_linger);
    n = 3; R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, b, &n)); printf("%d\n", (int)n);
    n = -1; R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, b, &n)); R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, b, (void *)16));
    n = 4; R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, (void *)16, &n)); R(getsockopt(s[0], 6, 1, b, &n)); R(setsockopt(s[0], 0, 1, b, 4));
    R(setsockopt(s[0], SOL_SOCKET, SO_KEEPALIVE, b, 3)); R(setsockopt(s[0], SOL_SOCKET, SO_KEEPALIVE, (void *)16, 4));
    R(setsockopt(s[0], SOL_SOCKET, SO_KEEPALIVE, b, -1)); R(setsockopt(s[0], SOL_SOCKET, 999, b, 4)); R(setsockopt(s[0], SOL_SOCKET, SO_TYPE, b, 4));
    t.tv_sec = 3; t.tv_usec = 500000;
    R(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    memset(&t, 0, sizeof t); n = sizeof t;
    R(getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, &n) ); printf("%d %ld %ld\n", n == sizeof t, (long)t.tv_sec, (long)t.tv_usec);
    n = sizeof t; R(getsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &t, &n)); printf("%ld\n", (long)t.tv_sec);
    R(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t - 1)); t.tv_usec = 1000000; R(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    struct ucred u; n = sizeof u;
    R(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, &n)); printf("%d %d %d\n", u.pid == getpid(), u.uid, u.gid);
    n = 100; R(getsockopt(s[0], SOL_SOCKET, SO_PEERNAME, b, &n)); n = 2; R(getsockopt(s[0], SOL_SOCKET, SO_PEERNAME, b, &n));
    R(inq(s[0])); R(ioctl(s[0], 0x5401, b)); R(ioctl(s[0], FIONREAD, (void *)16));
    close(s[0]); close(s[1]);
}

static void peeking(int type) {
    int s[2], at = 0; char b[16] = "";
    pair(type, s);
    R(setsockopt(s[1], SOL_SOCKET, SO_PEEK_OFF, &at, sizeof at));
    R(send(s[0], "aaaa", 4, 0)); R(send(s[0], "bbbb", 4, 0));
    for (int i = 0; i < 4; i++) { memset(b, 0, sizeof b); R(recv(s[1], b, 3, MSG_PEEK | MSG_DONTWAIT)); printf("%s at %d\n", b, option(s[1], SO_PEEK_OFF)); }
    memset(b, 0, sizeof b);
    R(recv(s[1], b, 2, 0)); printf("%s at %d\n", b, option(s[1], SO_PEEK_OFF));
    memset(b, 0, sizeof b);
    R(recv(s[1], b, 9, MSG_PEEK | MSG_DONTWAIT)); printf("%s at %d\n", b, option(s[1], SO_PEEK_OFF));
    close(s[0]); close(s[1]);
}

static void copies(void) {
    int s[2], p[2], f = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600); char b[32] = "";
    off_t at = 2;
    write(f, "0123456789", 10);
    pair(SOCK_STREAM, s);
    pipe(p);
    R(sendfile(s[0], f, &at, 5)); printf("%ld\n", (long)at);
    R(read(s[1], b, sizeof b)); printf("%s\n", b);
    R(sendfile(f, s[0], NULL, 5) < 0);
    R(write(p[1], "pipe", 4)); R(splice(p[0], NULL, s[0], NULL, 10, 0));
    memset(b, 0, sizeof b); R(read(s[1], b, sizeof b)); printf("%s\n", b);
    R(write(s[0], "back", 4)); R(splice(s[1], NULL, p[1], NULL, 10, 0));
    memset(b, 0, sizeof b); R(read(p[0], b, sizeof b)); printf("%s\n", b);
    R(splice(s[1], NULL, p[1], NULL, 10, SPLICE_F_NONBLOCK));
    R(splice(s[1], NULL, s[0], NULL, 10, 0));
    close(s[1]);
    signal(SIGPIPE, SIG_IGN);
    at = 0;
    R(sendfile(s[0], f, &at, 5)); R(write(p[1], "x", 1)); R(splice(p[0], NULL, s[0], NULL, 10, 0));
    unlink("data");
    close(s[0]); close(p[0]); close(p[1]); close(f);
}

int main(void) {
    begin();
    urgent(); options(); peeking(SOCK_STREAM); peeking(SOCK_DGRAM); copies();
    return 0;
}
