// Needs more memory than the machine has, in ways that must work, or end in the right error. See tests/cli/test_pressure.py.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRANULE 65536L

static long size;

static volatile long *map(const char *path, int prot, int flags) {
    int fd = open(path, prot & PROT_WRITE && flags & MAP_SHARED ? O_RDWR : O_RDONLY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status)) { perror(path); exit(2); }
    size = status.st_size;
    void *start = mmap(0, size, prot, flags, fd, 0);
    if (start == MAP_FAILED) { perror("mmap"); exit(2); }
    close(fd);
    return start;
}

/// Every granule of the file begins with its number; return how many do not, with `add` added.
static long wrong(volatile long *start, long add) {
    long bad = 0;
    for (long at = 0; at < size; at += GRANULE) bad += start[at / sizeof(long)] != at / GRANULE + add;
    return bad;
}

static void fill(long bytes) {
    char *start = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (long at = 0; at < bytes; at += 4096) start[at] = 1;
}

static int status_of(pid_t child) {
    int status;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void set(const char *path, const char *value) {
    int fd = open(path, O_WRONLY);
    if (write(fd, value, strlen(value)) < 0) perror(path);
    close(fd);
}

int main(int count, char **words) {
    const char *what = words[1], *path = count > 2 ? words[2] : 0;
    setvbuf(stdout, 0, _IOLBF, 0);
    if (!strcmp(what, "read-private") || !strcmp(what, "read-shared")) {
        volatile long *start = map(path, PROT_READ, what[5] == 's' ? MAP_SHARED : MAP_PRIVATE);
        printf("%ld wrong", wrong(start, 0));
        printf(", %ld the second time\n", wrong(start, 0));
    } else if (!strcmp(what, "write-shared")) {
        volatile long *start = map(path, PROT_READ | PROT_WRITE, MAP_SHARED);
        for (long at = 0; at < size; at += GRANULE) start[at / sizeof(long)] += 1000000;
        printf("%ld wrong", wrong(start, 1000000));
        printf(", msync %d", msync((void *)start, size, MS_SYNC));
        int fd = open(path, O_RDONLY);
        long bad = 0, number;
        for (long at = 0; at < size; at += GRANULE) bad += pread(fd, &number, 8, at) != 8 || number != at / GRANULE + 1000000;
        printf(", %ld wrong in the file\n", bad);
    } else if (!strcmp(what, "write-private")) {  // some of its pages are copied, and stay
        volatile long *start = map(path, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
        for (long at = 0; at < size; at += 16 * GRANULE) start[at / sizeof(long) + 1] = at;
        long bad = wrong(start, 0);
        for (long at = 0; at < size; at += 16 * GRANULE) bad += start[at / sizeof(long) + 1] != at;
        printf("%ld wrong\n", bad);
    } else if (!strcmp(what, "read-into-memory")) {  // a buffer of most of the memory, while a file fills the rest
        volatile long *start = map(path, PROT_READ, MAP_PRIVATE);
        printf("%ld wrong", wrong(start, 0));
        long length = 40 << 20, bad = 0;
        char *buffer = malloc(length);
        int fd = open(path, O_RDONLY);
        long got = read(fd, buffer, length);
        for (long at = 0; at < got; at += GRANULE) bad += *(long *)(buffer + at) != at / GRANULE;
        printf(", read %ld MB at once, %ld wrong\n", got >> 20, bad);
    } else if (!strcmp(what, "locked")) {  // what is locked stays, whatever others need
        volatile long *start = map(path, PROT_READ, MAP_PRIVATE);
        long locked = 8 << 20, absent = 0;
        unsigned char present[(8 << 20) / 4096];
        if (mlock((void *)start, locked)) perror("mlock");
        printf("%ld wrong", wrong(start, 0));
        mincore((void *)start, locked, present);
        for (long i = 0; i < locked / 4096; i++) absent += !(present[i] & 1);
        printf(", %ld absent\n", absent);
    } else if (!strcmp(what, "processes")) {  // each takes a little, together they take all: some die, this one lives
        int killed = 0, fine = 0;
        pid_t children[20];
        for (int i = 0; i < 20; i++)
            if (!(children[i] = fork())) { fill(6 << 20); pause(); _exit(0); }
        for (int i = 0; i < 20; i++) {
            for (int wait = 0; wait < 40 && !waitpid(children[i], 0, WNOHANG | WNOWAIT); wait++) usleep(1000);
            kill(children[i], SIGTERM);
            int status = status_of(children[i]);
            killed += status == -SIGKILL;
            fine += status == -SIGTERM;
        }
        printf("%s died, %s stayed, %d in all\n", killed ? "some" : "none", fine ? "some" : "none", killed + fine);
    } else if (!strcmp(what, "adjusted")) {  // who has said so dies first, however small
        pid_t small = fork();
        if (!small) {
            set("/proc/self/oom_score_adj", "1000");
            fill(1 << 20);
            pause();
        }
        usleep(20000);
        fill(40 << 20);
        pid_t large = fork();
        if (!large) { fill(40 << 20); _exit(3); }
        printf("small %d", status_of(small));
        printf(", large %d\n", status_of(large));
    } else if (!strcmp(what, "shared")) {  // shared memory of whom is killed comes back; the next one has room
        for (int i = 0; i < 4; i++) {
            pid_t child = fork();
            if (!child) {
                long bytes = i & 1 ? 40 << 20 : 1L << 30;
                char *start = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
                mlock(start, 4 << 20);
                for (long at = 0; at < bytes; at += 4096) start[at] = 1;
                _exit(7);
            }
            printf("%d ", status_of(child));
        }
        printf("\n");
    } else if (!strcmp(what, "together")) {  // threads of memory: who shares it dies too
        pid_t child = fork();
        if (!child) {
            pid_t inner = vfork();
            if (!inner) { fill(1L << 30); _exit(1); }
            _exit(2);
        }
        printf("%d\n", status_of(child));
    } else if (!strcmp(what, "tables")) {  // one page of every 2 MB: its table takes as much again
        char *start = mmap(0, 100L << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        for (long at = 0; at < 100L << 30; at += 2 << 20) start[at] = 1;
        printf("there was room\n");
    } else if (!strcmp(what, "fork")) {  // memory for a copy of everything is not there: the child dies, or the parent
        fill(40 << 20);
        pid_t child = fork();
        if (!child) { fill(40 << 20); _exit(1); }
        printf("%d\n", status_of(child));
        child = fork();
        if (!child) { execl("/bin/pressure", "pressure", "hello", (char *)0); _exit(9); }
        printf("%d\n", status_of(child));
    } else if (!strcmp(what, "allocating")) {  // who asks for memory dies, not the largest
        set("/proc/sys/vm/oom_kill_allocating_task", "1");
        pid_t large = fork();
        if (!large) { fill(40 << 20); pause(); _exit(1); }
        usleep(100000);
        pid_t asking = fork();
        if (!asking) { fill(30 << 20); _exit(1); }
        printf("asking %d", status_of(asking));
        kill(large, SIGTERM);
        printf(", large %d\n", status_of(large));
    } else if (!strcmp(what, "panic")) {
        set("/proc/sys/vm/panic_on_oom", "1");
        fill(1L << 30);
    } else if (!strcmp(what, "nobody")) {
        set("/proc/self/oom_score_adj", "-1000");
        fill(1L << 30);
    } else if (!strcmp(what, "hello")) {
        return 5;
    } else if (!strcmp(what, "tmpfs")) {  // a full file system of memory, then programs that run beside it
        static char block[1 << 20];
        int fd = open("/tmp/file", O_CREAT | O_RDWR, 0600);
        long written = 0, done;
        while ((done = write(fd, block, sizeof block)) > 0) written += done;
        printf("%s after %ld MB\n", strerror(errno), written >> 20);
        pid_t child = fork();
        if (!child) { fill(8 << 20); _exit(4); }
        printf("%d", status_of(child));
        ftruncate(fd, 0);
        if (!(child = fork())) { fill(40 << 20); _exit(6); }
        printf(" %d\n", status_of(child));
    }
    return 0;
}
