/* turns WORK [COUNT]: threads, signals and switches; print nanoseconds per operation and how many there were.
 *
 * Exit status 2: something failed. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void check(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "turns: %s failed\n", what);
        exit(2);
    }
}

static void *nothing(void *argument) { return argument; }

static double work_create(long count)
{
    double start = now();
    for (long i = 0; i < count; i++) {
        pthread_t thread;
        check(pthread_create(&thread, 0, nothing, 0) == 0 && pthread_join(thread, 0) == 0, "create, join");
    }
    return now() - start;
}

static volatile int ended;

static void *sleeper(void *argument)
{
    while (!ended)
        pause();
    return argument;
}

static void handler(int number) { (void)number; }

/* With a second thread, so that the C library does not take its short way; with mutexes on many pages, because an
 * emulated TLB may have one place for two pages. */
static double work_mutex(long count)
{
    enum { PAGES = 64, PAGE = 4096 };
    pthread_t thread;
    char *memory = calloc(PAGES, PAGE);
    check(memory != 0, "calloc");
    signal(SIGUSR1, handler);
    check(pthread_create(&thread, 0, sleeper, 0) == 0, "create");
    double start = now();
    for (int page = 0; page < PAGES; page++) {
        pthread_mutex_t *mutex = (pthread_mutex_t *)(memory + page * PAGE + 64);
        for (long i = 0; i < count / PAGES; i++) {
            pthread_mutex_lock(mutex);
            pthread_mutex_unlock(mutex);
        }
    }
    double spent = now() - start;
    ended = 1;
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, 0);
    return spent;
}

static int turn;
static long rounds;

static void give_turn(int to)
{
    __atomic_store_n(&turn, to, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

static void await_turn(int mine)
{
    int other;
    while ((other = __atomic_load_n(&turn, __ATOMIC_SEQ_CST)) != mine)
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, other, 0, 0, 0);
}

static void *partner(void *argument)
{
    for (long i = 0; i < rounds; i++) {
        await_turn(1);
        give_turn(0);
    }
    return argument;
}

static double work_futex(long count)
{
    pthread_t thread;
    rounds = count;
    check(pthread_create(&thread, 0, partner, 0) == 0, "create");
    double start = now();
    for (long i = 0; i < count; i++) {
        give_turn(1);
        await_turn(0);
    }
    double spent = now() - start;
    pthread_join(thread, 0);
    return spent;
}

static double work_pipe(long count)
{
    int there[2], back[2];
    char byte = 0;
    check(pipe(there) == 0 && pipe(back) == 0, "pipe");
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        close(there[1]);
        while (read(there[0], &byte, 1) == 1)
            if (write(back[1], &byte, 1) != 1)
                break;
        _exit(0);
    }
    double start = now();
    for (long i = 0; i < count; i++)
        check(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "write, read");
    double spent = now() - start;
    close(there[1]);
    check(waitpid(pid, 0, 0) == pid, "waitpid");
    return spent;
}

static double work_signal(long count)
{
    signal(SIGUSR1, handler);
    pid_t self = getpid();
    double start = now();
    for (long i = 0; i < count; i++)
        check(kill(self, SIGUSR1) == 0, "kill");
    return now() - start;
}

static double work_clock(long count)
{
    struct timespec t;
    double start = now();
    for (long i = 0; i < count; i++)
        clock_gettime(CLOCK_MONOTONIC, &t);
    return now() - start;
}

static volatile unsigned sink;

static void compute(long count)
{
    unsigned value = 1;
    for (long i = 0; i < count * 1000; i++)
        value = value * 1103515245 + 12345;
    sink = value;
}

/* One switch between two processes that each touch 64 pages of their own in their turn, the touching included. */
static double work_switch(long count)
{
    static volatile char pages[64 * 4096];
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    check(sched_setaffinity(0, sizeof first, &first) == 0, "sched_setaffinity");
    pid_t pid = fork();
    check(pid >= 0, "fork");
    double start = now();
    for (long i = 0; i < count; i++) {
        for (size_t at = 0; at < sizeof pages; at += 4096)
            pages[at]++;
        sched_yield();
    }
    if (pid == 0)
        _exit(0);
    double spent = (now() - start) / 2;
    check(waitpid(pid, 0, 0) == pid, "waitpid");
    return spent;
}

/* The same `count` thousand steps, by one process, or by four at once. */
static double work_alone(long count)
{
    double start = now();
    compute(count);
    return now() - start;
}

static double work_together(long count)
{
    double start = now();
    for (int i = 0; i < 4; i++)
        if (fork() == 0) {
            compute(count / 4);
            _exit(0);
        }
    for (int i = 0; i < 4; i++)
        check(wait(0) > 0, "wait");
    return now() - start;
}

static double work_idle(long count)
{
    struct timespec t = {count / 1000, count % 1000 * 1000000};
    double start = now();
    nanosleep(&t, 0);
    return now() - start;
}

static const struct {
    const char *name;
    double (*run)(long);
} works[] = {
    {"create", work_create}, {"mutex", work_mutex},   {"futex", work_futex},       {"pipe", work_pipe}, {"signal", work_signal},
    {"clock", work_clock},   {"switch", work_switch}, {"idle", work_idle}, {"alone", work_alone}, {"together", work_together},
};

int main(int argc, char **argv)
{
    long count = argc > 2 ? atol(argv[2]) : 1000;
    for (size_t i = 0; argc > 1 && i < sizeof works / sizeof *works; i++)
        if (!strcmp(argv[1], works[i].name)) {
            if (works[i].run != work_idle)
                works[i].run(count / 10 + 1);
            ended = 0;
            printf("%.1f %ld\n", works[i].run(count) / count, count);
            return 0;
        }
    fprintf(stderr, "usage: turns WORK [COUNT]\n");
    return 2;
}
