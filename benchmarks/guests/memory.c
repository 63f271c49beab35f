/* memory WORK [MILLISECONDS]: what mappings, faults and forks cost; print nanoseconds per operation.
 *
 * One line on stdout: the number, and how many operations it is the mean of.  A work repeats for at least so long;
 * those of whole files run once.  Exit status 2: something failed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, MB = 1 << 20, RW = PROT_READ | PROT_WRITE };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void check(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "memory: %s failed\n", what);
        exit(2);
    }
}

static char *map(size_t size, int prot)
{
    char *memory = mmap(0, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(memory != MAP_FAILED, "mmap");
    return memory;
}

static void unmap(void *memory, size_t size) { check(munmap(memory, size) == 0, "munmap"); }

static void fill(char *memory, size_t size)
{
    for (size_t at = 0; at < size; at += PAGE)
        memory[at] = 1;
}

/* Faults.  Only the touching is timed, not mmap and munmap. */

static double touch(long count, long stride)
{
    double sum = 0;
    while (count > 0) {
        long batch = count < 4096 ? count : 4096;
        size_t size = (size_t)batch * stride * PAGE;
        char *memory = map(size, RW);
        double start = now();
        for (long i = 0; i < batch; i++)
            memory[i * stride * PAGE] = 1;
        sum += now() - start;
        unmap(memory, size);
        count -= batch;
    }
    return sum;
}

static double work_touch(long count) { return touch(count, 1); }
static double work_touch_second(long count) { return touch(count, 2); }

static double work_touch_64(long count)
{
    double sum = 0;
    while (count-- > 0) {
        char *memory = map(64 * MB, RW);
        double start = now();
        fill(memory, 64 * MB);
        sum += now() - start;
        unmap(memory, 64 * MB);
    }
    return sum;
}

/* A child writes to memory that it shares with its parent, and tells how long that took. */
static double cow(long count, long stride)
{
    enum { SIZE = 16 * MB };
    static char *memory;
    double sum = 0, time;
    int ends[2];
    if (!memory)
        fill(memory = map(SIZE, RW), SIZE);
    check(pipe(ends) == 0, "pipe");
    while (count > 0) {
        long pages = SIZE / PAGE / stride, batch = count < pages ? count : pages;
        pid_t pid = fork();
        check(pid >= 0, "fork");
        if (pid == 0) {
            double start = now();
            for (long i = 0; i < batch; i++)
                memory[i * stride * PAGE] = 2;
            time = now() - start;
            check(write(ends[1], &time, sizeof time) == sizeof time, "write");
            _exit(0);
        }
        check(read(ends[0], &time, sizeof time) == sizeof time && waitpid(pid, 0, 0) == pid, "child");
        sum += time;
        count -= batch;
    }
    close(ends[0]);
    close(ends[1]);
    return sum;
}

static double work_cow(long count) { return cow(count, 1); }
static double work_cow_second(long count) { return cow(count, 2); }

/* Files of 64 MB: each work runs once in a process that has not seen the file before. */

static double map_file(int flags, long step)
{
    struct stat status;
    int fd = open("/data", O_RDONLY);
    check(fd >= 0 && fstat(fd, &status) == 0 && status.st_size == 64 * MB, "/data");
    double start = now();
    uint64_t sum = 0, *words = mmap(0, 64 * MB, PROT_READ, flags, fd, 0);
    check(words != MAP_FAILED, "mmap of a file");
    for (long i = 0; i < 64 * MB / 8; i += step)
        sum += words[i];
    double time = now() - start;
    check(sum != 0, "reading");
    return time;
}

static double work_file_private(long count) { return map_file(MAP_PRIVATE, count); }
static double work_file_shared(long count) { return map_file(MAP_SHARED, count); }
static double work_file_pages(long count) { return map_file(MAP_PRIVATE, count * PAGE / 8); }

static double work_file_write(long count)
{
    int fd = open("/written", O_RDWR | O_CREAT | O_TRUNC, 0600);
    check(fd >= 0 && ftruncate(fd, 64 * MB) == 0, "/written");
    double start = now();
    uint64_t *words = mmap(0, 64 * MB, RW, MAP_SHARED, fd, 0);
    check(words != MAP_FAILED, "shared mmap of a file");
    for (long i = 0; i < 64 * MB / 8; i += count)
        words[i] = i;
    check(msync(words, 64 * MB, MS_SYNC) == 0, "msync");
    double time = now() - start;
    check(unlink("/written") == 0, "unlink");
    return time;
}

/* System calls on mappings */

static double work_mmap(long count)
{
    double start = now();
    while (count-- > 0)
        unmap(map(PAGE, RW), PAGE);
    return now() - start;
}

static double work_mmap_touch(long count)
{
    double start = now();
    while (count-- > 0) {
        char *memory = map(PAGE, RW);
        *memory = 1;
        unmap(memory, PAGE);
    }
    return now() - start;
}

static double work_mprotect(long count)
{
    char *memory = map(64 * PAGE, RW);
    fill(memory, 64 * PAGE);
    double start = now();
    for (long i = 0; i < count; i++)
        check(mprotect(memory + 32 * PAGE, PAGE, i & 1 ? RW : PROT_READ) == 0, "mprotect");
    double time = now() - start;
    unmap(memory, 64 * PAGE);
    return time;
}

static double work_mremap(long count)
{
    size_t size = PAGE;
    double start = now();
    char *memory = map(PAGE, RW);
    for (; count > 0; count--) {
        memory = mremap(memory, size, size + PAGE, MREMAP_MAYMOVE);
        check(memory != MAP_FAILED, "mremap");
        size += PAGE;
        if (size == 4 * MB) {
            unmap(memory + PAGE, size - PAGE);
            size = PAGE;
        }
    }
    double time = now() - start;
    unmap(memory, size);
    return time;
}

static double work_mremap_move(long count)
{
    char *places = map(4 * MB, PROT_NONE), *memory = map(MB, RW);
    fill(memory, MB);
    double start = now();
    for (long i = 0; i < count; i++) {
        memory = mremap(memory, MB, MB, MREMAP_MAYMOVE | MREMAP_FIXED, places + (i & 1) * 2 * MB);
        check(memory != MAP_FAILED, "mremap");
    }
    double time = now() - start;
    unmap(memory, MB);
    munmap(places, 4 * MB);
    return time;
}

static double work_brk(long count)
{
    double start = now();
    for (long i = 0; i < count; i++)
        check(sbrk(i & 1 ? -65536 : 65536) != (void *)-1, "sbrk");
    double time = now() - start;
    if (count & 1)
        sbrk(-65536);
    return time;
}

static double work_many(long count)
{
    enum { MANY = 10000 };
    static char *each[MANY];
    double sum = 0;
    for (; count > 0; count -= MANY) {
        double start = now();
        for (int i = 0; i < MANY; i++)
            each[i] = map(PAGE, i & 1 ? RW : PROT_READ); /* neighbours that cannot be merged */
        sum += now() - start;
        for (int i = 0; i < MANY; i++)
            unmap(each[i], PAGE);
    }
    return sum;
}

static double work_dontneed(long count)
{
    char *memory = map(MB, RW);
    double sum = 0;
    while (count-- > 0) {
        fill(memory, MB);
        double start = now();
        check(madvise(memory, MB, MADV_DONTNEED) == 0, "madvise");
        sum += now() - start;
    }
    unmap(memory, MB);
    return sum;
}

/* fork + exit + wait of a process that has touched so much */
static double fork_with(long count, size_t size)
{
    static char *memory;
    if (!memory)
        fill(memory = map(size, RW), size);
    double start = now();
    while (count-- > 0) {
        pid_t pid = fork();
        check(pid >= 0, "fork");
        if (pid == 0)
            _exit(0);
        check(waitpid(pid, 0, 0) == pid, "waitpid");
    }
    return now() - start;
}

static double work_fork_1(long count) { return fork_with(count, MB); }
static double work_fork_500(long count) { return fork_with(count, 500ul * MB); }
static double work_fork_1000(long count) { return fork_with(count, 1024ul * MB); }

/* The fork alone, as the parent sees it; the child exits at once. */
static double work_fork_alone(long count)
{
    static char *memory;
    double sum = 0;
    if (!memory)
        fill(memory = map(1024ul * MB, RW), 1024ul * MB);
    while (count-- > 0) {
        double start = now();
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        sum += now() - start;
        check(pid > 0 && waitpid(pid, 0, 0) == pid, "fork, waitpid");
    }
    return sum;
}

static double work_spawn(long count)
{
    static char *const arguments[] = {"true", 0}, *const environment[] = {0};
    double start = now();
    while (count-- > 0) {
        int status;
        pid_t pid = fork();
        check(pid >= 0, "fork");
        if (pid == 0) {
            execve("/bin/true", arguments, environment);
            _exit(127);
        }
        check(waitpid(pid, &status, 0) == pid && status == 0, "/bin/true");
    }
    return now() - start;
}

/* Throughput: the memory is touched before */

static double copy(long count, size_t size)
{
    static char *from, *to;
    if (!from) {
        fill(from = map(size + PAGE, RW), size); /* as malloc lays them: not a power of two apart */
        fill(to = map(size + PAGE, RW), size);
    }
    double start = now();
    while (count-- > 0) {
        memcpy(to, from, size);
        __asm__ volatile("" ::: "memory");
    }
    return now() - start;
}

static double set(long count, size_t size)
{
    static char *memory;
    if (!memory)
        fill(memory = map(size, RW), size);
    double start = now();
    while (count-- > 0) {
        memset(memory, (int)count, size);
        __asm__ volatile("" ::: "memory");
    }
    return now() - start;
}

static double work_copy_page(long count) { return copy(count, PAGE); }
static double work_copy_1(long count) { return copy(count, MB); }
static double work_copy_64(long count) { return copy(count, 64 * MB); }
static double work_set_page(long count) { return set(count, PAGE); }
static double work_set_1(long count) { return set(count, MB); }
static double work_set_64(long count) { return set(count, 64 * MB); }

static double work_random(long count)
{
    enum { WORDS = 256 * MB / 8 };
    static uint64_t *words;
    uint64_t at = 1, sum = 0;
    if (!words)
        fill((char *)(words = (uint64_t *)map(256 * MB, RW)), 256 * MB);
    double start = now();
    while (count-- > 0) { /* each address depends on what was read before */
        sum += words[(at >> 33) % WORDS];
        at = at * 6364136223846793005u + 1442695040888963407u + (sum & 1);
    }
    double time = now() - start;
    check(at != 0, "reading");
    return time;
}

/* A file of a tmpfs, where there is one: written and read again and again. */
static double file(long count, size_t size, int writes)
{
    static char *block;
    int fd = open("/dev/shm/memory", O_RDWR | O_CREAT, 0600);
    if (!block)
        fill(block = map(size, RW), size);
    check(fd >= 0 && pwrite(fd, block, size, 0) == (ssize_t)size, "/dev/shm/memory");
    double start = now();
    while (count-- > 0)
        check((writes ? pwrite(fd, block, size, 0) : pread(fd, block, size, 0)) == (ssize_t)size, "read or write");
    double time = now() - start;
    close(fd);
    unlink("/dev/shm/memory");
    return time;
}

static double work_write_page(long count) { return file(count, PAGE, 1); }
static double work_write_1(long count) { return file(count, MB, 1); }
static double work_read_page(long count) { return file(count, PAGE, 0); }
static double work_read_1(long count) { return file(count, MB, 0); }

static const struct {
    const char *name;
    double (*run)(long);
    long first; /* operations of the first try; 0: it can run only once */
} works[] = {
    {"touch", work_touch, 256},           {"touch-second", work_touch_second, 256},
    {"touch-64", work_touch_64, 1},       {"cow", work_cow, 256},
    {"cow-second", work_cow_second, 256}, {"file-private", work_file_private, 0},
    {"file-shared", work_file_shared, 0}, {"file-pages", work_file_pages, 0},
    {"file-write", work_file_write, 0},   {"mmap", work_mmap, 100},
    {"mmap-touch", work_mmap_touch, 100}, {"mprotect", work_mprotect, 100},
    {"mremap", work_mremap, 100},         {"mremap-move", work_mremap_move, 10},
    {"brk", work_brk, 100},               {"many", work_many, 10000},
    {"dontneed", work_dontneed, 4},       {"fork-1", work_fork_1, 4},
    {"fork-500", work_fork_500, 2},       {"fork-1000", work_fork_1000, 2},
    {"fork-alone", work_fork_alone, 2},   {"spawn", work_spawn, 4},
    {"copy-page", work_copy_page, 1000},  {"copy-1", work_copy_1, 10},
    {"copy-64", work_copy_64, 1},         {"set-page", work_set_page, 1000},
    {"set-1", work_set_1, 10},            {"set-64", work_set_64, 1},
    {"random", work_random, 1000000},     {"write-page", work_write_page, 100},
    {"write-1", work_write_1, 4},         {"read-page", work_read_page, 100},
    {"read-1", work_read_1, 4},
};

int main(int argc, char **argv)
{
    double least = (argc > 2 ? atof(argv[2]) : 200) * 1e6;
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (argc > 1 && strcmp(argv[1], works[i].name) == 0) {
            long count = works[i].first ? works[i].first : 1;
            double time = works[i].run(count);
            while (works[i].first && time < least) { /* the tries before the last one are the warming up */
                double factor = time > 0 ? 1.3 * least / time : 100;
                count = count * (factor > 100 ? 100 : factor) + 1;
                time = works[i].run(count);
            }
            if (works[i].run == work_many) /* it does whole batches */
                count = (count + 9999) / 10000 * 10000;
            printf("%.1f %ld\n", time / count, count);
            return 0;
        }
    fprintf(stderr, "usage: memory WORK [MILLISECONDS]\n");
    return 2;
}
