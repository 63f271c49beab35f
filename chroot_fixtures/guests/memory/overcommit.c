// What is charged to overcommit: Committed_AS, in units so large that the rest of the machine does not matter.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNIT (3L << 30)
#define HUGE (100L << 40)
#define RW (PROT_READ | PROT_WRITE)
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

static long committed(void) {
    char line[256];
    long kilobytes = -1;
    FILE *file = fopen("/proc/meminfo", "r");
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Committed_AS: %ld", &kilobytes) == 1) break;
    fclose(file);
    return kilobytes << 10;
}

static long before;

/// Tell how many halves of a unit are charged since `before`.
static void told(const char *what) {
    long more = committed() - before;
    printf("%s: %ld/2\n", what, (more + (more < 0 ? -1 : 1) * (UNIT / 4)) / (UNIT / 2));
}

static void error(const char *what, int failed) { printf("%s: %s\n", what, failed ? strerrorname_np(errno) : "ok"); }

static char *map(long size, int prot, int flags, int fd) {
    char *start = mmap(0, size, prot, flags, fd, 0);
    if (start == MAP_FAILED) error("mmap", 1);
    return start;
}

int main(void) {
    setvbuf(stdout, 0, _IOLBF, 0);
    before = committed();
    char *area = map(UNIT, RW, ANONYMOUS, -1);
    told("private");
    munmap(area + UNIT / 2, UNIT / 2);
    told("half of it");
    area = mremap(area, UNIT / 2, UNIT, MREMAP_MAYMOVE);
    told("grown again");
    area = mremap(area, UNIT, UNIT / 2, 0);
    told("shrunk");
    munmap(area, UNIT / 2);
    told("unmapped");
    area = map(UNIT, PROT_READ, ANONYMOUS, -1);
    told("read-only");
    mprotect(area, UNIT / 2, RW);
    told("half of it writable");
    *(volatile char *)area = 1;
    mprotect(area, UNIT / 2, PROT_READ);
    told("read-only again");
    mprotect(area, UNIT, RW);
    told("all writable");
    mmap(area, UNIT, PROT_NONE, ANONYMOUS | MAP_FIXED, -1, 0);
    told("replaced by what nobody can access");
    munmap(area, UNIT);
    area = map(UNIT, RW, ANONYMOUS | MAP_NORESERVE, -1);
    told("MAP_NORESERVE");
    mprotect(area, UNIT, PROT_READ);
    mprotect(area, UNIT, RW);
    told("writable again");
    munmap(area, UNIT);
    area = map(UNIT, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
    told("shared");
    mprotect(area, UNIT, PROT_NONE);
    munmap(area + UNIT / 2, UNIT / 2);
    told("half of it");
    if (!fork()) { told("a child has it too"); _exit(0); }
    wait(0);
    munmap(area, UNIT / 2);
    told("unmapped");
    area = map(UNIT, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    told("shared, MAP_NORESERVE");
    munmap(area, UNIT);

    area = map(UNIT, RW, ANONYMOUS, -1);
    if (!fork()) { told("a child has a copy"); _exit(0); }
    wait(0);
    told("without the child");
    madvise(area, UNIT / 2, MADV_DONTFORK);
    if (!fork()) { told("a child has half of it"); _exit(0); }
    wait(0);
    munmap(area, UNIT);
    char *end = sbrk(0);
    error("brk", brk(end + UNIT));
    told("brk");
    brk(end);
    told("brk back");

    int fd = open("overcommit.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (ftruncate(fd, UNIT)) error("ftruncate", 1);
    area = map(UNIT, RW, MAP_PRIVATE, fd);
    told("a file, private");
    munmap(area, UNIT);
    area = map(UNIT, PROT_READ, MAP_PRIVATE, fd);
    told("a file, read-only");
    munmap(area, UNIT);
    area = map(UNIT, RW, MAP_SHARED, fd);
    told("a file, shared");
    munmap(area, UNIT);
    close(fd);
    unlink("overcommit.data");
    fd = memfd_create("overcommit", 0);
    if (ftruncate(fd, UNIT)) error("ftruncate", 1);
    area = map(UNIT, RW, MAP_SHARED, fd);
    told("a memfd");
    munmap(area, UNIT);
    close(fd);
    int segment = shmget(IPC_PRIVATE, UNIT, 0600);
    told("a segment");
    area = shmat(segment, 0, 0);
    told("attached");
    shmdt(area);
    shmctl(segment, IPC_RMID, 0);
    told("removed");
    segment = shmget(IPC_PRIVATE, UNIT, 0600 | SHM_NORESERVE);
    told("a segment, SHM_NORESERVE");
    shmctl(segment, IPC_RMID, 0);

    error("more than there is", mmap(0, HUGE, RW, ANONYMOUS, -1, 0) == MAP_FAILED);
    error("shared", mmap(0, HUGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    error("a segment", shmget(IPC_PRIVATE, HUGE, 0600) < 0);
    area = map(HUGE, PROT_NONE, ANONYMOUS, -1);
    error("becomes writable", mprotect(area, HUGE, RW));
    error("a part becomes writable", mprotect(area + UNIT, UNIT, RW));
    told("a part");
    munmap(area, HUGE);
    area = map(HUGE, RW, ANONYMOUS | MAP_NORESERVE, -1);
    error("a small one grows", mremap(map(4096, RW, ANONYMOUS, -1), 4096, HUGE / 4, MREMAP_MAYMOVE) == MAP_FAILED);
    munmap(area, HUGE);
    told("at the end");
    return 0;
}
