/* Waiting for sockets: epoll by edge and level, several waiters, threads, descriptors that are closed meanwhile. */
#include "checks.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>

static int ep;

static void events(const char *what) {
    struct epoll_event e[8];
    int n = epoll_wait(ep, e, 8, 0);
    printf("%s: %d", what, n);
    for (int i = 0; i < n; i++) printf(" %d:%x", e[i].data.u32, e[i].events);
    printf("\n");
}

static void watch(int fd, int number, unsigned wanted) {
    struct epoll_event e = {wanted, {.u32 = number}};
    R(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
}

static char big[300000];

static void edges(int type) {
    int s[2]; char b[64];
    ep = epoll_create1(0);
    pair(type, s);
    watch(s[0], 1, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    watch(s[1], 2, EPOLLIN | EPOLLRDHUP);
    events("new"); events("again");
    R(send(s[1], "a", 1, 0)); events("data"); events("again");
    R(send(s[1], "b", 1, 0)); events("more");
    R(recv(s[0], b, 64, 0)); events("read");
    R(send(s[0], "c", 1, 0)); events("level"); events("level");
    R(recv(s[1], b, 64, 0)); events("level");
    long n = 0;
    while (send(s[0], big, 10000, MSG_DONTWAIT) > 0) n++;
    events("stuffed");
    for (; n > 1 && recv(s[1], big, 10000, MSG_DONTWAIT) > 0; n--) ;
    events("drained");
    R(shutdown(s[1], SHUT_WR)); events("half"); events("again");
    close(s[1]); events("closed"); events("again");
    close(s[0]); events("gone");
    close(ep);
}

static int sock[2], listener;
static void *reader(void *argument) { char b; return (void *)recv(sock[0], &b, 1, 0); }
static void *accepter(void *argument) { int fd = accept(listener, NULL, NULL); if (fd >= 0) close(fd); return (void *)(long)(fd >= 0); }
static void *writer(void *argument) { return (void *)send(sock[0], big, 250000, MSG_NOSIGNAL); }

static void threads(void) {
    pthread_t t[4]; void *r; long total = 0; char b[64];
    pair(SOCK_STREAM, sock);
    for (int i = 0; i < 4; i++) pthread_create(t + i, NULL, reader, NULL);
    usleep(20000);
    R(send(sock[1], "xy", 2, 0));
    usleep(20000);
    R(shutdown(sock[1], SHUT_WR));
    for (int i = 0; i < 4; i++) { pthread_join(t[i], &r); total += (long)r; }
    printf("readers got %ld\n", total);
    close(sock[0]); close(sock[1]);
    pair(SOCK_STREAM, sock);
    for (int i = 0; i < 2; i++) pthread_create(t + i, NULL, writer, NULL);
    for (total = 0; total < 500000;) { long n = recv(sock[1], big, 7777, 0); if (n <= 0) break; total += n; }
    for (int i = 0; i < 2; i++) { pthread_join(t[i], &r); printf("writer %ld\n", (long)r); }
    printf("came %ld\n", total);
    pthread_create(t, NULL, reader, NULL);
    usleep(20000);
    int spare = dup(sock[0]);
    close(sock[0]);  /* the read goes on */
    R(send(sock[1], "z", 1, 0));
    pthread_join(t[0], &r); printf("reader %ld\n", (long)r);
    pthread_create(t, NULL, reader, NULL);
    pthread_join(t[0], &r); printf("reader %ld\n", (long)r);
    close(spare); close(sock[1]);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un a; socklen_t n = name(&a, "listener", -1);
    bind(listener, (struct sockaddr *)&a, n); listen(listener, 8);
    for (int i = 0; i < 3; i++) pthread_create(t + i, NULL, accepter, NULL);
    usleep(20000);
    int c[2];
    for (int i = 0; i < 2; i++) { c[i] = socket(AF_UNIX, SOCK_STREAM, 0); R(connect(c[i], (struct sockaddr *)&a, n)); }
    R(recv(c[0], b, 1, 0)); R(recv(c[1], b, 1, 0));
    R(shutdown(listener, SHUT_RD));
    total = 0;
    for (int i = 0; i < 3; i++) { pthread_join(t[i], &r); total += (long)r; }
    printf("accepted %ld\n", total);
    unlink("listener");
}

static void selecting(void) {
    int s[2]; fd_set r, w, x; struct timeval none = {0, 0}; char b;
    pair(SOCK_STREAM, s);
    R(send(s[0], "u", 1, MSG_OOB));
    FD_ZERO(&r); FD_ZERO(&w); FD_ZERO(&x);
    FD_SET(s[1], &r); FD_SET(s[1], &w); FD_SET(s[1], &x);
    R(select(s[1] + 1, &r, &w, &x, &none));
    printf("%d %d %d\n", FD_ISSET(s[1], &r), FD_ISSET(s[1], &w), FD_ISSET(s[1], &x));
    R(recv(s[1], &b, 1, MSG_OOB));
    int listening = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    struct sockaddr_un a; socklen_t n = name(&a, "seq", -1);
    bind(listening, (struct sockaddr *)&a, n); listen(listening, 1);
    struct pollfd p = {listening, POLLIN, 0};
    if (!fork()) {
        alarm(20);
        usleep(20000);
        int c = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        connect(c, (struct sockaddr *)&a, n);
        send(c, "packet", 6, 0);
        char t[8];
        _exit(recv(c, t, 8, 0));
    }
    R(poll(&p, 1, 5000));
    int e = accept(listening, NULL, NULL);
    char t[16] = "";
    p.fd = e;
    R(poll(&p, 1, 5000)); R(recv(e, t, 16, 0)); printf("%s\n", t);
    R(send(e, "four", 4, 0));
    int status;
    wait(&status);
    printf("child %d\n", WEXITSTATUS(status));
    ready("its child has ended", e);
    unlink("seq");
}

int main(void) {
    begin();
    edges(SOCK_STREAM); edges(SOCK_SEQPACKET); edges(SOCK_DGRAM);
    threads(); selecting();
    return 0;
}
