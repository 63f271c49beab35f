/* Four threads race for a word without a lock: what is lost, and in which order they came, differs from run to run. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static volatile long shared, order;

static void *race(void *argument)
{
    for (int i = 0; i < 1000; i++) {
        long seen = shared;
        syscall(SYS_getpid);
        if (i % 7 == 0)
            usleep(1);
        shared = seen + 1;
        order = order * 31 + (long)argument;
    }
    return 0;
}

int main(void)
{
    pthread_t threads[4];
    for (long i = 0; i < 4; i++)
        pthread_create(&threads[i], 0, race, (void *)(i + 1));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], 0);
    unsigned random;
    getrandom(&random, sizeof random, 0);
    struct timespec before, after, hour = {3600, 0};
    clock_gettime(CLOCK_REALTIME, &before);
    nanosleep(&hour, 0);
    clock_gettime(CLOCK_REALTIME, &after);
    unsigned long long counter = __rdtsc();
    unsigned ignored;
    printf("lost %ld order %lx random %x %x\n", 4000 - shared, order, random, *(unsigned *)getauxval(AT_RANDOM));
    printf("time %ld.%09ld, an hour: %ld s, counter %llu %d\n", (long)before.tv_sec, before.tv_nsec,
           (long)(after.tv_sec - before.tv_sec), counter, __rdtscp(&ignored) > counter);
    return 0;
}
