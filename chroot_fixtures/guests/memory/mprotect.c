// mprotect: rights as x86 has them, what changes before an error, growing stacks, files, limits.
#include "maps.h"

static char *at(long page) { return base + page * PAGE; }
static void map(long page, long count, int prot, int flags) { mmap(at(page), count * PAGE, prot, flags | MAP_FIXED, -1, 0); }

static void rights(void)
{
    puts("-- rights");
    map(2, 1, RW, PRIVATE);
    *at(2) = (char)0xc3;
    for (int prot = 0; prot < 8; prot++) {
        mprotect(at(2), PAGE, prot);
        printf("%d: r %s", prot, attempt('r', at(2)));
        printf(", x %s", attempt('x', at(2)));
        printf(", w %s\n", attempt('w', at(2)));
    }
    int ends[2];
    char byte = 'b';
    pipe(ends);
    mprotect(at(2), PAGE, PROT_WRITE);
    SHOW(write(ends[1], at(2), 1)), SHOW(read(ends[0], at(2), 1));
    mprotect(at(2), PAGE, PROT_EXEC);
    write(ends[1], &byte, 1);
    SHOW(write(ends[1], at(2), 1)), SHOW(read(ends[0], at(2), 1));
    mprotect(at(2), PAGE, PROT_NONE);
    SHOW(write(ends[1], at(2), 1)), SHOW(read(ends[0], at(2), 1));
    close(ends[0]), close(ends[1]);
    munmap(base, area);
}

static void refusals(void)
{
    puts("-- refusals");
    map(2, 4, RW, PRIVATE), map(8, 2, RW, PRIVATE);
    SHOW(mprotect(at(2) + 1, PAGE, PROT_READ));
    SHOW(mprotect(at(2), 0, PROT_READ));
    SHOW(mprotect(at(20), 0, PROT_READ));
    SHOW(mprotect(at(2), PAGE, 64));
    SHOW(mprotect(at(2), PAGE, PROT_READ | 8));
    SHOW(mprotect(at(20), PAGE, PROT_READ));
    SHOW(mprotect(at(20), 0, 64));
    SHOW(mprotect(at(2), -PAGE, PROT_READ));
    SHOW(mprotect(at(2), -1, PROT_READ));
    SHOW(mprotect(at(2), (size_t)-2 * PAGE, PROT_READ));
    maps("all of what follows is read-only now");
    mprotect(at(2), 4 * PAGE, RW), mprotect(at(8), 2 * PAGE, RW);
    SHOW(mprotect(at(4), 5 * PAGE, PROT_READ));
    maps("what lies before the hole has changed");
    SHOW(mprotect(at(1), 3 * PAGE, PROT_NONE));
    maps("a hole at the begin");
    SHOW(mprotect(at(8), PAGE + 1, PROT_EXEC));
    maps("rounded up");
    munmap(base, area);
}

static void growing(void)
{
    puts("-- growing mappings");
    map(10, 4, RW, PRIVATE | MAP_GROWSDOWN), map(20, 4, RW, PRIVATE);
    SHOW(mprotect(at(12), PAGE, PROT_READ | PROT_GROWSDOWN));
    maps("down to its begin");
    SHOW(mprotect(at(8), 3 * PAGE, PROT_EXEC | PROT_GROWSDOWN));
    maps("from below");
    SHOW(mprotect(at(8), 2 * PAGE, PROT_READ | PROT_GROWSDOWN));
    SHOW(mprotect(at(21), PAGE, PROT_READ | PROT_GROWSDOWN));
    SHOW(mprotect(at(21), PAGE, PROT_READ | PROT_GROWSUP));
    SHOW(mprotect(at(11), PAGE, PROT_READ | PROT_GROWSUP));
    SHOW(mprotect(at(11), PAGE, PROT_READ | PROT_GROWSUP | PROT_GROWSDOWN));
    SHOW(mprotect(at(18), PAGE, PROT_READ | PROT_GROWSUP));
    maps("no more");
    munmap(base, area);
}

static void files(void)
{
    puts("-- files");
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600), reader = open("file", O_RDONLY);
    ftruncate(fd, 4 * PAGE);
    mmap(at(2), 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, reader, 0);
    mmap(at(4), 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, reader, 0);
    mmap(at(6), 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    SHOW(mprotect(at(2), PAGE, RW)), SHOW(mprotect(at(4), PAGE, RW)), SHOW(mprotect(at(6), PAGE, RW));
    SHOW(mprotect(at(2), PAGE, PROT_READ | PROT_EXEC));
    mprotect(at(4), PAGE, PROT_READ);
    map(1, 1, PROT_READ, PRIVATE);
    SHOW(mprotect(at(1), 3 * PAGE, RW));
    maps("what lies before the refusal has changed");
    *at(6) = 's';
    SHOW(*at(2) == 's'), SHOW(*at(4) == 's');
    unlink("file"), close(fd), close(reader);
    munmap(base, area);
}

static void contents(void)
{
    puts("-- contents");
    map(2, 8, RW, PRIVATE);
    for (long page = 2; page < 10; page++)
        *at(page) = 'a' + page;
    mprotect(at(2), 8 * PAGE, PROT_NONE);
    ATTEMPT('r', at(3)), ATTEMPT('w', at(3));
    if (!fork()) {
        mprotect(at(2), 8 * PAGE, RW);
        *at(4) = 'C';
        printf("child: %.1s%.1s%.1s\n", at(3), at(4), at(5));
        fflush(stdout), _exit(0);
    }
    wait(NULL);
    mprotect(at(2), 8 * PAGE, PROT_READ);
    printf("parent: %.1s%.1s%.1s\n", at(3), at(4), at(5));
    ATTEMPT('w', at(4));
    mprotect(at(4), PAGE, RW);
    ATTEMPT('w', at(4)), ATTEMPT('w', at(5));
    munmap(base, area);
}

static void limits(void)
{
    struct rlimit limit, old;
    puts("-- RLIMIT_DATA");
    map(2, 400, PROT_READ, PRIVATE), map(600, 100, PROT_READ, SHARED);
    getrlimit(RLIMIT_DATA, &old);
    limit = old, limit.rlim_cur = 4096;
    setrlimit(RLIMIT_DATA, &limit);
    SHOW(mprotect(at(2), 400 * PAGE, RW));
    SHOW(mprotect(at(600), PAGE, RW));
    SHOW(mmap(at(1000), PAGE, RW, PRIVATE, -1, 0));
    SHOW(mmap(at(1000), PAGE, PROT_READ, PRIVATE | MAP_FIXED, -1, 0));
    SHOW(mmap(at(1001), PAGE, RW, PRIVATE | MAP_FIXED | MAP_GROWSDOWN, -1, 0));
    maps("the limit");
    setrlimit(RLIMIT_DATA, &old);
    SHOW(mprotect(at(2), 400 * PAGE, RW));
    munmap(base, area);
}

static void keys(void)
{
    puts("-- protection keys");
    map(2, 1, RW, PRIVATE);
    SHOW(syscall(SYS_pkey_alloc, 1, 0)), SHOW(syscall(SYS_pkey_alloc, 0, 8));
    SHOW(syscall(SYS_pkey_free, 3)), SHOW(syscall(SYS_pkey_free, -1));
    SHOW(syscall(SYS_pkey_mprotect, at(2), PAGE, PROT_READ, -1));
    SHOW(syscall(SYS_pkey_mprotect, at(2), PAGE, PROT_READ, 3));
    maps("read-only");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    find_area(2048 * PAGE);
    catch_faults();
    rights();
    refusals();
    growing();
    files();
    contents();
    limits();
    keys();
    return 0;
}
