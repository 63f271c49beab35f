/* futex, robust lists, sleeping: errors and what is left of a sleep. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(call) \
    do { \
        errno = 0; \
        long result = (long)(call); \
        printf("%s = %ld %s\n", #call, result < 0 ? -1 : result, result < 0 ? strerrorname_np(errno) : ""); \
        fflush(stdout); \
    } while (0)

static int word;

static long futex(void *address, int operation, int value, void *timeout, void *other, int third) {
    return syscall(SYS_futex, address, operation, value, timeout, other, third);
}

static void nothing(int signo) {
}

int main(void) {
    struct timespec brief = {0, 20000000}, wrong = {0, 1000000000}, left = {9, 9};
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    int status;
    pid_t pid;

    SHOW(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT, 0, &brief, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT, 0, &wrong, NULL, 0));
    SHOW(futex((char *)&word + 1, FUTEX_WAIT, 0, NULL, NULL, 0));
    SHOW(futex((void *)4096, FUTEX_WAIT, 0, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
    SHOW(futex(&word, 77, 0, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
    SHOW(futex((void *)4096, FUTEX_WAKE, 1, NULL, NULL, 0));
    SHOW(futex((void *)4096, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
    SHOW(futex((void *)-4096L, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_REQUEUE, -1, NULL, &word, 0));
    SHOW(futex(&word, FUTEX_CMP_REQUEUE, 1, NULL, &word, 5));

    /* Between processes. */
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!(pid = fork())) {
        while (!*shared) futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0);
        _exit(3);
    }
    usleep(20000);
    *shared = 1;
    SHOW(futex(shared, FUTEX_WAKE, 9, NULL, NULL, 0));
    waitpid(pid, &status, 0);
    printf("%x\n", status);

    /* A robust mutex whose owner died. */
    pthread_mutexattr_t attributes;
    pthread_mutex_t *mutex = (pthread_mutex_t *)(shared + 16);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(mutex, &attributes);
    if (!(pid = fork())) {
        pthread_mutex_lock(mutex);
        shared[8] = 1;
        usleep(30000);
        _exit(0);
    }
    while (!*(volatile int *)&shared[8]) usleep(1000);
    printf("%s\n", strerrorname_np(pthread_mutex_lock(mutex)));
    waitpid(pid, &status, 0);

    SHOW(syscall(SYS_set_robust_list, 0, 5));
    SHOW(syscall(SYS_get_robust_list, 999999, 0, 0));
    SHOW(syscall(SYS_restart_syscall));
    SHOW(sched_yield());

    SHOW(nanosleep(&brief, &left));
    SHOW(nanosleep(&wrong, NULL));
    SHOW(syscall(SYS_nanosleep, 1, 0));
    SHOW(syscall(SYS_clock_nanosleep, 77, 0, &brief, 0));
    SHOW(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &brief, 0));
    SHOW(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_COARSE, 0, &brief, 0));

    sigaction(SIGUSR1, &action, NULL);
    if (!(pid = fork())) {
        usleep(50000);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    brief.tv_sec = 5;
    SHOW(nanosleep(&brief, &left));
    printf("%ld s left\n", (long)left.tv_sec);
    waitpid(pid, &status, 0);
    return 0;
}
