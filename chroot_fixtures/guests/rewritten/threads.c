/* Thread-local memory of several threads and processes. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static __thread long counter, other[100];

static void *work(void *argument)
{
    char buffer[100];
    for (long i = 0; i < 20000; i++) {
        counter += (long)argument;
        other[i % 100]++;
        if (i % 5000 == 0) {
            close(-1);
            if (errno != EBADF)
                return (void *)-1;
            free(malloc(i));
            snprintf(buffer, sizeof buffer, "%ld", i);
            sched_yield();
        }
    }
    return (void *)(counter + other[7]);
}

int main(void)
{
    pthread_t threads[4];
    void *result;
    for (long i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        printf("%ld\n", (long)result);
    }
    fflush(stdout);
    if (fork() == 0) {
        work((void *)7);
        printf("child %ld\n", counter);
        fflush(stdout);
        _exit(5);
    }
    int status;
    wait(&status);
    printf("parent %ld, status %d, %s\n", counter, WEXITSTATUS(status), strerror(ENOENT));
    return 9;
}
