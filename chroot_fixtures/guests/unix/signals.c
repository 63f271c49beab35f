/* Signals for files: F_SETOWN, O_ASYNC, F_SETSIG, SIGURG; of sockets and pipes. */
#include "checks.h"

static volatile sig_atomic_t last, code, band, fd, count;
static void handler(int signo, siginfo_t *info, void *context) {
    last = signo; code = info->si_code; band = info->si_band; fd = info->si_fd; count++;
}

static void told(const char *what, int expected, int queued) {
    printf("%s: signal %d", what, last);
    if (queued) printf(" code %d band %x %s", code, band, fd == expected ? "fd" : "other fd");
    printf("\n");
    last = code = band = fd = count = 0;
}

int main(void) {
    int s[2], p[2], one = 1, owner = 0; char b[8];
    struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct f_owner_ex e = {F_OWNER_TID, gettid()};
    begin();
    sigaction(SIGIO, &a, NULL); sigaction(SIGURG, &a, NULL); sigaction(SIGRTMIN + 3, &a, NULL);
    pair(SOCK_STREAM, s);
    R(fcntl(s[0], F_GETOWN)); R(fcntl(s[0], F_GETSIG));
    R(fcntl(s[0], F_SETOWN, 99999999)); R(fcntl(s[0], F_SETOWN, -99999999)); R(fcntl(s[0], F_SETSIG, 65)); R(fcntl(s[0], F_SETSIG, -1));
    R(fcntl(s[0], F_SETOWN, getpid())); R(fcntl(s[0], F_GETOWN) == getpid());
    R(send(s[1], "quiet", 5, 0)); told("no O_ASYNC", 0, 0);
    R(recv(s[0], b, 8, 0));
    R(fcntl(s[0], F_SETFL, O_ASYNC | O_NONBLOCK)); R(fcntl(s[0], F_GETFL));
    R(send(s[1], "data", 4, 0)); told("data", 0, 0);
    R(recv(s[0], b, 8, 0));
    R(fcntl(s[0], F_SETSIG, SIGRTMIN + 3)); R(fcntl(s[0], F_GETSIG));
    R(send(s[1], "data", 4, 0)); told("data", s[0], 1);
    R(send(s[1], "!", 1, MSG_OOB)); printf("urgent %d\n", count >= 2); last = count = 0;
    R(recv(s[0], b, 8, 0)); R(recv(s[0], b, 1, MSG_OOB));
    R(fcntl(s[0], F_SETOWN_EX, &e)); e.type = e.pid = 0;
    R(fcntl(s[0], F_GETOWN_EX, &e)); printf("%d %d\n", e.type, e.pid == gettid());
    R(send(s[1], "data", 4, 0)); told("thread", s[0], 1);
    e.type = 7; R(fcntl(s[0], F_SETOWN_EX, &e)); R(fcntl(s[0], F_SETOWN_EX, (void *)16));
    R(shutdown(s[1], SHUT_WR)); told("end", s[0], 1);
    close(s[1]); told("closed", s[0], 1);
    R(fcntl(s[0], F_SETOWN, 0)); R(fcntl(s[0], F_GETOWN));
    close(s[0]);
    R(pipe(p));
    R(ioctl(p[0], FIOASYNC, &one)); R(fcntl(p[0], F_SETOWN, -getpgrp())); R(fcntl(p[0], F_GETOWN) == -getpgrp());
    R(write(p[1], "x", 1)); told("pipe", 0, 0);
    one = 0;
    R(ioctl(p[0], FIOASYNC, &one));
    R(write(p[1], "x", 1)); told("pipe, off", 0, 0);
    pair(SOCK_DGRAM, s);
    owner = getpid();
    R(ioctl(s[0], 0x8901, &owner)); owner = 0; R(ioctl(s[0], 0x8903, &owner)); printf("%d\n", owner == getpid());
    one = 1;
    R(ioctl(s[0], FIOASYNC, &one)); R(ioctl(s[0], FIOASYNC, (void *)16)); R(send(s[1], "x", 1, 0)); told("datagram", 0, 0);
    int dupped = dup(s[0]);
    close(s[0]);
    R(send(s[1], "x", 1, 0)); told("after close", 0, 0);
    close(dupped);
    R(send(s[1], "x", 1, 0)); told("all closed", 0, 0);
    return 0;
}
