/* Which thread takes a signal of the process; groups of processes that are killed; a process that blocks everything. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static __thread int me;
static volatile int taken[8], total;
static volatile int ready, blocked[4], settled[4];
static volatile int *away; /* shared with children: how many are where they are to be */
static pthread_t threads[4];

static void handler(int signo)
{
    (void)signo;
    taken[me]++;
    __atomic_add_fetch(&total, 1, __ATOMIC_SEQ_CST);
}

static void *sleeper(void *number)
{
    sigset_t set;
    me = (int)(long)number;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        int wanted = blocked[me];
        pthread_sigmask(wanted ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
        settled[me] = wanted;
        pause();
    }
    return NULL;
}

static void block(int who, int yes)
{
    if (who) {
        blocked[who] = yes;
        pthread_kill(threads[who], SIGUSR2);
        while (settled[who] != yes)
            usleep(1000);
    } else {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        pthread_sigmask(yes ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
    }
    usleep(10000);
}

static void nothing(int signo) { (void)signo; }

static void shoot(const char *what)
{
    memset((void *)taken, 0, sizeof taken);
    for (int i = 0; i < 3; i++) {
        int before = total;
        kill(getpid(), SIGUSR1);
        for (int tries = 0; total == before && tries < 5000; tries++)
            usleep(1000);
        usleep(5000);
    }
    printf("%-24s main %d, others %d %d %d\n", what, taken[0], taken[1], taken[2], taken[3]);
}

static void *shooter(void *what)
{
    me = 7;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    shoot(what);
    return NULL;
}

static void *computes(void *unused)
{
    for (volatile long n = 0;; n++)
        ;
    return unused;
}

static void die(const char *name, int blocks, int signo, int threads_too)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        sigset_t all;
        pthread_t thread;
        if (blocks) {
            sigfillset(&all);
            sigprocmask(SIG_SETMASK, &all, NULL);
        }
        for (int i = 0; i < threads_too; i++)
            pthread_create(&thread, NULL, i & 1 ? computes : sleeper, (void *)1l);
        ++*away;
        computes(NULL);
    }
    while (!*away)
        usleep(1000);
    *away = 0;
    kill(child, SIGTERM);
    kill(child, signo);
    waitpid(child, &status, 0);
    printf("%s: %#x\n", name, status & 0xff7f);
}

/* The thread that sends it blocks it; that it ends the process is decided all the same before the call returns. */
static void die_by_another(int signo)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        pthread_t thread;
        sigset_t all;
        ready = 0;
        pthread_create(&thread, NULL, sleeper, (void *)1l);
        pthread_create(&thread, NULL, computes, NULL);
        while (!ready)
            usleep(1000);
        usleep(5000);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, NULL);
        kill(getpid(), signo);
        if (write(1, "never\n", 6) < 0)
            _exit(3);
        _exit(2);
    }
    waitpid(child, &status, 0);
    printf("by another: %#x\n", status);
}

int main(void)
{
    pthread_t thread;
    int status;
    away = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    signal(SIGUSR1, handler);
    signal(SIGUSR2, nothing);
    for (long i = 1; i <= 3; i++) {
        pthread_create(&threads[i], NULL, sleeper, (void *)i);
        while (ready < i)
            usleep(1000);
    }
    usleep(10000);
    shoot("nobody blocks");
    pthread_create(&thread, NULL, shooter, "from another thread");
    pthread_join(thread, NULL);
    block(0, 1);
    shoot("main blocks");
    block(1, 1);
    shoot("and the first");
    block(1, 0);
    shoot("not the first any more");
    block(2, 1);
    shoot("but the second");
    block(1, 1);
    block(3, 1);
    memset((void *)taken, 0, sizeof taken);
    kill(getpid(), SIGUSR1);
    usleep(10000);
    printf("all block: taken %d\n", taken[0] + taken[1] + taken[2] + taken[3]);
    block(3, 0);
    printf("the third does not: taken %d\n", taken[3]);

    for (int i = 0; i < 5; i++)
        die_by_another(i & 1 ? SIGTERM : SIGRTMIN + i);
    die("term", 0, SIGTERM, 3);
    die("kill, all blocked", 1, SIGKILL, 3);
    die("kill", 1, SIGKILL, 0);
    fflush(stdout);
    pid_t group = 0, pids[5];
    for (int i = 0; i < 5; i++) {
        pids[i] = fork();
        if (!pids[i]) {
            setpgid(0, group);
            signal(SIGTERM, SIG_IGN);
            __atomic_add_fetch(away, 1, __ATOMIC_SEQ_CST);
            for (;;)
                pause();
        }
        if (!group)
            group = pids[0];
        setpgid(pids[i], group);
    }
    while (*away < 5)
        usleep(1000);
    printf("term to the group: %d\n", kill(-group, SIGTERM));
    printf("still there: %d\n", kill(-group, 0));
    printf("kill to the group: %d\n", kill(-group, SIGKILL));
    for (int i = 0; i < 5; i++) {
        waitpid(pids[i], &status, 0);
        printf(" %#x", status);
    }
    printf("\nthen: %d %s\n", kill(-group, 0), strerror(errno));
    return 0;
}
