/* What POSIX threads are made of: mutexes, conditions, reader-writer locks, barriers, once, keys, cancellation,
 * semaphores; between threads and between processes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(call) printf("%s: %s\n", #call, name(call))
#define THREADS 8
#define ROUNDS 500

static const char *name(int error)
{
    static char number[16];
    if (error == -1) error = errno;
    if (!error) return "0";
    if (strerrorname_np(error)) return strerrorname_np(error);
    snprintf(number, sizeof number, "%d", error);
    return number;
}

static struct timespec after(clockid_t clock, long nanoseconds)
{
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += nanoseconds;
    if (time.tv_nsec >= 1000000000) time.tv_nsec -= 1000000000, time.tv_sec++;
    return time;
}

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_rwlock_t rwlock;
    pthread_barrier_t barrier;
    sem_t semaphore;
    int counter, ready, turn;
};

static void init_mutex(pthread_mutex_t *mutex, int type, int protocol, int shared)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutexattr_setpshared(&attributes, shared);
    pthread_mutex_init(mutex, &attributes);
}

static void run(int count, void *(*function)(void *), void *data)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < count; i++) pthread_create(&threads[i], 0, function, data);
    for (int i = 0; i < count; i++) pthread_join(threads[i], 0);
}

/* Mutexes */

static pthread_mutex_t mutex;
static long counter;

static void *count_up(void *data)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        long old = counter;
        if (i % 16 == 0) sched_yield();
        counter = old + 1;
        pthread_mutex_unlock(&mutex);
    }
    return 0;
}

static void *from_outside(void *data)
{
    printf("try %s, ", name(pthread_mutex_trylock(&mutex)));
    struct timespec soon = after(CLOCK_REALTIME, 2000000), mono = after(CLOCK_MONOTONIC, 2000000);
    printf("timed %s, ", name(pthread_mutex_timedlock(&mutex, &soon)));
    printf("by clock %s, ", name(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &mono)));
    soon.tv_nsec = -1;
    printf("bad time %s\n", name(pthread_mutex_timedlock(&mutex, &soon)));
    return 0;
}

static void mutexes(void)
{
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++)
        for (int i = 0; i < 4; i++) {
            init_mutex(&mutex, types[i], protocol, 0);
            counter = 0;
            run(THREADS, count_up, 0);
            printf("protocol %d, type %d: %ld, ", protocol, types[i], counter);
            pthread_mutex_lock(&mutex);
            if (types[i] == PTHREAD_MUTEX_RECURSIVE || types[i] == PTHREAD_MUTEX_ERRORCHECK)
                printf("again %s, ", name(pthread_mutex_lock(&mutex)));
            if (types[i] == PTHREAD_MUTEX_RECURSIVE) pthread_mutex_unlock(&mutex);
            fflush(stdout);
            run(1, from_outside, 0);
            printf("unlock %s, ", name(pthread_mutex_unlock(&mutex)));
            if (types[i] == PTHREAD_MUTEX_ERRORCHECK) printf("twice %s, ", name(pthread_mutex_unlock(&mutex)));
            printf("destroy %s\n", name(pthread_mutex_destroy(&mutex)));
        }
}

/* Conditions: a queue of one place, and a broadcast */

static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static int place, sum, started;

static void *consume(void *data)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        while (!place) pthread_cond_wait(&filled, &mutex);
        sum += place;
        place = 0;
        pthread_cond_signal(&emptied);
        pthread_mutex_unlock(&mutex);
    }
    return 0;
}

static void *produce(void *data)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        while (place) pthread_cond_wait(&emptied, &mutex);
        place = i + 1;
        pthread_cond_signal(&filled);
        pthread_mutex_unlock(&mutex);
    }
    return 0;
}

static void *either(void *data) { return __atomic_fetch_add((int *)data, 1, __ATOMIC_SEQ_CST) % 2 ? consume(0) : produce(0); }

static void *wait_for_start(void *data)
{
    pthread_mutex_lock(&mutex);
    counter++;
    while (!started) pthread_cond_wait(&filled, &mutex);
    counter += 100;
    pthread_mutex_unlock(&mutex);
    return 0;
}

static void conditions(void)
{
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++) {
        int role = 0;
        init_mutex(&mutex, PTHREAD_MUTEX_NORMAL, protocol, 0);
        sum = place = 0;
        run(4, either, &role);
        printf("sum %d\n", sum);
        pthread_t threads[THREADS];
        counter = started = 0;
        for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], 0, wait_for_start, 0);
        for (;;) {
            pthread_mutex_lock(&mutex);
            if (counter == THREADS) break;
            pthread_mutex_unlock(&mutex);
            usleep(500);
        }
        started = 1;
        pthread_cond_broadcast(&filled);
        pthread_mutex_unlock(&mutex);
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], 0);
        printf("broadcast %ld\n", counter);
        pthread_condattr_t attributes;
        pthread_cond_t monotonic;
        pthread_condattr_init(&attributes);
        SHOW(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC));
        SHOW(pthread_condattr_setclock(&attributes, CLOCK_PROCESS_CPUTIME_ID));
        pthread_cond_init(&monotonic, &attributes);
        pthread_mutex_lock(&mutex);
        struct timespec soon = after(CLOCK_MONOTONIC, 2000000), real = after(CLOCK_REALTIME, 2000000), past = {1, 0};
        SHOW(pthread_cond_timedwait(&monotonic, &mutex, &soon));
        SHOW(pthread_cond_timedwait(&monotonic, &mutex, &past));
        SHOW(pthread_cond_timedwait(&filled, &mutex, &real));
        SHOW(pthread_cond_clockwait(&filled, &mutex, CLOCK_MONOTONIC, &soon));
        soon.tv_nsec = 1000000000;
        SHOW(pthread_cond_timedwait(&filled, &mutex, &soon));
        pthread_mutex_unlock(&mutex);
        SHOW(pthread_cond_destroy(&monotonic));
        pthread_mutex_destroy(&mutex);
    }
}

/* Reader-writer locks */

static pthread_rwlock_t rwlock;
static int data_a, data_b, torn;

static void *read_or_write(void *data)
{
    int writer = __atomic_fetch_add((int *)data, 1, __ATOMIC_SEQ_CST) % 4 == 0;
    for (int i = 0; i < ROUNDS; i++)
        if (writer) {
            pthread_rwlock_wrlock(&rwlock);
            data_a++;
            if (i % 16 == 0) sched_yield();
            data_b++;
            pthread_rwlock_unlock(&rwlock);
        } else {
            pthread_rwlock_rdlock(&rwlock);
            if (data_a != data_b) torn++;
            if (i % 16 == 0) sched_yield();
            pthread_rwlock_unlock(&rwlock);
        }
    return 0;
}

static void rwlocks(void)
{
    for (int kind = PTHREAD_RWLOCK_PREFER_READER_NP; kind <= PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP; kind++) {
        pthread_rwlockattr_t attributes;
        int role = 0;
        pthread_rwlockattr_init(&attributes);
        pthread_rwlockattr_setkind_np(&attributes, kind);
        pthread_rwlock_init(&rwlock, &attributes);
        data_a = data_b = torn = 0;
        run(THREADS, read_or_write, &role);
        printf("kind %d: %d %d torn %d\n", kind, data_a, data_b, torn);
        struct timespec soon = after(CLOCK_REALTIME, 2000000);
        pthread_rwlock_rdlock(&rwlock);
        SHOW(pthread_rwlock_trywrlock(&rwlock));
        SHOW(pthread_rwlock_tryrdlock(&rwlock));
        SHOW(pthread_rwlock_timedwrlock(&rwlock, &soon));
        pthread_rwlock_unlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
        pthread_rwlock_wrlock(&rwlock);
        SHOW(pthread_rwlock_rdlock(&rwlock));
        SHOW(pthread_rwlock_tryrdlock(&rwlock));
        pthread_rwlock_unlock(&rwlock);
        SHOW(pthread_rwlock_destroy(&rwlock));
    }
}

/* Barriers, once, keys */

static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int serial, initialised, arrived, early;
static pthread_key_t key;
static __thread int local = 5;
static volatile long local_sum, destroyed;

static void initialise(void)
{
    usleep(5000);
    initialised++;
}

static void *meet(void *data)
{
    for (int i = 0; i < 50; i++) {
        __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) __atomic_add_fetch(&serial, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < (i + 1) * THREADS) early++;
    }
    pthread_once(&once, initialise);
    if (initialised != 1) early++;
    local += (int)(long)pthread_getspecific(key);
    pthread_setspecific(key, (void *)7);
    local++;
    __atomic_add_fetch(&local_sum, local, __ATOMIC_SEQ_CST);
    return 0;
}

static void destroy(void *value) { __atomic_add_fetch(&destroyed, (long)value, __ATOMIC_SEQ_CST); }

static void meetings(void)
{
    pthread_barrier_init(&barrier, 0, THREADS);
    pthread_key_create(&key, destroy);
    run(THREADS, meet, 0);
    printf("serial %d, initialised %d, early %d, local %ld %d, destroyed %ld\n", serial, initialised, early,
           (long)local_sum, local, (long)destroyed);
    SHOW(pthread_barrier_destroy(&barrier));
    SHOW(pthread_barrier_init(&barrier, 0, 0));
    SHOW(pthread_key_delete(key));
}

/* Cancellation */

static sem_t never;
static int cleaned;
static void clean(void *data) { cleaned += (int)(long)data; }

static void *cancelled(void *data)
{
    int how = (int)(long)data, old;
    pthread_cleanup_push(clean, (void *)1);
    pthread_cleanup_push(clean, (void *)10);
    char byte;
    int ends[2];
    switch (how) {
    case 0: for (;;) pause();
    case 1: sem_wait(&never); break;
    case 2: pthread_mutex_lock(&mutex); for (;;) pthread_cond_wait(&filled, &mutex);
    case 3: if (pipe(ends) == 0) read(ends[0], &byte, 1); break;
    case 4: pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old); for (;;) __atomic_add_fetch(&arrived, 1, __ATOMIC_RELAXED);
    case 5: pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old); usleep(20000);
            pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old); cleaned += 100; pthread_testcancel(); break;
    case 6: sleep(100); break;
    case 7: pthread_exit((void *)77);
    }
    pthread_cleanup_pop(1);
    pthread_cleanup_pop(1);
    return (void *)55;
}

static void cancellation(void)
{
    sem_init(&never, 0, 0);
    init_mutex(&mutex, PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, 0);
    for (long how = 0; how < 8; how++) {
        pthread_t thread;
        void *result;
        cleaned = 0;
        pthread_create(&thread, 0, cancelled, (void *)how);
        usleep(5000);
        if (how < 7) pthread_cancel(thread);
        pthread_join(thread, &result);
        printf("cancel %ld: %s cleaned %d\n", how, result == PTHREAD_CANCELED ? "cancelled" : (long)result == 77 ? "77" : "?", cleaned);
        if (how == 2) SHOW(pthread_mutex_trylock(&mutex)), pthread_mutex_unlock(&mutex);
    }
    pthread_t thread, *self = &thread;
    struct timespec soon = after(CLOCK_REALTIME, 5000000);
    pthread_create(&thread, 0, cancelled, 0);
    SHOW(pthread_tryjoin_np(*self, 0));
    SHOW(pthread_timedjoin_np(*self, 0, &soon));
    SHOW(pthread_cancel(thread));
    SHOW(pthread_join(thread, 0));
    SHOW(pthread_join(pthread_self(), 0));
}

/* Semaphores */

static void *post(void *data)
{
    for (int i = 0; i < ROUNDS; i++) sem_post(data);
    return 0;
}

static void *take(void *data)
{
    for (int i = 0; i < ROUNDS; i++) {
        while (sem_wait(data)) ;
        __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
    }
    return 0;
}

static void *post_or_take(void *data) { return __atomic_fetch_add(&sum, 1, __ATOMIC_SEQ_CST) % 2 ? post(data) : take(data); }

static void semaphores(void)
{
    sem_t semaphore;
    int value;
    SHOW(sem_init(&semaphore, 0, (unsigned)INT_MAX + 1));
    sem_init(&semaphore, 0, 0);
    arrived = sum = 0;
    run(THREADS, post_or_take, &semaphore);
    sem_getvalue(&semaphore, &value);
    printf("taken %d, left %d\n", arrived, value);
    struct timespec soon = after(CLOCK_REALTIME, 2000000), mono = after(CLOCK_MONOTONIC, 2000000), bad = {0, -1};
    SHOW(sem_trywait(&semaphore));
    SHOW(sem_timedwait(&semaphore, &soon));
    SHOW(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &mono));
    SHOW(sem_timedwait(&semaphore, &bad));
    SHOW(sem_destroy(&semaphore));
}

/* Between processes */

static void between_processes(void)
{
    struct shared *shared = mmap(0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_condattr_t cond;
    pthread_rwlockattr_t rw;
    pthread_barrierattr_t barriers;
    int status;
    pthread_condattr_init(&cond), pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    pthread_rwlockattr_init(&rw), pthread_rwlockattr_setpshared(&rw, PTHREAD_PROCESS_SHARED);
    pthread_barrierattr_init(&barriers), pthread_barrierattr_setpshared(&barriers, PTHREAD_PROCESS_SHARED);
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++) {
        memset(shared, 0, sizeof *shared);
        init_mutex(&shared->mutex, PTHREAD_MUTEX_NORMAL, protocol, PTHREAD_PROCESS_SHARED);
        pthread_cond_init(&shared->cond, &cond);
        pthread_rwlock_init(&shared->rwlock, &rw);
        pthread_barrier_init(&shared->barrier, &barriers, 4);
        sem_init(&shared->semaphore, 1, 1);
        fflush(stdout);
        for (int me = 0; me < 4; me++)
            if (!fork()) {
                pthread_barrier_wait(&shared->barrier);
                for (int i = 0; i < 50; i++) {
                    pthread_mutex_lock(&shared->mutex);
                    while (shared->turn != me) pthread_cond_wait(&shared->cond, &shared->mutex);
                    shared->turn = (me + 1) % 4;
                    shared->counter++;
                    pthread_cond_broadcast(&shared->cond);
                    pthread_mutex_unlock(&shared->mutex);
                    sem_wait(&shared->semaphore);
                    shared->ready++;
                    sem_post(&shared->semaphore);
                    pthread_rwlock_wrlock(&shared->rwlock);
                    pthread_rwlock_unlock(&shared->rwlock);
                }
                _exit(me);
            }
        int total = 0;
        while (wait(&status) > 0) total += status;
        printf("processes: %d %d turn %d status %x\n", shared->counter, shared->ready, shared->turn, total);
    }
}

int main(void)
{
    setvbuf(stdout, 0, _IOLBF, 0);
    mutexes();
    conditions();
    rwlocks();
    meetings();
    cancellation();
    semaphores();
    between_processes();
    return 0;
}
