// Which mappings become one, and which stay apart: /proc/self/maps line by line after each step.
#include "maps.h"

#define FIX MAP_FIXED
static char *at(long page) { return base + page * PAGE; }

static void map(long page, long count, int prot, int flags)
{
    if (mmap(at(page), count * PAGE, prot, flags | FIX, -1, 0) == MAP_FAILED)
        printf("mmap: %s\n", error_name());
}

static void fresh(void) { munmap(base, area); }

static void anonymous(void)
{
    puts("-- anonymous memory");
    map(10, 2, RW, PRIVATE), map(12, 2, RW, PRIVATE), map(8, 2, RW, PRIVATE);
    maps("three beside each other");
    map(16, 2, PROT_READ, PRIVATE), map(14, 2, RW, PRIVATE);
    maps("another protection above");
    mprotect(at(16), PAGE, RW);
    maps("the border moves");
    mprotect(at(10), PAGE, PROT_READ), mprotect(at(12), PAGE, PROT_NONE);
    maps("two cut out");
    mprotect(at(10), 3 * PAGE, RW);
    maps("and back");
    munmap(at(11), PAGE);
    maps("a hole");
    map(11, 1, RW, PRIVATE);
    maps("filled");
    map(11, 1, RW, PRIVATE | MAP_NORESERVE);
    maps("filled without reserve");
    map(20, 1, RW, PRIVATE | MAP_GROWSDOWN), map(21, 1, RW, PRIVATE), map(22, 1, RW, PRIVATE | MAP_STACK);
    maps("growing, not, stack");
    fresh();
    map(4, 2, PROT_READ, PRIVATE), map(2, 2, RW, PRIVATE);
    mprotect(at(4), 2 * PAGE, RW);
    maps("never charged for, charged for, both writable");
    mprotect(at(2), 4 * PAGE, PROT_READ);
    maps("read-only again");
    map(6, 2, PROT_READ, PRIVATE);
    maps("more read-only memory");
    fresh();
    map(2, 2, RW, PRIVATE), *at(2) = 1;
    mprotect(at(2), PAGE, PROT_READ);
    map(1, 1, PROT_READ, PRIVATE);
    maps("beside memory that was written to and is read-only now");
    fresh();
}

static void histories(void)
{
    puts("-- what was written to");
    map(2, 2, RW, PRIVATE), map(4, 2, PROT_READ | PROT_WRITE | PROT_EXEC, PRIVATE), map(6, 2, RW, PRIVATE);
    *at(2) = *at(4) = *at(6) = 1;
    mprotect(at(4), 2 * PAGE, RW);
    maps("neighbours that were written to one after the other");
    fresh();
    map(2, 2, RW, PRIVATE), map(6, 2, RW, PRIVATE);
    *at(2) = *at(6) = 1;
    map(4, 2, RW, PRIVATE);
    maps("a bridge between two that were written to apart");
    *at(4) = 1;
    mprotect(at(4), PAGE, PROT_NONE), mprotect(at(4), PAGE, RW);
    maps("its border changed and restored");
    fresh();
    map(2, 4, RW, PRIVATE);
    *at(2) = 1;
    fflush(stdout);
    if (!fork()) {
        mprotect(at(3), PAGE, PROT_READ);
        mprotect(at(3), PAGE, RW);
        map(6, 2, RW, PRIVATE);
        maps("in a child: cut and restored, more beside it");
        *at(6) = 1;
        mprotect(at(5), 2 * PAGE, PROT_READ);
        maps("in a child: a part of both");
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    map(6, 2, RW, PRIVATE);
    maps("in the parent: more beside it");
    fresh();
    map(2, 1, RW, PRIVATE), map(3, 1, PROT_READ, PRIVATE), map(4, 1, RW, PRIVATE);
    *at(2) = *at(4) = 1;
    mprotect(at(2), 3 * PAGE, PROT_READ | PROT_EXEC);
    maps("three become alike, two of them written to");
    fresh();
}

static void moved(void)
{
    puts("-- moved memory");
    map(2, 2, RW, PRIVATE), map(10, 2, RW, PRIVATE);
    SHOW(mremap(at(2), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(12)));
    maps("never written to: it continues what lies below");
    map(2, 2, RW, PRIVATE), *at(2) = 1;
    SHOW(mremap(at(2), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(14)));
    maps("written to: it does not");
    SHOW(mremap(at(14), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(2)));
    map(4, 2, RW, PRIVATE);
    maps("back home, and more beside it");
    SHOW(mremap(at(3), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(20)));
    maps("its middle moved away");
    SHOW(mremap(at(20), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(3)));
    maps("and back");
    SHOW(mremap(at(10), 4 * PAGE, 6 * PAGE, 0));
    maps("grown in place");
    map(18, 2, RW, PRIVATE);
    SHOW(mremap(at(10), 6 * PAGE, 8 * PAGE, 0));
    maps("grown up to a neighbour");
    fresh();
}

static void shared(void)
{
    puts("-- shared memory");
    map(2, 2, RW, SHARED), map(4, 2, RW, SHARED);
    maps("two objects");
    mprotect(at(3), PAGE, PROT_READ), mprotect(at(3), PAGE, RW);
    maps("cut and restored");
    munmap(at(3), PAGE);
    maps("a hole");
    fresh();
    map(2, 4, RW, SHARED);
    SHOW(mremap(at(2), 0, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(10)));
    SHOW(mremap(at(5), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(20)));
    SHOW(mremap(at(20), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(5)));
    maps("twice, and a page that came back");
    fresh();
}

static void files(void)
{
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600), other;
    puts("-- files");
    ftruncate(fd, 64 * PAGE);
    other = open("file", O_RDWR);
#define FILE_AT(page, count, prot, kind, fd, first) mmap(at(page), (count) * PAGE, prot, kind | FIX, fd, (first) * PAGE)
    FILE_AT(2, 2, PROT_READ, MAP_PRIVATE, fd, 0), FILE_AT(4, 2, PROT_READ, MAP_PRIVATE, fd, 2);
    FILE_AT(6, 2, PROT_READ, MAP_PRIVATE, fd, 5);
    maps("private: contiguous, not contiguous");
    FILE_AT(8, 2, PROT_READ, MAP_PRIVATE, other, 7);
    maps("opened another time");
    FILE_AT(10, 2, PROT_READ, MAP_PRIVATE, dup(other), 9);
    maps("a duplicate of that");
    mprotect(at(3), PAGE, RW);
    maps("a part writable");
    *at(3) = 1;
    mprotect(at(3), PAGE, PROT_READ);
    maps("written to and back");
    fresh();
    FILE_AT(2, 2, RW, MAP_SHARED, fd, 0), FILE_AT(4, 2, RW, MAP_SHARED, fd, 2), FILE_AT(6, 2, RW, MAP_PRIVATE, fd, 4);
    maps("shared: contiguous; then private");
    FILE_AT(4, 1, PROT_READ, MAP_SHARED, fd, 2);
    maps("a page of it mapped anew, read-only");
    mprotect(at(4), PAGE, RW);
    maps("and writable");
    munmap(at(3), PAGE), FILE_AT(3, 1, RW, MAP_SHARED, fd, 1);
    maps("a hole filled");
    SHOW(mremap(at(2), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(20)));
    FILE_AT(21, 1, RW, MAP_SHARED, fd, 1);
    maps("moved, and continued there");
    unlink("file");
    fresh();
}

static void advice(void)
{
    puts("-- advice");
    map(2, 8, RW, PRIVATE);
    madvise(at(3), PAGE, MADV_DONTFORK), madvise(at(4), PAGE, MADV_DONTDUMP), madvise(at(5), PAGE, MADV_WIPEONFORK);
    madvise(at(7), PAGE, MADV_SEQUENTIAL), madvise(at(8), PAGE, MADV_RANDOM);
    maps("each its own");
    madvise(at(2), 8 * PAGE, MADV_DOFORK);
    maps("forked again");
    madvise(at(2), 8 * PAGE, MADV_DODUMP), madvise(at(2), 8 * PAGE, MADV_KEEPONFORK);
    maps("dumped and kept again");
    madvise(at(2), 8 * PAGE, MADV_NORMAL);
    maps("read normally again");
    mlock(at(4), 2 * PAGE);
    maps("locked");
    munlock(at(2), 8 * PAGE);
    maps("unlocked");
    fresh();
}

static void heap(void)
{
    char *start = sbrk(0);
    base = (char *)(((uintptr_t)start + PAGE - 1) & -PAGE), area = 64 * PAGE;
    brk(base + 4 * PAGE);
    puts("-- the heap");
    maps("four pages");
    brk(base + 6 * PAGE);
    maps("six pages");
    mprotect(at(2), PAGE, PROT_READ);
    maps("one read-only");
    mprotect(at(2), PAGE, RW);
    map(10, 2, RW, PRIVATE);
    maps("memory near it");
    SHOW(brk(base + 10 * PAGE));
    SHOW(brk(base + 9 * PAGE));
    maps("it needs a page between");
    map(9, 1, RW, PRIVATE);
    maps("which an ordinary mapping fills");
    munmap(at(9), 3 * PAGE);
    brk(base + 3 * PAGE);
    maps("three pages");
    brk(start);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    find_area(64 * PAGE);
    anonymous();
    histories();
    moved();
    shared();
    files();
    advice();
    heap();
    return 0;
}
