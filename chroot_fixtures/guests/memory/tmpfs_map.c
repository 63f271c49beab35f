/* Files of a tmpfs: mappings, calls and sizes of one file see the same bytes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define SHOW(e) do { errno = 0; long r_ = (long)(e); \
    printf("%s: %ld %s\n", #e, r_, r_ == -1 ? strerrorname_np(errno) : ""); } while (0)

static sigjmp_buf back;
static char NAME[64]; /* nobody else has it: the guest runs beside itself */

static void on_fault(int signo, siginfo_t *info, void *context) {
    siglongjmp(back, signo * 100 + info->si_code);
}

static int reads(volatile char *address) {
    int fault = sigsetjmp(back, 1);
    return fault ? -fault : *address;
}

static int writes(volatile char *address, char value) {
    int fault = sigsetjmp(back, 1);
    if (!fault)
        *address = value;
    return -fault;
}

static long blocks(int fd) {
    struct stat status;
    fstat(fd, &status);
    return status.st_blocks;
}

static char byte_at(int fd, off_t offset) {
    char byte = '?';
    return pread(fd, &byte, 1, offset) == 1 ? byte : '!';
}

static char buffer[40 * PAGE];

static void coherence(int fd) {
    ftruncate(fd, 20 * PAGE);
    char *all = mmap(0, 20 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *fixed = mmap(0, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *again = mmap(fixed + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 17 * PAGE);
    char *own = mmap(0, 20 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    SHOW(again == fixed + PAGE);
    all[17 * PAGE + 5] = 'a';
    SHOW(again[5]);
    SHOW(own[17 * PAGE + 5]);
    SHOW(byte_at(fd, 17 * PAGE + 5));
    SHOW(blocks(fd));
    pwrite(fd, "bc", 2, 17 * PAGE + 4095);
    SHOW(again[4095] * 1000 + all[18 * PAGE]);
    own[17 * PAGE + 6] = 'p';
    again[7] = 'q';
    SHOW(all[17 * PAGE + 6]);
    SHOW(own[17 * PAGE + 7]);
    SHOW(own[18 * PAGE]);
    if (!fork()) {
        again[8] = 'f';
        own[8] = 'g';
        _exit(pwrite(fd, "w", 1, 3) != 1);
    }
    int status;
    wait(&status);
    SHOW(status);
    SHOW(all[17 * PAGE + 8]);
    SHOW(all[3]);
    SHOW(own[8]);
    SHOW(write(fd, all + 17 * PAGE, 10));        /* from a mapping of the file to the file itself */
    SHOW(all[5]);
    SHOW(pread(fd, all + 2 * PAGE, PAGE, 0));
    SHOW(all[2 * PAGE + 5]);
    struct iovec parts[2] = {{all + 5, 3}, {again + 5, 2}};
    SHOW(pwritev(fd, parts, 2, 100));
    SHOW(byte_at(fd, 103));
    SHOW(msync(all, 20 * PAGE, MS_SYNC));
    SHOW(mprotect(all, PAGE, PROT_READ));
    SHOW(writes(all, 1));
    SHOW(pwrite(fd, "r", 1, 1));
    SHOW(all[1]);
    munmap(all, 20 * PAGE);
    munmap(own, 20 * PAGE);
    munmap(fixed, 4 * PAGE);
}

static void sizes(int fd) {
    ftruncate(fd, 0);
    memset(buffer, 'x', sizeof buffer);
    pwrite(fd, buffer, 3 * PAGE + 100, 0);
    char *all = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *own = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    SHOW(reads(all + 3 * PAGE + 99));
    SHOW(reads(all + 3 * PAGE + 100));
    SHOW(reads(all + 4 * PAGE));
    SHOW(writes(own + 4 * PAGE, 1));
    own[PAGE] = 'o';
    own[2 * PAGE] = 'o';
    SHOW(ftruncate(fd, PAGE + 10));
    SHOW(reads(all + PAGE + 9));
    SHOW(reads(all + PAGE + 10));
    SHOW(reads(own + PAGE));
    SHOW(reads(own + 2 * PAGE));
    SHOW(reads(all + 2 * PAGE));
    SHOW(pread(fd, buffer, 10, 2 * PAGE));
    SHOW(read(fd, all + 2 * PAGE, 10));
    SHOW(blocks(fd));
    SHOW(ftruncate(fd, 5 * PAGE));
    SHOW(reads(all + 2 * PAGE));
    SHOW(reads(own + 2 * PAGE));
    SHOW(blocks(fd));
    SHOW(pwrite(fd, "e", 1, 6 * PAGE));
    SHOW(reads(all + 6 * PAGE));
    SHOW(blocks(fd));
    int other = open(NAME, O_RDWR | O_TRUNC);
    SHOW(other >= 0);
    SHOW(reads(all));
    SHOW(writes(own + PAGE, 1));
    close(other);
    munmap(all, 8 * PAGE);
    munmap(own, 8 * PAGE);
}

static void holes(int fd) {
    ftruncate(fd, 0);
    memset(buffer, 'x', sizeof buffer);
    pwrite(fd, buffer, 20 * PAGE, 0);
    char *all = mmap(0, 20 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *own = mmap(0, 20 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char before = own[2 * PAGE];
    own[3 * PAGE] = 'o';
    SHOW(before);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 4 * PAGE));
    SHOW(blocks(fd));
    SHOW(all[99] * 1000 + all[100]);
    SHOW(all[4 * PAGE + 99] * 1000 + all[4 * PAGE + 100]);
    SHOW(own[2 * PAGE]);
    SHOW(own[3 * PAGE]);
    SHOW(blocks(fd));
    SHOW(lseek(fd, 0, SEEK_HOLE));
    SHOW(lseek(fd, 4 * PAGE, SEEK_HOLE));
    SHOW(madvise(all + 5 * PAGE, 2 * PAGE, MADV_REMOVE));
    SHOW(blocks(fd));
    SHOW(byte_at(fd, 5 * PAGE));
    SHOW(lseek(fd, 4 * PAGE, SEEK_HOLE));
    SHOW(lseek(fd, 5 * PAGE, SEEK_DATA));
    SHOW(madvise(own, PAGE, MADV_REMOVE));
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 20 * PAGE, 12 * PAGE));
    SHOW(blocks(fd));
    SHOW(reads(all + 19 * PAGE));
    struct stat status;
    fstat(fd, &status);
    SHOW(status.st_size);
    SHOW(fallocate(fd, 0, 30 * PAGE, 10));
    fstat(fd, &status);
    SHOW(status.st_size);
    SHOW(lseek(fd, 20 * PAGE, SEEK_DATA));
    SHOW(pwrite(fd, "d", 1, 25 * PAGE + 7));
    SHOW(lseek(fd, 20 * PAGE, SEEK_DATA));
    SHOW(lseek(fd, 25 * PAGE, SEEK_HOLE));
    SHOW(ftruncate(fd, 30 * PAGE + 10));
    SHOW(blocks(fd));
    SHOW(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, PAGE));
    SHOW(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE));
    munmap(all, 20 * PAGE);
    munmap(own, 20 * PAGE);
    SHOW(ftruncate(fd, 0));
    off64_t far = 1LL << 40;
    SHOW(ftruncate64(fd, far + PAGE) == 0);
    SHOW(blocks(fd));
    char *end = mmap64(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, far);
    end[9] = 't';
    SHOW(pread64(fd, buffer, 10, far));
    SHOW(buffer[9]);
    SHOW(lseek64(fd, 0, SEEK_DATA) == far);
    SHOW(blocks(fd));
    munmap(end, PAGE);
    SHOW(ftruncate(fd, 0));
    SHOW(blocks(fd));
}

static void lives(int fd) {
    ftruncate(fd, 4 * PAGE);
    char *all = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    strcpy(all, "still here");
    unlink(NAME);
    close(fd);
    SHOW(strcmp(all, "still here"));
    if (!fork()) {
        all[0] = 'S';
        all[2 * PAGE] = 'c';
        _exit(0);
    }
    wait(0);
    SHOW(all[0] * 1000 + all[2 * PAGE]);
    char *moved = mremap(all, PAGE, 6 * PAGE, MREMAP_MAYMOVE);
    SHOW(moved[0]);
    SHOW(reads(moved + 3 * PAGE));
    SHOW(reads(moved + 4 * PAGE));
    munmap(moved, 6 * PAGE);
    munmap(all + PAGE, 3 * PAGE);
}

static void times(void) {
    int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct stat before, after;
    struct timespec pause = {0, 20000000};
    ftruncate(fd, 2 * PAGE);
    char *all = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    fstat(fd, &before);
    nanosleep(&pause, 0);
    all[0] = 1;
    fstat(fd, &after);
    SHOW(after.st_mtim.tv_nsec != before.st_mtim.tv_nsec && after.st_ctim.tv_nsec == after.st_mtim.tv_nsec);
    nanosleep(&pause, 0);
    all[1] = 1;
    fstat(fd, &before);
    SHOW(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
    munmap(all, 2 * PAGE);
    close(fd);
}

/* A program in a tmpfs: run, replaced, run again; not to be written to meanwhile. */
static void programs(char *self) {
    char path[64];
    sprintf(path, "/dev/shm/lbw-tmpfs-prog-%d", getpid());
    for (int round = 0; round < 2; round++) {
        int from = open(self, O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
        struct stat status;
        fstat(from, &status);
        long done = 0, count;
        while ((count = sendfile(to, from, 0, 1 << 20)) > 0)
            done += count;
        SHOW(done == status.st_size);
        if (!fork()) {
            execl(path, path, "child", (char *)0);
            _exit(errno == ETXTBSY ? 41 : 42);
        }
        int ended;
        wait(&ended);
        SHOW(ended);
        close(to);
        close(from);
        fflush(stdout);
        if (!fork()) {
            execl(path, path, "child", (char *)0);
            _exit(43);
        }
        wait(&ended);
        SHOW(ended);
    }
    unlink(path);
}

/* Code in a file: every way to change it is seen by whoever runs it, however it is mapped. */
static void code(void) {
    int fd = memfd_create("code", 0);
    unsigned char text[6] = {0xb8, 1, 0, 0, 0, 0xc3}; /* mov eax, 1; ret */
    ftruncate(fd, 2 * PAGE);
    pwrite(fd, text, 6, 0);
    int (*own)(void) = mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    int (*shared)(void) = mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    SHOW(own() * 1000 + shared());
    text[1] = 2;
    pwrite(fd, text, 6, 0);
    SHOW(own() * 1000 + shared());
    char *writable = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    writable[1] = 3;
    SHOW(own() * 1000 + shared());
    writable[1] = 4;
    SHOW(own() * 1000 + shared());
    int ends[2];
    pipe(ends);
    write(ends[1], "\5", 1);
    SHOW(read(ends[0], writable + 1, 1));
    SHOW(own() * 1000 + shared());
    char *late = mmap(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    mprotect(late, PAGE, PROT_READ | PROT_EXEC);
    SHOW(((int (*)(void))late)());
    pid_t child = fork();
    if (!child) {
        writable[1] = 6;
        _exit(own());
    }
    int status;
    waitpid(child, &status, 0);
    SHOW(WEXITSTATUS(status));
    SHOW(own() * 1000 + shared() + ((int (*)(void))late)() * 1000000);
    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE);
    text[1] = 7;
    pwrite(fd, text, 6, 0);
    SHOW(own() * 1000 + shared());
    ftruncate(fd, 0);
    ftruncate(fd, PAGE);
    text[1] = 8;
    pwrite(fd, text, 6, 0);
    SHOW(own() * 1000 + shared());
    munmap(own, PAGE);
    munmap(shared, PAGE);
    munmap(writable, PAGE);
    munmap(late, PAGE);
    text[1] = 9;
    pwrite(fd, text, 6, 0);
    own = mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    SHOW(own());
    munmap(own, PAGE);
    close(fd);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        printf("a program of a tmpfs\n");
        int writing = open("/proc/self/exe", O_RDWR);
        SHOW(writing);
        return 7;
    }
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, 0);
    sigaction(SIGSEGV, &action, 0);
    sprintf(NAME, "/dev/shm/lbw-tmpfs-map-%d", getpid());
    int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC | O_LARGEFILE, 0600);
    coherence(fd);
    sizes(fd);
    holes(fd);
    lives(fd);
    times();
    code();
    unlink(NAME);
    programs(argv[0]);
    return 0;
}
