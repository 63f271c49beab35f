/* micro WORK [MILLISECONDS]: repeat one kind of work for at least so long; print nanoseconds per operation.
 *
 * One line on stdout: the number, and how many operations it is the mean of.  Exit status 2: something failed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void check(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "micro: %s failed\n", what);
        exit(2);
    }
}

static double work_getpid(long count)
{
    double start = now();
    for (long i = 0; i < count; i++)
        syscall(SYS_getpid);
    return now() - start;
}

static double work_open(long count)
{
    char byte;
    double start = now();
    for (long i = 0; i < count; i++) {
        int fd = open("/etc/passwd", O_RDONLY);
        check(fd >= 0 && read(fd, &byte, 1) == 1 && close(fd) == 0, "open, read, close");
    }
    return now() - start;
}

/* Touch every `stride`-th page of fresh memory.  Only the touching is timed, not mmap and munmap. */
static double touch(long count, long stride)
{
    double sum = 0;
    while (count > 0) {
        long batch = count < 4096 ? count : 4096;
        size_t size = batch * stride * 4096;
        char *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        check(memory != MAP_FAILED, "mmap");
        double start = now();
        for (long i = 0; i < batch; i++)
            memory[i * stride * 4096] = 1;
        sum += now() - start;
        check(munmap(memory, size) == 0, "munmap");
        count -= batch;
    }
    return sum;
}

static double work_fault(long count) { return touch(count, 2); }
static double work_fault_sequential(long count) { return touch(count, 1); }

static double work_fork(long count)
{
    double start = now();
    for (long i = 0; i < count; i++) {
        pid_t pid = fork();
        check(pid >= 0, "fork");
        if (pid == 0)
            _exit(0);
        check(waitpid(pid, 0, 0) == pid, "waitpid");
    }
    return now() - start;
}

/* Time per 64 kB sent through a pipe to a child that reads them. */
static double work_pipe(long count)
{
    static char block[65536];
    int ends[2];
    check(pipe(ends) == 0, "pipe");
    double start = now();
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        close(ends[1]);
        while (read(ends[0], block, sizeof block) > 0)
            ;
        _exit(0);
    }
    close(ends[0]);
    for (long i = 0; i < count; i++)
        for (size_t sent = 0; sent < sizeof block;) {
            ssize_t n = write(ends[1], block + sent, sizeof block - sent);
            check(n > 0, "write");
            sent += n;
        }
    close(ends[1]);
    check(waitpid(pid, 0, 0) == pid, "waitpid");
    return now() - start;
}

static int compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* Sort 2 million pseudo-random ints; one operation is one sort. */
static double work_qsort(long count)
{
    enum { N = 2000000 };
    double sum = 0;
    int *numbers = malloc(N * sizeof *numbers);
    check(numbers != 0, "malloc");
    while (count-- > 0) {
        unsigned seed = 1;
        for (int i = 0; i < N; i++) {
            seed = seed * 1103515245 + 12345;
            numbers[i] = seed >> 1;
        }
        double start = now();
        qsort(numbers, N, sizeof *numbers, compare);
        sum += now() - start;
    }
    free(numbers);
    return sum;
}

static const struct {
    const char *name;
    double (*run)(long);
    long first; /* operations of the first try */
} works[] = {
    {"getpid", work_getpid, 200}, {"open", work_open, 50},   {"fault", work_fault, 256},
    {"fault-sequential", work_fault_sequential, 256},        {"fork", work_fork, 4},
    {"pipe", work_pipe, 8},       {"qsort", work_qsort, 1},
};

int main(int argc, char **argv)
{
    double least = (argc > 2 ? atof(argv[2]) : 200) * 1e6;
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (argc > 1 && strcmp(argv[1], works[i].name) == 0) {
            long count = works[i].first;
            double time = works[i].run(count);
            while (time < least) { /* the tries before the last one are the warming up */
                double factor = time > 0 ? 1.3 * least / time : 100;
                count = count * (factor > 100 ? 100 : factor) + 1;
                time = works[i].run(count);
            }
            printf("%.1f %ld\n", time / count, count);
            return 0;
        }
    fprintf(stderr, "usage: micro WORK [MILLISECONDS]\n");
    return 2;
}
