/* A program that dies with three threads: one in a system call, one that computes, one with a bad address, or, with an
 * argument, in a signal handler. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __thread int local = 1;
static volatile int ready;
char *text;
double number;
char big[64 << 20]; /* hardly touched: a hole of the core file */

static void *waiter(void *unused)
{
    local = 2;
    ready++;
    pause();
    return unused;
}

static void *computer(void *unused)
{
    local = 3;
    ready++;
    for (volatile long count = 0;; count++)
        ;
    return unused;
}

__attribute__((noinline)) int innermost(int *address) { return *address + 1; }

__attribute__((noinline)) int recurse(int depth, int *address)
{
    return (depth ? recurse(depth - 1, address) : innermost(address)) + local;
}

static void handler(int signo)
{
    if (signo)
        abort();
}

int main(int count, char **arguments)
{
    pthread_t thread;
    pthread_create(&thread, NULL, waiter, NULL);
    pthread_create(&thread, NULL, computer, NULL);
    while (ready < 2)
        sched_yield();
    usleep(20000);
    text = strdup("on the heap");
    number = 6.5;
    big[32 << 20] = 77;
    if (count > 1) {
        signal(SIGUSR1, handler);
        raise(SIGUSR1);
    }
    return recurse(3, (int *)(arguments ? 0x1230 : NULL));
}
