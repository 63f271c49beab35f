/* clone, clone3, vfork, posix_spawn, threads: what is shared, who waits, what is refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int shared;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn, count;

#define SHOW(call) \
    do { \
        errno = 0; \
        long result = (long)(call); \
        printf("%s = %ld %s\n", #call, result < 0 ? -1 : result, result < 0 ? strerrorname_np(errno) : ""); \
        fflush(stdout); \
    } while (0)

static void *identity(void *argument) {
    return (void *)(long)(getpid() == syscall(SYS_gettid) ? 1 : 2);
}

static void *ping(void *argument) {
    long me = (long)argument;
    for (int i = 0; i < 300; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != me) pthread_cond_wait(&condition, &mutex);
        count++;
        turn = !me;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static int in_shared_memory(void *argument) {
    usleep(20000);
    shared = 5;
    return 6;
}

int main(int argc, char **argv) {
    struct clone_args arguments;
    int status, parent_tid = 0, child_tid = 0;
    char *stack = malloc(65536);
    pthread_t threads[2];
    void *result;
    pid_t pid;

    if (argc > 1) {
        printf("child: %d arguments, %s, X=%s\n", argc, argv[1], getenv("X"));
        return 9;
    }
    SHOW(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0));
    SHOW(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0));
    SHOW(syscall(SYS_clone, CLONE_VM | CLONE_SETTLS | CLONE_VFORK, 0, 0, 0, -1L));
    memset(&arguments, 0, sizeof arguments);
    SHOW(syscall(SYS_clone3, &arguments, 8));
    SHOW(syscall(SYS_clone3, &arguments, 5000));
    SHOW(syscall(SYS_clone3, 1, sizeof arguments));
    arguments.exit_signal = 999;
    SHOW(syscall(SYS_clone3, &arguments, sizeof arguments));
    arguments.exit_signal = SIGCHLD;
    arguments.stack = 4096;
    SHOW(syscall(SYS_clone3, &arguments, sizeof arguments));
    arguments.stack = 0;
    arguments.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    SHOW(syscall(SYS_clone3, &arguments, sizeof arguments));

    arguments.flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID;
    arguments.parent_tid = (long)&parent_tid;
    arguments.child_tid = (long)&child_tid;
    pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (!pid) _exit(child_tid == getpid() ? 5 : 6);
    waitpid(pid, &status, 0);
    printf("%d %d %x\n", parent_tid == pid, child_tid, status);

    pid = clone(in_shared_memory, stack + 65536, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    printf("after the child: %d\n", shared);
    waitpid(pid, &status, 0);
    printf("%x\n", status);

    char *child[] = {argv[0], "spawned", NULL};
    setenv("X", "yes", 1);
    if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, child, environ)) return 1;
    waitpid(pid, &status, 0);
    printf("%x\n", status);
    SHOW(posix_spawn(&pid, "/nonexistent", NULL, NULL, child, environ));

    pthread_create(&threads[0], NULL, identity, NULL);
    pthread_join(threads[0], &result);
    printf("thread %ld\n", (long)result);
    for (long i = 0; i < 2; i++) pthread_create(&threads[i], NULL, ping, (void *)i);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    printf("count %d\n", count);
    return 0;
}
