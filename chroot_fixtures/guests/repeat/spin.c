/* One thread spins, without a system call, until another sets a word. */
#include <pthread.h>
#include <stdio.h>

static volatile int flag;

static void *set(void *argument)
{
    flag = 1;
    return argument;
}

int main(void)
{
    pthread_t thread;
    pthread_create(&thread, 0, set, 0);
    while (!flag)
        ;
    pthread_join(thread, 0);
    puts("seen");
    return 0;
}
