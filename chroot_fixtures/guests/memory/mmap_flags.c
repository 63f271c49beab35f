// mmap and munmap: every flag, where mappings go, and the errno of calls with more than one mistake.
#include "maps.h"

static char *at(long page) { return base + page * PAGE; }

static long map(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
    return (long)mmap(address, length, prot, flags, fd, offset);
}

#define LAST ((off_t)(~0ul >> 1 & -PAGE)) // page of the largest file
#define VALIDATED MAP_SHARED_VALIDATE

static void refusals(void)
{
    puts("-- refusals");
    SHOW(map(NULL, 0, RW, PRIVATE, -1, 0)), SHOW(map(NULL, -1, RW, PRIVATE, -1, 0));
    SHOW(map(NULL, -PAGE, RW, PRIVATE, -1, 0));
    SHOW(map(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0)), SHOW(map(NULL, PAGE, RW, MAP_ANONYMOUS | 9, -1, 0));
    SHOW(map(NULL, PAGE, RW, VALIDATED | MAP_ANONYMOUS, -1, 0));
    SHOW(map(NULL, PAGE, RW, SHARED | MAP_GROWSDOWN, -1, 0));
    SHOW(map(at(2) + 1, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0));
    SHOW(map(at(2) + 1, PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0));
    SHOW(map((void *)-PAGE, PAGE, RW, PRIVATE | MAP_FIXED, -1, 0));
    SHOW(map((void *)-PAGE, 4 * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0));
    SHOW(map(NULL, PAGE, RW, MAP_PRIVATE, -1, 0)), SHOW(map(NULL, 0, RW, MAP_PRIVATE, 99, 0));
    SHOW(map(NULL, PAGE, 64 | 8, PRIVATE, -1, 0) != -1);
    SHOW(map(NULL, PAGE, RW, PRIVATE | MAP_HUGETLB, -1, 0));
    SHOW(map(NULL, PAGE, RW, PRIVATE | MAP_HUGETLB | 16 << 26, -1, 0));
    SHOW(munmap(at(2) + 1, PAGE)), SHOW(munmap(at(2), 0)), SHOW(munmap(at(2), -1)), SHOW(munmap(at(2), -PAGE));
    SHOW(munmap(at(2), PAGE)), SHOW(munmap((void *)-PAGE, PAGE));
    map(at(2), 2 * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0);
    SHOW(map(at(3), PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0));
    SHOW(map(at(1), 4 * PAGE, RW, MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    SHOW(map(at(3), PAGE, RW, MAP_PRIVATE | MAP_FIXED_NOREPLACE, 99, 0));
    SHOW(map(at(4), PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE, -1, 0));
    SHOW(map(at(3), PAGE, PROT_READ, PRIVATE | MAP_FIXED | MAP_FIXED_NOREPLACE, -1, 0));
    maps("so far");
    munmap(base, area);
}

static void files(void)
{
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600), reader = open("file", O_RDONLY);
    int writer = open("file", O_WRONLY), directory = open(".", O_RDONLY), path = open("file", O_PATH), ends[2];
    puts("-- files");
    pipe(ends);
    ftruncate(fd, 4 * PAGE);
    SHOW(map(at(2), PAGE, RW, MAP_SHARED | MAP_FIXED, reader, 0)), SHOW(map(at(2), PAGE, RW, MAP_PRIVATE | MAP_FIXED, reader, 0));
    SHOW(map(at(3), PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, reader, 0)), SHOW(map(at(4), PAGE, 0, MAP_PRIVATE | MAP_FIXED, writer, 0));
    SHOW(map(at(4), PAGE, PROT_WRITE, MAP_SHARED | MAP_FIXED, writer, 0));
    SHOW(map(at(4), PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, directory, 0));
    SHOW(map(at(4), PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, ends[0], 0));
    SHOW(map(at(4), PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, ends[1], 0));
    SHOW(map(at(4), PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, path, 0));
    SHOW(map(at(4), PAGE, PROT_READ, MAP_FIXED, fd, 0)), SHOW(map(at(4), PAGE, PROT_READ, 8 | MAP_FIXED, fd, 0));
    SHOW(map(at(4), PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN, fd, 0));
    SHOW(map(at(4), PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_HUGETLB, fd, 0));
    SHOW(map(at(4), PAGE, RW, VALIDATED | MAP_FIXED, fd, 0)), SHOW(map(at(4), PAGE, RW, VALIDATED | MAP_FIXED, reader, 0));
    SHOW(map(at(5), PAGE, RW, VALIDATED | MAP_FIXED | MAP_SYNC, fd, 0));
    SHOW(map(at(5), PAGE, RW, VALIDATED | MAP_FIXED_NOREPLACE, fd, 0));
    SHOW(map(at(5), PAGE, RW, VALIDATED | MAP_FIXED | 1 << 25, fd, 0));
    SHOW(map(at(5), PAGE, RW, VALIDATED | MAP_FIXED | MAP_POPULATE | MAP_NORESERVE | MAP_LOCKED | MAP_STACK, fd, 0));
    SHOW(map(at(6), PAGE, RW, MAP_SHARED | MAP_FIXED | 1 << 25, fd, 0));
    SHOW(map(at(7), PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE | MAP_EXECUTABLE, fd, 3 * PAGE));
    maps("files");
    SHOW(write(fd, "x", 1));
    SHOW(map(at(2), 0, RW, MAP_SHARED | MAP_FIXED, reader, 0)), SHOW(map(at(2) + 1, PAGE, RW, MAP_SHARED | MAP_FIXED, reader, 0));
    SHOW(map(NULL, -PAGE, RW, MAP_SHARED, reader, 0));
    SHOW(syscall(sizeof(long) == 8 ? SYS_mmap : 192, at(2), PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, sizeof(long) == 8 ? 1 : -1));
    if (sizeof(long) == 8) {
        SHOW(map(at(8), PAGE, RW, MAP_SHARED | MAP_FIXED, fd, LAST));
        SHOW(map(at(8), 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, LAST));
        SHOW(map(at(8), PAGE, RW, MAP_SHARED | MAP_FIXED, reader, (off_t)((unsigned long)LAST + PAGE)));
        SHOW(syscall(SYS_mmap, at(8), PAGE, RW, PRIVATE | MAP_FIXED, -1, 1));
    }
    SHOW(map(at(9), PAGE, RW, PRIVATE | MAP_FIXED, 99, 0)), SHOW(map(at(10), PAGE, RW, SHARED | MAP_FIXED, -1, 5 * PAGE));
    maps("more");
    close(fd);
    *at(6) = 'c';
    printf("after close: %c\n", *at(3));
    unlink("file"), munmap(base, area);
}

static void places(void)
{
    char *one, *two;
    puts("-- places");
    SHOW(map(at(10), 2 * PAGE, RW, PRIVATE, -1, 0)), SHOW(map(at(20) + 5, PAGE, RW, PRIVATE, -1, 0));
    SHOW(map(at(11), 2 * PAGE, RW, PRIVATE, -1, 0)), SHOW(map(at(12), 2 * PAGE, RW, PRIVATE, -1, 0));
    maps("hints");
    SHOW((unsigned long)map((void *)5, PAGE, RW, PRIVATE, -1, 0) > PAGE);
    SHOW(map((void *)-PAGE, PAGE, RW, PRIVATE, -1, 0) != -PAGE);
    map(at(400), PAGE, RW, PRIVATE | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    SHOW(map(at(399), PAGE, RW, PRIVATE, -1, 0)), SHOW(map(at(144), PAGE, RW, PRIVATE, -1, 0));
    SHOW(map(at(143), PAGE, RW, PRIVATE, -1, 0)), SHOW(map(at(401), PAGE, RW, PRIVATE, -1, 0));
    SHOW(map(at(399), PAGE, RW, PRIVATE | MAP_FIXED, -1, 0));
    maps("a gap below what grows, unless fixed");
    one = mmap(NULL, 8 * PAGE, RW, PRIVATE, -1, 0), two = mmap(NULL, 8 * PAGE, PROT_READ, PRIVATE, -1, 0);
    printf("downwards: %d\n", two + 8 * PAGE == one);
    munmap(one + 2 * PAGE, 3 * PAGE);
    printf("the highest hole: %d", (char *)mmap(NULL, 3 * PAGE, PROT_READ, PRIVATE, -1, 0) == one + 2 * PAGE);
    munmap(one + 2 * PAGE, 3 * PAGE);
    printf(" %d", (char *)mmap(NULL, PAGE, PROT_READ, PRIVATE, -1, 0) == one + 4 * PAGE);
    printf(" %d\n", (char *)mmap(NULL, 3 * PAGE, PROT_EXEC, PRIVATE, -1, 0) == two - 3 * PAGE);
    uintptr_t low = (uintptr_t)mmap(NULL, PAGE, RW, PRIVATE | MAP_32BIT, -1, 0);
    if (sizeof(long) == 8)
        printf("MAP_32BIT: %d %d\n", low >= 0x40000000, low < 0x80000000);
    munmap(base, area);
}

static void kinds(void)
{
    puts("-- kinds");
    map(at(2), PAGE, RW, SHARED | MAP_FIXED, -1, 0), map(at(3), PAGE, RW, PRIVATE | MAP_FIXED, -1, 0);
    map(at(4), PAGE, RW, PRIVATE | MAP_FIXED | MAP_STACK | MAP_NORESERVE | MAP_NONBLOCK | MAP_POPULATE, -1, 0);
    map(at(5), PAGE, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0), map(at(6), PAGE, PROT_WRITE, PRIVATE | MAP_FIXED, -1, 0);
    map(at(7), PAGE, PROT_EXEC, PRIVATE | MAP_FIXED, -1, 0);
    fflush(stdout);
    if (!fork()) {
        *at(2) = *at(3) = *at(4) = 'c';
        _exit(0);
    }
    wait(NULL);
    printf("%d %d %d\n", *at(2), *at(3), *at(4));
    ATTEMPT('r', at(5)), ATTEMPT('w', at(6)), ATTEMPT('r', at(6)), ATTEMPT('r', at(7)), ATTEMPT('w', at(7));
    maps("kinds");
    int zero = open("/dev/zero", O_RDWR);
    SHOW(map(at(8), PAGE, RW, MAP_PRIVATE | MAP_FIXED, zero, 0)), SHOW(map(at(9), PAGE, RW, MAP_SHARED | MAP_FIXED, zero, 0));
    *at(8) = 1, *at(9) = 2;
    printf("%d %d\n", *at(8), *at(9));
    munmap(base, area);
}

static void limits(void)
{
    struct rlimit limit, old;
    puts("-- limits");
    map(at(2), 64 * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0);
    getrlimit(RLIMIT_AS, &old);
    limit = old, limit.rlim_cur = 4096;
    setrlimit(RLIMIT_AS, &limit);
    SHOW(map(NULL, PAGE, PROT_NONE, PRIVATE, -1, 0)), SHOW(map(at(2), 64 * PAGE, PROT_READ, PRIVATE | MAP_FIXED, -1, 0));
    SHOW(map(at(2), 65 * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0)), SHOW(map(at(2), 0, RW, PRIVATE | MAP_FIXED, -1, 0));
    SHOW((long)sbrk(PAGE)), SHOW(munmap(at(3), PAGE)), SHOW(map(at(3), PAGE, RW, PRIVATE | MAP_FIXED, -1, 0));
    setrlimit(RLIMIT_AS, &old);
    SHOW(map(at(3), PAGE, RW, PRIVATE | MAP_FIXED, -1, 0));
    maps("RLIMIT_AS");
    SHOW(syscall(SYS_remap_file_pages, at(2), PAGE, PROT_READ, 0, 0) < 0);
    munmap(base, area);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    find_area(2048 * PAGE);
    catch_faults();
    refusals();
    files();
    places();
    kinds();
    limits();
    return 0;
}
