/* Restartable sequences: registration, counters that threads increment in critical sections while they are preempted,
   sections broken off by signals, bad descriptions. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGNATURE 0x53053053
#define THREADS 4
#define ROUNDS 150000

struct area {
    uint32_t cpu_id_start, cpu_id;
    uint64_t section;
    uint32_t flags;
} __attribute__((aligned(32)));

struct section {
    uint32_t version, flags;
    uint64_t start, length, abort;
} __attribute__((aligned(32)));

extern const ptrdiff_t __rseq_offset;
extern const unsigned int __rseq_size;
static __thread struct area mine;
static volatile long counter;
static volatile long spins;

#define SHOW(call) \
    do { \
        errno = 0; \
        long result = (long)(call); \
        printf("%s = %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : ""); \
        fflush(stdout); \
    } while (0)

static long rseq(void *area, unsigned length, int flags, unsigned signature) {
    return syscall(SYS_rseq, area, length, flags, signature);
}

/* What the C library has registered goes away, so that the structures here count. */
static void take_over(void) {
    if (__rseq_size) rseq((char *)__builtin_thread_pointer() + __rseq_offset, 32, 1, SIGNATURE);
}

/* counter++ as load, pause, store: right only when nobody else runs in between. Returns how often it began again. */
static long increment(struct area *area, long pause) {
    long again = -1;
    static volatile long *target = &counter;
#ifdef __x86_64__
    __asm__ volatile(
        ".pushsection .data.rseq, \"aw\"\n"
        ".balign 32\n"
        "9: .long 0, 0\n .quad 1f, 2f - 1f, 4f\n"
        ".popsection\n"
        "3: inc %[again]\n"
        "lea 9b(%%rip), %%rax\n"
        "mov %%rax, %[section]\n"
        "1: mov (%[target]), %%rax\n"
        "mov %[pause], %%rcx\n"
        "5: dec %%rcx\n jnz 5b\n"
        "inc %%rax\n"
        "mov %%rax, (%[target])\n"
        "2:\n"
        ".pushsection .text.abort, \"ax\"\n"
        ".byte 0x0f, 0xb9, 0x3d\n .long 0x53053053\n"
        "4: jmp 3b\n"
        ".popsection\n"
        : [again] "+r"(again), [section] "=m"(area->section)
        : [target] "r"(target), [pause] "r"(pause)
        : "rax", "rcx", "memory", "cc");
#else
    __asm__ volatile(
        ".pushsection .data.rseq, \"aw\"\n"
        ".balign 32\n"
        "9: .long 0, 0, 1f, 0, 2f - 1f, 0, 4f, 0\n"
        ".popsection\n"
        "3: incl %[again]\n"
        "movl $9b, %[section]\n"
        "1: mov (%[target]), %%eax\n"
        "mov %[pause], %%ecx\n"
        "5: dec %%ecx\n jnz 5b\n"
        "inc %%eax\n"
        "mov %%eax, (%[target])\n"
        "2:\n"
        ".pushsection .text.abort, \"ax\"\n"
        ".byte 0x0f, 0xb9, 0x3d\n .long 0x53053053\n"
        "4: jmp 3b\n"
        ".popsection\n"
        : [again] "+m"(again), [section] "=m"(*(uint32_t *)&area->section)
        : [target] "r"(target), [pause] "m"(pause)
        : "eax", "ecx", "memory", "cc");
#endif
    return again;
}

static void *count(void *unused) {
    take_over();
    if (rseq(&mine, 32, 0, SIGNATURE)) return (void *)1;
    for (int i = 0; i < ROUNDS; i++) increment(&mine, 150);
    return (void *)rseq(&mine, 32, 1, SIGNATURE);
}

static volatile sig_atomic_t ticks;
static volatile int seen_outside;
static struct area *registered;

static void tick(int signo) {
    ticks++;
    seen_outside += !registered->section;
}

static int in_child(int bad) {
    struct area *area;
    struct section *section;
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        posix_memalign((void **)&area, 32, 64);
        posix_memalign((void **)&section, 32, 64);
        memset(area, 0, 64), memset(section, 0, 64);
        take_over();
        signal(SIGALRM, tick);
        if (bad == 7) _exit(rseq((void *)0x10000, 32, 0, SIGNATURE) ? 4 : 5);
        if (bad > 7) area = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (rseq(area, 32, 0, SIGNATURE)) _exit(1);
        if (bad > 7) {
            munmap(area, 4096);
            if (bad == 8) raise(SIGALRM);
            if (bad == 9) kill(getpid(), SIGCONT);  /* no handler: nobody looks */
            _exit(rseq(area, 32, 1, SIGNATURE) < 0 && errno == EFAULT ? 6 : 7);
        }
        registered = &mine;
        section->start = (uintptr_t)in_child, section->length = 100000, section->abort = (uintptr_t)tick;
        switch (bad) {
            case 0: section = NULL; break;
            case 1: break;  /* no signature in front of the abort address */
            case 2: section = (void *)8; break;
            case 3: section->version = 1; break;
            case 4: section->abort = section->start + 4; break;
            case 5: section->start = ~0ULL - 50, section->length = 100; break;
            case 6: area->section = 1ULL << 62; break;
        }
        if (bad != 6) area->section = (uintptr_t)section;
        raise(SIGALRM);
        _exit(area->section ? 3 : 2);
    }
    waitpid(pid, &status, 0);
    return status;
}

int main(void) {
    struct area *own = &mine;
    take_over();
    SHOW(rseq(own, 32, 2, SIGNATURE));
    SHOW(rseq(own, 31, 0, SIGNATURE));
    SHOW(rseq((char *)own + 8, 32, 0, SIGNATURE));
    SHOW(rseq((void *)(-1UL << 12), 32, 0, SIGNATURE));
    SHOW(rseq(own, 32, 1, SIGNATURE));
    own->cpu_id = -7, own->cpu_id_start = -7, own->section = 99;
    SHOW(rseq(own, 32, 0, SIGNATURE));
    printf("%d %d %d\n", own->cpu_id >= 4096, own->cpu_id_start == own->cpu_id, (int)own->section);
    SHOW(rseq(own, 32, 0, SIGNATURE));
    SHOW(rseq(own, 32, 0, 5));
    SHOW(rseq(own, 16, 0, SIGNATURE));
    SHOW(rseq(own + 1, 32, 0, SIGNATURE));
    SHOW(rseq(own, 32, 1, 5));
    SHOW(rseq(own + 1, 32, 1, SIGNATURE));
    SHOW(rseq(own, 32, 3, SIGNATURE));
    SHOW(rseq(own, 32, 1, SIGNATURE));
    printf("%d %d\n", (int)own->cpu_id, own->cpu_id_start);
    SHOW(rseq(own, 32, 1, SIGNATURE));
    for (int bad = 0; bad < 10; bad++) printf("bad %d: %x\n", bad, in_child(bad));

    /* A section that lasts until a signal has come: the handler sees that it is over, and it begins again. */
    SHOW(rseq(own, 32, 0, SIGNATURE));
    registered = own;
    signal(SIGALRM, tick);
    struct itimerval soon = {{0, 0}, {0, 5000}};
    ticks = 0;
    long again = 0;
    seen_outside = 0;
    for (int rounds = 0; !again && rounds < 100; rounds++) {  /* the signal may also come before it */
        setitimer(ITIMER_REAL, &soon, NULL);
        again = increment(own, 20000000);
    }
    printf("began again %d, handlers all outside %d\n", again > 0, seen_outside == ticks);

    /* fork keeps the registration. */
    fflush(stdout);
    int status;
    if (!fork()) _exit(rseq(own, 32, 0, SIGNATURE) == -1 && errno == EBUSY ? 6 : 7);
    wait(&status);
    printf("after fork %x\n", status);

    /* On one processor, which is where sections make increments exact. */
    unsigned long one = 1;
    syscall(SYS_sched_setaffinity, 0, sizeof one, &one);
    pthread_t threads[THREADS];
    void *result;
    counter = 0;
    rseq(own, 32, 1, SIGNATURE);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, count, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], &result);
    printf("counted %ld of %d, %ld\n", counter, THREADS * ROUNDS, (long)result);
    return 0;
}
