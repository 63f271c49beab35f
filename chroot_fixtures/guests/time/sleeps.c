/* Sleeping: errors of every clock, what is left when a handler ends it, no restart with SA_RESTART, stop and continue,
 * absolute times, processor time. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BAD ((void *)16)
#define CPU_CLOCK(id, thread, which) ((int)(~(unsigned)(id) << 3 | (thread) << 2 | (which)))
#define MS 1000000LL

static long long now(int clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static struct timespec spec(long long ns)
{
    return (struct timespec){ns / 1000000000, ns % 1000000000};
}

static void show(const char *what, long number, long result)
{
    printf("%s %ld: %ld %s\n", what, number, result, result < 0 ? strerror(errno) : "");
}

static volatile int handled;

static void handler(int signo)
{
    (void)signo;
    handled++;
}

static void alarm_in(int milliseconds)
{
    struct itimerval v = {{0, 0}, {0, milliseconds * 1000}};
    setitimer(ITIMER_REAL, &v, NULL);
}

static volatile int stop_burning;

static void *burn(void *unused)
{
    (void)unused;
    while (!stop_burning)
        for (volatile int i = 0; i < 10000; i++)
            ;
    return NULL;
}

int main(void)
{
    struct timespec t, left;
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    pthread_t thread;
    long long start;
    int status;

    sigaction(SIGALRM, &action, NULL);
    for (int clock = -1; clock < 14; clock++) {
        if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM)
            continue; /* whether the machine has a real-time clock */
        t = spec(1);
        if (clock != CLOCK_PROCESS_CPUTIME_ID) {
            show("sleep", clock, syscall(SYS_clock_nanosleep, clock, 0, &t, NULL));
            show("sleep until then", clock, syscall(SYS_clock_nanosleep, clock, TIMER_ABSTIME, &t, NULL));
        }
        show("bad", clock, syscall(SYS_clock_nanosleep, clock, 0, BAD, NULL));
        t.tv_nsec = 1000000000;
        show("nanoseconds", clock, syscall(SYS_clock_nanosleep, clock, 0, &t, NULL));
        t.tv_nsec = -1;
        show("negative nanoseconds", clock, syscall(SYS_clock_nanosleep, clock, TIMER_ABSTIME, &t, NULL));
        t.tv_nsec = 0, t.tv_sec = -1;
        show("negative", clock, syscall(SYS_clock_nanosleep, clock, TIMER_ABSTIME, &t, NULL));
    }
    t = spec(0);
    show("own thread", 0, syscall(SYS_clock_nanosleep, CPU_CLOCK(0, 1, 2), 0, &t, NULL));
    show("own thread by number", 0, syscall(SYS_clock_nanosleep, CPU_CLOCK(getpid(), 1, 2), 0, &t, NULL));
    show("nobody", 0, syscall(SYS_clock_nanosleep, CPU_CLOCK(0x3ffff0, 0, 2), 0, &t, NULL));
    show("own process", 0, syscall(SYS_clock_nanosleep, CPU_CLOCK(getpid(), 0, 2), TIMER_ABSTIME, &t, NULL));
    show("nanosleep bad", 0, syscall(SYS_nanosleep, BAD, NULL));
    show("nanosleep nothing", 0, nanosleep(&t, NULL));
    t.tv_nsec = 1000000000;
    show("nanosleep nanoseconds", 0, nanosleep(&t, NULL));

    start = now(CLOCK_MONOTONIC);
    t = spec(30 * MS);
    show("30 ms", 0, nanosleep(&t, NULL));
    printf("slept %d\n", now(CLOCK_MONOTONIC) - start >= 30 * MS);
    static const int clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
    for (int i = 0; i < 4; i++) {
        start = now(clocks[i]);
        t = spec(start + 15 * MS);
        show("until", clocks[i], clock_nanosleep(clocks[i], TIMER_ABSTIME, &t, NULL));
        printf("slept %d\n", now(clocks[i]) >= start + 15 * MS);
    }

    alarm_in(20);
    t = spec(5000 * MS), left = spec(0);
    show("interrupted", 0, nanosleep(&t, &left));
    printf("handled %d left %d request kept %d\n", handled, left.tv_sec == 4 && left.tv_nsec > 0, t.tv_sec == 5);
    alarm_in(20);
    show("interrupted, nowhere to tell", 0, nanosleep(&t, NULL));
    alarm_in(20);
    show("interrupted, bad place", 0, syscall(SYS_nanosleep, &t, BAD));
    alarm_in(20);
    t = spec(now(CLOCK_REALTIME) + 5000 * MS), left = spec(7);
    show("interrupted until", 0, syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &t, &left));
    printf("left alone %d\n", left.tv_nsec == 7);
    t = left = spec(300 * MS); /* request and remainder in one place, in a loop */
    start = now(CLOCK_MONOTONIC);
    for (int i = 0; i < 3; i++) {
        alarm_in(20);
        printf("again %d\n", nanosleep(&left, &left));
    }
    show("the rest", 0, nanosleep(&left, &left));
    printf("in all %d\n", now(CLOCK_MONOTONIC) - start >= 300 * MS);

    /* stopped and continued: the sleep goes on to its end, as if nothing had been */
    int pair[2];
    char byte = 0;
    if (pipe(pair))
        return 1;
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        start = now(CLOCK_MONOTONIC);
        byte += write(pair[1], "", 1);
        t = spec(400 * MS);
        int result = nanosleep(&t, &left);
        long long relative = now(CLOCK_MONOTONIC) - start, then = now(CLOCK_MONOTONIC) + 400 * MS;
        byte += write(pair[1], "", 1);
        t = spec(then);
        int absolute = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        printf("stopped: %d %d, %d %d\n", result, relative >= 400 * MS, absolute, now(CLOCK_MONOTONIC) >= then);
        fflush(stdout);
        _exit(0);
    }
    for (int i = 0; i < 2; i++) {
        if (read(pair[0], &byte, 1) != 1)
            return 1;
        usleep(10000);
        kill(child, SIGSTOP);
        waitpid(child, &status, WUNTRACED);
        printf("stopped %d\n", WIFSTOPPED(status));
        fflush(stdout);
        usleep(10000);
        kill(child, SIGCONT);
    }
    waitpid(child, &status, 0);

    /* processor time that another thread uses */
    pthread_create(&thread, NULL, burn, NULL);
    start = now(CLOCK_PROCESS_CPUTIME_ID);
    t = spec(30 * MS);
    show("processor time", 0, clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, NULL));
    printf("used %d\n", now(CLOCK_PROCESS_CPUTIME_ID) - start >= 30 * MS);
    t = spec(now(CLOCK_PROCESS_CPUTIME_ID) + 20 * MS);
    show("until processor time", 0, clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &t, NULL));
    printf("used %d\n", now(CLOCK_PROCESS_CPUTIME_ID) >= t.tv_nsec + t.tv_sec * 1000000000LL);
    pthread_getcpuclockid(thread, &status);
    start = now(status);
    t = spec(20 * MS);
    show("a thread's", 0, clock_nanosleep(status, 0, &t, NULL));
    printf("used %d\n", now(status) - start >= 20 * MS);
    alarm_in(20);
    t = spec(100000 * MS), left = spec(0);
    show("interrupted", 0, -clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, &left));
    printf("left %d\n", left.tv_sec == 99);
    stop_burning = 1;
    pthread_join(thread, NULL);
    alarm_in(30);
    t = spec(1000 * MS);
    show("nobody burns", 0, clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, NULL));
    return 0;
}
