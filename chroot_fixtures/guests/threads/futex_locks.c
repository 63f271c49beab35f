/* Locks with priority inheritance: hand-over, circles, timeouts, signals, dead owners, requeueing to them. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
#define PRIVATE FUTEX_PRIVATE_FLAG
#define FUTEX(...) syscall(SYS_futex, __VA_ARGS__)
#define SHOW(call) printf("%s: %s\n", #call, text(call))

static const char *text(long result)
{
    static __thread char texts[8][40];
    static __thread int next;
    char *place = texts[next++ & 7];
    if (result < 0) snprintf(place, 40, "%s", strerrorname_np(errno));
    else snprintf(place, 40, "%ld", result);
    return place;
}

struct timeout { long seconds, nanoseconds; };
static struct timeout past = {1, 0};

/* Threads that do what they are told, one call at a time. */
static struct actor {
    pthread_t thread;
    volatile pid_t tid;
    volatile int busy, end;
    long arguments[6], result;
    int error;
} actors[6];

static void *play(void *data)
{
    struct actor *self = data;
    self->tid = syscall(SYS_gettid);
    for (;;) {
        while (!__atomic_load_n(&self->busy, __ATOMIC_SEQ_CST)) {
            if (self->end) return 0;
            usleep(500);
        }
        long *a = self->arguments;
        self->result = FUTEX(a[0], a[1], a[2], a[3], a[4], a[5]);
        self->error = errno;
        __atomic_store_n(&self->busy, 0, __ATOMIC_SEQ_CST);
    }
}

static pid_t own;

/* A word with names for its owners. */
static void word(const char *what, int value)
{
    int owner = value & FUTEX_TID_MASK;
    printf("%s: ", what);
    if (owner == own) printf("main");
    else if (!owner) printf("nobody");
    else {
        int i = 0;
        while (i < 6 && actors[i].tid != owner) i++;
        printf(i < 6 ? "actor %d" : "somebody", i);
    }
    printf("%s%s\n", value & FUTEX_WAITERS ? " waiters" : "", value & FUTEX_OWNER_DIED ? " died" : "");
}

static void begin(int i, void *at, int op, int val, void *timeout, void *other, int val3)
{
    long arguments[6] = {(long)at, op, val, (long)timeout, (long)other, val3};
    memcpy(actors[i].arguments, arguments, sizeof arguments);
    __atomic_store_n(&actors[i].busy, 1, __ATOMIC_SEQ_CST);
}

static void blocks(int i)
{
    usleep(20000);
    printf("actor %d %s\n", i, actors[i].busy ? "waits" : "does not wait");
}

static void done(int i)
{
    while (__atomic_load_n(&actors[i].busy, __ATOMIC_SEQ_CST)) usleep(500);
    printf("actor %d: %s\n", i, actors[i].result < 0 ? strerrorname_np(actors[i].error) : "0");
}

static void appear(int i)
{
    actors[i] = (struct actor){0};
    pthread_create(&actors[i].thread, 0, play, &actors[i]);
    while (!actors[i].tid) usleep(500);
}

static void vanish(int i)
{
    actors[i].end = 1;
    pthread_join(actors[i].thread, 0);
}

static int l, m, c;

static void hand_over(void)
{
    l = own;
    begin(0, &l, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), blocks(0);
    word("first waiter", l);
    begin(1, &l, FUTEX_LOCK_PI2 | PRIVATE, 0, 0, 0, 0), blocks(1);
    SHOW(FUTEX(&l, FUTEX_WAKE | PRIVATE, 1, 0, 0, 0));
    SHOW(FUTEX(&l, FUTEX_REQUEUE | PRIVATE, 1, 1, &m, 0));
    SHOW(FUTEX(&m, FUTEX_WAKE_OP | PRIVATE, 1, 1, &l, FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_NE, 0)));
    SHOW(FUTEX(&l, FUTEX_UNLOCK_PI, 0, 0, 0, 0)); /* as a shared one nobody waits for it */
    word("nobody waited", l);
    l = own | FUTEX_WAITERS;
    SHOW(FUTEX(&l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
    done(0);
    word("handed over", l);
    SHOW(FUTEX(&l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
    SHOW(FUTEX(&l, FUTEX_TRYLOCK_PI | PRIVATE, 0, 0, 0, 0));
    begin(0, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(0), done(1);
    word("and again", l);
    begin(1, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(1);
    word("free", l);
}

static void refusals(void)
{
    struct timeout soon;
    struct timespec time;
    /* A plain waiter is in the way of locking, a liar is found out. */
    begin(0, &m, FUTEX_WAIT | PRIVATE, 0, 0, 0, 0), blocks(0);
    m = actors[1].tid;
    SHOW(FUTEX(&m, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0));
    m = own;
    SHOW(FUTEX(&m, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
    m = 0;
    SHOW(FUTEX(&m, FUTEX_WAKE | PRIVATE, 1, 0, 0, 0));
    done(0);
    l = own;
    begin(0, &l, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), blocks(0);
    l = actors[1].tid | FUTEX_WAITERS;
    begin(2, &l, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), done(2);
    begin(1, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(1);
    l = own | FUTEX_WAITERS;

    /* Circles of two and of three. */
    begin(1, &m, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), done(1);
    begin(1, &l, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), blocks(1);
    SHOW(FUTEX(&m, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0));
    word("m", m);
    begin(2, &c, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), done(2);
    begin(2, &m, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), blocks(2);
    SHOW(FUTEX(&c, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0));
    SHOW(FUTEX(&l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
    done(0);
    begin(0, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(0), done(1);
    begin(1, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(1);
    begin(1, &m, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(1), done(2);
    begin(2, &m, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(2);
    begin(2, &c, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(2);
    word("l", l), word("m", m), word("c", c);

    /* Times: LOCK_PI has real time, LOCK_PI2 the monotonic clock. */
    l = own;
    begin(0, &l, FUTEX_LOCK_PI | PRIVATE, 0, &past, 0, 0), done(0);
    clock_gettime(CLOCK_REALTIME, &time);
    soon = (struct timeout){time.tv_sec, time.tv_nsec};
    begin(0, &l, FUTEX_LOCK_PI2 | PRIVATE | FUTEX_CLOCK_REALTIME, 0, &soon, 0, 0), done(0);
    begin(0, &l, FUTEX_LOCK_PI2 | PRIVATE, 0, &soon, 0, 0), blocks(0);
    begin(1, &l, FUTEX_LOCK_PI2 | PRIVATE, 0, &past, 0, 0), done(1);
    word("still", l);
    SHOW(FUTEX(&l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
    done(0);
    begin(0, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(0);
}

static volatile int handled;
static void handler(int signo) { handled++; }

static void signals(void)
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, 0);
    l = own;
    begin(0, &l, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), blocks(0);
    for (int n = 1; n <= 3; n++) {
        syscall(SYS_tgkill, getpid(), actors[0].tid, SIGUSR1);
        while (handled < n) usleep(500);
    }
    blocks(0); /* although no handler restarts calls */
    SHOW(FUTEX(&l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
    done(0);
    begin(0, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(0);
}

static void dead_owners(void)
{
    int status;
    /* Nobody said that this lock is robust; who waits gets it all the same. */
    appear(5);
    begin(5, &l, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), done(5);
    begin(0, &l, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), blocks(0);
    begin(1, &l, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), blocks(1);
    vanish(5);
    done(0);
    word("inherited", l);
    begin(0, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(0), done(1);
    word("the mark is gone", l);
    begin(1, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(1);

    /* Without a waiter the lock is lost. */
    appear(5);
    begin(5, &l, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), done(5);
    vanish(5);
    SHOW(FUTEX(&l, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0));
    l = 0;

    /* Between processes, by SIGKILL. */
    int *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (!pid) {
        FUTEX(shared, FUTEX_LOCK_PI, 0, 0, 0, 0);
        shared[1] = 1;
        for (;;) pause();
    }
    while (!((volatile int *)shared)[1]) usleep(500);
    begin(0, shared, FUTEX_LOCK_PI, 0, 0, 0, 0), blocks(0);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    done(0);
    word("after SIGKILL", *shared);
    begin(0, shared, FUTEX_UNLOCK_PI, 0, 0, 0, 0), done(0);
    word("free", *shared);
}

static long waiting(int *at) { return FUTEX(at, FUTEX_REQUEUE | PRIVATE, 0, INT_MAX, at, 0); }

static void requeueing(void)
{
    /* A lock that is free goes to the first waiter at once; the others wait for it. */
    c = l = m = 0;
    for (int i = 0; i < 4; i++) begin(i, &c, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, 0, &l, 0), blocks(i);
    SHOW(waiting(&c));
    SHOW(FUTEX(&c, FUTEX_WAKE | PRIVATE, 1, 0, 0, 0));
    SHOW(FUTEX(&c, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 9, &m, 0));
    SHOW(FUTEX(&c, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 9, &l, 1));
    SHOW(FUTEX(&c, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 1, &l, 0));
    done(0);
    word("free lock", l);
    begin(0, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(0), done(1);
    word("next", l);
    begin(1, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(1);
    word("free again", l);
    SHOW(FUTEX(&c, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 0, &l, 0));
    done(2);
    word("without waiters", l);

    /* A lock that is taken: all wait for it. */
    SHOW(FUTEX(&c, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 9, &l, 0));
    blocks(3);
    word("taken", l);
    begin(2, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(2), done(3);
    begin(3, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(3);

    /* A waiter of the wrong kind, or for another lock; a lock that the waiter holds. */
    begin(0, &c, FUTEX_WAIT | PRIVATE, 0, 0, 0, 0), blocks(0);
    SHOW(FUTEX(&c, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 9, &l, 0));
    SHOW(FUTEX(&c, FUTEX_WAKE | PRIVATE, 9, 0, 0, 0));
    done(0);
    begin(0, &l, FUTEX_LOCK_PI | PRIVATE, 0, 0, 0, 0), done(0);
    begin(0, &c, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, 0, &l, 0), blocks(0);
    SHOW(FUTEX(&c, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 9, &l, 0));
    blocks(0);
    l = 0;
    SHOW(FUTEX(&c, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 9, &l, 0));
    done(0);
    begin(0, &l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0), done(0);

    /* Times and signals before the requeue and behind it. */
    begin(0, &c, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, &past, &l, 0), done(0);
    handled = 0;
    begin(0, &c, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, 0, &l, 0), blocks(0);
    syscall(SYS_tgkill, getpid(), actors[0].tid, SIGUSR1);
    blocks(0);
    c = 1;
    syscall(SYS_tgkill, getpid(), actors[0].tid, SIGUSR1);
    done(0);
    c = 0, l = own;
    begin(0, &c, FUTEX_WAIT_REQUEUE_PI | PRIVATE, 0, 0, &l, 0), blocks(0);
    SHOW(FUTEX(&c, FUTEX_CMP_REQUEUE_PI | PRIVATE, 1, 0, &l, 0));
    syscall(SYS_tgkill, getpid(), actors[0].tid, SIGUSR1);
    done(0);
    printf("%d handlers\n", handled);
    word("l", l);
    SHOW(FUTEX(&l, FUTEX_UNLOCK_PI | PRIVATE, 0, 0, 0, 0));
}

int main(void)
{
    setvbuf(stdout, 0, _IOLBF, 0);
    own = syscall(SYS_gettid);
    for (int i = 0; i < 4; i++) appear(i);
    hand_over();
    refusals();
    signals();
    dead_owners();
    requeueing();
    for (int i = 0; i < 4; i++) vanish(i);
    return 0;
}
