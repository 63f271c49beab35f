/* Signals and threads: each thread's mask, who takes a signal of the process, pthread_kill, sigwait in a thread.
   gcc -O1 -static -pthread */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_t main_thread, other;
static volatile int by_main, by_other, counted;

static void handler(int signo)
{
    (void)signo;
    if (pthread_equal(pthread_self(), main_thread))
        by_main++;
    else
        by_other++;
}

static void *taker(void *unused)
{
    sigset_t set, old;
    (void)unused;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, NULL, &old);
    printf("inherited: %d %d\n", sigismember(&old, SIGUSR1), sigismember(&old, SIGUSR2));
    sigdelset(&set, SIGUSR2);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    while (by_other < 3)
        sched_yield();
    return NULL;
}

static void *waiter(void *unused)
{
    sigset_t set;
    int signo;
    (void)unused;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    for (int i = 0; i < 10; i++) {
        if (sigwait(&set, &signo))
            break;
        counted += signo == SIGUSR2;
        pthread_kill(main_thread, SIGWINCH);
    }
    return NULL;
}

int main(void)
{
    sigset_t set, old, pending;
    main_thread = pthread_self();
    signal(SIGUSR1, handler);
    signal(SIGUSR2, handler);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    pthread_create(&other, NULL, taker, NULL);
    for (int i = 1; i <= 2; i++) {
        kill(getpid(), SIGUSR1);
        while (by_other < i)
            sched_yield();
    }
    pthread_kill(other, SIGUSR1);
    pthread_join(other, NULL);
    printf("main %d other %d\n", by_main, by_other);

    pthread_kill(main_thread, SIGUSR1);
    sigpending(&pending);
    printf("pending for the thread: %d\n", sigismember(&pending, SIGUSR1));
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    printf("main %d other %d\n", by_main, by_other);

    sigset_t winch, empty;
    sigemptyset(&winch);
    sigaddset(&winch, SIGWINCH);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_sigmask(SIG_BLOCK, &winch, NULL);
    signal(SIGWINCH, handler);
    pthread_create(&other, NULL, waiter, NULL);
    sigemptyset(&empty);
    sigaddset(&empty, SIGUSR1);
    sigaddset(&empty, SIGUSR2);
    by_main = 0;
    for (int i = 0; i < 10; i++) {
        kill(getpid(), SIGUSR2);
        sigsuspend(&empty);
    }
    pthread_join(other, NULL);
    printf("waited for %d, answered %d\n", counted, by_main);
    fflush(stdout);
    pthread_create(&other, NULL, waiter, NULL);
    kill(getpid(), SIGTERM);
    for (;;)
        pause();
}
