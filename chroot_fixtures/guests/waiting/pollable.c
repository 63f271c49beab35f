/* Everything that can be waited for: the same checks with poll, select and epoll for each kind of file. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* A kind: `fd` becomes readable by `cause` and is so no more after `drain`; `cause` works from a child too. */
struct kind {
    const char *name;
    int fd, other;
    void (*cause)(struct kind *);
    void (*drain)(struct kind *);
    int by_child; /* whether a child of the waiting process can cause it */
    pid_t pid;
};

static void must(int good, const char *what) { if (!good) printf("%s: %s\n", what, strerror(errno)); }

static void write_byte(struct kind *k) { must(write(k->other, "x", 1) == 1, "write"); }
static void write_line(struct kind *k) { must(write(k->other, "x\n", 2) == 2, "write"); }
static void read_all(struct kind *k) {
    char bytes[1024];
    while (read(k->fd, bytes, sizeof bytes) > 0) {}
}
static void write_event(struct kind *k) { must(eventfd_write(k->fd, 1) == 0, "eventfd"); }
static void send_signal(struct kind *k) { must(kill(k->pid, SIGUSR1) == 0, "kill"); }
static void arm(struct kind *k) {
    struct itimerspec soon = {{0, 0}, {0, 1000000}};
    must(timerfd_settime(k->fd, 0, &soon, 0) == 0, "timerfd");
}
static void touch(struct kind *k) {
    static int number;
    char name[32];
    sprintf(name, "watched/%d-%d", getpid(), number++);
    int file = open(name, O_CREAT | O_WRONLY, 0600);
    must(file >= 0, "open");
    close(file);
}
static void send_message(struct kind *k) { must(mq_send(k->other, "x", 1, 0) == 0, "mq_send"); }
static void receive_messages(struct kind *k) {
    char bytes[64];
    while (mq_receive(k->fd, bytes, sizeof bytes, 0) >= 0) {}
}
static void datagram(struct kind *k) { must(send(k->other, "x", 1, 0) == 1, "send"); }
static void through_inner(struct kind *k) { must(write(k->other, "x", 1) == 1, "write"); }
static int inner_pipe;
static void drain_inner(struct kind *k) {
    char bytes[64];
    while (read(inner_pipe, bytes, sizeof bytes) > 0) {}
}

static int state(int fd) {
    struct pollfd entry = {fd, POLLIN | POLLPRI, 0};
    poll(&entry, 1, 0);
    return entry.revents;
}

static int selected(int fd, int wait) {
    fd_set set;
    struct timeval none = {0, 0};
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, 0, 0, wait ? 0 : &none) + FD_ISSET(fd, &set);
}

static void now(const char *what, int set) {
    struct epoll_event got[4];
    int count = epoll_wait(set, got, 4, 0);
    printf("  %s %d", what, count);
    for (int i = 0; i < count; i++) printf(" %x", got[i].events);
    printf("\n");
}

/* Cause it while this process waits. */
static pid_t later(struct kind *k) {
    if (!k->by_child) {
        k->cause(k);
        return 0;
    }
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        usleep(3000);
        k->cause(k);
        _exit(0);
    }
    return child;
}

static void finish(pid_t child) { if (child) waitpid(child, 0, 0); }

static void check(struct kind *k) {
    printf("%s:\n", k->name);
    k->pid = getpid();
    if (k->fd < 0) return must(0, "cannot be made");
    int level = epoll_create1(0), edge = epoll_create1(0), once = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {0}};
    printf("  add %d", epoll_ctl(level, EPOLL_CTL_ADD, k->fd, &event));
    event.events = EPOLLIN | EPOLLET;
    printf(" %d", epoll_ctl(edge, EPOLL_CTL_ADD, k->fd, &event));
    event.events = EPOLLIN | EPOLLONESHOT;
    printf(" %d\n", epoll_ctl(once, EPOLL_CTL_ADD, k->fd, &event));
    printf("  nothing: poll %x select %d\n", state(k->fd), selected(k->fd, 0));
    now("level", level), now("edge", edge), now("once", once);
    struct pollfd entry = {k->fd, POLLIN, 0};
    pid_t child = later(k);
    printf("  poll waits %d", poll(&entry, 1, -1));
    printf(" %x\n", entry.revents);
    finish(child);
    printf("  something: poll %x select %d\n", state(k->fd), selected(k->fd, 0));
    now("level", level), now("level", level);
    now("edge", edge), now("edge", edge);
    now("once", once), now("once", once);
    k->drain(k);
    printf("  drained: poll %x select %d\n", state(k->fd), selected(k->fd, 0));
    now("level", level), now("edge", edge), now("once", once);
    child = later(k);
    printf("  select waits %d\n", selected(k->fd, 1));
    finish(child);
    now("edge", edge), now("edge", edge);
    k->drain(k);
    struct epoll_event got;
    child = later(k);
    printf("  level waits %d", epoll_wait(level, &got, 1, -1));
    printf(" %x\n", got.events);
    finish(child);
    k->drain(k);
    now("level", level);
    child = later(k);
    printf("  edge waits %d", epoll_wait(edge, &got, 1, -1));
    printf(" %x\n", got.events);
    finish(child);
    event.events = EPOLLIN | EPOLLONESHOT;
    epoll_ctl(once, EPOLL_CTL_MOD, k->fd, &event);
    printf("  once, rearmed, waits %d", epoll_wait(once, &got, 1, -1));
    printf(" %x\n", got.events);
    k->drain(k);
    close(k->fd);
    now("closed", level), now("closed", edge);
    close(level), close(edge), close(once);
    if (k->other >= 0) close(k->other);
}

static void process(void) {
    printf("pidfd:\n");
    fflush(stdout);
    int gate[2];
    if (pipe(gate)) return;
    pid_t child = fork();
    if (!child) {
        char byte;
        close(gate[1]);
        _exit(read(gate[0], &byte, 1) < 0);
    }
    close(gate[0]);
    int fd = syscall(SYS_pidfd_open, child, 0), level = epoll_create1(0), edge = epoll_create1(0);
    must(fd >= 0, "pidfd_open");
    struct epoll_event event = {EPOLLIN, {0}}, got;
    printf("  add %d", epoll_ctl(level, EPOLL_CTL_ADD, fd, &event));
    event.events = EPOLLIN | EPOLLET;
    printf(" %d\n", epoll_ctl(edge, EPOLL_CTL_ADD, fd, &event));
    printf("  alive: %x\n", state(fd));
    now("level", level);
    close(gate[1]);
    printf("  waits %d", epoll_wait(level, &got, 1, -1));
    printf(" %x\n", got.events);
    now("level", level), now("edge", edge), now("edge", edge);
    printf("  poll %x\n", state(fd) & POLLIN);
    waitpid(child, 0, 0);
    printf("  reaped: %x\n", state(fd) & POLLIN);
    close(fd), close(level), close(edge);
}

int main(void) {
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    sigset_t usr;
    sigemptyset(&usr);
    sigaddset(&usr, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr, 0);
    int p[2];
    if (pipe2(p, O_NONBLOCK)) return 1;
    check(&(struct kind){"pipe", p[0], p[1], write_byte, read_all, 1});
    mkfifo("fifo", 0600);
    p[0] = open("fifo", O_RDONLY | O_NONBLOCK), p[1] = open("fifo", O_WRONLY);
    check(&(struct kind){"fifo", p[0], p[1], write_byte, read_all, 1});
    check(&(struct kind){"eventfd", eventfd(0, EFD_NONBLOCK), -1, write_event, read_all, 1});
    check(&(struct kind){"signalfd", signalfd(-1, &usr, SFD_NONBLOCK), -1, send_signal, read_all, 1});
    check(&(struct kind){"timerfd", timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), -1, arm, read_all, 0});
    mkdir("watched", 0700);
    int watching = inotify_init1(IN_NONBLOCK);
    inotify_add_watch(watching, "watched", IN_CREATE);
    check(&(struct kind){"inotify", watching, -1, touch, read_all, 1});
    int inner = epoll_create1(0);
    if (pipe2(p, O_NONBLOCK)) return 1;
    struct epoll_event event = {EPOLLIN, {0}};
    epoll_ctl(inner, EPOLL_CTL_ADD, p[0], &event);
    inner_pipe = p[0];
    check(&(struct kind){"epoll", inner, p[1], through_inner, drain_inner, 1});
    process();
    for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++) {
        if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, p)) continue;
        check(&(struct kind){"socket", p[0], p[1], datagram, read_all, 1});
    }
    openpty(&p[0], &p[1], 0, 0, 0);
    fcntl(p[0], F_SETFL, O_NONBLOCK), fcntl(p[1], F_SETFL, O_NONBLOCK);
    check(&(struct kind){"terminal master", dup(p[0]), dup(p[1]), write_byte, read_all, 1});
    struct termios plain;
    tcgetattr(p[1], &plain);
    plain.c_lflag &= ~ECHO;
    tcsetattr(p[1], TCSANOW, &plain);
    check(&(struct kind){"terminal", dup(p[1]), dup(p[0]), write_line, read_all, 1});
    close(p[0]), close(p[1]);
    struct mq_attr sizes = {.mq_maxmsg = 4, .mq_msgsize = 8};
    mq_unlink("/pollable");
    p[1] = mq_open("/pollable", O_RDWR | O_CREAT, 0600, &sizes), p[0] = mq_open("/pollable", O_RDONLY | O_NONBLOCK);
    check(&(struct kind){"message queue", p[0], p[1], send_message, receive_messages, 1});
    mq_unlink("/pollable");
    return 0;
}
