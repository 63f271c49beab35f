/* Threads with different bases go through the same sites, preempted all the time; each finds its own memory. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <asm/prctl.h>

#define THREADS 8
#define ROUNDS 6000

static __thread uint64_t counter, twice = 2;
static __thread char text[40];
static uint64_t own[THREADS][8];
static volatile int go;

static void *work(void *argument) {
    long number = (long)argument;
    syscall(SYS_arch_prctl, ARCH_SET_GS, own[number]);
    errno = number + 100;
    while (!go) ;
    for (int i = 0; i < ROUNDS; i++) {
        counter += number;
        twice += 2;
        asm volatile("lock incq %%gs:8\n\tmov %%gs:16, %%rax\n\tinc %%rax\n\tmov %%rax, %%gs:16\n\t"
                     "push %%gs:24\n\tpop %%rax\n\tadd $3, %%rax\n\tpush %%rax\n\tpop %%gs:24" ::: "rax", "memory");
        if (i % 2000 == 0) snprintf(text, sizeof text, "%ld %d", number, i);
        if (errno != number + 100) abort();
        if (i % 5000 == 4999) { /* a failing call, and who sees its error */
            close(-1);
            if (errno != EBADF) abort();
            errno = number + 100;
        }
    }
    own[number][0] = counter;
    own[number][4] = twice;
    own[number][5] = atoi(text);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (int round = 0; round < 2; round++) {
        go = 0;
        for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
        go = 1;
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
        for (int i = 0; i < THREADS; i++) {
            for (int j = 0; j < 6; j++) printf("%lu ", own[i][j]);
            printf("\n");
        }
    }
    return 0;
}
