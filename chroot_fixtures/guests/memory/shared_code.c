/* Code that is stored through one mapping of a file and run through another: private or shared, mapped before or after,
 * in this process or in a child, with accesses to thread-local memory in it. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, RX = PROT_READ | PROT_EXEC };

#ifdef __x86_64__
static const unsigned char tls[] = {0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0xc3}; /* mov %fs:0,%rax; ret */
#else
static const unsigned char tls[] = {0x65, 0xa1, 0, 0, 0, 0, 0xc3}; /* mov %gs:0,%eax; ret */
#endif

static void number(char *at, int value)
{
    at[0] = (char)0xb8; /* mov $value,%eax; ret */
    memcpy(at + 1, &value, 4);
    at[5] = (char)0xc3;
}

static void *run(char *at)
{
    unsigned a, b, c, d;
    __cpuid(0, a, b, c, d); /* another address: the processor must be told */
    return ((void *(*)(void))at)();
}

static int value(char *at) { return (int)(long)run(at); }

static int make(int memory)
{
    int fd = memory ? memfd_create("code", 0) : open("code", O_RDWR | O_CREAT | O_TRUNC, 0700);
    if (fd < 0 || ftruncate(fd, 4 * PAGE))
        exit(2);
    return fd;
}

static char *map(int fd, int prot, int flags)
{
    char *base = mmap(0, 4 * PAGE, prot, flags, fd, 0);
    if (base == MAP_FAILED)
        exit(3);
    return base;
}

/* Write, run, write again, run again, ten times: translations must not be stale */
static void loop(const char *what, char *writable, char *runnable)
{
    int right = 0;
    for (int i = 0; i < 10; i++) {
        number(writable + 64, i);
        number(writable + PAGE + 64, i + 1000);
        right += value(runnable + 64) == i;
        right += value(runnable + PAGE + 64) == i + 1000;
    }
    printf(" %s:%d", what, right);
}

static void *myself(char *runnable, char *writable)
{
    memcpy(writable + 2 * PAGE, tls, sizeof tls);
    return run(runnable + 2 * PAGE);
}

static void all(const char *name, int memory)
{
    printf("%s:", name);
    for (int shared = 0; shared < 2; shared++)
        for (int before = 0; before < 2; before++) {
            int fd = make(memory), kind = shared ? MAP_SHARED : MAP_PRIVATE;
            char *runnable = 0, *writable;
            if (before) {
                runnable = map(fd, RX, kind);
                char code[6];
                number(code, 11);
                pwrite(fd, code, 6, 64);
                printf(" %d", value(runnable + 64));
            }
            writable = map(fd, RW, MAP_SHARED);
            number(writable + 64, 77);
            if (!before)
                runnable = map(fd, RX, kind);
            printf(" %d", value(runnable + 64));
            loop(shared ? "shared" : "private", writable, runnable);

            /* thread-local memory: lbw changes such code; then it becomes other code, and back */
            void *one = myself(runnable, writable);
            number(writable + 2 * PAGE, 5);
            int other = value(runnable + 2 * PAGE);
            void *two = myself(runnable, writable);
            printf(" tls:%d,%d,%d", one != 0, other, one == two);

            /* write(2) */
            char code[6];
            number(code, 4242);
            pwrite(fd, code, 6, 2 * PAGE);
            printf(" pwrite:%d", value(runnable + 2 * PAGE));

            /* a child writes, this process runs; and the other way round */
            fflush(stdout);
            pid_t pid = fork();
            if (pid == 0) {
                number(writable + 64, 99);
                _exit(value(runnable + 64));
            }
            int status;
            waitpid(pid, &status, 0);
            printf(" child:%d,%d", WEXITSTATUS(status), value(runnable + 64));

            /* a mapping that becomes executable, and one that becomes writable */
            char *later = map(fd, PROT_READ, MAP_SHARED);
            if (mprotect(later, 4 * PAGE, RX))
                exit(4);
            loop("mprotect", writable, later);
            if (mprotect(later, 4 * PAGE, RW))
                exit(5);
            loop("swapped", later, runnable);
            munmap(writable, 4 * PAGE);
            munmap(later, 4 * PAGE);
            printf(" left:%d", value(runnable + 64));
            munmap(runnable, 4 * PAGE);
            close(fd);
        }
    printf("\n");
}

/* Private memory: written, run, written again, with and without mprotect between */
static void own(void)
{
    char *base = mmap(0, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int right = 0;
    for (int i = 0; i < 10; i++) {
        number(base + 64, i);
        mprotect(base, PAGE, RX);
        right += value(base + 64) == i;
        mprotect(base, PAGE, i & 1 ? RW : RW | PROT_EXEC);
    }
    printf("own: protected:%d", right);
    right = 0;
    mprotect(base, 2 * PAGE, RW | PROT_EXEC);
    for (int i = 0; i < 10; i++) {
        number(base + 64, i);
        right += value(base + 64) == i;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            number(base + 64, 50 + i);
            _exit(value(base + 64));
        }
        int status;
        waitpid(pid, &status, 0);
        right += WEXITSTATUS(status) == 50 + i;
        right += value(base + 64) == i;
    }
    printf(" unprotected, with children:%d\n", right);
}

int main(void)
{
    all("file", 0);
    all("memfd", 1);
    own();
    return 0;
}
