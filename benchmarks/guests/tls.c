/* tls WORK [MILLISECONDS]: repeat one kind of work that reaches thread-local memory; print nanoseconds per operation.
 *
 * One line on stdout: the number, and how many operations it is the mean of.  Exit status 2: something failed. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Set errno and read it again. */
static void work_errno(long count)
{
    int *(*volatile location)(void) = __errno_location; /* the compiler would call it once */
    int sum = 0;
    for (long i = 0; i < count; i++) {
        *location() = i & 255;
        sum += *location();
    }
    *(volatile int *)&sum = sum;
}

/* malloc and free, of small blocks of several sizes, which stay in the thread's cache. */
static void work_malloc(long count)
{
    for (long i = 0; i < count; i++) {
        char *block = malloc(16 + (i & 7) * 24);
        *(volatile char *)block = 1;
        free(block);
    }
}

/* A call of a function that checks its frame. */
__attribute__((stack_protect, noinline)) static int protected_function(int x)
{
    volatile char bytes[16];
    bytes[x & 15] = 1;
    return x + bytes[x & 15];
}

static void work_protector(long count)
{
    int x = 0;
    for (long i = 0; i < count; i++)
        x = protected_function(x);
    *(volatile int *)&x = x;
}

/* Code that cannot be patched: mov rax, fs:[0x28]; dec rdi; jnz; ret in a page that is writable, too. */
static void work_jit(long count)
{
    static const unsigned char code[] = {0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0,    0,    0,
                                         0x48, 0xff, 0xcf, 0x75, 0xf2, 0xc3};
    static char *page;
    if (!page) {
        page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            exit(2);
        memcpy(page, code, sizeof code);
    }
    ((void (*)(long))page)(count);
}

static const struct {
    const char *name;
    void (*run)(long);
} works[] = {{"errno", work_errno}, {"malloc", work_malloc}, {"protector", work_protector}, {"jit", work_jit}};

int main(int argc, char **argv)
{
    double least = (argc > 2 ? atof(argv[2]) : 200) * 1e6;
    for (size_t i = 0; argc > 1 && i < sizeof works / sizeof *works; i++) {
        if (strcmp(works[i].name, argv[1]))
            continue;
        for (long count = 1000;; count *= 4) {
            double start = now();
            works[i].run(count);
            double elapsed = now() - start;
            if (elapsed >= least) {
                printf("%.3f %ld\n", elapsed / count, count);
                return 0;
            }
        }
    }
    return 2;
}
