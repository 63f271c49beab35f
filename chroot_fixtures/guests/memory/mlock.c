// Locked memory: mlock and its family, what counts as locked, and what limits allow.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif

/// VmLck, in pages.
static long locked(void) {
    char line[256];
    long kilobytes = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmLck: %ld", &kilobytes) == 1) break;
    fclose(file);
    return kilobytes / 4;
}

static void told(const char *what, long result) {
    const char *error = result == -1 ? strerrorname_np(errno) : "ok";
    printf("%s: %s, %ld locked\n", what, error, locked());
}

static void present(const char *what, char *start, int pages) {
    unsigned char bits[64];
    int count = 0;
    if (mincore(start, pages * PAGE, bits)) { perror("mincore"); return; }
    for (int i = 0; i < pages; i++) count += bits[i] & 1;
    printf("%s: %d of %d present\n", what, count, pages);
}

static int mappings(char *start, char *end) {
    char line[512];
    int count = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, file)) {
        unsigned long from = 0, to = 0;
        sscanf(line, "%lx-%lx", &from, &to);
        count += from < (unsigned long)end && to > (unsigned long)start;
    }
    fclose(file);
    return count;
}

static char *map(long pages, int prot, int flags) {
    char *start = mmap(0, pages * PAGE, prot, flags, -1, 0);
    return start;
}

static void ranges(void) {
    char *area = map(16, PROT_READ | PROT_WRITE, ANONYMOUS);
    told("across two pages", mlock(area + 100, PAGE));
    told("again", mlock(area, 2 * PAGE));
    told("nothing", mlock(area + 5 * PAGE, 0));
    present("brought", area, 4);
    told("more", mlock(area + PAGE, 7 * PAGE));
    printf("%d mappings\n", mappings(area, area + 16 * PAGE));
    told("unlock in the middle", munlock(area + 3 * PAGE, 2 * PAGE));
    printf("%d mappings\n", mappings(area, area + 16 * PAGE));
    told("unlock what is not", munlock(area + 10 * PAGE, PAGE));
    told("unlock nothing", munlock(area + 10 * PAGE, 0));
    told("unlock all", munlock(area, 16 * PAGE));
    printf("%d mappings\n", mappings(area, area + 16 * PAGE));
    munmap(area + 8 * PAGE, PAGE);
    told("up to a hole", mlock(area + 6 * PAGE, 4 * PAGE));
    told("in a hole", mlock(area + 8 * PAGE, PAGE));
    told("unlock up to a hole", munlock(area + 6 * PAGE, 4 * PAGE));
    told("a range that wraps", mlock(area, -(PAGE * 2)));
    told("an unlock that wraps", munlock(area, -(PAGE * 2)));
    told("bad flags", syscall(SYS_mlock2, area, PAGE, 2));
    told("bad flags and a hole", syscall(SYS_mlock2, area + 8 * PAGE, PAGE, 4));
    told("on fault", syscall(SYS_mlock2, area + 12 * PAGE, 3 * PAGE, 1));
    area[13 * PAGE] = 1;
    present("touched", area + 12 * PAGE, 3);
    told("then at once", mlock(area + 12 * PAGE, 3 * PAGE));
    present("brought", area + 12 * PAGE, 3);
    told("then on fault again", syscall(SYS_mlock2, area + 12 * PAGE, 3 * PAGE, 1));
    told("unmap", munmap(area, 16 * PAGE));
    area = map(4, PROT_NONE, ANONYMOUS);
    told("no access", mlock(area, 4 * PAGE));
    told("unmap", munmap(area, 4 * PAGE));
    area = map(4, PROT_READ, ANONYMOUS);
    told("read-only", mlock(area, 4 * PAGE));
    told("becomes writable", mprotect(area, 2 * PAGE, PROT_READ | PROT_WRITE));
    told("unmap half", munmap(area + 2 * PAGE, 2 * PAGE));
    told("replaced", mmap(area, 2 * PAGE, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
    munmap(area, 2 * PAGE);
}

static void files(void) {
    int fd = open("mlock.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (ftruncate(fd, 2 * PAGE + 100)) return;
    char *area = mmap(0, 6 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    told("of a file", mlock(area, 3 * PAGE));
    present("of a file", area, 3);
    told("behind its end", mlock(area + 2 * PAGE, 2 * PAGE));
    munmap(area, 6 * PAGE);
    area = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    told("private and writable", mlock(area, 2 * PAGE));
    munmap(area, 2 * PAGE);
    area = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_LOCKED, fd, 0);
    told("MAP_LOCKED", area == MAP_FAILED ? -1 : 0);
    present("MAP_LOCKED", area, 2);
    munmap(area, 2 * PAGE);
    close(fd);
    unlink("mlock.data");
    area = map(3, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    told("shared", mlock(area, 3 * PAGE));
    present("shared", area, 3);
    told("MADV_REMOVE", madvise(area, PAGE, MADV_REMOVE));
    told("MS_INVALIDATE", msync(area, PAGE, MS_INVALIDATE));
    told("MS_ASYNC", msync(area, PAGE, MS_ASYNC));
    munmap(area, 3 * PAGE);
}

static void others(void) {
    char *area = map(8, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_LOCKED);
    told("MAP_LOCKED", 0);
    present("MAP_LOCKED", area, 8);
    told("MADV_DONTNEED", madvise(area, PAGE, MADV_DONTNEED));
    told("MADV_FREE", madvise(area, PAGE, MADV_FREE));
    told("MADV_COLD", madvise(area, PAGE, MADV_COLD));
    told("MADV_PAGEOUT", madvise(area, PAGE, MADV_PAGEOUT));
    told("MADV_DONTNEED_LOCKED", madvise(area, PAGE, MADV_DONTNEED_LOCKED));
    present("then", area, 8);
    char *moved = mremap(area, 8 * PAGE, 12 * PAGE, MREMAP_MAYMOVE);
    told("grown", moved == MAP_FAILED ? -1 : 0);
    present("grown", moved + 8 * PAGE, 4);
    moved = mremap(moved, 12 * PAGE, 5 * PAGE, 0);
    told("shrunk", moved == MAP_FAILED ? -1 : 0);
    char *target = map(5, PROT_NONE, ANONYMOUS);
    moved = mremap(moved, 5 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    told("moved", moved == target ? 0 : -1);
    fflush(stdout);
    if (!fork()) {
        told("a child", 0);
        present("a child", moved, 5);
        fflush(stdout);
        execl("/proc/self/exe", "mlock", "executed", (char *)0);
        _exit(1);
    }
    wait(0);
    told("unmap", munmap(moved, 5 * PAGE));
    area = map(200, PROT_READ | PROT_WRITE, ANONYMOUS);
    munmap(area, 200 * PAGE);
    char *stack = mmap(area + 190 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
    told("a stack", mlock(stack, 4 * PAGE));
    *(volatile char *)(stack - PAGE) = 1;
    told("it grows", 0);
    munmap(stack - PAGE, 5 * PAGE);
}

static void all(void) {
    told("no flags", mlockall(0));
    told("unknown flags", mlockall(8));
    told("MCL_ONFAULT alone", mlockall(MCL_ONFAULT));
    long before = locked();
    char *area = map(4, PROT_READ | PROT_WRITE, ANONYMOUS);
    told("MCL_FUTURE", mlockall(MCL_FUTURE));
    char *later = map(6, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    printf("mmap: %ld more\n", locked() - before);
    present("mmap", later, 6);
    char *end = sbrk(0);
    before = locked();
    printf("brk: %d", sbrk(8 * PAGE) == end);
    printf(" %ld more\n", locked() - before);
    end = (char *)(((unsigned long)end + PAGE - 1) & -PAGE);
    present("brk", end, 7);
    char *none = map(3, PROT_NONE, ANONYMOUS);
    printf("without access: %ld more\n", locked() - before);
    told("MCL_FUTURE | MCL_ONFAULT", mlockall(MCL_FUTURE | MCL_ONFAULT));
    char *untouched = map(5, PROT_READ | PROT_WRITE, ANONYMOUS);
    present("on fault", untouched, 5);
    present("before", area, 4);
    mlockall(MCL_CURRENT | MCL_ONFAULT);
    printf("all: %d\n", locked() > 50);
    present("still", area, 4);
    mlockall(MCL_CURRENT);
    present("now", area, 4);
    char *free = map(3, PROT_READ | PROT_WRITE, ANONYMOUS);
    present("no longer", free, 3);
    told("munlockall", munlockall());
    munmap(none, 3 * PAGE);
    munmap(free, 3 * PAGE);
    munmap(area, 4 * PAGE);
    munmap(later, 6 * PAGE);
    munmap(untouched, 5 * PAGE);
}

static void limit(unsigned long pages) {
    struct rlimit limit = {pages * PAGE + 100, pages * PAGE + 100};
    if (setrlimit(RLIMIT_MEMLOCK, &limit)) perror("setrlimit");
}

static void limits(void) {
    char *area = map(64, PROT_READ | PROT_WRITE, ANONYMOUS);
    limit(16);
    told("root", mlock(area, 20 * PAGE));
    munlock(area, 20 * PAGE);
    if (setresuid(65534, 65534, 65534)) return;
    told("all that is allowed", mlock(area, 16 * PAGE));
    told("more", mlock(area + 20 * PAGE, PAGE));
    told("the same again", mlock(area, 16 * PAGE));
    told("too much with it", mlock(area + 8 * PAGE, 16 * PAGE));
    told("wraps", mlock(area, -(PAGE * 2)));
    told("MAP_LOCKED", map(1, PROT_READ, ANONYMOUS | MAP_LOCKED) == MAP_FAILED ? -1 : 0);
    munlock(area + 4 * PAGE, 12 * PAGE);
    told("MAP_LOCKED of 12", map(12, PROT_READ, ANONYMOUS | MAP_LOCKED) == MAP_FAILED ? -1 : 0);
    told("grow", mremap(area, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
    told("MCL_CURRENT", mlockall(MCL_CURRENT));
    told("MCL_FUTURE", mlockall(MCL_FUTURE));
    told("mmap", map(1, PROT_READ, ANONYMOUS) == MAP_FAILED ? -1 : 0);
    told("mmap of a fixed place", mmap(area, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
    told("brk", sbrk(2 * PAGE) == (void *)-1 ? -1 : 0);
    told("munlockall", munlockall());
    told("brk", sbrk(2 * PAGE) == (void *)-1 ? -1 : 0);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_MEMLOCK, &none);
    told("nothing allowed", mlock(area, PAGE));
    told("not even nothing", mlock(area, 0));
    told("on fault", syscall(SYS_mlock2, area, PAGE, 1));
    told("flags first", syscall(SYS_mlock2, area, PAGE, 2));
    told("MCL_FUTURE", mlockall(MCL_FUTURE));
    told("flags first", mlockall(0));
    told("MAP_LOCKED", map(1, PROT_READ, ANONYMOUS | MAP_LOCKED) == MAP_FAILED ? -1 : 0);
    told("munlock", munlock(area, PAGE));
    told("munlockall", munlockall());
}

int main(int count, char **words) {
    (void)words;
    if (count > 1) { told("executed", 0); return 0; }
    setvbuf(stdout, 0, _IOLBF, 0);
    free(malloc(1 << 16));
    locked();
    ranges();
    files();
    others();
    all();
    fflush(stdout);
    if (!fork()) { limits(); fflush(stdout); _exit(0); }
    wait(0);
    return 0;
}
