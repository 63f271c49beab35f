/* Shared mappings of a file: everything that can change or show it agrees, at any page of the file and of memory. */
#define _FILE_OFFSET_BITS 64
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define P 4096
#define NAME "coherent"

static int number;

static void check(const char *what, long got, long wanted) {
    printf("%2d %s: %s", ++number, what, got == wanted ? "ok" : "WRONG");
    if (got != wanted)
        printf(" (%ld, not %ld)", got, wanted);
    printf("\n");
}

static const char *error(int failed) {
    return failed ? strerrorname_np(errno) : "0";
}

static void *map(int fd, size_t length, int prot, int flags, off_t offset) {
    void *p = mmap(NULL, length, prot, flags, fd, offset);
    if (p == MAP_FAILED) {
        printf("mmap: %s\n", strerrorname_np(errno));
        exit(1);
    }
    return p;
}

static char byte_at(int fd, off_t offset) {
    char c = '?';
    if (pread(fd, &c, 1, offset) != 1)
        return '!';
    return c;
}

static void fill(int fd, int pages) {
    char page[P];
    for (int i = 0; i < pages; i++) {
        memset(page, 'a' + i % 26, P);
        pwrite(fd, page, P, (off_t)i * P);
    }
}

static void writes_and_stores(int fd) {
    char *m = map(fd, 20 * P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    char *private = map(fd, 20 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
    check("first read of a mapping", m[3 * P], 'd');
    check("a private one", private[3 * P], 'd');
    pwrite(fd, "W", 1, 3 * P + 7);
    check("a write is seen", m[3 * P + 7], 'W');
    check("in a private one too", private[3 * P + 7], 'W');
    m[3 * P + 8] = 'S';
    check("a store is read", byte_at(fd, 3 * P + 8), 'S');
    check("and seen in a private one", private[3 * P + 8], 'S');
    private[3 * P + 9] = 'P';
    check("a private store is not read", byte_at(fd, 3 * P + 9), 'd');
    pwrite(fd, "X", 1, 3 * P + 10);
    check("after its copy it sees no write", private[3 * P + 10], 'd');
    check("the shared one does", m[3 * P + 10], 'X');
    m[5 * P - 1] = '1', m[5 * P] = '2';
    char two[2];
    pread(fd, two, 2, 5 * P - 1);
    check("across a page", two[0] * 256 + two[1], '1' * 256 + '2');

    char across[3 * P];
    memset(across, 'Z', sizeof across);
    lseek(fd, 6 * P + 100, SEEK_SET);
    check("write of three pages", write(fd, across, sizeof across), 3 * P);
    check("its first byte", m[6 * P + 100], 'Z');
    check("the one before", m[6 * P + 99], 'g');
    check("its last", m[9 * P + 99], 'Z');
    check("the one behind", m[9 * P + 100], 'j');

    struct iovec iov[3] = {{"one", 3}, {"two", 3}, {"three", 5}};
    lseek(fd, 10 * P - 4, SEEK_SET);
    writev(fd, iov, 3);
    check("writev", memcmp(m + 10 * P - 4, "onetwothree", 11), 0);
    pwritev(fd, iov, 3, 11 * P - 5);
    check("pwritev", memcmp(m + 11 * P - 5, "onetwothree", 11), 0);

    m[12 * P] = 'M';
    pwrite(fd, m + 12 * P, 10, 13 * P); /* from the mapping into itself */
    check("a write out of the mapping", m[13 * P], 'M');
    check("is in the file", byte_at(fd, 13 * P), 'M');
    pread(fd, m + 14 * P, 10, 12 * P);
    check("a read into the mapping", byte_at(fd, 14 * P), 'M');
    munmap(m, 20 * P);
    munmap(private, 20 * P);
    check("all is in the file after munmap", byte_at(fd, 14 * P) * 256 + byte_at(fd, 3 * P + 8), 'M' * 256 + 'S');
}

static void two_mappings(int fd) {
    char *area = map(-1, 64 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
    char *one = mmap(area + P, 5 * P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 3 * P);
    char *two = mmap(area + 13 * P, 7 * P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 5 * P);
    check("at a fixed place", one - area, P);
    one[2 * P + 5] = 'q';
    check("another mapping shows the store", two[5], 'q');
    two[P + 6] = 'r';
    check("and the other way round", one[3 * P + 6], 'r');
    char *over = mmap(area + 2 * P, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 17 * P);
    over[0] = 's';
    check("a page mapped over a mapping", byte_at(fd, 17 * P), 's');
    check("its neighbours stay", one[2 * P + 5], 'q');
    char *moved = mremap(two, 7 * P, 9 * P, MREMAP_MAYMOVE | MREMAP_FIXED, area + 40 * P);
    check("mremap", moved - area, 40 * P);
    check("keeps what it shows", moved[5], 'q');
    moved[8 * P] = 't';
    check("and shows more", byte_at(fd, 13 * P), 't');
    char *again = mremap(moved, 0, 3 * P, MREMAP_MAYMOVE);
    again[9] = 'u';
    check("mapped once more", moved[9], 'u');
    munmap(again, 3 * P);
    munmap(area, 64 * P);
}

static void other_processes(int fd) {
    char *m = map(fd, 4 * P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    int pipes[2][2];
    pipe(pipes[0]);
    pipe(pipes[1]);
    m[0] = '0';
    if (fork() == 0) {
        char c;
        m[1] = 'c';
        write(pipes[0][1], "x", 1);
        read(pipes[1][0], &c, 1);
        _exit(m[2] == 'p' ? 7 : 1);
    }
    char c;
    int status;
    read(pipes[0][0], &c, 1);
    check("a child's store", m[1], 'c');
    m[2] = 'p';
    write(pipes[1][1], "x", 1);
    wait(&status);
    check("the parent's store", WEXITSTATUS(status), 7);
    link(NAME, "hardlink");
    if (fork() == 0) {
        int other = open("hardlink", O_RDWR);
        char *theirs = map(other, 4 * P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
        close(other);
        theirs[3] = theirs[2] + 1;
        msync(theirs, P, MS_SYNC);
        _exit(0);
    }
    wait(&status);
    check("through a hard link", m[3], 'q');
    unlink("hardlink");
    munmap(m, 4 * P);
}

static void copies_in_the_kernel(int fd) {
    char *m = map(fd, 8 * P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    memset(m + P, 'K', P);
    int out = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0644);
    char *copy = map(out, 4 * P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    off_t offset = P - 10;
    check("sendfile", sendfile(out, fd, &offset, 20), 20);
    check("takes what was stored", byte_at(out, 15), 'K');
    check("and shows it", copy[15], 'K');
    loff_t from = P, to = 100;
    check("copy_file_range", copy_file_range(fd, &from, out, &to, 50, 0), 50);
    check("shows", copy[149], 'K');
    int p[2];
    pipe(p);
    from = P;
    check("splice out", splice(fd, &from, p[1], NULL, 30, 0), 30);
    to = 300;
    check("splice in", splice(p[0], NULL, out, &to, 30, 0), 30);
    check("shows", copy[329], 'K');
    int append = open("copy", O_WRONLY | O_APPEND);
    write(append, "tail", 4);
    check("O_APPEND", memcmp(copy + 330, "tail", 4), 0);
    close(append);
    munmap(copy, 4 * P);
    munmap(m, 8 * P);
    close(out);
    unlink("copy");
}

static void sizes(int fd) {
    struct stat s;
    char *m = map(fd, 40 * P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    ftruncate(fd, 2 * P + 100);
    check("the rest of the last page", m[2 * P + 100], 0);
    check("what stays", m[2 * P + 99], 'c');
    m[2 * P + 200] = 'g'; /* behind the end */
    ftruncate(fd, 6 * P);
    check("grown again", byte_at(fd, 2 * P + 200), 0);
    check("zeros", m[5 * P], 0);
    pwrite(fd, "end", 3, 9 * P + 50);
    check("a write behind the end", m[9 * P + 52], 'd');
    check("zeros before it", m[8 * P], 0);
    fstat(fd, &s);
    check("the size", s.st_size, 9 * P + 53);
    close(open(NAME, O_RDWR | O_TRUNC));
    pwrite(fd, "new", 3, 0);
    check("O_TRUNC and a write", m[0] * 256 + m[3], 'n' * 256);
    ftruncate(fd, 0);
    fill(fd, 20);
    check("filled again", m[19 * P + 5], 't');
    m[4 * P] = '4';
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * P + 10, 2 * P) == 0) {
        check("a hole", m[4 * P] + m[3 * P + 10], 0);
        check("before it", m[3 * P + 9], 'd');
        check("behind it", m[5 * P + 10], 'f');
    }
    truncate(NAME, P);
    check("truncate by name", m[P - 1], 'a');
    fill(fd, 20);
    munmap(m, 40 * P);
}

static void lasting(int fd) {
    char *m = map(fd, 2 * P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    int other = open("lasting", O_RDWR | O_CREAT | O_TRUNC, 0644);
    fill(other, 3);
    char *gone = map(other, 3 * P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    int hold = dup(other);
    close(other);
    gone[P] = '!';
    rename("lasting", "renamed");
    unlink("renamed");
    gone[2 * P] = '?';
    check("a file without a name", byte_at(hold, P) * 256 + byte_at(hold, 2 * P), '!' * 256 + '?');
    check("msync of it", msync(gone, 3 * P, MS_SYNC), 0);
    munmap(gone, 3 * P);
    check("after munmap", byte_at(hold, 2 * P), '?');
    close(hold);

    other = open("lasting", O_RDWR | O_CREAT | O_TRUNC, 0644);
    fill(other, 1);
    gone = map(other, P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    close(other);
    gone[5] = 'm';
    if (fork() == 0) {
        int mine = open("lasting", O_RDONLY);
        _exit(byte_at(mine, 5) == 'm');
    }
    int status;
    wait(&status);
    check("another opening reads the store", WEXITSTATUS(status), 1);
    struct timespec times[2] = {{1000, 0}, {1000, 0}};
    struct stat about;
    gone[6] = 'n';
    utimensat(AT_FDCWD, "lasting", times, 0);
    msync(gone, P, MS_SYNC);
    stat("lasting", &about);
    check("a time that was set stays", about.st_mtim.tv_sec, 1000);
    gone[7] = 'o';
    stat("lasting", &about);
    check("until the next store", about.st_mtim.tv_sec > 1000, 1);
    munmap(gone, P);
    int far = open("far", O_RDWR | O_CREAT | O_TRUNC, 0644);
    ftruncate(far, 1LL << 40);
    char *end = map(far, P, PROT_READ | PROT_WRITE, MAP_SHARED, (1LL << 40) - P);
    char *middle = map(far, 16 * P, PROT_READ | PROT_WRITE, MAP_SHARED, 5LL << 30);
    strcpy(end, "end of a terabyte");
    middle[7 * P] = '7';
    char text[18];
    pread(far, text, 18, (1LL << 40) - P);
    check("a sparse terabyte", strcmp(text, "end of a terabyte"), 0);
    check("beyond 4 GB", byte_at(far, (5LL << 30) + 7 * P), '7');
    check("a hole", middle[8 * P], 0);
    check("is data", lseek(far, 6LL << 30, SEEK_DATA), (1LL << 40) - P);
    munmap(end, P);
    munmap(middle, 16 * P);
    struct stat s;
    fstat(far, &s);
    check("takes little", s.st_blocks < 1000, 1);
    close(far);
    unlink("far");
    unlink("lasting");
    munmap(m, 2 * P);
}

static void short_lives(void) {
    int wrong = 0;
    for (int i = 0; i < 100; i++) { /* the number of the inode is often the same, and so are size and time */
        int fd = open("momentary", O_RDWR | O_CREAT | O_EXCL, 0644);
        char text[16] = "";
        sprintf(text, "file %09d", i);
        write(fd, text, 15);
        char *m = map(fd, P, PROT_READ | PROT_WRITE, i & 1 ? MAP_SHARED : MAP_PRIVATE, 0);
        close(fd);
        if (i & 2)
            unlink("momentary");
        wrong += strcmp(m, text) != 0;
        munmap(m, P);
        if (!(i & 2))
            unlink("momentary");
    }
    check("files that live for a moment", wrong, 0);
}

static void refusals(int fd) {
    int reading = open(NAME, O_RDONLY), writing = open(NAME, O_WRONLY);
    char *p;
#define TRY(what, call) p = (call), printf("%2d %s: %s\n", ++number, what, error(p == MAP_FAILED))
    TRY("writable, of a file opened for reading", mmap(0, P, PROT_READ | PROT_WRITE, MAP_SHARED, reading, 0));
    TRY("of one opened for writing", mmap(0, P, PROT_WRITE, MAP_SHARED, writing, 0));
    TRY("an odd offset", mmap(0, P, PROT_READ, MAP_SHARED, reading, 100));
    TRY("both kinds", mmap(0, P, PROT_READ, 0, reading, 0));
    TRY("validated", mmap(0, P, PROT_READ, MAP_SHARED_VALIDATE, reading, 0));
    TRY("of a directory", mmap(0, P, PROT_READ, MAP_SHARED, open(".", O_RDONLY), 0));
    TRY("of a pipe", mmap(0, P, PROT_READ, MAP_SHARED, (pipe((int[2]){0}), 0), 0));
    TRY("for reading", mmap(0, P, PROT_READ, MAP_SHARED, reading, 0));
#define SAY(what, call) printf("%2d %s: %s\n", ++number, what, error((call) < 0))
    SAY("made writable", mprotect(p, P, PROT_READ | PROT_WRITE));
    SAY("made executable", mprotect(p, P, PROT_READ | PROT_EXEC));
    pwrite(fd, "R", 1, 9);
    check("it shows writes", p[9], 'R');
    TRY("not accessible", mmap(0, 2 * P, PROT_NONE, MAP_SHARED, fd, 0));
    SAY("made writable", mprotect(p, P, PROT_READ | PROT_WRITE));
    p[11] = 'w';
    check("stored", byte_at(fd, 11), 'w');
    SAY("msync", msync(p, 2 * P, MS_SYNC));
    SAY("msync, both", msync(p, P, MS_SYNC | MS_ASYNC));
    SAY("msync, other flags", msync(p, P, 8));
    SAY("msync, odd address", msync(p + 1, P, MS_SYNC));
    SAY("msync, nothing", msync(p, 0, MS_SYNC));
    SAY("msync, asynchronous", msync(p, 1, MS_ASYNC));
    SAY("msync, invalidate", msync(p, P, MS_INVALIDATE));
    munmap(p + P, P);
    SAY("msync with a hole", msync(p, 2 * P, MS_SYNC));
    mlock(p, P);
    SAY("msync, invalidate locked memory", msync(p, P, MS_INVALIDATE));
    munlock(p, P);
    SAY("sync_file_range", sync_file_range(fd, 0, P, 7));
    SAY("fdatasync", fdatasync(fd));
    SAY("syncfs", syncfs(fd));
    close(reading), close(writing);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0644);
    fill(fd, 20);
    writes_and_stores(fd);
    fill(fd, 20);
    two_mappings(fd);
    other_processes(fd);
    copies_in_the_kernel(fd);
    sizes(fd);
    lasting(fd);
    short_lives();
    refusals(fd);
    unlink(NAME);
    return 0;
}
