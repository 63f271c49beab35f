/* Two thousand threads at once; the end of all of them by one signal; limits on their number. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 2000
static pthread_t threads[MANY];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int here, leave;
static long sum;
static __thread int own;

static void *wait_for_all(void *number) {
    pthread_mutex_lock(&mutex);
    own = (long)number;
    if (++here == MANY) pthread_cond_broadcast(&condition);
    while (!leave) pthread_cond_wait(&condition, &mutex);
    sum += own;
    pthread_mutex_unlock(&mutex);
    return (void *)(long)own;
}

static int start(int count) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (long i = 0; i < count; i++) {
        int error = pthread_create(&threads[i], &small, wait_for_all, (void *)i);
        if (error) {
            printf("%s\n", strerrorname_np(error));
            return i;
        }
    }
    return count;
}

static void *nothing(void *argument) { return argument; }

int main(void) {
    void *result;
    long total = 0;
    int status;
    printf("started %d\n", start(MANY));
    pthread_mutex_lock(&mutex);
    while (here < MANY) pthread_cond_wait(&condition, &mutex);
    leave = 1;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < MANY; i++) pthread_join(threads[i], &result), total += (long)result;
    printf("sums %ld %ld\n", sum, total);
    fflush(stdout);

    pid_t pid = fork();
    if (!pid) {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
        here = leave = 0;
        start(MANY);
        kill(getppid(), SIGUSR1);
        pause();
    }
    sigset_t usr;
    sigemptyset(&usr), sigaddset(&usr, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr, NULL);
    sigwaitinfo(&usr, NULL);
    kill(pid, SIGKILL);
    printf("killed %d", waitpid(pid, &status, 0) == pid);
    printf(" %x\n", status);
    fflush(stdout);

    pid = fork();
    if (!pid) {
        here = leave = 0;
        start(MANY / 4);
        _exit(9);
    }
    waitpid(pid, &status, 0);
    printf("exit of all %x\n", status);
    fflush(stdout);

    if (!fork()) {  /* RLIMIT_NPROC counts the threads of a user; root is exempt */
        struct rlimit limit = {20, 20};
        setrlimit(RLIMIT_NPROC, &limit);
        printf("root %d\n", start(30));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    if (!fork()) {
        struct rlimit limit = {20, 20};
        setrlimit(RLIMIT_NPROC, &limit);
        syscall(SYS_setresuid, 61235, 61235, 61235);
        leave = 0;
        printf("of the user %d\n", start(30));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    for (int i = 0; i < 200; i++) pthread_create(&threads[0], NULL, nothing, NULL), pthread_join(threads[0], NULL);
    return 0;
}
