/* Waiting and waking: order, bitsets, requeue, wake-op, private and shared, vectors, timeouts, signals. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
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
struct timeout64 { int64_t seconds, nanoseconds; };
struct word { uint64_t val, uaddr; uint32_t flags, reserved; };

static int w, v, x;
static struct waiter {
    pthread_t thread;
    int *word, op;
    unsigned bitset;
    struct timeout *timeout;
    long result;
    int error, order;
    volatile pid_t tid;
} waiters[8];
static int arrivals;

static void *wait_for(void *data)
{
    struct waiter *self = data;
    self->tid = syscall(SYS_gettid);
    self->result = FUTEX(self->word, self->op, 0, self->timeout, 0, self->bitset);
    self->error = errno;
    self->order = __atomic_add_fetch(&arrivals, 1, __ATOMIC_SEQ_CST);
    return 0;
}

/* How many wait for a word: they are "moved" to where they are. */
static long waiting(int *word, int op) { return FUTEX(word, FUTEX_REQUEUE | (op & PRIVATE), 0, INT_MAX, word, 0); }

static void start(int i, int *word, int op, unsigned bitset, struct timeout *timeout)
{
    struct waiter *self = &waiters[i];
    long before = waiting(word, op);
    *self = (struct waiter){.word = word, .op = op, .bitset = bitset, .timeout = timeout};
    pthread_create(&self->thread, 0, wait_for, self);
    while (waiting(word, op) == before) usleep(1000);
}

/* Who came back: the test waits for them. */
static void back(const char *what, const char *who)
{
    printf("%s: ", what);
    for (; *who; who++) {
        struct waiter *self = &waiters[*who - '0'];
        pthread_join(self->thread, 0);
        printf("%c=%s ", *who, self->result < 0 ? strerrorname_np(self->error) : "0");
    }
    printf("\n");
}

static void order(void)
{
    for (int i = 0; i < 5; i++) start(i, &w, FUTEX_WAIT | PRIVATE, 0, 0);
    SHOW(waiting(&w, PRIVATE));
    SHOW(waiting(&w, 0)); /* the shared futex is another one */
    SHOW(FUTEX(&w, FUTEX_WAKE, 9, 0, 0, 0));
    SHOW(FUTEX(&w, FUTEX_WAKE | PRIVATE, 2, 0, 0, 0));
    back("first two", "01");
    SHOW(FUTEX(&w, FUTEX_WAKE | PRIVATE, 0, 0, 0, 0));
    back("one even for zero", "2");
    SHOW(FUTEX(&w, FUTEX_WAKE | PRIVATE, INT_MAX, 0, 0, 0));
    back("the others", "34");

    start(0, &w, FUTEX_WAIT_BITSET, 1, 0);
    start(1, &w, FUTEX_WAIT_BITSET, 2, 0);
    start(2, &w, FUTEX_WAIT_BITSET, 6, 0);
    start(3, &w, FUTEX_WAIT, 0, 0);
    SHOW(FUTEX(&w, FUTEX_WAKE_BITSET, 9, 0, 0, 8));
    back("any bit", "3");
    SHOW(FUTEX(&w, FUTEX_WAKE_BITSET, 1, 0, 0, 4));
    back("bit 2", "2");
    SHOW(FUTEX(&w, FUTEX_WAKE_BITSET, 9, 0, 0, 2));
    back("bit 1", "1");
    SHOW(FUTEX(&w, FUTEX_WAKE_BITSET | PRIVATE, 9, 0, 0, ~0));
    SHOW(FUTEX(&w, FUTEX_WAKE, 9, 0, 0, 0));
    back("bit 0", "0");
}

static void requeue(void)
{
    for (int i = 0; i < 6; i++) start(i, &w, FUTEX_WAIT_BITSET | PRIVATE, 1 << i, 0);
    SHOW(FUTEX(&w, FUTEX_CMP_REQUEUE | PRIVATE, 1, 2, &v, 1));
    SHOW(FUTEX(&w, FUTEX_CMP_REQUEUE | PRIVATE, 1, 2, &v, 0));
    back("woken", "0");
    SHOW(waiting(&w, PRIVATE));
    SHOW(waiting(&v, PRIVATE));
    SHOW(FUTEX(&v, FUTEX_WAKE_BITSET | PRIVATE, 9, 0, 0, 4)); /* bits move along */
    back("moved with its bits", "2");
    SHOW(FUTEX(&w, FUTEX_REQUEUE | PRIVATE, 0, 1, &v, 0));
    SHOW(FUTEX(&v, FUTEX_WAKE | PRIVATE, 1, 0, 0, 0));
    back("came first", "1");
    SHOW(FUTEX(&v, FUTEX_WAKE | PRIVATE, 1, 0, 0, 0));
    back("came later", "3");
    SHOW(FUTEX(&w, FUTEX_REQUEUE | PRIVATE, 1, 0, &v, 0));
    back("only woken", "4");
    SHOW(FUTEX(&w, FUTEX_REQUEUE | PRIVATE, INT_MAX, INT_MAX, &v, 0));
    back("the rest", "5");

    start(0, &w, FUTEX_WAIT | PRIVATE, 0, 0);
    start(1, &v, FUTEX_WAIT | PRIVATE, 0, 0);
    v = 5;
    SHOW(FUTEX(&w, FUTEX_WAKE_OP | PRIVATE, 1, 1, &v, FUTEX_OP(FUTEX_OP_ADD, 2, FUTEX_OP_CMP_GT, 5)));
    back("one word", "0");
    SHOW(FUTEX(&w, FUTEX_WAKE_OP | PRIVATE, 1, 1, &v, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 7)));
    back("the other", "1");
    printf("%d\n", v);
}

static void now(clockid_t clock, long nanoseconds, struct timeout *when)
{
    struct timespec time;
    clock_gettime(clock, &time);
    nanoseconds += time.tv_nsec;
    when->seconds = time.tv_sec + nanoseconds / 1000000000;
    when->nanoseconds = nanoseconds % 1000000000;
}

static volatile int handled;
static void handler(int signo) { handled++; }

static void interrupted(int i, int flags, int stops)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(SIGUSR1, &action, 0);
    handled = 0;
    for (int n = 0; n < stops; n++) {
        syscall(SYS_tgkill, getpid(), waiters[i].tid, SIGUSR1);
        while (handled <= n) usleep(1000);
    }
}

static void signals(void)
{
    struct timeout far = {100, 0};
    start(0, &w, FUTEX_WAIT | PRIVATE, 0, 0);
    interrupted(0, 0, 1);
    back("a handler", "0");
    start(0, &w, FUTEX_WAIT | PRIVATE, 0, 0);
    interrupted(0, SA_RESTART, 3);
    usleep(10000);
    while (!FUTEX(&w, FUTEX_WAKE | PRIVATE, 1, 0, 0, 0)) usleep(1000);
    back("a handler with SA_RESTART", "0");
    start(0, &w, FUTEX_WAIT | PRIVATE, 0, &far);
    interrupted(0, SA_RESTART, 1);
    back("with a time", "0");
    start(0, &w, FUTEX_WAIT | PRIVATE, 0, 0);
    interrupted(0, SA_RESTART, 1);
    w = 1; /* before it is made again, or behind: then nobody wakes it */
    usleep(10000);
    FUTEX(&w, FUTEX_WAKE | PRIVATE, 1, 0, 0, 0);
    pthread_join(waiters[0].thread, 0);
    w = 0;

    /* Stopped and continued, a wait goes on, to the same end. */
    int *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), status;
    for (int timed = 0; timed < 2; timed++) {
        pid_t pid = fork();
        if (!pid) _exit(FUTEX(shared, FUTEX_WAIT, 0, timed ? &far : 0, 0, 0) == 0 ? 3 : errno);
        while (!waiting(shared, 0)) usleep(1000);
        for (int n = 0; n < 2; n++) {
            kill(pid, SIGSTOP);
            waitpid(pid, &status, WUNTRACED);
            printf("stopped %x ", status);
            kill(pid, SIGCONT);
            waitpid(pid, &status, WCONTINUED);
            usleep(5000);
        }
        while (!FUTEX(shared, FUTEX_WAKE, 1, 0, 0, 0)) usleep(1000);
        waitpid(pid, &status, 0);
        printf("ended %x\n", status);
    }
}

static void times(void)
{
    struct timeout soon = {0, 2000000}, past = {1, 0};
    SHOW(FUTEX(&w, FUTEX_WAIT, 0, &soon, 0, 0));
    SHOW(FUTEX(&w, FUTEX_WAIT_BITSET, 0, &past, 0, 1));
    SHOW(FUTEX(&w, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, 0, 1));
    now(CLOCK_MONOTONIC, 2000000, &soon);
    SHOW(FUTEX(&w, FUTEX_WAIT_BITSET, 0, &soon, 0, 1));
    now(CLOCK_REALTIME, 2000000, &soon);
    SHOW(FUTEX(&w, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &soon, 0, 1));
    now(CLOCK_REALTIME, 0, &soon); /* years away on the other clock */
    start(0, &w, FUTEX_WAIT_BITSET, 1, &soon);
    SHOW(FUTEX(&w, FUTEX_WAKE, 1, 0, 0, 0));
    back("a long time", "0");
#ifdef SYS_futex_time64
    struct timeout64 brief = {0, 1000000}, padded = {0, 1000000 | (int64_t)7 << 32};
    SHOW(syscall(SYS_futex_time64, &w, FUTEX_WAIT, 0, &brief, 0, 0));
    SHOW(syscall(SYS_futex_time64, &w, FUTEX_WAIT, 0, &padded, 0, 0));
#else
    printf("FUTEX(&w, FUTEX_WAIT, 0, &soon, 0, 0)\n");
#endif
}

static struct word vector[3];
static void *wait_for_any(void *data)
{
    long result = syscall(SYS_futex_waitv, vector, 3, 0, data, CLOCK_MONOTONIC);
    return (void *)(result < 0 ? -(long)errno : result);
}

static void vectors(void)
{
    int *words[3] = {&w, &v, &x};
    pthread_t thread;
    void *result;
    w = v = x = 0;
    for (int i = 0; i < 3; i++) vector[i] = (struct word){0, (uintptr_t)words[i], FUTEX_32 | PRIVATE, 0};
    for (int i = 0; i < 4; i++) {
        if (i == 3) vector[2].uaddr = (uintptr_t)&w; /* a word twice: two waiters */
        pthread_create(&thread, 0, wait_for_any, 0);
        while (!waiting(words[i % 3], PRIVATE)) usleep(1000);
        printf("%ld waiting, ", waiting(&w, PRIVATE));
        printf("%ld woken, ", FUTEX(words[i % 3], FUTEX_WAKE | PRIVATE, 9, 0, 0, 0));
        pthread_join(thread, &result);
        printf("index %ld, %ld left\n", (long)result, waiting(&w, PRIVATE) + waiting(&v, PRIVATE));
    }
    struct timeout64 past = {1, 0};
    SHOW((long)wait_for_any(&past) == -ETIMEDOUT);
    SHOW(waiting(&w, PRIVATE));
}

static void processes(void)
{
    char *one = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *two = mremap(one, 0, 8192, MREMAP_MAYMOVE); /* the same pages once more */
    int *shared = (int *)(one + 4096), status;
    pid_t pid;
    if (!(pid = fork())) _exit(FUTEX(shared, FUTEX_WAIT, 0, 0, 0, 0) == 0 ? 7 : 8);
    while (!waiting(shared, 0)) usleep(1000);
    SHOW(FUTEX(shared, FUTEX_WAKE | PRIVATE, 1, 0, 0, 0));
    SHOW(FUTEX(shared + 1, FUTEX_WAKE, 1, 0, 0, 0));
    SHOW(FUTEX(two == MAP_FAILED ? shared : (int *)(two + 4096), FUTEX_WAKE, 1, 0, 0, 0));
    waitpid(pid, &status, 0);
    printf("%x\n", status);

    /* System V shared memory, at two addresses. */
    int id = shmget(IPC_PRIVATE, 8192, 0600);
    shared = (int *)shmat(id, 0, 0) + 1100;
    int *again = (int *)shmat(id, 0, 0) + 1100;
    shmctl(id, IPC_RMID, 0);
    if (!(pid = fork())) _exit(FUTEX(shared, FUTEX_WAIT, 0, 0, 0, 0) == 0 ? 7 : 8);
    while (!waiting(shared, 0)) usleep(1000);
    SHOW(FUTEX(again, FUTEX_WAKE, 1, 0, 0, 0));
    waitpid(pid, &status, 0);
    printf("%x\n", status);

    /* A page of a file that nobody may write to, mapped privately; and one that may be written to. */
    for (int writable = 0; writable < 2; writable++) {
        int fd = open("/tmp", O_RDWR | O_TMPFILE, 0600), protection = PROT_READ | (writable ? PROT_WRITE : 0);
        ftruncate(fd, 8192);
        shared = mmap(0, 8192, protection, MAP_PRIVATE, fd, 0);
        again = mmap(0, 4096, protection, MAP_PRIVATE, fd, 4096);
        if (!(pid = fork())) _exit(FUTEX(shared + 1030, FUTEX_WAIT, 0, 0, 0, 0) == 0 ? 7 : 8);
        if (writable) usleep(20000);
        else while (!waiting(again + 6, 0)) usleep(1000);
        SHOW(FUTEX(again + 6, FUTEX_WAKE, 1, 0, 0, 0));
        if (writable) kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        printf("%x\n", status);
        close(fd);
    }

    /* Private memory is not shared by fork. */
    if (!(pid = fork())) {
        struct timeout brief = {0, 100000000};
        _exit(FUTEX(&w, FUTEX_WAIT, 0, &brief, 0, 0) == 0 ? 7 : errno == ETIMEDOUT ? 9 : 8);
    }
    usleep(20000);
    SHOW(FUTEX(&w, FUTEX_WAKE, 1, 0, 0, 0));
    waitpid(pid, &status, 0);
    printf("%x\n", status);

    /* A waiter that is killed leaves nothing behind. */
    shared = (int *)one;
    if (!(pid = fork())) _exit(FUTEX(shared, FUTEX_WAIT, 0, 0, 0, 0));
    while (!waiting(shared, 0)) usleep(1000);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    SHOW(waiting(shared, 0));
}

int main(void)
{
    setvbuf(stdout, 0, _IOLBF, 0);
    order();
    requeue();
    times();
    signals();
    vectors();
    processes();
    return 0;
}
