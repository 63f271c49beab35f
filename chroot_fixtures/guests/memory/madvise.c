// madvise: what each advice does, which memory it fits, holes, and the marks that stay (as smaps shows them).
#include "maps.h"

static char *at(long page) { return base + page * PAGE; }
static void map(long page, long count, int prot, int flags) { mmap(at(page), count * PAGE, prot, flags | MAP_FIXED, -1, 0); }

static void fill(long page, long count)
{
    for (long each = 0; each < count; each++)
        *at(page + each) = 'a' + each;
}

static void show(const char *what, long page, long count)
{
    printf("%s: ", what);
    for (long each = 0; each < count; each++)
        putchar(*at(page + each) ? *at(page + each) : '.');
    putchar('\n');
}

// Show the flags of smaps that advice sets, for each mapping of the area.
static void marks(const char *when)
{
    static const char *const known[] = {"dc", "wf", "dd", "sr", "rr", "hg", "nh", "lo", "gd", "ac"};
    char line[512], rights[8];
    unsigned long start = 0, end = 0, first, last;
    FILE *file = fopen("/proc/self/smaps", "r");
    printf("%s:", when);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%lx-%lx %7s", &first, &last, rights) == 3)
            start = first, end = last;
        if (strncmp(line, "VmFlags", 7) || end <= (unsigned long)base || start >= (unsigned long)base + area)
            continue;
        printf(" %ld", (long)(start - (unsigned long)base) / PAGE);
        for (unsigned each = 0; each < sizeof known / sizeof *known; each++)
            if (strstr(line + 8, known[each]))
                printf("%s%s", ":", known[each]);
    }
    putchar('\n');
    fclose(file);
}

static void refusals(void)
{
    puts("-- refusals");
    map(2, 2, RW, PRIVATE), map(6, 2, RW, PRIVATE), map(10, 2, PROT_READ, SHARED);
    SHOW(madvise(at(2) + 1, PAGE, MADV_DONTNEED)), SHOW(madvise(at(2), 0, MADV_DONTNEED));
    if (sizeof(long) == 8)
        SHOW(madvise(at(2), -1, MADV_DONTNEED)), SHOW(madvise(at(2), -2 * PAGE, MADV_DONTNEED));
    SHOW(madvise(at(20), 0, MADV_NORMAL)), SHOW(madvise(at(20), 0, 7)), SHOW(madvise(at(2), PAGE, 7));
    SHOW(madvise(at(2), PAGE, 99)), SHOW(madvise(at(2), PAGE, MADV_HWPOISON)), SHOW(madvise(at(2), PAGE, -1));
    SHOW(madvise(at(20), PAGE, MADV_WILLNEED)), SHOW(madvise(at(20), PAGE, MADV_DONTFORK));
    fill(2, 2), fill(6, 2);
    SHOW(madvise(at(3), 4 * PAGE, MADV_DONTNEED));
    show("both sides of the hole", 2, 2), show("above", 6, 2);
    SHOW(madvise(at(1), 6 * PAGE, MADV_SEQUENTIAL));
    marks("both sides of the hole");
    SHOW(madvise(at(3), 8 * PAGE, MADV_FREE)), SHOW(madvise(at(10), PAGE, MADV_FREE));
    SHOW(madvise(at(2), 9 * PAGE, MADV_WIPEONFORK));
    SHOW(madvise(at(2), PAGE, MADV_REMOVE)), SHOW(madvise(at(10), PAGE, MADV_REMOVE));
    munmap(base, area);
}

static void discarding(void)
{
    puts("-- discarding");
    map(2, 6, RW, PRIVATE), fill(2, 6);
    SHOW(madvise(at(3), 2 * PAGE, MADV_DONTNEED)), show("zeroes", 2, 6);
    mprotect(at(5), PAGE, PROT_NONE);
    SHOW(madvise(at(5), PAGE, MADV_DONTNEED));
    mprotect(at(5), PAGE, PROT_READ), show("whatever the protection", 2, 6);
    map(10, 4, RW, SHARED), fill(10, 4);
    SHOW(madvise(at(10), 4 * PAGE, MADV_DONTNEED)), show("shared memory stays", 10, 4);
    SHOW(madvise(at(11), 2 * PAGE, MADV_REMOVE)), show("removed", 10, 4);
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (int page = 0; page < 4; page++)
        pwrite(fd, &"uvwx"[page], 1, page * PAGE);
    mmap(at(20), 4 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    *at(21) = 'P', *at(22) = 'Q', show("a file", 20, 4);
    SHOW(madvise(at(21), PAGE, MADV_DONTNEED)), show("the file's again", 20, 4);
    SHOW(madvise(at(21), PAGE, MADV_FREE)), SHOW(madvise(at(21), PAGE, MADV_REMOVE));
    SHOW(madvise(at(20), 4 * PAGE, MADV_WILLNEED)), SHOW(madvise(at(20), 4 * PAGE, MADV_COLD));
    SHOW(madvise(at(20), 4 * PAGE, MADV_PAGEOUT)), show("as it was", 20, 4);
    mlock(at(2), PAGE);
    SHOW(madvise(at(2), PAGE, MADV_DONTNEED)), SHOW(madvise(at(2), PAGE, MADV_FREE)), SHOW(madvise(at(2), PAGE, MADV_COLD));
    SHOW(madvise(at(2), PAGE, MADV_PAGEOUT)), show("locked", 2, 1);
    SHOW(madvise(at(2), PAGE, 24)), show("locked, but discarded", 2, 1);
    unlink("file"), close(fd);
    munmap(base, area);
}

static void staying(void)
{
    puts("-- marks");
    map(2, 12, RW, PRIVATE);
    SHOW(madvise(at(3), PAGE, MADV_DONTFORK)), SHOW(madvise(at(5), PAGE, MADV_WIPEONFORK));
    SHOW(madvise(at(7), PAGE, MADV_DONTDUMP)), SHOW(madvise(at(9), PAGE, MADV_SEQUENTIAL));
    SHOW(madvise(at(11), PAGE, MADV_RANDOM));
    marks("each its own");
    SHOW(madvise(at(2), 12 * PAGE, MADV_SEQUENTIAL));
    marks("sequential");
    SHOW(madvise(at(4), PAGE, MADV_RANDOM));
    marks("random");
    SHOW(madvise(at(2), 12 * PAGE, MADV_NORMAL)), SHOW(madvise(at(2), 12 * PAGE, MADV_DOFORK));
    SHOW(madvise(at(2), 12 * PAGE, MADV_KEEPONFORK)), SHOW(madvise(at(2), 12 * PAGE, MADV_DODUMP));
    marks("none");
    mprotect(at(4), PAGE, PROT_READ), madvise(at(3), 3 * PAGE, MADV_DONTDUMP);
    marks("over a border");
    mremap(at(3), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(20));
    marks("moved");
    munmap(base, area);
}

static void forking(void)
{
    puts("-- fork");
    map(2, 6, RW, PRIVATE), fill(2, 6);
    madvise(at(3), PAGE, MADV_DONTFORK), madvise(at(5), PAGE, MADV_WIPEONFORK);
    fflush(stdout);
    if (!fork()) {
        maps("the child");
        marks("the child");
        ATTEMPT('r', at(3));
        printf("%d %d %d\n", *at(2), *at(5), *at(6));
        *at(5) = 'W';
        fflush(stdout);
        if (!fork()) {
            printf("its child: %d\n", *at(5));
            fflush(stdout), _exit(0);
        }
        wait(NULL);
        madvise(at(5), PAGE, MADV_KEEPONFORK);
        if (!fork()) {
            printf("its next child: %d\n", *at(5));
            fflush(stdout), _exit(0);
        }
        wait(NULL), _exit(0);
    }
    wait(NULL);
    show("the parent", 2, 6);
    munmap(base, area);
}

static void populating(void)
{
    puts("-- populating");
    unsigned char present[8];
#define PRESENT(page, count) (memset(present, 0, sizeof present), mincore(at(page), (count) * PAGE, present), present[0] & 1) + (present[1] & 1) + (present[2] & 1)
    map(2, 3, RW, PRIVATE), map(6, 3, PROT_READ, PRIVATE), map(10, 3, PROT_NONE, PRIVATE), map(14, 3, RW, SHARED);
    SHOW(madvise(at(2), 3 * PAGE, MADV_POPULATE_WRITE)), SHOW(PRESENT(2, 3));
    SHOW(madvise(at(6), 3 * PAGE, MADV_POPULATE_READ)), SHOW(madvise(at(6), 3 * PAGE, MADV_POPULATE_WRITE));
    SHOW(madvise(at(10), 3 * PAGE, MADV_POPULATE_READ)), SHOW(madvise(at(14), 3 * PAGE, MADV_POPULATE_WRITE));
    SHOW(PRESENT(14, 3)), SHOW(madvise(at(2), 4 * PAGE, MADV_POPULATE_READ));
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, PAGE);
    mmap(at(20), 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    SHOW(madvise(at(20), PAGE, MADV_POPULATE_WRITE)), SHOW(madvise(at(20), 2 * PAGE, MADV_POPULATE_READ));
    mmap(at(30), 3 * PAGE, RW, PRIVATE | MAP_FIXED | MAP_POPULATE, -1, 0);
    SHOW(PRESENT(30, 3));
    mmap(at(40), 3 * PAGE, RW, PRIVATE | MAP_FIXED | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
    SHOW(PRESENT(40, 3));
    SHOW(mmap(at(50), 3 * PAGE, RW, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, fd, 0));
    mmap(at(60), 3 * PAGE, RW, PRIVATE | MAP_FIXED | MAP_LOCKED, -1, 0);
    SHOW(PRESENT(60, 3));
    unlink("file");
    munmap(base, area);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    find_area(256 * PAGE);
    catch_faults();
    refusals();
    discarding();
    staying();
    forking();
    populating();
    return 0;
}
