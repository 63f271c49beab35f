/* Every row of the table of page faults: kind of mapping, protection, access and state of the page, and what comes of
 * it: the value, or signal, code and address. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, RET = 0xc3 };
enum access { READ, WRITE, EXECUTE, KERNEL_READ, KERNEL_WRITE, ACCESSES };

static sigjmp_buf back;
static volatile int caught, code;
static char *volatile where;

static void handler(int number, siginfo_t *info, void *context)
{
    (void)context;
    caught = number;
    code = info->si_code;
    where = info->si_addr;
    siglongjmp(back, 1);
}

static int pipes[2];

/* Access a byte; print the outcome, addresses relative to `base`. */
static void attempt(const char *what, char *base, long offset, enum access access)
{
    volatile unsigned char *byte = (volatile unsigned char *)base + offset;
    if (sigsetjmp(back, 1)) {
        const char *name = caught == SIGSEGV ? "SIGSEGV" : caught == SIGBUS ? "SIGBUS" : "other";
        const char *why = caught == SIGBUS ? (code == BUS_ADRERR ? "ADRERR" : "?")
                          : code == SEGV_MAPERR ? "MAPERR" : code == SEGV_ACCERR ? "ACCERR" : "?";
        printf(" %s:%s,%s,%+ld", what, name, why, (long)(where - base));
        return;
    }
    int value = 0;
    char buffer = RET;
    switch (access) {
    case READ:
        value = *byte;
        break;
    case WRITE:
        *byte = RET;
        break;
    case EXECUTE:
        ((void (*)(void))byte)();
        break;
    case KERNEL_READ:
        value = write(pipes[1], (char *)byte, 1) == 1 ? (read(pipes[0], &buffer, 1), 1) : -errno;
        break;
    default:
        value = write(pipes[1], &buffer, 1) == 1 ? read(pipes[0], (char *)byte, 1) : -1;
        if (value < 0) {
            value = -errno;
            if (read(pipes[0], &buffer, 1) != 1)
                value = -1000;
        }
    }
    printf(" %s:%d", what, value);
}

static const char *const names[ACCESSES] = {"read", "write", "exec", "kread", "kwrite"};

static int make_file(int pages, const char *name, int memory)
{
    int fd = memory ? memfd_create(name, 0) : open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    char block[PAGE];
    memset(block, RET, sizeof block);
    if (fd < 0)
        exit(2);
    while (pages-- > 0)
        if (write(fd, block, PAGE) != PAGE)
            exit(2);
    return fd;
}

static int file, memory;

static char *map(int kind, int prot, int pages)
{
    int flags = kind & 1 ? MAP_SHARED : MAP_PRIVATE, fd = -1;
    if (kind < 2)
        flags |= MAP_ANONYMOUS;
    else
        fd = kind < 4 ? file : memory;
    char *base = mmap(0, pages * PAGE, prot, flags, fd, 0);
    if (base == MAP_FAILED)
        exit(3);
    return base;
}

static const char *const kinds[] = {
    "private anonymous", "shared anonymous", "private file", "shared file", "private memfd", "shared memfd",
};
enum { KINDS = 6 };

/* Protections: every access to a fresh page and to one that is present already */
static void protections(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int prot = 0; prot < 8; prot++) {
            int *fd = kind < 4 ? &file : &memory, old = *fd;
            *fd = make_file(2, "fresh", kind >= 4); /* never executed before */
            char *base = map(kind, PROT_READ | PROT_WRITE, 2);
            base[0] = base[1] = (char)RET; /* page 0 is present, page 1 is not */
            if (mprotect(base, 2 * PAGE, prot))
                exit(4);
            printf("%s %c%c%c:", kinds[kind], prot & 1 ? 'r' : '-', prot & 2 ? 'w' : '-', prot & 4 ? 'x' : '-');
            for (int access = 0; access < ACCESSES; access++)
                for (int page = 0; page < 2; page++) {
                    if (access == EXECUTE && page == 1 && kind < 2)
                        continue; /* it would run zeroes */
                    attempt(names[access], base, page * PAGE + 1, access);
                }
            printf("\n");
            munmap(base, 2 * PAGE);
            close(*fd);
            *fd = old;
            unlink("fresh");
        }
}

/* States: one page goes through its life */
static void lives(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        char *base = map(kind, PROT_READ | PROT_WRITE, 1);
        printf("%s:", kinds[kind]);
        attempt("absent", base, 5, READ);
        attempt("seen", base, 5, READ);
        attempt("first", base, 6, WRITE);
        attempt("again", base, 6, WRITE);
        attempt("value", base, 6, READ);
        mprotect(base, PAGE, PROT_READ);
        attempt("closed", base, 6, WRITE);
        mprotect(base, PAGE, PROT_READ | PROT_WRITE);
        attempt("open", base, 6, WRITE);
        mprotect(base, PAGE, PROT_NONE);
        attempt("none", base, 6, READ);
        attempt("knone", base, 6, KERNEL_READ);
        mprotect(base, PAGE, PROT_READ | PROT_WRITE);
        attempt("value", base, 6, READ);
        base[7] = 1;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            attempt("child", base, 7, READ);
            base[7] = 2;
            attempt("child", base, 7, READ);
            fflush(stdout);
            _exit(0);
        }
        waitpid(pid, 0, 0);
        attempt("parent", base, 7, READ);
        base[7] = 3;
        attempt("parent", base, 7, READ);
        madvise(base, PAGE, MADV_DONTNEED);
        attempt("dropped", base, 7, READ);
        attempt("dropped", base, 7, WRITE);
        munmap(base, PAGE);
        attempt("gone", base, 7, READ);
        attempt("gone", base, 7, WRITE);
        attempt("gone", base, 7, EXECUTE);
        attempt("kgone", base, 7, KERNEL_WRITE);
        printf("\n");
    }
}

/* The end of a file, and a file that changes its size */
static void ends(void)
{
    for (int kind = 2; kind < KINDS; kind++) {
        int *fd = kind < 4 ? &file : &memory, old = *fd;
        *fd = make_file(2, "short", kind >= 4);
        ftruncate(*fd, PAGE + 100);
        char *base = map(kind, PROT_READ | PROT_WRITE | PROT_EXEC, 4);
        printf("%s of 4196 bytes:", kinds[kind]);
        attempt("last", base, PAGE + 99, READ);
        attempt("tail", base, PAGE + 100, READ);
        attempt("tail", base, PAGE + 200, WRITE);
        for (int access = 0; access < ACCESSES; access++)
            attempt(names[access], base, 2 * PAGE + 3, access);
        ftruncate(*fd, 3 * PAGE);
        attempt("grown", base, 2 * PAGE, READ);
        attempt("grown", base, 2 * PAGE, WRITE);
        if (!(kind & 1)) /* what was stored behind the end shows on some file systems */
            attempt("tail", base, PAGE + 200, READ);
        attempt("beyond", base, 3 * PAGE, WRITE);
        base[5] = 9;
        ftruncate(*fd, 10);
        attempt("cut", base, 5, READ);
        attempt("cut", base, 11, READ);
        attempt("cut", base, PAGE, READ);
        attempt("cut", base, 2 * PAGE, WRITE);
        ftruncate(*fd, 4 * PAGE);
        attempt("back", base, PAGE, READ);
        attempt("back", base, 2 * PAGE, READ);
        attempt("back", base, 3 * PAGE, WRITE);
        char byte = 7;
        pread(*fd, &byte, 1, 3 * PAGE);
        printf(" file:%d\n", (unsigned char)byte);
        munmap(base, 4 * PAGE);
        close(*fd);
        *fd = old;
    }
}

/* A shared mapping of a file that was opened for reading; two mappings of the same page */
static void others(void)
{
    int fd = open("data", O_RDONLY);
    char *base = mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    printf("read-only file:");
    attempt("read", base, 0, READ);
    attempt("write", base, 0, WRITE);
    attempt("kwrite", base, 0, KERNEL_WRITE);
    printf(" mprotect:%d", mprotect(base, PAGE, PROT_READ | PROT_WRITE) ? errno : 0);
    attempt("write", base, 0, WRITE);
    printf("\n");

    char *one = map(3, PROT_READ | PROT_WRITE, 1), *two = map(3, PROT_READ, 1);
    char *own = map(2, PROT_READ | PROT_WRITE, 1);
    printf("three mappings:");
    attempt("own", own, 9, READ);
    one[9] = 50;
    attempt("two", two, 9, READ);
    attempt("own", own, 9, READ);
    own[9] = 51;
    one[9] = 52;
    attempt("two", two, 9, READ);
    attempt("own", own, 9, READ);
    attempt("two", two, 9, WRITE);
    one[9] = (char)RET;
    printf("\n");

    char *zero = map(0, PROT_READ | PROT_WRITE, 3);
    printf("zeroes:");
    attempt("read", zero, PAGE, READ);
    zero[0] = 1;
    zero[2 * PAGE] = 1;
    attempt("read", zero, PAGE, READ);
    attempt("kread", zero, PAGE, KERNEL_READ);
    attempt("kwrite", zero, PAGE, KERNEL_WRITE);
    attempt("read", zero, PAGE, READ);
    attempt("next", zero, PAGE + 1, READ);
    printf("\n");

    struct rlimit limit = {1 << 20, RLIM_INFINITY};
    getrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = 1 << 20;
    setrlimit(RLIMIT_STACK, &limit);
    char *here = (char *)((uintptr_t)__builtin_frame_address(0) & -PAGE);
    printf("stack:");
    attempt("near", here, -100 * PAGE, READ);
    attempt("near", here, -100 * PAGE, WRITE);
    attempt("near", here, -99 * PAGE, EXECUTE);
    attempt("far", here, -(2 << 20), READ);
    attempt("far", here, -(2 << 20), WRITE);
    printf("\nnull:");
    attempt("read", 0, 0, READ);
    attempt("write", 0, 8, WRITE);
    attempt("exec", 0, 16, EXECUTE);
    printf("\n");
}

/* The same page copied after forks, from below and from above */
static void generations(void)
{
    char *base = map(0, PROT_READ | PROT_WRITE, 64);
    for (int page = 0; page < 64; page++)
        base[page * PAGE] = page;
    printf("generations:");
    fflush(stdout);
    pid_t first = fork();
    if (first == 0) {
        for (int depth = 1; depth < 12; depth++) {
            base[depth * PAGE] = 100 + depth;
            pid_t pid = fork();
            if (pid > 0) {
                int status;
                base[depth * PAGE] = 1;
                waitpid(pid, &status, 0);
                _exit(WEXITSTATUS(status) + (base[(depth + 1) * PAGE] == depth + 1));
            }
        }
        int right = 0;
        for (int depth = 1; depth < 12; depth++)
            right += base[depth * PAGE] == 100 + depth;
        _exit(right);
    }
    int status;
    waitpid(first, &status, 0);
    int whole = 0;
    for (int page = 0; page < 64; page++)
        whole += base[page * PAGE] == page;
    printf(" %d %d\n", WEXITSTATUS(status), whole);
}

int main(void)
{
    static char stack[64 << 10];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaltstack(&alternate, 0);
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);
    file = make_file(4, "data", 0);
    memory = make_file(4, "data", 1);
    if (pipe(pipes))
        return 1;
    protections();
    lives();
    ends();
    others();
    generations();
    return 0;
}
