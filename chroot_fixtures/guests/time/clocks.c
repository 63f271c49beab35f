/* All clocks: which exist, resolutions, errors of reading, setting and adjusting, clocks of processor time by number. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BAD ((void *)16)
#define CPU_CLOCK(id, thread, which) ((int)(~(unsigned)(id) << 3 | (thread) << 2 | (which)))

static void show(const char *what, int clock, long result)
{
    printf("%s %d: %ld %s\n", what, clock, result, result < 0 ? strerror(errno) : "");
}

static long long ns(int clock)
{
    struct timespec t = {0, 0};
    syscall(SYS_clock_gettime, clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int close_to(long long a, long long b, long long within)
{
    return a - b < within && b - a < within;
}

static void burn(int milliseconds)
{
    long long end = ns(CLOCK_THREAD_CPUTIME_ID) + milliseconds * 1000000LL;
    while (ns(CLOCK_THREAD_CPUTIME_ID) < end)
        for (volatile int i = 0; i < 20000; i++)
            ;
}

static volatile pid_t tid;
static pthread_barrier_t barrier;

static void *thread(void *unused)
{
    (void)unused;
    tid = syscall(SYS_gettid);
    burn(20);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

int main(void)
{
    struct timespec t, before;
    struct timeval tv;
    struct timezone tz = {7, 7};
    struct timex timex;
    struct rusage usage;
    struct tms tms;
    pthread_t other;
    int status, pair[2];
    char byte;

    for (int clock = -1; clock < 14; clock++) {
        if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM)
            continue; /* whether the machine has a real-time clock */
        show("gettime", clock, syscall(SYS_clock_gettime, clock, &t));
        memset(&t, 0, sizeof t);
        show("getres", clock, syscall(SYS_clock_getres, clock, &t));
        printf("  %ld %d\n", (long)t.tv_sec, t.tv_nsec > 0);
        show("getres NULL", clock, syscall(SYS_clock_getres, clock, NULL));
        show("gettime bad", clock, syscall(SYS_clock_gettime, clock, BAD));
    }
    for (int which = 0; which < 4; which++)
        for (int who = 0; who < 2; who++) {
            show("own", which, syscall(SYS_clock_gettime, CPU_CLOCK(0, who, which), &t));
            show("own by number", which, syscall(SYS_clock_gettime, CPU_CLOCK(getpid(), who, which), &t));
            show("nobody", which, syscall(SYS_clock_gettime, CPU_CLOCK(0x3ffff0, who, which), &t));
            show("res", which, syscall(SYS_clock_getres, CPU_CLOCK(0, who, which), &t));
            if (which != 3)
                printf("  %d\n", t.tv_nsec == 1);
            show("init's", which, syscall(SYS_clock_gettime, CPU_CLOCK(1, who, which), &t));
            show("set", which, syscall(SYS_clock_settime, CPU_CLOCK(0, who, which), &t));
        }

    printf("monotonic %d\n", ns(CLOCK_MONOTONIC) <= ns(CLOCK_MONOTONIC));
    printf("coarse %d %d\n", close_to(ns(CLOCK_MONOTONIC), ns(CLOCK_MONOTONIC_COARSE), 200000000),
           close_to(ns(CLOCK_REALTIME), ns(CLOCK_REALTIME_COARSE), 200000000));
    printf("tai %d boot %d\n", close_to(ns(CLOCK_REALTIME), ns(CLOCK_TAI), 60000000000LL),
           ns(CLOCK_BOOTTIME) >= ns(CLOCK_MONOTONIC) - 1000000);
    clock_gettime(CLOCK_REALTIME, &before);
    gettimeofday(&tv, &tz);
    printf("day %d zone %d %d\n",
           close_to(before.tv_sec * 1000000LL + before.tv_nsec / 1000, tv.tv_sec * 1000000LL + tv.tv_usec, 5000000),
           tz.tz_minuteswest, tz.tz_dsttime);
    printf("time %d\n", close_to(time(NULL), before.tv_sec, 5));
    show("gettimeofday NULL", 0, syscall(SYS_gettimeofday, NULL, NULL));
    show("gettimeofday bad", 0, syscall(SYS_gettimeofday, BAD, NULL));
    show("gettimeofday bad zone", 0, syscall(SYS_gettimeofday, NULL, BAD));
    show("time bad", 0, syscall(SYS_time, BAD));

    /* processor time: of a thread, of a process, of a child */
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&other, NULL, thread, NULL);
    pthread_barrier_wait(&barrier);
    long long its = ns(CPU_CLOCK(tid, 1, 2)), all = ns(CLOCK_PROCESS_CPUTIME_ID);
    printf("thread %d, in process %d, mine less %d\n", its >= 20000000, all >= its,
           ns(CLOCK_THREAD_CPUTIME_ID) <= ns(CLOCK_PROCESS_CPUTIME_ID));
    printf("by handle %d\n", !pthread_getcpuclockid(other, &status) && close_to(ns(status), its, 50000000));
    pthread_barrier_wait(&barrier);
    pthread_join(other, NULL);
    printf("after it %d\n", ns(CLOCK_PROCESS_CPUTIME_ID) >= its);
    getrusage(RUSAGE_SELF, &usage);
    printf("rusage %d\n", usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec +
                              usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec >= 10000);
    printf("maxrss %d\n", usage.ru_maxrss > 0);
    show("rusage thread", 1, getrusage(RUSAGE_THREAD, &usage));
    show("rusage children", -1, getrusage(RUSAGE_CHILDREN, &usage));
    printf("  %ld\n", (long)usage.ru_utime.tv_sec);
    show("rusage both", -2, syscall(SYS_getrusage, -2, &usage));
    show("rusage 2", 2, syscall(SYS_getrusage, 2, &usage));
    show("rusage bad", 0, syscall(SYS_getrusage, 0, BAD));
    printf("times %d\n", times(&tms) != (clock_t)-1);
    printf("times bad %d\n", syscall(SYS_times, BAD) == -1 && errno == EFAULT);
    if (pipe(pair))
        return 1;
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        burn(30);
        if (write(pair[1], "", 1) != 1)
            _exit(1);
        pause();
    }
    if (read(pair[0], &byte, 1) != 1)
        return 1;
    show("getcpuclockid", 0, clock_getcpuclockid(child, &status));
    printf("child %d\n", ns(status) >= 30000000);
    show("its thread from outside", 0, syscall(SYS_clock_gettime, CPU_CLOCK(child, 1, 2), &t));
    kill(child, 9);
    waitpid(child, NULL, 0);
    show("dead child", 0, syscall(SYS_clock_gettime, status, &t));
    getrusage(RUSAGE_CHILDREN, &usage);
    printf("its time is ours %d\n", usage.ru_utime.tv_usec + usage.ru_stime.tv_usec > 0);

    /* who may not set clocks learns it in this order */
    fflush(stdout);
    child = fork();
    if (!child) {
        if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
            _exit(1);
        t.tv_sec = 1000000000, t.tv_nsec = 0;
        for (int clock = -1; clock < 14; clock++) {
            show("settime", clock, syscall(SYS_clock_settime, clock, &t));
            show("settime bad", clock, syscall(SYS_clock_settime, clock, BAD));
        }
        t.tv_nsec = 1000000000;
        show("settime nanoseconds", 0, syscall(SYS_clock_settime, 0, &t));
        t.tv_nsec = 0, t.tv_sec = -1;
        show("settime seconds", 0, syscall(SYS_clock_settime, 0, &t));
        tv.tv_sec = 1000000000, tv.tv_usec = 0;
        show("settimeofday", 0, syscall(SYS_settimeofday, &tv, NULL));
        show("settimeofday zone", 0, syscall(SYS_settimeofday, NULL, &tz));
        show("settimeofday bad", 0, syscall(SYS_settimeofday, BAD, NULL));
        show("settimeofday bad zone", 0, syscall(SYS_settimeofday, &tv, BAD));
        tv.tv_usec = 1000001;
        show("settimeofday microseconds", 0, syscall(SYS_settimeofday, &tv, NULL));
#ifdef SYS_stime
        show("stime", 0, syscall(SYS_stime, &t));
        show("stime bad", 0, syscall(SYS_stime, BAD));
#endif
        memset(&timex, 0, sizeof timex);
        printf("adjtimex %d\n", adjtimex(&timex) >= 0);
        printf("  tick %ld precision %ld day %d\n", timex.tick, timex.precision, timex.time.tv_sec > 1600000000);
        for (unsigned modes = 1; modes && modes <= 0x8000; modes <<= 1) {
            timex.modes = modes;
            show("adjtimex", modes, syscall(SYS_adjtimex, &timex));
        }
        timex.modes = 0x8001;
        show("adjtime", 0, syscall(SYS_adjtimex, &timex));
        timex.modes = 0xa001;
        printf("adjtime reads %d\n", syscall(SYS_adjtimex, &timex) >= 0);
        show("adjtimex bad", 0, syscall(SYS_adjtimex, BAD));
        timex.modes = 0;
        for (int clock = -1; clock < 14; clock++) {
            long result = syscall(SYS_clock_adjtime, clock, &timex);
            show("clock_adjtime", clock, result < 0 ? result : 0);
        }
        show("clock_adjtime bad", 1, syscall(SYS_clock_adjtime, 1, BAD));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    printf("%d\n", status);
    return 0;
}
