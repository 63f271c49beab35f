/* alarm and interval timers. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static volatile int ticks, virtual_ticks;

static void tick(int signo)
{
    if (signo == SIGALRM)
        ticks++;
    else
        virtual_ticks++;
}

int main(void)
{
    struct itimerval timer = {{0, 5000}, {0, 5000}}, old, bad = {{0, 0}, {0, 1000000}};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = tick;
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGVTALRM, &action, NULL);
    sigaction(SIGPROF, &action, NULL);

    printf("none: %u\n", alarm(100));
    printf("left: %u\n", alarm(0));
    int result = setitimer(ITIMER_REAL, &bad, NULL);
    printf("bad: %d %d\n", result, errno == EINVAL);
    result = setitimer(7, &timer, NULL);
    printf("which: %d %d\n", result, errno == EINVAL);
    setitimer(ITIMER_REAL, &timer, NULL);
    while (ticks < 5)
        pause();
    getitimer(ITIMER_REAL, &old);
    printf("interval %ld armed %d\n", (long)old.it_interval.tv_usec, old.it_value.tv_sec || old.it_value.tv_usec);
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, &old);
    getitimer(ITIMER_REAL, &old);
    printf("disarmed %ld %ld\n", (long)old.it_value.tv_sec, (long)old.it_value.tv_usec);
    timer.it_value.tv_usec = 10000;
    setitimer(ITIMER_VIRTUAL, &timer, NULL);
    while (!virtual_ticks)
        ;
    setitimer(ITIMER_PROF, &timer, NULL);
    while (virtual_ticks < 2)
        ;
    printf("virtual and profiling: %d\n", virtual_ticks);
    fflush(stdout);
    signal(SIGALRM, SIG_DFL);
    alarm(1);
    for (;;)
        pause();
}
