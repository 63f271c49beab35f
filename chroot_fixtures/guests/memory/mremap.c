// mremap: shrinking, growing, moving, duplicating, and every refusal.
#include "maps.h"

static char *at(long page) { return base + page * PAGE; }
static void map(long page, long count, int prot, int flags) { mmap(at(page), count * PAGE, prot, flags | MAP_FIXED, -1, 0); }

static void fill(long page, long count)
{
    for (long each = 0; each < count; each++)
        *at(page + each) = 'a' + each;
}

static void show(long page, long count)
{
    printf("  ");
    for (long each = 0; each < count; each++)
        putchar(*at(page + each) ? *at(page + each) : '.');
    putchar('\n');
}

#define MOVE (MREMAP_MAYMOVE | MREMAP_FIXED)

static void refusals(void)
{
    puts("-- refusals");
    map(2, 4, RW, PRIVATE), map(6, 2, PROT_READ, PRIVATE);
    SHOW(mremap(at(2) + 1, PAGE, PAGE, 0));
    SHOW(mremap(at(2), PAGE, 0, 0));
    SHOW(mremap(at(2), PAGE, PAGE, 64));
    SHOW(mremap(at(2), PAGE, PAGE, MREMAP_FIXED, at(20)));
    SHOW(mremap(at(2), PAGE, PAGE, MREMAP_DONTUNMAP, at(20)));
    SHOW(mremap(at(2), PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, at(20)));
    SHOW(mremap(at(2), PAGE, PAGE, MOVE, at(20) + 1));
    SHOW(mremap(at(2), 2 * PAGE, 2 * PAGE, MOVE, at(3)));
    SHOW(mremap(at(2), 2 * PAGE, 3 * PAGE, MOVE, at(0)));
    SHOW(mremap(at(2), 2 * PAGE, 2 * PAGE, MOVE, (void *)-PAGE));
    SHOW(mremap(at(2), PAGE, -PAGE, MREMAP_MAYMOVE));
    SHOW(mremap(at(20), PAGE, PAGE, 0));
    SHOW(mremap(at(20), PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    SHOW(mremap(at(4), 3 * PAGE, 8 * PAGE, MREMAP_MAYMOVE));
    SHOW(mremap(at(4), 3 * PAGE, 4 * PAGE, MOVE, at(20)));
    SHOW(mremap(at(2), 0, PAGE, MREMAP_MAYMOVE));
    SHOW(mremap(at(2), 0, PAGE, 0));
    SHOW(mremap(at(2), 4 * PAGE, 5 * PAGE, 0));
    maps("nothing has changed");
    munmap(base, area);
}

static void sizes(void)
{
    puts("-- sizes");
    map(2, 6, RW, PRIVATE), fill(2, 6);
    SHOW(mremap(at(2), 6 * PAGE, 6 * PAGE, 0));
    SHOW(mremap(at(2), 6 * PAGE - 5, 4 * PAGE - 1, 0));
    maps("shrunk"), show(2, 4);
    SHOW(mremap(at(3), 3 * PAGE, 5 * PAGE, 0));
    maps("the rest of it grown"), show(2, 6);
    SHOW(mremap(at(3), PAGE, 2 * PAGE, 0));
    map(9, 1, RW, PRIVATE);
    SHOW(mremap(at(2), 6 * PAGE, 8 * PAGE, 0));
    char *away = mremap(at(2), 6 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
    printf("moved: %d %c%c%c%c%d\n", away != at(2), away[0], away[PAGE], away[2 * PAGE], away[3 * PAGE], away[7 * PAGE]);
    maps("gone");
    SHOW(mremap(away, 8 * PAGE, 3 * PAGE, MOVE, at(20)));
    maps("back, smaller"), show(20, 3);
    SHOW(mremap(at(9), 20 * PAGE, PAGE, 0));
    maps("what is cut off has holes");
    munmap(base, area);
    map(2, 2, RW, PRIVATE), map(6, 2, RW, PRIVATE);
    SHOW(mremap(at(2), 20 * PAGE, 2 * PAGE, 0));
    maps("and more of them");
    munmap(base, area);
}

static void moves(void)
{
    puts("-- moves");
    map(2, 6, RW, PRIVATE), fill(2, 6);
    mprotect(at(4), PAGE, PROT_READ);
    SHOW(mremap(at(4), PAGE, PAGE, MOVE, at(20)));
    ATTEMPT('w', at(20)), ATTEMPT('r', at(4)), ATTEMPT('r', at(20));
    maps("a read-only page");
    map(30, 4, RW, PRIVATE), fill(30, 4);
    SHOW(mremap(at(5), 2 * PAGE, 4 * PAGE, MOVE, at(31)));
    maps("over something, and larger"), show(30, 5);
    SHOW(mremap(at(31), 4 * PAGE, 2 * PAGE, MOVE, at(6)));
    maps("back, smaller"), show(6, 2);
    munmap(base, area);
    map(2, 4, RW, PRIVATE), fill(2, 4);
    SHOW(mremap(at(3), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0) != MAP_FAILED);
    maps("stays, empty"), show(2, 4);
    SHOW(mremap(at(2), 2 * PAGE, 2 * PAGE, MOVE | MREMAP_DONTUNMAP, at(20)));
    maps("stays, and at a place"), show(2, 2), show(20, 2);
    if (!fork()) {
        SHOW(mremap(at(20), 2 * PAGE, 4 * PAGE, MOVE, at(40)));
        *at(41) = 'Z', show(40, 4);
        fflush(stdout), _exit(0);
    }
    wait(NULL);
    show(20, 2);
    munmap(base, area);
    map(2, 600, RW, PRIVATE), fill(2, 20), *at(601) = 'E';
    SHOW(mremap(at(2), 600 * PAGE, 700 * PAGE, MOVE, at(1001)));
    show(1001, 20), show(1600, 2);
    munmap(base, area);
}

static void shared(void)
{
    puts("-- shared memory and files");
    map(2, 4, RW, SHARED), fill(2, 4);
    SHOW(mremap(at(3), 0, 2 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
    SHOW(mremap(at(3), 0, 2 * PAGE, 0));
    SHOW(mremap(at(3), 0, 3 * PAGE, MOVE, at(10)));
    *at(10) = 'X', show(2, 4), show(10, 3);
    SHOW(mremap(at(2), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, at(20)));
    show(2, 4), show(20, 2);
    SHOW(mremap(at(4), 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(30)));
    ATTEMPT('r', at(31)), ATTEMPT('r', at(32)), ATTEMPT('w', at(33));
    munmap(base, area);
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (int page = 0; page < 6; page++)
        pwrite(fd, &"uvwxyz"[page], 1, page * PAGE);
    mmap(at(2), 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, PAGE);
    *at(2) = 'P';
    SHOW(mremap(at(2), 2 * PAGE, 4 * PAGE, 0));
    show(2, 4);
    SHOW(mremap(at(2), 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(20)));
    show(20, 5);
    ATTEMPT('r', at(25));
    maps("a file, private");
    munmap(base, area);
    mmap(at(2), 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, PAGE);
    SHOW(mremap(at(2), 0, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(10)));
    *at(11) = 'S', show(2, 2), show(10, 3);
    SHOW(mremap(at(2), 2 * PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(20)));
    maps("a file, shared");
    unlink("file");
    munmap(base, area);
}

static void limits(void)
{
    struct rlimit limit, old;
    puts("-- limits");
    map(2, 4, RW, PRIVATE);
    getrlimit(RLIMIT_AS, &old);
    limit = old, limit.rlim_cur = 4096;
    setrlimit(RLIMIT_AS, &limit);
    SHOW(mremap(at(2), 4 * PAGE, 6 * PAGE, 0));
    SHOW(mremap(at(2), 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE));
    SHOW(mremap(at(2), 4 * PAGE, 4 * PAGE, MOVE, at(20)));
    SHOW(mremap(at(20), 4 * PAGE, 4 * PAGE, MOVE | MREMAP_DONTUNMAP, at(2)));
    SHOW(mremap(at(20), 4 * PAGE, 2 * PAGE, 0));
    setrlimit(RLIMIT_AS, &old);
    munmap(base, area);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    find_area(2048 * PAGE);
    catch_faults();
    refusals();
    sizes();
    moves();
    shared();
    limits();
    return 0;
}
