/* POSIX and interval timers: errors, every kind of notification, overruns, processor time, limits, deletion. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BAD ((void *)16)
#define CPU_CLOCK(id, thread, which) ((int)(~(unsigned)(id) << 3 | (thread) << 2 | (which)))
#define MS 1000000LL

struct kernel_event { /* struct sigevent, as the kernel has it */
    union sigval value;
    int signo, notify, tid;
    int padding[12];
};

static void show(const char *what, long number, long result)
{
    printf("%s %ld: %ld %s\n", what, number, result, result < 0 ? strerror(errno) : "");
}

static int create(int clock, int notify, int signo, int tid)
{
    struct kernel_event event = {.value.sival_int = 4711, .signo = signo, .notify = notify, .tid = tid};
    int timer = -1;
    long result = syscall(SYS_timer_create, clock, &event, &timer);
    return result < 0 ? -errno : timer;
}

static int set(int timer, long long first, long long interval, int flags)
{
    struct itimerspec spec = {{interval / 1000000000, interval % 1000000000}, {first / 1000000000, first % 1000000000}};
    return syscall(SYS_timer_settime, timer, flags, &spec, NULL);
}

static struct itimerspec get(int timer)
{
    struct itimerspec spec;
    memset(&spec, 0, sizeof spec);
    if (syscall(SYS_timer_gettime, timer, &spec))
        spec.it_value.tv_sec = -1;
    return spec;
}

static long long now(int clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void burn(int milliseconds)
{
    long long end = now(CLOCK_THREAD_CPUTIME_ID) + milliseconds * 1000000LL;
    while (now(CLOCK_THREAD_CPUTIME_ID) < end)
        for (volatile int i = 0; i < 10000; i++)
            ;
}

static void pause_for(int milliseconds)
{
    struct timespec t = {0, milliseconds * MS};
    while (nanosleep(&t, &t))
        ;
}

static volatile int hits, last_code, last_value, last_timer;
static volatile pid_t last_tid;

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    hits++;
    last_code = info->si_code;
    last_value = info->si_value.sival_int;
    last_timer = info->si_timerid;
    last_tid = syscall(SYS_gettid);
}

static sem_t called;
static volatile int passed;

static void notified(union sigval value)
{
    passed = value.sival_int;
    sem_post(&called);
}

static volatile pid_t other_tid;
static volatile int leave;

static void *other(void *unused)
{
    (void)unused;
    other_tid = syscall(SYS_gettid);
    while (!leave)
        pause_for(1);
    return NULL;
}

int main(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    struct itimerspec spec;
    struct itimerval value, old;
    struct rlimit limit;
    sigset_t set_rt, set_old;
    siginfo_t info;
    pthread_t thread;
    int timer, status;

    action.sa_sigaction = handler;
    sigemptyset(&action.sa_mask);
    sigaction(SIGRTMIN, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGVTALRM, &action, NULL);
    sigaction(SIGPROF, &action, NULL);

    for (int clock = -1; clock < 14; clock++) {
        if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM)
            continue;
        timer = create(clock, SIGEV_SIGNAL, SIGRTMIN, 0);
        printf("clock %d: %d\n", clock, timer < 0 ? timer : 0);
        if (timer >= 0)
            syscall(SYS_timer_delete, timer);
    }
    printf("own thread %d process %d nobody %d\n", create(CPU_CLOCK(0, 1, 2), SIGEV_NONE, 0, 0) >= 0,
           create(CPU_CLOCK(getpid(), 0, 0), SIGEV_NONE, 0, 0) >= 0, create(CPU_CLOCK(0x3ffff0, 0, 2), 0, 34, 0));
    for (int signo = -1; signo < 66; signo += 33)
        printf("signal %d: %d\n", signo, create(CLOCK_MONOTONIC, SIGEV_SIGNAL, signo, 0) >= 0);
    printf("kinds %d %d %d %d\n", create(CLOCK_MONOTONIC, 3, SIGRTMIN, 0), create(CLOCK_MONOTONIC, 5, SIGRTMIN, 0),
           create(CLOCK_MONOTONIC, 4, SIGRTMIN, 0x3ffff0), create(CLOCK_MONOTONIC, 4, SIGRTMIN, 1));
    show("create bad event", 0, syscall(SYS_timer_create, CLOCK_MONOTONIC, BAD, &timer));
    show("create bad place", 0, syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, BAD));
    for (int i = 0; i < 40; i++)
        syscall(SYS_timer_delete, i);
    timer = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 0);
    show("set bad", 0, syscall(SYS_timer_settime, timer, 0, BAD, NULL));
    show("set NULL", 0, syscall(SYS_timer_settime, timer, 0, NULL, NULL));
    spec = (struct itimerspec){{0, 0}, {0, 1000000000}};
    show("nanoseconds", 0, syscall(SYS_timer_settime, timer, 0, &spec, NULL));
    spec = (struct itimerspec){{0, -1}, {1, 0}};
    show("interval", 0, syscall(SYS_timer_settime, timer, 0, &spec, NULL));
    spec = (struct itimerspec){{0, 0}, {-1, 0}};
    show("negative", 0, syscall(SYS_timer_settime, timer, TIMER_ABSTIME, &spec, NULL));
    show("get bad", 0, syscall(SYS_timer_gettime, timer, BAD));
    for (int i = -1; i < 2; i += 2) {
        show("no timer: get", i, syscall(SYS_timer_gettime, timer + i * 1000, &spec));
        show("no timer: overrun", i, syscall(SYS_timer_getoverrun, timer + i * 1000));
        show("no timer: delete", i, syscall(SYS_timer_delete, timer + i * 1000));
    }

    printf("set %d", set(timer, 5 * MS, 0, 0));
    while (!hits)
        pause_for(1);
    printf(" once %d code %d value %d\n", hits, last_code, last_value);
    spec = get(timer);
    printf("then %ld %ld\n", (long)spec.it_value.tv_sec, spec.it_value.tv_nsec);
    set(timer, 3600 * 1000 * MS, 50 * MS, 0);
    spec = get(timer);
    printf("left %d %ld\n", spec.it_value.tv_sec == 3599, spec.it_interval.tv_nsec);
    set(timer, 0, 50 * MS, 0);
    spec = get(timer);
    printf("disarmed %ld %ld\n", (long)spec.it_value.tv_sec, spec.it_value.tv_nsec);
    hits = 0;
    set(timer, 1, 0, TIMER_ABSTIME); /* long ago */
    pause_for(2);
    printf("past %d\n", hits);

    /* overruns: of a signal that is blocked, of one that is taken late, of a tiny interval */
    sigemptyset(&set_rt);
    sigaddset(&set_rt, SIGRTMIN);
    sigaddset(&set_rt, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set_rt, &set_old);
    set(timer, 2 * MS, 2 * MS, 0);
    pause_for(30);
    spec = get(timer);
    printf("armed %d\n", spec.it_value.tv_nsec > 0 && spec.it_value.tv_nsec <= 2 * MS);
    sigwaitinfo(&set_rt, &info);
    printf("overrun %d same %d code %d timer %d\n", info.si_overrun > 5, info.si_overrun == timer_getoverrun((timer_t)(long)timer),
           info.si_code, info.si_timerid == timer);
    sigwaitinfo(&set_rt, &info);
    printf("next %d\n", info.si_overrun < 200);
    set(timer, 0, 0, 0);
    while (sigtimedwait(&set_rt, &info, &(struct timespec){0, 0}) > 0)
        ;
    set(timer, 1, 1, 0);
    pause_for(5);
    sigwaitinfo(&set_rt, &info);
    printf("each nanosecond %d\n", info.si_overrun > 1000000);
    pause_for(1);
    set(timer, 0, 0, 0);
    while (sigtimedwait(&set_rt, &info, &(struct timespec){0, 0}) > 0)
        ;
    /* standard signals: each timer has its own, although the number is pending already */
    int first = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0), second = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);
    set(first, 1, 0, 0), set(second, 1, 0, 0);
    pause_for(5);
    int seen = 0;
    while (sigtimedwait(&set_rt, &info, &(struct timespec){0, 0}) > 0)
        seen |= info.si_timerid == first ? 1 : info.si_timerid == second ? 2 : 4;
    printf("both %d\n", seen);
    set(first, 1, 0, 0);
    pause_for(3);
    show("delete while pending", 0, syscall(SYS_timer_delete, first));
    sigtimedwait(&set_rt, &info, &(struct timespec){0, 0}); /* newer kernels have taken it away */
    sigprocmask(SIG_UNBLOCK, &set_rt, NULL);

    /* an ignored signal */
    signal(SIGUSR1, SIG_IGN);
    set(second, 1, 1, 0);
    pause_for(10);
    spec = get(second);
    printf("ignored, armed %d\n", spec.it_value.tv_nsec > 0);
    syscall(SYS_timer_delete, second);

    /* nobody is told */
    int quiet = create(CLOCK_REALTIME, SIGEV_NONE, 0, 0);
    set(quiet, 3 * MS, 0, 0);
    pause_for(6);
    spec = get(quiet);
    printf("none: %ld %ld\n", (long)spec.it_value.tv_sec, spec.it_value.tv_nsec);
    set(quiet, 3 * MS, 2 * MS, 0);
    pause_for(6);
    spec = get(quiet);
    printf("none again: %d\n", spec.it_value.tv_nsec > 0 && spec.it_value.tv_nsec <= 2 * MS);
    syscall(SYS_timer_delete, quiet);

    /* one thread; a function of glibc's; the default */
    pthread_create(&thread, NULL, other, NULL);
    while (!other_tid)
        pause_for(1);
    int directed = create(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGRTMIN, other_tid);
    hits = 0;
    set(directed, MS, 0, 0);
    while (!hits)
        pause_for(1);
    printf("in thread %d\n", last_tid == other_tid);
    leave = 1;
    pthread_join(thread, NULL);
    hits = 0;
    set(directed, MS, 0, 0);
    pause_for(5);
    printf("thread gone %d\n", hits);
    syscall(SYS_timer_delete, directed);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 99};
    timer_t glibc_timer;
    event.sigev_notify_function = notified;
    sem_init(&called, 0, 0);
    printf("function %d", timer_create(CLOCK_MONOTONIC, &event, &glibc_timer));
    spec = (struct itimerspec){{0, 0}, {0, 2 * MS}};
    timer_settime(glibc_timer, 0, &spec, NULL);
    while (sem_wait(&called))
        ;
    printf(" %d\n", passed);
    timer_delete(glibc_timer);
    int plain;
    show("default", 0, syscall(SYS_timer_create, CLOCK_REALTIME, NULL, &plain));
    hits = 0;
    set(plain, MS, 0, 0);
    while (!hits)
        pause_for(1);
    printf("default value %d timer %d\n", last_value == plain, last_timer == plain);

    /* processor time */
    int own = create(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGRTMIN, 0);
    int mine = create(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIGRTMIN, 0);
    hits = 0;
    set(own, 20 * MS, 0, 0), set(mine, 5000 * MS, 0, 0);
    pause_for(30);
    printf("asleep %d", hits);
    burn(60);
    spec = get(mine);
    printf(" awake %d left %d %d\n", hits, get(own).it_value.tv_nsec == 0, spec.it_value.tv_sec == 4);
    hits = 0;
    set(mine, now(CLOCK_THREAD_CPUTIME_ID) + 10 * MS, 10 * MS, TIMER_ABSTIME);
    burn(70);
    printf("periodic %d\n", hits >= 1);
    set(mine, 0, 0, 0);
    static const int kinds[] = {ITIMER_VIRTUAL, ITIMER_PROF};
    for (int i = 0; i < 2; i++) {
        value = (struct itimerval){{0, 10000}, {0, 10000}};
        hits = 0;
        printf("setitimer %d", setitimer(kinds[i], &value, NULL));
        pause_for(40);
        printf(" asleep %d", hits);
        burn(100);
        value = (struct itimerval){{0, 0}, {0, 0}};
        setitimer(kinds[i], &value, &old);
        printf(" awake %d old %ld\n", hits >= 1, (long)old.it_interval.tv_usec);
    }
    show("setitimer", 3, syscall(SYS_setitimer, 3, &value, NULL));
    show("setitimer bad", 0, syscall(SYS_setitimer, 0, BAD, NULL));
    show("setitimer bad old", 0, syscall(SYS_setitimer, 0, &value, BAD));
    value.it_value.tv_usec = 1000000;
    show("microseconds", 0, syscall(SYS_setitimer, 0, &value, NULL));
    show("getitimer", -1, syscall(SYS_getitimer, -1, &value));
    show("getitimer bad", 0, syscall(SYS_getitimer, 0, BAD));
    printf("alarm %d", alarm(100));
    printf(" %d %d\n", alarm(0), alarm(0));
    value = (struct itimerval){{0, 0}, {7, 600000}};
    setitimer(ITIMER_REAL, &value, NULL);
    printf("rounded %d\n", alarm(0));

    /* a fork has no timers, an interval timer neither; RLIMIT_SIGPENDING counts timers */
    set(timer, 3600 * 1000 * MS, 0, 0);
    alarm(100);
    fflush(stdout);
    if (!fork()) {
        printf("child: timer %d alarm %d\n", get(timer).it_value.tv_sec == -1, alarm(0));
        if (setresgid(65533, 65533, 65533) || setresuid(65533, 65533, 65533))
            _exit(1);
        limit.rlim_cur = limit.rlim_max = 3;
        setrlimit(RLIMIT_SIGPENDING, &limit);
        for (int i = 0; i < 5; i++)
            printf("timer %d\n", create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 0));
        syscall(SYS_timer_delete, 1);
        printf("room again %d\n", create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 0));
        printf("alarm clock %d\n", create(CLOCK_MONOTONIC_RAW, SIGEV_SIGNAL, SIGRTMIN, 0));
        fflush(stdout);
        _exit(0);
    }
    wait(&status);
    printf("parent: alarm %d\n", alarm(0) > 90);
    return 0;
}
