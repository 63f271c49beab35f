/* eventfd and signalfd: counters and signals that are read. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void result(const char *what, long value) {
    if (value < 0) printf("%s: %s\n", what, strerror(errno));
    else printf("%s: %ld\n", what, value);
}

static void get(const char *what, int fd) {
    uint64_t value = 0;
    long length = read(fd, &value, sizeof value);
    if (length < 0) printf("%s: %s\n", what, strerror(errno));
    else printf("%s: %#llx\n", what, (unsigned long long)value);
}

static void put(const char *what, int fd, uint64_t value) { result(what, write(fd, &value, sizeof value)); }

static int events_of(int fd) {
    struct pollfd entry = {fd, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLPRI, 0};
    poll(&entry, 1, 0);
    return entry.revents;
}

static void info(int fd, const char *from) {
    char path[64], text[1024], link[64];
    sprintf(path, "/proc/self/fdinfo/%d", fd);
    int file = open(path, O_RDONLY);
    long length = read(file, text, sizeof text - 1);
    text[length > 0 ? length : 0] = 0;
    close(file);
    char *found = strstr(text, from);
    char *number = found ? strstr(found, "eventfd-id: ") : 0;
    if (number) memset(number + 12, '#', strcspn(number + 12, "\n"));
    printf("%s", found ? found : "nothing\n");
    sprintf(path, "/proc/self/fd/%d", fd);
    length = readlink(path, link, sizeof link);
    struct stat status;
    fstat(fd, &status);
    printf("%.*s mode %o size %ld flags %o cloexec %d\n", (int)length, link, status.st_mode, (long)status.st_size,
           fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    errno = 0;
    result("open again", open(path, O_RDWR));
    result("lseek", lseek(fd, 10, SEEK_SET));
    char bytes[8];
    result("pread", pread(fd, bytes, 8, 0));
    result("pwrite", pwrite(fd, bytes, 8, 0));
    result("ftruncate", ftruncate(fd, 0));
    result("fsync", fsync(fd));
    result("fallocate", fallocate(fd, 0, 0, 8));
}

static void counters(void) {
    result("flags", eventfd(0, 2));
    int fd = eventfd(5, EFD_NONBLOCK | EFD_CLOEXEC), one = eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE);
    printf("poll %x\n", events_of(fd));
    get("five", fd);
    get("empty", fd);
    printf("poll %x\n", events_of(fd));
    put("add", fd, 2), put("add", fd, 3);
    get("sum", fd);
    for (int i = 0; i < 4; i++) get("semaphore", one);
    put("all ones", fd, ~0ull);
    put("most", fd, ~0ull - 1);
    printf("poll %x\n", events_of(fd));
    put("zero more", fd, 0);
    put("one more", fd, 1);
    get("most", fd);
    printf("poll %x\n", events_of(fd));
    put("nearly most", fd, ~0ull - 2);
    printf("poll %x\n", events_of(fd));
    char bytes[32] = {1};
    result("read 7", read(fd, bytes, 7));
    result("write 7", write(fd, bytes, 7));
    result("write 9", write(fd, bytes, 9));
    result("read 32", read(fd, bytes, 32));
    result("read 0", read(fd, bytes, 0));
    result("write 0", write(fd, bytes, 0));
    struct iovec halves[2] = {{bytes, 4}, {bytes + 4, 4}};
    memcpy(bytes, "\7\0\0\0\0\0\0", 8);
    result("write", write(fd, bytes, 8));
    memset(bytes, 0, 8);
    result("readv", readv(fd, halves, 2));
    printf("%d\n", bytes[0]);
    result("write from nowhere", write(fd, (void *)8, 8));
    get("nothing", fd);
    result("F_SETFL", fcntl(fd, F_SETFL, 0));
    put("add", fd, 9);
    info(fd, "eventfd-count");
    info(one, "eventfd-count:                0");
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        usleep(2000);
        uint64_t value = 4;
        _exit(write(fd, &value, 8) != 8);
    }
    get("nine", fd);
    get("from the child", fd);
    waitpid(child, 0, 0);
    put("most", fd, ~0ull - 1);
    fflush(stdout);
    child = fork();
    if (!child) {
        usleep(2000);
        uint64_t value;
        _exit(read(fd, &value, 8) != 8);
    }
    put("waits for room", fd, 6);
    waitpid(child, 0, 0);
    get("six", fd);
}

static void show(const struct signalfd_siginfo *got) {
    printf("  signo %u code %d errno %d", got->ssi_signo, got->ssi_code, got->ssi_errno);
    if (got->ssi_pid) printf(" pid %s", got->ssi_pid == (unsigned)getpid() ? "own" : "other");
    if (got->ssi_int) printf(" int %d", got->ssi_int);
    if (got->ssi_ptr) printf(" ptr %llx", (unsigned long long)got->ssi_ptr);
    if (got->ssi_status) printf(" status %d", got->ssi_status);
    if (got->ssi_tid) printf(" tid");
    if (got->ssi_overrun) printf(" overrun %u", got->ssi_overrun);
    printf("\n");
}

static void signals_of(const char *what, int fd, int most) {
    struct signalfd_siginfo got[16];
    memset(got, 0xaa, sizeof got);
    long length = read(fd, got, most * sizeof *got);
    if (length < 0) return (void)printf("%s: %s\n", what, strerror(errno));
    printf("%s: %ld\n", what, length);
    for (unsigned i = 0; i < length / sizeof *got; i++) show(&got[i]);
}

static void *thread(void *argument) {
    int fd = (int)(long)argument;
    signals_of("another thread", fd, 4);
    pthread_kill(pthread_self(), SIGUSR2);
    printf("poll of the thread %x\n", events_of(fd));
    signals_of("its own", fd, 4);
    pthread_kill(pthread_self(), SIGUSR2);
    return 0;
}

static void signals(void) {
    sigset_t mask, some, none;
    sigemptyset(&none);
    sigemptyset(&mask);
    for (int i = 0; i < 3; i++) sigaddset(&mask, SIGRTMIN + i);
    sigaddset(&mask, SIGUSR1), sigaddset(&mask, SIGUSR2), sigaddset(&mask, SIGCHLD), sigaddset(&mask, SIGALRM);
    sigprocmask(SIG_BLOCK, &mask, 0);
    result("flags", signalfd(-1, &mask, 1));
    result("bad fd", signalfd(99, &mask, 0));
    result("not a signalfd", signalfd(0, &mask, 0));
    result("size", syscall(SYS_signalfd4, -1, &mask, 4, 0));
    result("bad mask", syscall(SYS_signalfd4, -1, 8, 8, 0));
    sigset_t wide = mask;
    sigaddset(&wide, SIGKILL), sigaddset(&wide, SIGSTOP);
    int fd = signalfd(-1, &wide, SFD_NONBLOCK | SFD_CLOEXEC);
    info(fd, "sigmask");
    signals_of("nothing", fd, 1);
    printf("poll %x\n", events_of(fd));
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    printf("poll %x\n", events_of(fd));
    char small[127];
    result("too small", read(fd, small, 127));
    result("write", write(fd, small, 127));
    signals_of("one", fd, 1);
    signals_of("no more", fd, 1);
    union sigval value = {.sival_int = 42};
    sigqueue(getpid(), SIGRTMIN + 1, value);
    value.sival_int = -43;
    sigqueue(getpid(), SIGRTMIN + 1, value);
    sigqueue(getpid(), SIGRTMIN, value);
    raise(SIGUSR2);
    kill(getpid(), SIGUSR1);
    signals_of("two of five", fd, 2);
    signals_of("the rest", fd, 16);
    fflush(stdout);
    pid_t child = fork();
    if (!child) _exit(7);
    siginfo_t waited;
    waitid(P_PID, child, &waited, WEXITED | WNOWAIT);
    signals_of("child", fd, 4);
    waitpid(child, 0, 0);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 8};
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    struct itimerspec soon = {{0, 0}, {0, 1000000}};
    timer_settime(timer, 0, &soon, 0);
    struct pollfd entry = {fd, POLLIN, 0};
    result("poll", poll(&entry, 1, 2000));
    signals_of("timer", fd, 4);
    /* another set, by the descriptor */
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    raise(SIGUSR1);
    printf("same %d\n", signalfd(fd, &some, 0) == fd);
    signals_of("not in the set", fd, 1);
    raise(SIGUSR2);
    signals_of("in the set", fd, 1);
    printf("same %d\n", signalfd(fd, &mask, 0) == fd);
    signals_of("in the old set", fd, 1);
    /* waiting, alone and with epoll */
    int set = epoll_create1(0);
    struct epoll_event wanted = {EPOLLIN, {.u32 = 3}}, got;
    result("epoll", epoll_ctl(set, EPOLL_CTL_ADD, fd, &wanted));
    result("nothing", epoll_wait(set, &got, 1, 0));
    fflush(stdout);
    child = fork();
    if (!child) {
        usleep(2000);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    result("epoll", epoll_wait(set, &got, 1, -1));
    signals_of("from the child", fd, 1);
    waitpid(child, 0, 0);
    signals_of("its end", fd, 4);
    result("nothing", epoll_wait(set, &got, 1, 0));
    fcntl(fd, F_SETFL, 0);
    fflush(stdout);
    child = fork();
    if (!child) {
        usleep(2000);
        kill(getppid(), SIGUSR2);
        pause();
    }
    signals_of("waited", fd, 4);
    kill(child, SIGKILL);
    waitpid(child, 0, 0);
    signals_of("killed", fd, 4);
    /* pending signals are those of the reader */
    fcntl(fd, F_SETFL, O_NONBLOCK);
    raise(SIGUSR1);
    pthread_t other;
    pthread_create(&other, 0, thread, (void *)(long)fd);
    pthread_join(other, 0);
    signals_of("the main thread's", fd, 4);
    raise(SIGUSR1);
    fflush(stdout);
    child = fork();
    if (!child) {
        signals_of("nothing in the child", fd, 4);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, 0, 0);
    signals_of("two", fd, 4);
    /* an unblocked signal goes to its handler */
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    signals_of("ignored but blocked", fd, 4);
    sigprocmask(SIG_SETMASK, &none, 0);
    raise(SIGUSR1);
    signals_of("ignored", fd, 4);
    close(fd);
    close(set);
}

int main(void) {
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    counters();
    signals();
    return 0;
}
