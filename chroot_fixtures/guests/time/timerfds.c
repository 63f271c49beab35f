/* timerfd: errors, expirations counted, absolute times, periods, readiness for poll and epoll, sharing, fdinfo. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BAD ((void *)16)
#define MS 1000000LL

static void show(const char *what, long number, long result)
{
    printf("%s %ld: %ld %s\n", what, number, result, result < 0 ? strerror(errno) : "");
}

static struct itimerspec times(long long first, long long interval)
{
    return (struct itimerspec){{interval / 1000000000, interval % 1000000000}, {first / 1000000000, first % 1000000000}};
}

static int set(int fd, long long first, long long interval, int flags)
{
    struct itimerspec spec = times(first, interval);
    return timerfd_settime(fd, flags, &spec, NULL);
}

static long long take(int fd)
{
    uint64_t value = 0;
    return read(fd, &value, sizeof value) == sizeof value ? (long long)value : -errno;
}

static long long now(int clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void pause_for(int milliseconds)
{
    struct timespec t = {0, milliseconds * MS};
    while (nanosleep(&t, &t))
        ;
}

static int ready(int fd, int milliseconds)
{
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    return poll(&p, 1, milliseconds) == 1 ? p.revents : 0;
}

int main(void)
{
    struct itimerspec spec, old;
    struct epoll_event event;
    uint64_t words[4] = {0};
    char line[200];
    int status;

    for (int clock = -1; clock < 13; clock++) {
        int fd = timerfd_create(clock, 0);
        printf("clock %d: %s\n", clock, fd < 0 ? strerror(errno) : "");
        if (fd >= 0)
            close(fd);
    }
    show("flags", 1, timerfd_create(CLOCK_MONOTONIC, 1));
    int quick = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), fd = timerfd_create(CLOCK_MONOTONIC, 0);
    printf("status %#x %#x descriptor %d %d\n", fcntl(quick, F_GETFL), fcntl(fd, F_GETFL), fcntl(quick, F_GETFD),
           fcntl(fd, F_GETFD));
    spec = times(MS, 0);
    show("set flags", 0, syscall(SYS_timerfd_settime, fd, 4, &spec, NULL));
    show("set bad", 0, syscall(SYS_timerfd_settime, fd, 0, BAD, NULL));
    show("set bad old", 0, syscall(SYS_timerfd_settime, fd, 0, &spec, BAD));
    show("set not open", 0, syscall(SYS_timerfd_settime, 999, 0, &spec, NULL));
    show("set no timer", 0, syscall(SYS_timerfd_settime, 0, 0, &spec, NULL));
    show("get no timer", 0, syscall(SYS_timerfd_gettime, 0, &spec));
    show("get bad", 0, syscall(SYS_timerfd_gettime, fd, BAD));
    for (int i = 0; i < 4; i++) {
        spec = times(MS, MS);
        *(i & 1 ? &spec.it_value.tv_nsec : &spec.it_interval.tv_nsec) = i & 2 ? -1 : 1000000000;
        show("nanoseconds", i, timerfd_settime(fd, 0, &spec, NULL));
    }
    spec = times(0, 0);
    spec.it_value.tv_sec = -1;
    show("negative", 0, timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));

    printf("not armed %lld poll %d\n", take(quick), ready(quick, 0));
    show("short", 0, read(quick, words, 7));
    show("write", 0, write(quick, words, 8));
    show("seek", 0, lseek(quick, 5, SEEK_SET));
    show("pread", 0, pread(quick, words, 8, 0));
    show("bad", 0, syscall(SYS_read, quick, BAD, 8));
    set(fd, 3 * MS, 0, 0);
    printf("once %lld", take(fd));
    timerfd_gettime(fd, &spec);
    printf(" then %ld %ld poll %d\n", (long)spec.it_value.tv_sec, spec.it_value.tv_nsec, ready(fd, 0));
    set(fd, 3 * MS, 0, 0);
    printf("poll %#x", ready(fd, 1000));
    printf(" again %#x", ready(fd, 0));
    show(" long read", 0, read(fd, words, sizeof words));
    printf("%lld %d\n", (long long)words[0], ready(fd, 0));

    set(quick, 5 * MS, 5 * MS, 0);
    pause_for(52);
    long long ticks = take(quick);
    printf("ticks %d then %lld", ticks >= 10 && ticks < 40, take(quick));
    timerfd_gettime(quick, &spec);
    printf(" left %d interval %ld\n", spec.it_value.tv_nsec > 0 && spec.it_value.tv_nsec <= 5 * MS,
           spec.it_interval.tv_nsec);
    pause_for(7);
    timerfd_gettime(quick, &spec); /* counts too */
    printf("gettime arms %d", spec.it_value.tv_nsec > 0 && spec.it_value.tv_nsec <= 5 * MS);
    printf(" ticks %d\n", take(quick) >= 1);
    spec = times(7000 * MS, 0);
    timerfd_settime(quick, 0, &spec, &old);
    printf("old %ld", old.it_interval.tv_nsec);
    timerfd_settime(quick, 0, &(struct itimerspec){0}, &old);
    printf(" %d\n", old.it_value.tv_sec == 6);
    set(quick, 1, 1, 0);
    pause_for(3);
    printf("each nanosecond %d\n", take(quick) > 1000000);
    set(quick, 1, 0, 0);
    pause_for(2);
    set(quick, 0, 0, 0);
    printf("setting forgets %lld %d\n", take(quick), ready(quick, 0));

    static const int clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
    for (int i = 0; i < 3; i++) {
        int timer = timerfd_create(clocks[i], 0);
        long long then = now(clocks[i]) + 12 * MS;
        set(timer, then, 0, TFD_TIMER_ABSTIME | (i ? 0 : TFD_TIMER_CANCEL_ON_SET));
        timerfd_gettime(timer, &spec);
        printf("until %d: left %d", clocks[i], !spec.it_value.tv_sec && spec.it_value.tv_nsec <= 12 * MS);
        printf(" %lld %d", take(timer), now(clocks[i]) >= then);
        set(timer, then - 50 * MS, 10 * MS, TFD_TIMER_ABSTIME);
        ticks = take(timer);
        printf(" past %d\n", ticks >= 5 && ticks < 50);
        set(timer, 1000 * MS * 1000000, 0, TFD_TIMER_CANCEL_ON_SET); /* without ABSTIME: no effect */
        close(timer);
    }

    int poller = epoll_create1(0);
    event.events = EPOLLIN | EPOLLET, event.data.fd = fd;
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    printf("epoll %d", epoll_wait(poller, &event, 1, 0));
    set(fd, 3 * MS, 20 * MS, 0);
    printf(" %d", epoll_wait(poller, &event, 1, 1000));
    printf(" edge %d", epoll_wait(poller, &event, 1, 0));
    printf(" %d", take(fd) >= 1);
    printf(" next %d\n", epoll_wait(poller, &event, 1, 1000));
    set(fd, 3 * MS, 0, 0);
    fd_set set_of;
    FD_ZERO(&set_of);
    FD_SET(fd, &set_of);
    printf("select %d\n", select(fd + 1, &set_of, NULL, NULL, NULL));

    /* shared with a child and a copy */
    set(quick, 2 * MS, 0, 0);
    fflush(stdout);
    if (!fork()) {
        while (!ready(quick, 1000))
            ;
        printf("child %lld\n", take(quick));
        fflush(stdout);
        _exit(0);
    }
    wait(&status);
    int copy = dup(quick);
    close(quick);
    printf("taken %lld\n", take(copy));
    snprintf(line, sizeof line, "/proc/self/fd/%d", copy);
    char target[100] = "";
    printf("%zd %s\n", readlink(line, target, sizeof target - 1), target);
    set(copy, 0, 0, 0);
    snprintf(line, sizeof line, "/proc/self/fdinfo/%d", copy);
    FILE *file = fopen(line, "r");
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "mnt_id", 6) && strncmp(line, "ino", 3))
            fputs(line, stdout);
    fclose(file);

    fflush(stdout);
    if (!fork()) { /* alarm clocks are for those who may wake the machine */
        if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
            _exit(1);
        show("alarm", 8, timerfd_create(CLOCK_REALTIME_ALARM, 0));
        show("alarm", 9, timerfd_create(CLOCK_BOOTTIME_ALARM, 0));
        fflush(stdout);
        _exit(0);
    }
    wait(&status);
    ualarm(20000, 0);
    signal(SIGALRM, SIG_DFL);
    fflush(stdout);
    take(fd), take(fd); /* nothing comes any more: the signal ends it */
    return 0;
}
