/* Mappings at the end of a file: SIGBUS behind it, now and after it was cut off, in shared and private mappings; what
 * system calls say of such pages; code that is changed through a file. */
#define _FILE_OFFSET_BITS 64
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define P 4096L
#define NAME "ends"

static sigjmp_buf back;
static siginfo_t info;
static int number;

static void handler(int signo, siginfo_t *i, void *context) {
    (void)context;
    info = *i;
    siglongjmp(back, signo);
}

/* Read (or write) a byte; say what came of it. */
static void touch(const char *what, volatile char *base, long offset, int write) {
    int signo = sigsetjmp(back, 1);
    if (!signo) {
        int value;
        if (write)
            base[offset] = value = write;
        else
            value = base[offset];
        printf("%2d %s: %d\n", ++number, what, value);
        return;
    }
    printf("%2d %s: signal %d, code %d, at %ld\n", ++number, what, signo, info.si_code,
           (long)((volatile char *)info.si_addr - base));
}

static void say(const char *what, long result) {
    if (result < 0)
        printf("%2d %s: %s\n", ++number, what, strerrorname_np(errno));
    else
        printf("%2d %s: %ld\n", ++number, what, result);
}

static char *map(int fd, long length, int prot, int flags, off_t offset) {
    char *p = mmap(NULL, length, prot, flags, fd, offset);
    if (p == MAP_FAILED)
        exit(1);
    return p;
}

static void behind_the_end(int fd) {
    ftruncate(fd, P + 10);
    char *shared = map(fd, 4 * P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    char *private = map(fd, 4 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
    touch("the last page", shared, P + 5, 0);
    touch("its rest", shared, 2 * P - 1, 0);
    touch("the next page", shared, 2 * P + 3, 0);
    touch("the next page, written", shared, 2 * P, 'x');
    touch("private, read", private, 2 * P, 0);
    touch("private, written", private, 3 * P + 1, 'x');
    say("read into it", pread(fd, shared + 2 * P, 1, 0));
    say("read across the end", pread(fd, shared + 2 * P - 5, 10, 0));
    say("written from it", pwrite(fd, shared + 3 * P, 1, 0));
    say("written across the end", pwrite(fd, shared + 2 * P - 5, 10, 0));
    ftruncate(fd, 3 * P);
    touch("the file has grown", shared, 2 * P, 0);
    touch("written now", shared, 2 * P + 1, 'n');
    touch("private, too", private, 2 * P + 1, 0);
    touch("private, own copy", private, 2 * P + 2, 'o');
    pwrite(fd, "w", 1, 3 * P + 5);
    touch("grown by a write", shared, 3 * P + 5, 0);
    ftruncate(fd, P);
    touch("cut off, shared", shared, 2 * P + 1, 0);
    touch("cut off, private copy", private, 2 * P + 2, 0);
    touch("what stays", private, 0, 0);
    ftruncate(fd, 4 * P);
    touch("and there are zeros", shared, 2 * P + 1, 0);
    touch("in the private one too", private, 2 * P + 2, 0);
    if (fork() == 0) {
        ftruncate(fd, P);
        _exit(0);
    }
    wait(NULL);
    touch("cut off by another process", shared, P, 0);
    ftruncate(fd, 4 * P);
    munmap(shared, 4 * P);
    munmap(private, 4 * P);
}

static void empty(int fd) {
    ftruncate(fd, 0);
    char *shared = map(fd, P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    touch("an empty file", shared, 0, 0);
    pwrite(fd, "a", 1, 0);
    touch("no longer", shared, 0, 0);
    touch("behind the byte", shared, 1, 'q');
    say("is not in the file", lseek(fd, 0, SEEK_END));
    munmap(shared, P);
    char two[2] = "..";
    say("nor after munmap", pread(fd, two, 2, 0));
    ftruncate(fd, 2);
    pread(fd, two, 2, 0);
    say("nor when it grows", two[1]);
    char *beyond = map(fd, P, PROT_READ, MAP_SHARED, 16 * P);
    touch("a mapping that lies behind the end", beyond, 7, 0);
    munmap(beyond, P);
}

static void holes(int fd) {
    char page[P];
    for (int i = 0; i < 8; i++) {
        memset(page, 'a' + i, P);
        pwrite(fd, page, P, i * P);
    }
    char *shared = map(fd, 9 * P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    char *private = map(fd, 9 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
    private[3 * P] = 'X';
    shared[4 * P] = 'Y';
    shared[5 * P] = 'Z';
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * P + 5, 2 * P) < 0)
        exit(2);
    touch("a hole", shared, 3 * P, 0);
    touch("a private copy there", private, 3 * P, 0);
    touch("its edge", shared, 2 * P + 5, 0);
    touch("before it", shared, 2 * P + 4, 0);
    touch("its end", shared, 4 * P, 0);
    touch("behind it", shared, 4 * P + 5, 0);
    touch("private, not copied", private, 2 * P + 5, 0);
    say("madvise", madvise(shared + 6 * P, P, MADV_REMOVE));
    touch("another hole", shared, 6 * P, 0);
    char byte = '?';
    pread(fd, &byte, 1, 6 * P);
    say("in the file", byte);
    say("in a private mapping", madvise(private + 6 * P, P, MADV_REMOVE));
    say("reserve", fallocate(fd, 0, 8 * P, P));
    touch("it is there", shared, 8 * P, 0);
    say("keep the size", fallocate(fd, FALLOC_FL_KEEP_SIZE, 9 * P, P));
    say("it is the same", lseek(fd, 0, SEEK_END) / P);
    munmap(shared, 9 * P);
    munmap(private, 9 * P);
}

static void code(void) {
    /* mov $N, %eax; ret */
    unsigned char text[] = {0xb8, 1, 0, 0, 0, 0xc3};
    int fd = open("code", O_RDWR | O_CREAT | O_TRUNC, 0755);
    ftruncate(fd, P);
    pwrite(fd, text, sizeof text, 0);
    char *writable = map(fd, P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    int (*shared)(void) = (int (*)(void))map(fd, P, PROT_READ | PROT_EXEC, MAP_SHARED, 0);
    int (*private)(void) = (int (*)(void))map(fd, P, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0);
    say("code of a file", shared() * 10 + private());
    text[1] = 2;
    pwrite(fd, text, sizeof text, 0);
    say("after a write", shared() * 10 + private());
    writable[1] = 3;
    say("after a store", shared() * 10 + private());
    writable[1] = 4;
    say("after another", shared() * 10 + private());
    pread(open("/proc/self/exe", O_RDONLY), writable + 1, 0, 0);
    int p[2];
    pipe(p);
    write(p[1], "\5", 1);
    read(p[0], writable + 1, 1);
    say("after a read into it", shared() * 10 + private());
    if (fork() == 0) {
        writable[1] = 6;
        _exit(0);
    }
    wait(NULL);
    say("after a store of a child", shared() * 10 + private());
    ftruncate(fd, 0);
    ftruncate(fd, P);
    text[1] = 7;
    pwrite(fd, text, sizeof text, 0);
    say("the file made anew", shared() * 10 + private());
#ifdef __x86_64__ /* code that lbw patches: mov %fs:0, %rax; ret */
    unsigned char self[] = {0x64, 0x48, 0x8b, 4, 0x25, 0, 0, 0, 0, 0xc3, 0x90, 0x90}, other[] = {0xb8, 5, 0, 0, 0, 0xc3};
    long (*thread)(void) = (long (*)(void))((char *)private + 64);
    long expected;
    __asm__("mov %%fs:0, %0" : "=r"(expected));
    for (int i = 0; i < 3; i++) {
        pwrite(fd, self, sizeof self, 64);
        say("the thread", thread() == expected);
        say("once more", thread() == expected);
        pwrite(fd, other, sizeof other, 64);
        say("not the thread", thread());
        memcpy(writable + 64, self, sizeof self);
        say("stored", thread() == expected);
        munmap(writable, P);
        say("and no longer writable", thread() == expected);
        say("once more", thread() == expected);
        writable = map(fd, P, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
        memcpy(writable + 64, other, sizeof other);
        say("mapped again and stored", thread());
    }
#else
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 7; j++)
            say("only of x86-64", i);
#endif
    char *both = map(fd, P, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, 0);
    both[1] = 8;
    say("through a mapping that may do all", ((int (*)(void))both)() * 100 + shared() * 10 + private());
    mprotect(both, P, PROT_READ | PROT_WRITE);
    both[1] = 9;
    say("and one that no longer may", shared() * 10 + private());
    close(fd);
    unlink("code");
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    setvbuf(stdout, NULL, _IONBF, 0);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0644);
    behind_the_end(fd);
    empty(fd);
    holes(fd);
    code();
    unlink(NAME);
    return 0;
}
