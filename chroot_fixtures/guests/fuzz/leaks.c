/* Does the same many times, and says so by sched_yield() at the beginning, when it is warm, and at the end.
 *
 * leaks KIND COUNT; KIND: forks (and execs, and exits), maps, threads, files, shared
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define SLOTS 64

static uint32_t state = 1;

static uint32_t pick(uint32_t limit)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % limit;
}

static void fork_once(const char *program, int number)
{
    int status;
    pid_t child = number % 3 == 2 ? vfork() : fork();
    if (!child) {
        if (number % 3)
            execl(program, program, "exit", "0", NULL);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status)
        exit(3);
}

/* 64 slots spread over the address space; each step unmaps what is in one and maps something else there. */
static void map_once(int fd, int shared)
{
    static unsigned char *at[SLOTS];
    static size_t size[SLOTS];
    unsigned slot = pick(SLOTS), kind = pick(8);
#ifdef __i386__
    unsigned char *place = (void *)(0x20000000UL + slot * 0x1000000UL + pick(64) * PAGE);
#else
    unsigned char *place = (void *)(0x100000000000UL + slot * 0x7f0000000UL + pick(64) * PAGE);
#endif
    if (at[slot] && munmap(at[slot], size[slot]))
        exit(4);
    size[slot] = (1 + pick(9)) * PAGE;
    int flags = kind == 0 ? MAP_SHARED | MAP_ANONYMOUS : kind == 1 || kind == 2 ? MAP_PRIVATE : kind == 3 || kind == 4 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    int file = flags & MAP_ANONYMOUS ? -1 : kind & 1 ? fd : shared;
    at[slot] = mmap(place, size[slot], PROT_READ | PROT_WRITE, flags | (pick(2) ? MAP_FIXED : 0), file, file < 0 ? 0 : pick(4) * PAGE);
    if (at[slot] == MAP_FAILED)
        exit(5);
    if (pick(3) == 0)
        at[slot][0] = 1;
    if (pick(16) == 0)
        madvise(at[slot], size[slot], MADV_DONTNEED);
    if (pick(8) == 0 && size[slot] > PAGE) /* two pieces */
        mprotect(at[slot] + PAGE, PAGE, PROT_READ);
    else if (pick(32) == 0) {
        at[slot] = mremap(at[slot], size[slot], 12 * PAGE, MREMAP_MAYMOVE);
        if (at[slot] == MAP_FAILED)
            exit(6);
        size[slot] = 12 * PAGE;
    }
    if (pick(2048) == 0) {
        for (int i = 0; i < SLOTS; i++)
            if (at[i])
                munmap(at[i], size[i]), at[i] = NULL;
#ifdef __i386__
        munmap((void *)0x20000000UL, 0x60000000UL);
#else
        munmap((void *)0x100000000000UL, 0x300000000000UL);
#endif
    }
}

static void *nothing(void *argument)
{
    return argument;
}

static void thread_once(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
        exit(7);
}

static void file_once(int number, const char *directory)
{
    char path[64];
    sprintf(path, "%s/t%d", directory, number & 15);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, 3 * PAGE + 5))
        exit(8);
    unsigned char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, number & 1 ? MAP_SHARED : MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        exit(9);
    at[PAGE] = number;
    close(fd);
    if (number & 2)
        unlink(path);
    munmap(at, 4 * PAGE);
    unlink(path);
}

static void shared_once(int number)
{
    int fd = memfd_create("m", 0);
    if (fd < 0 || ftruncate(fd, 40 * PAGE))
        exit(10);
    unsigned char *at = mmap(NULL, 40 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memset(at, number, 20 * PAGE);
    if (write(fd, at, 7 * PAGE) != 7 * PAGE)
        exit(11);
    close(fd);
    munmap(at, number & 1 ? 40 * PAGE : 20 * PAGE);
    if (!(number & 1))
        munmap(at + 20 * PAGE, 20 * PAGE);
}

int main(int argc, char **argv)
{
    if (argc < 3 || !strcmp(argv[1], "exit"))
        return 0;
    int count = atoi(argv[2]), warm = count / 5 + 20;
    int fd = open("/work/leaks", O_RDWR | O_CREAT | O_TRUNC, 0600), shared = memfd_create("shared", 0);
    if (fd < 0 || ftruncate(fd, 64 * PAGE) || ftruncate(shared, 64 * PAGE))
        return 1;
    sched_yield();
    for (int i = 0; i < count + warm; i++) {
        if (i == warm) {
            munmap((void *)PAGE, 0);
            sched_yield();
        }
        if (!strcmp(argv[1], "forks"))
            fork_once(argv[0], i);
        else if (!strcmp(argv[1], "maps"))
            map_once(fd, shared);
        else if (!strcmp(argv[1], "threads"))
            thread_once();
        else if (!strcmp(argv[1], "files"))
            file_once(i, i & 4 ? "/tmp" : "/work");
        else if (!strcmp(argv[1], "shared"))
            shared_once(i);
    }
    sched_yield();
    puts("done");
    return 0;
}
