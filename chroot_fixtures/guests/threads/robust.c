/* Robust mutexes whose owners end in all ways, and lists that are not what they should be. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FUTEX(...) syscall(SYS_futex, __VA_ARGS__)

static const char *name(int error) { return error ? strerrorname_np(error) : "0"; }

struct page {
    pthread_mutex_t mutex[4];
    volatile int flag, words[64];
    /* A list as the kernel sees it. */
    struct entry { struct entry *next; uint32_t word; } entries[8];
    struct { struct entry *next; long offset; struct entry *pending; } head;
};
static struct page *page;

static void make(pthread_mutex_t *mutex, int robust, int shared, int protocol, int type)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, robust ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
    pthread_mutexattr_setpshared(&attributes, shared ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutexattr_settype(&attributes, type);
    printf("make %s\n", name(pthread_mutex_init(mutex, &attributes)));
}

/* Lock; mend it if its owner died. */
static void take(const char *who, pthread_mutex_t *mutex, int mend)
{
    int error = pthread_mutex_lock(mutex);
    printf("%s: lock %s", who, name(error));
    if (error == EOWNERDEAD && mend) printf(" consistent %s", name(pthread_mutex_consistent(mutex)));
    if (!error || error == EOWNERDEAD) printf(" unlock %s", name(pthread_mutex_unlock(mutex)));
    printf("\n");
}

static void *hold(void *mutex)
{
    pthread_mutex_lock(mutex);
    page->flag = 1;
    usleep(20000); /* somebody waits by now */
    return 0;
}

static void threads(int protocol)
{
    pthread_t thread;
    pthread_mutex_t *mutex = page->mutex;
    make(mutex, 1, 0, protocol, PTHREAD_MUTEX_ERRORCHECK);
    page->flag = 0;
    pthread_create(&thread, 0, hold, mutex);
    while (!page->flag) usleep(500);
    take("who waited", mutex, 1);
    pthread_join(thread, 0);
    take("afterwards", mutex, 0);
    pthread_create(&thread, 0, hold, mutex);
    pthread_join(thread, 0);
    printf("try %s\n", name(pthread_mutex_trylock(mutex)));
    printf("unlock without mending %s\n", name(pthread_mutex_unlock(mutex)));
    take("never again", mutex, 0);
    printf("try %s\n", name(pthread_mutex_trylock(mutex)));
    printf("destroy %s\n", name(pthread_mutex_destroy(mutex)));
}

static void *wait_in_thread(void *mutex)
{
    take("a thread", mutex, 1);
    return 0;
}

/* The owner is another process that ends by `how`. */
static void processes(const char *how, int protocol)
{
    pthread_mutex_t *mutex = page->mutex + 1;
    pthread_t thread;
    int status;
    pid_t pid;
    printf("%s, protocol %d: ", how, protocol);
    make(mutex, 1, 1, protocol, PTHREAD_MUTEX_NORMAL);
    page->flag = 0;
    fflush(stdout);
    if (!(pid = fork())) {
        pthread_mutex_lock(mutex);
        page->flag = 1;
        if (!strcmp(how, "killed")) for (;;) pause();
        usleep(20000);
        if (!strcmp(how, "exec")) execl("/proc/self/exe", "robust", "child", NULL);
        if (!strcmp(how, "segv")) *(volatile int *)8 = 1;
        _exit(5);
    }
    while (!page->flag) usleep(500);
    pthread_create(&thread, 0, wait_in_thread, mutex);
    usleep(5000);
    if (!strcmp(how, "killed")) kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    pthread_join(thread, 0);
    printf("status %x\n", status);
    take("main", mutex, 1);
}

/* All threads of a process hold a lock and are killed together. */
static void *hold_for_ever(void *mutex)
{
    pthread_mutex_lock(mutex);
    __atomic_add_fetch(&page->flag, 1, __ATOMIC_SEQ_CST);
    for (;;) pause();
}

static void whole_process(void)
{
    int status;
    pid_t pid;
    for (int i = 0; i < 4; i++) make(page->mutex + i, 1, 1, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_NORMAL);
    page->flag = 0;
    fflush(stdout);
    if (!(pid = fork())) {
        pthread_t thread;
        for (int i = 0; i < 4; i++) pthread_create(&thread, 0, hold_for_ever, page->mutex + i);
        for (;;) pause();
    }
    while (page->flag < 4) usleep(500);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    for (int i = 0; i < 4; i++) take("all", page->mutex + i, 1);
}

/* Lists made by hand. A process registers one and ends. */
static void list(const char *what, void (*build)(pid_t), int waiters)
{
    int status;
    pid_t pid;
    memset(page->entries, 0, sizeof page->entries);
    page->flag = 0;
    fflush(stdout);
    if (!(pid = fork())) {
        pid_t own = syscall(SYS_gettid);
        for (int i = 0; i < 8; i++) {
            page->entries[i].next = i < 7 ? &page->entries[i + 1] : (struct entry *)&page->head;
            page->entries[i].word = own;
        }
        page->head.next = page->entries;
        page->head.offset = offsetof(struct entry, word);
        page->head.pending = 0;
        build(own);
        syscall(SYS_set_robust_list, &page->head, sizeof page->head);
        page->flag = 1;
        if (waiters) while (FUTEX(&page->entries[2].word, FUTEX_REQUEUE, 0, 9, &page->entries[2].word, 0) < 1) usleep(500);
        syscall(SYS_exit, 0);
    }
    printf("%s:", what);
    if (waiters) {
        while (!page->flag) usleep(500);
        printf(" wait %ld", FUTEX(&page->entries[2].word, FUTEX_WAIT, page->entries[2].word, 0, 0, 0));
    }
    waitpid(pid, &status, 0);
    for (int i = 0; i < 8; i++) {
        uint32_t word = page->entries[i].word;
        printf(" %s", word == (uint32_t)pid ? "owned" : word == ((uint32_t)pid | FUTEX_WAITERS) ? "owned+" : "");
        if ((word & FUTEX_TID_MASK) != (uint32_t)pid) printf("%x", word);
    }
    printf("\n");
}

static void sound(pid_t own) {}
static void with_waiters(pid_t own) { page->entries[2].word |= FUTEX_WAITERS; }
static void not_ours(pid_t own) { page->entries[1].word = 1, page->entries[2].word = 0, page->entries[3].word = FUTEX_OWNER_DIED; }
static void endless(pid_t own) { page->entries[4].next = page->entries; }
static void into_nothing(pid_t own) { page->entries[3].next = (struct entry *)64; }
static void at_nothing(pid_t own) { page->head.next = (struct entry *)64; }
static void far_away(pid_t own) { page->head.offset = 1 << 30; }
static void misaligned(pid_t own) { page->entries[3].next = (struct entry *)((char *)&page->entries[4] + 2); }
static void marked(pid_t own)
{
    for (int i = 0; i < 7; i++) page->entries[i].next = (struct entry *)((char *)page->entries[i].next + 1);
}
static void pending_alone(pid_t own) { page->head.next = (void *)&page->head, page->head.pending = &page->entries[5]; }
static void pending_twice(pid_t own) { page->entries[2].word |= FUTEX_WAITERS, page->head.pending = &page->entries[2]; }
static void pending_marked(pid_t own) { page->head.pending = (struct entry *)((char *)&page->entries[2] + 1); }
static void pending_free(pid_t own) { page->entries[2].word = 0, page->head.pending = &page->entries[2]; }
static void pending_at_nothing(pid_t own) { page->head.pending = (struct entry *)64; }
static void died_before(pid_t own) { page->entries[2].word |= FUTEX_OWNER_DIED | FUTEX_WAITERS; }
static void head_unreadable(pid_t own)
{
    munmap((void *)((uintptr_t)page & -4096), 4096);
    _exit(0);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        usleep(20000);
        return 5;
    }
    setvbuf(stdout, 0, _IOLBF, 0);
    page = mmap(0, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++) {
        threads(protocol);
        processes("exits", protocol);
        processes("killed", protocol);
        processes("exec", protocol);
        processes("segv", protocol);
    }
    whole_process();
    list("sound", sound, 0);
    list("waiters", with_waiters, 1);
    list("not ours", not_ours, 0);
    list("endless", endless, 0);
    list("into nothing", into_nothing, 0);
    list("at nothing", at_nothing, 0);
    list("far away", far_away, 0);
    list("misaligned", misaligned, 0);
    list("marked", marked, 0);
    list("pending alone", pending_alone, 0);
    list("pending twice", pending_twice, 1);
    list("pending, marked", pending_marked, 0);
    list("pending, free", pending_free, 1);
    list("pending at nothing", pending_at_nothing, 0);
    list("died before", died_before, 1);
    list("unreadable", head_unreadable, 0);
    return 0;
}
