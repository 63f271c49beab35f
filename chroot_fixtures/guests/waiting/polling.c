/* poll, ppoll, select, pselect6: what is written back, masks, time that is left, bad arguments, many files. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The C library has select and ppoll read and write the time itself: these are the system calls. */
#ifdef SYS__newselect
#undef SYS_select
#define SYS_select SYS__newselect
#endif
#define select(number, readable, writable, exceptional, time) \
    syscall(SYS_select, number, readable, writable, exceptional, time)
#define ppoll(fds, number, time, mask) syscall(SYS_ppoll, fds, number, time, mask, 8)

static void result(const char *what, long value) {
    if (value < 0) printf("%s: %s\n", what, strerror(errno));
    else printf("%s: %ld\n", what, value);
}

static int handled, rang;
static void count(int number) { number == SIGALRM ? rang++ : handled++; }

/* A call that an alarm ends; the alarm comes again, should it come before the call. */
#define INTERRUPTED(what, call)         \
    do {                                \
        rang = 0;                       \
        ualarm(5000, 30000);            \
        long value_ = call;             \
        int error_ = errno;             \
        ualarm(0, 0);                   \
        errno = error_;                 \
        result(what, value_);           \
        printf("rang %d\n", rang > 0);  \
    } while (0)

static void show(const struct pollfd *fds, int number) {
    for (int i = 0; i < number; i++) printf("  %x -> %x\n", fds[i].events & 0xffff, fds[i].revents & 0xffff);
}

static int p[2];

static void *writer(void *argument) {
    struct pollfd *entry = argument;
    usleep(60000);
    entry->events = 0x7abc; /* while the other thread waits: must stay */
    entry->fd = 12345;
    if (write(p[1], "x", 1) != 1) perror("write");
    return 0;
}

static void polls(void) {
    char byte;
    struct pollfd fds[6] = {{p[0], POLLIN, 0x5555}, {p[1], POLLOUT, 0x5555}, {-1, POLLIN, 0x5555}, {-5000, 0, 0x5555},
        {777, POLLIN, 0x5555}, {p[0], 0, 0x5555}};
    result("poll", poll(fds, 6, 0));
    show(fds, 6);
    fds[4].fd = open("/", O_PATH);
    fds[1].events = -1;
    fds[0].events = 0;
    result("poll", poll(fds, 6, -1));
    show(fds, 6);
    close(fds[4].fd);
    result("nothing", poll(0, 0, 0));
    result("nothing, with an address", poll((void *)8, 0, 1));
    result("bad address", poll((void *)8, 1, 0));
    result("too many", poll(fds, 100000000, 0));
    result("too many by far", syscall(SYS_poll, fds, 0xffffffffu, 0));
    /* read-only, and an array that leaves its page */
    char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct pollfd *entry = (void *)pages;
    *entry = (struct pollfd){p[1], POLLOUT, 0};
    mprotect(pages, 4096, PROT_READ);
    result("read-only", poll(entry, 1, 0));
    mprotect(pages, 4096, PROT_READ | PROT_WRITE);
    for (int offset = 4096 - 12; offset < 4096; offset += 3) {
        entry = (void *)(pages + offset);
        for (int i = 0; i < 3; i++) entry[i] = (struct pollfd){i == 1 ? 888 : p[1], POLLOUT, 0};
        result("across pages", poll(entry, 3, 0));
        show(entry, 3);
    }
    munmap(pages + 4096, 4096);
    entry = (void *)(pages + 4096 - 16);
    result("leaves memory", poll(entry, 3, 0));
    /* while it waits another thread writes */
    struct pollfd waiting = {p[0], POLLIN, 0};
    pthread_t thread;
    pthread_create(&thread, 0, writer, &waiting);
    result("waits", poll(&waiting, 1, -1));
    printf("%d %x %x\n", waiting.fd, waiting.events, waiting.revents);
    pthread_join(thread, 0);
    if (read(p[0], &byte, 1) != 1) perror("read");
    /* a handler ends it, and clears revents */
    waiting = (struct pollfd){p[0], POLLIN, 0x5555};
    INTERRUPTED("interrupted", poll(&waiting, 1, -1));
    printf("revents %x\n", waiting.revents);
    INTERRUPTED("interrupted", poll(0, 0, 30000));
    result("timeout", poll(&waiting, 1, 5));
    /* the same file twice, one closed while waiting */
    struct pollfd twice[2] = {{p[0], POLLIN, 0}, {p[0], POLLIN | POLLRDNORM, 0}};
    if (write(p[1], "x", 1) != 1) perror("write");
    result("twice", poll(twice, 2, -1));
    show(twice, 2);
    if (read(p[0], &byte, 1) != 1) perror("read");
}

static void masks(void) {
    sigset_t usr, none, all, now;
    sigemptyset(&none);
    sigfillset(&all);
    sigemptyset(&usr);
    sigaddset(&usr, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr, 0);
    struct pollfd entry = {p[0], POLLIN, 0};
    struct timespec zero = {0, 0}, some = {5, 0}, bad = {0, 1000000000}, negative = {-1, 5};
    handled = 0;
    raise(SIGUSR1);
    result("ppoll, blocked", ppoll(&entry, 1, &zero, 0));
    result("ppoll, no wait, let through", ppoll(&entry, 1, &zero, &none));
    printf("handled %d\n", handled);
    raise(SIGUSR1);
    entry.fd = p[1], entry.events = POLLOUT;
    result("ppoll, ready", ppoll(&entry, 1, &some, &none));
    printf("handled %d\n", handled);
    result("ppoll, waits", ppoll(0, 0, &some, &none));
    printf("handled %d\n", handled);
    sigprocmask(SIG_SETMASK, 0, &now);
    printf("mask is back: %d\n", sigismember(&now, SIGUSR1));
    result("bad time", ppoll(0, 0, &bad, 0));
    result("negative time", ppoll(0, 0, &negative, 0));
    result("bad address of the time", ppoll(0, 0, (void *)8, 0));
    result("size", syscall(SYS_ppoll, 0, 0, &zero, &none, 4));
    result("bad mask", syscall(SYS_ppoll, 0, 0, &zero, 8, 8));
    handled = 0;
    raise(SIGUSR1);
    fd_set set;
    FD_ZERO(&set); FD_SET(p[0], &set);
    result("pselect, no wait, let through", pselect(p[0] + 1, &set, 0, 0, &zero, &none));
    printf("handled %d, set untouched %d\n", handled, FD_ISSET(p[0], &set));
    raise(SIGUSR1);
    FD_ZERO(&set); FD_SET(p[1], &set);
    result("pselect, ready", pselect(p[1] + 1, 0, &set, 0, &some, &none));
    printf("handled %d\n", handled);
    result("pselect, waits", pselect(0, 0, 0, 0, &some, &none));
    printf("handled %d\n", handled);
    sigprocmask(SIG_SETMASK, &none, 0);
}

static void left(void) {
    struct timeval limit = {100, 0};
    fd_set set;
    FD_ZERO(&set); FD_SET(p[1], &set);
    result("select", select(p[1] + 1, 0, &set, 0, &limit));
    printf("left %d\n", limit.tv_sec > 90 && limit.tv_sec < 101);
    limit = (struct timeval){0, 1500000};
    result("select, many microseconds", syscall(SYS_select, p[1] + 1, 0, &set, 0, &limit));
    printf("normalised %d\n", limit.tv_sec < 2 && limit.tv_usec < 1000000);
    limit = (struct timeval){0, 2000};
    result("timeout", select(0, 0, 0, 0, &limit));
    printf("left %ld %ld\n", (long)limit.tv_sec, (long)limit.tv_usec);
    limit = (struct timeval){50, 0};
    INTERRUPTED("interrupted", select(0, 0, 0, 0, &limit));
    printf("left %d\n", limit.tv_sec > 40 && limit.tv_sec < 50);
    limit = (struct timeval){-1, 0};
    result("negative", select(0, 0, 0, 0, &limit));
    limit = (struct timeval){0, -1};
    result("negative", select(0, 0, 0, 0, &limit));
    struct timespec precise = {100, 0};
    syscall(SYS_ppoll, &(struct pollfd){p[1], POLLOUT, 0}, 1, &precise, 0, 8);
    printf("left %d\n", precise.tv_sec > 90 && precise.tv_sec < 101);
    struct timeval *constant = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    constant->tv_sec = 100;
    mprotect(constant, 4096, PROT_READ);
    result("read-only time", select(p[1] + 1, 0, &set, 0, constant));
}

static void selects(void) {
    fd_set readable, writable, exceptional;
    struct timeval zero = {0, 0};
    FD_ZERO(&readable); FD_ZERO(&writable); FD_ZERO(&exceptional);
    FD_SET(p[0], &readable), FD_SET(p[1], &readable), FD_SET(p[0], &writable), FD_SET(p[1], &writable);
    FD_SET(p[0], &exceptional);
    result("select", select(p[1] + 1, &readable, &writable, &exceptional, &zero));
    for (int fd = p[0]; fd <= p[1]; fd++)
        printf("  %d %d %d\n", FD_ISSET(fd, &readable) != 0, FD_ISSET(fd, &writable) != 0, FD_ISSET(fd, &exceptional) != 0);
    FD_ZERO(&readable); FD_SET(900, &readable);
    result("not open", select(901, &readable, 0, 0, &zero));
    printf("untouched %d\n", FD_ISSET(900, &readable) != 0);
    result("beyond the number", select(900, &readable, 0, 0, &zero));
    result("negative", select(-1, 0, 0, 0, &zero));
    result("bad set", select(10, (void *)8, 0, 0, &zero));
    result("bad time", select(0, 0, 0, 0, (void *)8));
    result("huge number", select(0x7fffffff, 0, 0, 0, &zero));
    /* bits beyond nfds stay as they are in the last word only where Linux leaves them */
    memset(&writable, 0xff, sizeof writable);
    memset(&readable, 0, sizeof readable);
    FD_SET(p[0], &readable);
    result("few", select(p[0] + 1, &readable, 0, 0, &zero));
    int file = open("/proc/self/exe", O_RDONLY), path = open("/", O_PATH);
    FD_ZERO(&readable); FD_ZERO(&writable); FD_ZERO(&exceptional);
    FD_SET(file, &readable), FD_SET(file, &writable), FD_SET(file, &exceptional);
    result("a file", select(file + 1, &readable, &writable, &exceptional, 0));
    FD_ZERO(&readable); FD_ZERO(&writable); FD_ZERO(&exceptional);
    FD_SET(path, &readable), FD_SET(path, &writable), FD_SET(path, &exceptional);
    result("a path", select(path + 1, &readable, &writable, &exceptional, &zero));
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        usleep(3000);
        if (write(p[1], "x", 1) != 1) _exit(1);
        _exit(0);
    }
    FD_ZERO(&readable); FD_SET(p[0], &readable);
    result("waits", select(p[0] + 1, &readable, 0, 0, 0));
    printf("%d\n", FD_ISSET(p[0], &readable) != 0);
    waitpid(child, 0, 0);
    char byte;
    if (read(p[0], &byte, 1) != 1) perror("read");
}

#define MANY 4000
static void many(void) {
    static struct pollfd fds[MANY];
    struct rlimit limit = {MANY + 100, MANY + 100};
    unsigned long long one = 1;
    result("limit", setrlimit(RLIMIT_NOFILE, &limit));
    for (int i = 0; i < MANY; i++) fds[i] = (struct pollfd){eventfd(0, EFD_NONBLOCK), POLLIN, 0};
    result("none of many", poll(fds, MANY, 0));
    for (int i = 0; i < MANY; i += 100) if (write(fds[i].fd, &one, 8) != 8) perror("write");
    result("some of many", poll(fds, MANY, -1));
    long sum = 0;
    for (int i = 0; i < MANY; i++) if (fds[i].revents) sum += i;
    printf("sum %ld\n", sum);
    for (int i = 0; i < MANY; i++) if (read(fds[i].fd, &one, 8) < 0 && errno != EAGAIN) perror("read");
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        usleep(3000);
        one = 1;
        _exit(write(fds[MANY - 1].fd, &one, 8) != 8);
    }
    result("the last of many", poll(fds, MANY, -1));
    printf("%x\n", fds[MANY - 1].revents);
    waitpid(child, 0, 0);
    unsigned char sets[MANY / 8 + 64] = {0};
    int fd = fds[MANY - 1].fd;
    sets[fd / 8] |= 1 << fd % 8;
    struct timeval zero = {0, 0};
    result("select beyond FD_SETSIZE", syscall(SYS_select, fd + 1, sets, 0, 0, &zero));
}

int main(void) {
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, 0);
    sigaction(SIGUSR1, &action, 0);
    if (pipe(p)) return 1;
    polls();
    masks();
    left();
    selects();
    many();
    return 0;
}
