/* POSIX message queues: results, errors, order, waiting, notification, limits, and the queue as a file. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(call)                                                                \
    do {                                                                          \
        errno = 0;                                                                \
        long result_ = (long)(call);                                              \
        if (result_ == -1)                                                        \
            printf("%d %s: %s\n", __LINE__, #call, strerrorname_np(errno));       \
        else                                                                      \
            printf("%d %s: %ld\n", __LINE__, #call, result_);                     \
    } while (0)

static char name[64], *const BAD = (char *)8;
static char buffer[9000];
static mqd_t queue;

static void attributes(mqd_t q) {
    struct mq_attr a;
    SHOW(mq_getattr(q, &a));
    printf("flags %lo limit %ld size %ld count %ld\n", a.mq_flags, a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs);
}
static long receive(mqd_t q) {
    unsigned priority = 77;
    memset(buffer, 0, 32);
    long length = mq_receive(q, buffer, sizeof buffer, &priority);
    if (length >= 0)
        printf("[%u %.20s] ", priority, buffer);
    return length;
}
static int send(const char *text, unsigned priority) {
    return mq_send(queue, text, strlen(text), priority);
}
static struct timespec in(long ms) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}
static int events(short wanted) {
    struct pollfd p = {queue, wanted, 0};
    poll(&p, 1, 0);
    return p.revents;
}
static void handler(int signo, siginfo_t *info, void *context) {
    (void)context;
    char text[100];
    write(1, text, snprintf(text, sizeof text, "signal %d code %d value %d from %d\n", signo - SIGRTMIN, info->si_code,
                            info->si_value.sival_int, info->si_pid == getpid()));
}
static pid_t child(void (*body)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        body();
        fflush(stdout);
        _exit(0);
    }
    return pid;
}
static void rest(void) {
    usleep(30000);
}
static void finish(pid_t pid) {
    waitpid(pid, NULL, 0);
}

static void receive_one(void) {
    SHOW(receive(queue));
}
static void send_two(void) {
    SHOW(send("waited", 9));
    SHOW(send("waited too", 3));
}
static void as_nobody(void) {
    setgroups(0, NULL), setgid(65534), setuid(65534);
    SHOW(mq_open(name, O_RDONLY) > 0);
    SHOW(mq_open(name, O_WRONLY));
    SHOW(mq_unlink(name));
    struct mq_attr large = {.mq_maxmsg = 11, .mq_msgsize = 100};
    SHOW(mq_open("/lbw-nobody", O_RDWR | O_CREAT, 0600, &large));
    large.mq_maxmsg = 10, large.mq_msgsize = 8193;
    SHOW(mq_open("/lbw-nobody", O_RDWR | O_CREAT, 0600, &large));
    large.mq_msgsize = 8192;
    struct rlimit limit = {82880, 819200};
    setrlimit(RLIMIT_MSGQUEUE, &limit); /* exactly one of these */
    SHOW(mq_open("/lbw-nobody", O_RDWR | O_CREAT, 0600, &large) > 0);
    SHOW(mq_open("/lbw-nobody2", O_RDWR | O_CREAT, 0600, &large));
    SHOW(mq_unlink("/lbw-nobody"));
}
static void notify_self(void) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 5};
    SHOW(mq_notify(queue, &event));
}

int main(void) {
    snprintf(name, sizeof name, "/lbw-%d", getpid());
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    umask(022);
    SHOW(mq_open(name, O_RDWR));
    SHOW(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL));
    SHOW(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL));
    SHOW(syscall(SYS_mq_open, ".", O_RDWR | O_CREAT, 0600, NULL));
    SHOW(syscall(SYS_mq_open, "..", O_RDWR, 0600, NULL));
    SHOW(syscall(SYS_mq_open, BAD, O_RDWR | O_CREAT, 0600, NULL));
    SHOW(syscall(SYS_mq_open, name + 1, O_RDWR | O_CREAT, 0600, BAD));
    memset(buffer, 'n', 300);
    SHOW(syscall(SYS_mq_open, buffer, O_RDWR | O_CREAT, 0600, NULL));
    SHOW(syscall(SYS_mq_unlink, "nosuch"));
    SHOW(syscall(SYS_mq_unlink, "x/y"));
    struct mq_attr attr = {.mq_maxmsg = 0, .mq_msgsize = 10};
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &attr));
    attr.mq_maxmsg = 65537;
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &attr));
    attr.mq_maxmsg = 1, attr.mq_msgsize = -1;
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &attr));
    attr.mq_msgsize = (16 << 20) + 1;
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &attr));
    attr.mq_maxmsg = 3, attr.mq_msgsize = 20, attr.mq_flags = O_NONBLOCK;
    queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0666, &attr);
    SHOW(queue > 0);
    SHOW(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0666, &attr));
    SHOW(fcntl(queue, F_GETFD));
    SHOW(fcntl(queue, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
    attributes(queue);
    mqd_t reader = mq_open(name, O_RDONLY | O_NONBLOCK), writer = mq_open(name, O_WRONLY);
    attributes(reader);
    /* data */
    SHOW(events(POLLIN | POLLOUT));
    SHOW(send("low", 1));
    SHOW(send("high", 32767));
    SHOW(send("too high", 32768));
    SHOW(send("low again", 1));
    SHOW(events(POLLIN | POLLOUT));
    SHOW(mq_send(queue, buffer, 21, 0));
    SHOW(mq_send(queue, BAD, 5, 0));
    SHOW(mq_send(reader, "x", 1, 0));
    SHOW(mq_send(1, "x", 1, 0));
    SHOW(mq_send(99, "x", 1, 0));
    SHOW(mq_receive(queue, buffer, 19, NULL));
    SHOW(receive(writer));
    SHOW(receive(queue));
    SHOW(receive(queue));
    SHOW(events(POLLIN | POLLOUT));
    SHOW(receive(queue));
    SHOW(receive(reader));
    SHOW(send("", 0));
    SHOW(receive(queue));
    send("lost", 2);
    SHOW(mq_receive(queue, BAD, 20, NULL));
    SHOW(receive(reader));
    /* time */
    struct timespec soon = in(5), past = {0, 0}, wrong = {0, 1000000000}, negative = {-1, 0};
    SHOW(mq_timedreceive(queue, buffer, 20, NULL, &soon));
    SHOW(mq_timedreceive(queue, buffer, 20, NULL, &past));
    SHOW(mq_timedreceive(queue, buffer, 20, NULL, &wrong));
    SHOW(mq_timedreceive(queue, buffer, 20, NULL, &negative));
    send("1", 1), send("2", 2), send("3", 3);
    soon = in(5);
    SHOW(mq_timedsend(queue, "x", 1, 0, &soon));
    SHOW(mq_timedsend(queue, "x", 1, 0, &wrong));
    /* a sender waits; its message takes the first free place */
    pid_t pid = child(send_two);
    rest();
    SHOW(receive(queue));
    SHOW(receive(queue));
    SHOW(receive(queue));
    finish(pid);
    SHOW(receive(queue));
    SHOW(receive(queue));
    pid = child(receive_one);
    rest();
    SHOW(send("for the child", 4));
    finish(pid);
    SHOW(receive(reader));
    /* attributes */
    attr.mq_flags = O_NONBLOCK;
    SHOW(mq_setattr(queue, &attr, NULL));
    attr.mq_flags = O_APPEND;
    SHOW(mq_setattr(queue, &attr, NULL));
    attributes(queue);
    SHOW(receive(queue));
    SHOW(syscall(SYS_mq_getsetattr, queue, BAD, NULL));
    attr.mq_flags = 0;
    SHOW(syscall(SYS_mq_getsetattr, queue, &attr, BAD));
    attributes(queue);
    SHOW(syscall(SYS_mq_getsetattr, 1, NULL, NULL));
    /* notification */
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGRTMIN + 2, &action, NULL);
    struct sigevent event = {.sigev_notify = 9};
    SHOW(mq_notify(queue, &event));
    event.sigev_notify = SIGEV_SIGNAL, event.sigev_signo = 65;
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(1, &event));
    SHOW(syscall(SYS_mq_notify, queue, BAD));
    event.sigev_signo = SIGRTMIN + 2, event.sigev_value.sival_int = 1234;
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, &event));
    fflush(stdout);
    SHOW(send("a", 1));
    fflush(stdout);
    SHOW(send("b", 1)); /* not told again */
    receive(queue), receive(queue);
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, NULL));
    SHOW(send("c", 1));
    SHOW(mq_notify(queue, &event)); /* it is not empty now */
    SHOW(send("d", 1));
    receive(queue), receive(queue);
    int file = openat(AT_FDCWD, "/dev/mqueue/nosuch", O_RDONLY);
    close(file);
    fflush(stdout);
    send("e", 1);
    receive(queue);
    pid = child(notify_self); /* it ends, and so does that */
    finish(pid);
    event.sigev_notify = SIGEV_NONE;
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, &event));
    mqd_t other = dup(queue);
    close(other); /* any descriptor of it */
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, NULL));
    event.sigev_notify = SIGEV_SIGNAL;
    SHOW(mq_notify(queue, &event));
    pid = child(receive_one); /* who waits gets it; nobody is told */
    rest();
    send("straight", 1);
    finish(pid);
    send("f", 1);
    receive(queue);
    /* a handler interrupts, SA_RESTART goes on */
    alarm(0);
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGALRM, &action, NULL);
    fflush(stdout);
    action.sa_handler = SIG_IGN;
    struct sigaction quiet = {.sa_handler = (void (*)(int))alarm};
    sigaction(SIGALRM, &quiet, NULL);
    ualarm(20000, 0);
    SHOW(mq_receive(queue, buffer, 20, NULL));
    alarm(0);
    /* as a file */
    struct stat st;
    SHOW(fstat(queue, &st));
    printf("%o %d %ld %d\n", st.st_mode, (int)st.st_nlink, (long)st.st_size, st.st_uid);
    char link[64], path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", (int)queue);
    SHOW(readlink(path, link, sizeof link) == (long)strlen(name));
    send("123456", 1);
    memset(buffer, 0, 100);
    SHOW(pread(queue, buffer, 100, 0));
    printf("%s", buffer);
    SHOW(read(queue, buffer, 5));
    SHOW(read(queue, buffer, 100));
    SHOW(read(queue, buffer, 100));
    SHOW(write(queue, "x", 1));
    SHOW(pwrite(queue, "x", 1, 0));
    finish(child(as_nobody));
    SHOW(mq_unlink(name));
    SHOW(mq_open(name, O_RDWR));
    SHOW(mq_unlink(name));
    SHOW(receive(writer));
    SHOW(receive(reader));
    SHOW(fstat(queue, &st));
    printf("%d\n", (int)st.st_nlink);
    /* how much a user may have */
    struct rlimit limit;
    getrlimit(RLIMIT_MSGQUEUE, &limit);
    printf("%ld\n", (long)limit.rlim_cur);
    SHOW(mq_close(queue));
    SHOW(mq_close(queue));
    return 0;
}
