/* POSIX timers: signal and value, interval, overruns, absolute time, SIGEV_NONE, errors. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile int ticks, code, value;

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    ticks++;
    code = info->si_code;
    value = info->si_value.sival_int;
}

int main(void)
{
    struct sigaction action;
    struct sigevent event;
    struct itimerspec spec = {{0, 2000000}, {0, 2000000}}, now;
    struct timespec pause_time = {0, 30000000};
    sigset_t block, old;
    siginfo_t info;
    timer_t timer, quiet;
    int result;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGRTMIN, &action, NULL);
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGRTMIN;
    event.sigev_value.sival_int = 77;
    printf("create %d\n", timer_create(CLOCK_MONOTONIC, &event, &timer));
    printf("set %d\n", timer_settime(timer, 0, &spec, NULL));
    while (ticks < 3)
        pause();
    printf("code %d value %d\n", code, value);
    timer_gettime(timer, &now);
    printf("interval %ld armed %d\n", now.it_interval.tv_nsec, now.it_value.tv_nsec > 0);

    sigemptyset(&block);
    sigaddset(&block, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &block, &old);
    while (nanosleep(&pause_time, &pause_time))
        ;
    result = sigwaitinfo(&block, &info);
    printf("signal %d overruns %d\n", result == SIGRTMIN, timer_getoverrun(timer) > 5);
    memset(&spec, 0, sizeof spec);
    timer_settime(timer, 0, &spec, NULL);
    timer_gettime(timer, &now);
    printf("disarmed %ld %ld\n", now.it_value.tv_sec, now.it_value.tv_nsec);

    clock_gettime(CLOCK_REALTIME, &spec.it_value);
    event.sigev_notify = SIGEV_NONE;
    printf("create %d\n", timer_create(CLOCK_REALTIME, &event, &quiet));
    spec.it_value.tv_sec += 100;
    timer_settime(quiet, TIMER_ABSTIME, &spec, NULL);
    timer_gettime(quiet, &now);
    printf("absolute %d\n", now.it_value.tv_sec == 99 || now.it_value.tv_sec == 100);
    printf("delete %d\n", timer_delete(quiet));
    result = timer_gettime(quiet, &now);
    printf("gone %d %s\n", result, strerror(errno));
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 99;
    result = timer_create(CLOCK_MONOTONIC, &event, &quiet);
    printf("bad signal %d %s\n", result, strerror(errno));
    spec.it_value.tv_nsec = 1000000000;
    result = timer_settime(timer, 0, &spec, NULL);
    printf("bad time %d %s\n", result, strerror(errno));
    return 0;
}
