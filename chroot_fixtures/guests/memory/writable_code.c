/* Code in memory that is writable and executable at once: written, run, written again, in every order, with what happens
 * to pages in between (fork, mprotect, mremap, read), code beside data, and code that crosses into a page never run. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, R = PROT_READ, RW = PROT_READ | PROT_WRITE, RX = PROT_READ | PROT_EXEC, RWX = RW | PROT_EXEC };
enum { PAGES = 40 };

static void number(char *at, int value)
{
    at[0] = (char)0xb8; /* mov $value,%eax; ret */
    memcpy(at + 1, &value, 4);
    at[5] = (char)0xc3;
}

static int call(char *at)
{
    unsigned a, b, c, d;
    __cpuid(0, a, b, c, d); /* a processor may need it */
    return ((int (*)(void))at)();
}

static char *map(int pages, int flags)
{
    char *base = mmap(0, pages * PAGE, RWX, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    if (base == MAP_FAILED)
        exit(3);
    return base;
}

static char *file(int prot)
{
    int fd = open("content", O_RDWR | O_CREAT | O_TRUNC, 0700);
    char page[PAGE];
    memset(page, 0x90, PAGE);
    for (int i = 0; i < 4; i++) {
        number(page + 64, 500 + i);
        if (write(fd, page, PAGE) != PAGE)
            exit(4);
    }
    char *base = mmap(0, 4 * PAGE, prot, MAP_PRIVATE, fd, 0);
    close(fd);
    return base;
}

static void loops(void)
{
    int right = 0;
    char *base = map(PAGES, 0);
    for (int i = 0; i < 20; i++)
        for (int page = 0; page < PAGES - 1; page += 3) {
            number(base + page * PAGE + 64 * i, i + page);
            right += call(base + page * PAGE + 64 * i) == i + page;
            number(base + page * PAGE + 64 * i, -i);
            right += call(base + page * PAGE + 64 * i) == -i;
            memset(base + (page + 1) * PAGE, i, PAGE); /* data between */
        }
    printf("loops: %d\n", right);

    /* all is written first, upwards; then all is run; then the same with other code */
    right = 0;
    for (int round = 0; round < 3; round++) {
        for (int page = 0; page < PAGES; page++)
            number(base + page * PAGE, 1000 * round + page);
        for (int page = 0; page < PAGES; page++)
            right += call(base + page * PAGE) == 1000 * round + page;
    }
    printf("rounds: %d\n", right);
    munmap(base, PAGES * PAGE);

    /* read first, then executed as zeroes (add %al,(%eax)) up to a return that was written; populated */
    base = map(4, 0);
    right = base[PAGE] == 0;
    number(base + PAGE, 7);
    printf("read first: %d %d\n", right, call(base + PAGE));
    munmap(base, 4 * PAGE);
    base = map(4, MAP_POPULATE);
    number(base + 2 * PAGE, 8);
    printf("populated: %d", call(base + 2 * PAGE));
    number(base + 2 * PAGE, 9);
    printf(" %d\n", call(base + 2 * PAGE));
    madvise(base, 4 * PAGE, MADV_DONTNEED);
    printf("discarded: %d", base[2 * PAGE]);
    number(base + 2 * PAGE, 10);
    printf(" %d\n", call(base + 2 * PAGE));
    munmap(base, 4 * PAGE);

    /* frames of executed pages are used again */
    right = 0;
    for (int i = 0; i < 30; i++) {
        base = map(4, 0);
        number(base + PAGE, i);
        right += call(base + PAGE) == i;
        munmap(base, 4 * PAGE);
    }
    printf("mapped anew: %d\n", right);
}

static void crossing(void)
{
    int right = 0;
    for (int split = 1; split < 6; split++) {
        char *base = map(3, 0), *at = base + PAGE - split;
        number(base, 1);
        call(base); /* the first page is executed, the second one is not yet */
        for (int i = 0; i < 4; i++) {
            number(at, i * 0x01010101);
            right += call(at) == i * 0x01010101;
            base[2 * PAGE - 8] = 1;
        }
        /* only the part in the second page changes */
        at[5] = (char)0x90, at[6] = (char)0xc3;
        right += call(at) == 0x03030303;
        at[4] = 9;
        right += call(at) == 0x09030303;
        /* the second page is data for a while */
        mprotect(base + PAGE, PAGE, RW);
        at[split > 4 ? 6 : 4] = split > 4 ? (char)0xc3 : 10;
        mprotect(base + PAGE, PAGE, RWX);
        right += call(at) == (split > 4 ? 0x09030303 : 0x0a030303);
        munmap(base, 3 * PAGE);
    }
    printf("crossing: %d\n", right);
}

static int child(int (*what)(char *), char *base)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(what(base));
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int only_run(char *base) { return call(base); }
static int write_and_run(char *base)
{
    number(base, 61);
    int first = call(base);
    number(base, 62);
    return first == 61 ? call(base) : 1;
}
static int grandchild(char *base)
{
    int first = child(only_run, base), second = child(write_and_run, base);
    number(base, first + second);
    return call(base);
}

static void forks(void)
{
    int (*const whats[])(char *) = {only_run, write_and_run, grandchild};
    for (int ran = 0; ran < 2; ran++)
        for (int what = 0; what < 3; what++) {
            char *base = map(2, 0);
            number(base, 21);
            if (ran)
                call(base);
            printf("fork, %s:", ran ? "executed" : "not executed");
            for (int i = 0; i < 3; i++) {
                printf(" %d", child(whats[what], base));
                number(base, 30 + i); /* the child has run the same frame, perhaps */
                printf(",%d", call(base));
                number(base, 40 + i);
            }
            printf(",%d\n", call(base));
            munmap(base, 2 * PAGE);
        }
    /* a child runs what the parent has never run; it writes when it is alone, and runs */
    int right = 0;
    char *base = map(PAGES, 0);
    for (int i = 0; i < PAGES; i++)
        number(base + i * PAGE, 100 + i);
    for (int i = 0; i < PAGES; i += 4)
        right += child(only_run, base + i * PAGE) == 100 + i;
    for (int i = 0; i < PAGES; i++) {
        number(base + i * PAGE, i);
        right += call(base + i * PAGE) == i;
    }
    printf("run by children: %d\n", right);
    munmap(base, PAGES * PAGE);
}

static void protections(void)
{
    static const int ways[][4] = {{RW, RWX}, {RX, RWX}, {RW, RX, RWX}, {RW, RWX, RX, RWX}, {PROT_NONE, RWX}, {R, RWX},
                                  {RX, RW, RWX}, {PROT_NONE, RX, RWX}, {PROT_EXEC, RWX}, {PROT_WRITE | PROT_EXEC, RWX}};
    for (int size = 1; size <= PAGES; size += PAGES - 1)
        for (unsigned way = 0; way < sizeof ways / sizeof *ways; way++) {
            char *base = map(PAGES, 0);
            int right = 0;
            for (int i = 0; i < 6; i++) {
                number(base + (i & 1) * 256, i);
                number(base + (size / 2) * PAGE + 512, i);
                if (i != 2)
                    right += call(base + (i & 1) * 256) == i;
                for (int step = 0; step < 4; step++) {
                    int prot = ways[way][step];
                    if (step && !prot)
                        break;
                    mprotect(base, size * PAGE, prot);
                    if (prot & PROT_WRITE)
                        number(base + 1024, i + 10 * step);
                    if (prot & PROT_EXEC && step)
                        right += call(base + (i & 1) * 256) == i;
                    if (prot == RWX)
                        right += call(base + 1024) == i + 10 * step;
                }
                right += call(base + (size / 2) * PAGE + 512) == i;
            }
            printf("mprotect of %d, way %u: %d\n", size, way, right);
            munmap(base, PAGES * PAGE);
        }
}

static sigjmp_buf escape;
static void *volatile where;
static void caught(int signo, siginfo_t *info, void *context)
{
    (void)context;
    where = info->si_addr;
    siglongjmp(escape, signo * 100 + info->si_code);
}

static int attempt(char *at)
{
    int signo = sigsetjmp(escape, 1);
    return signo ? (where == at ? -signo : -1) : call(at);
}

static void refusals(void)
{
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0);
    char *base = map(4, 0);
    number(base, 5);
    number(base + PAGE, 6);
    printf("refused: %d", attempt(base));
    mprotect(base, 2 * PAGE, RW);
    printf(" %d %d", attempt(base), attempt(base + PAGE));
    mprotect(base, 2 * PAGE, PROT_NONE);
    printf(" %d", attempt(base));
    mprotect(base, 2 * PAGE, RWX);
    printf(" %d %d", attempt(base), attempt(base + PAGE));
    munmap(base, 2 * PAGE);
    printf(" %d\n", attempt(base));
    munmap(base + 2 * PAGE, 2 * PAGE);
}

static void from_the_kernel(void)
{
    int fd = open("code", O_RDWR | O_CREAT | O_TRUNC, 0700), ends[2];
    char codes[4][8], *base = map(4, 0);
    for (int i = 0; i < 4; i++)
        number(codes[i], 200 + i);
    if (write(fd, codes, sizeof codes) != sizeof codes || pipe(ends))
        exit(5);
    int right = 0;
    for (int i = 0; i < 4; i++) /* first into a page that is absent, or only data; later into code */
        for (int page = 0; page < 4; page++) {
            pread(fd, base + page * PAGE + 32, 8, 8 * ((i + page) % 4));
            if (page != 2 || i == 3)
                right += call(base + page * PAGE + 32) == 200 + (i + page) % 4;
            write(ends[1], codes[i], 8);
            read(ends[0], base + page * PAGE + 64, 8);
            if (page != 2 || i == 3)
                right += call(base + page * PAGE + 64) == 200 + i;
        }
    printf("read(2): %d\n", right);
    munmap(base, 4 * PAGE);
    close(fd);
}

static void moves(void)
{
    int right = 0;
    for (int ran = 0; ran < 2; ran++) {
        char *base = map(4, 0);
        number(base + PAGE, 70);
        number(base + 2 * PAGE, 71);
        if (ran)
            right += call(base + PAGE) == 70;
        char *moved = mremap(base, 4 * PAGE, 600 * PAGE, MREMAP_MAYMOVE);
        char *target = map(4, 0);
        moved = mremap(moved, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
        right += call(moved + PAGE) == 70;
        right += call(moved + 2 * PAGE) == 71;
        for (int i = 0; i < 4; i++) {
            number(moved + PAGE, i);
            number(moved + 2 * PAGE, i + 1);
            right += call(moved + PAGE) == i;
            right += call(moved + 2 * PAGE) == i + 1;
        }
        munmap(moved, 4 * PAGE);
    }
    printf("mremap: %d\n", right);
}

static void files(void)
{
    char *base = file(RWX);
    printf("private file: %d", call(base + 64)); /* executed as the file's own, then copied */
    number(base + 64, 1);
    printf(" %d", call(base + 64));
    number(base + 64, 2);
    printf(" %d", call(base + 64));
    number(base + PAGE + 128, 3); /* copied, then executed */
    printf(" %d %d", call(base + PAGE + 64), call(base + PAGE + 128));
    number(base + PAGE + 64, 4);
    printf(" %d", call(base + PAGE + 64));
    printf(" child %d", child(write_and_run, base + 2 * PAGE));
    printf(" %d\n", call(base + 2 * PAGE + 64));
    munmap(base, 4 * PAGE);
    base = file(RX); /* relocations in text */
    printf("text: %d", call(base + 64));
    mprotect(base, 4 * PAGE, RWX);
    number(base + 64, 11);
    number(base + PAGE + 64, 12);
    printf(" %d", call(base + 64));
    mprotect(base, 4 * PAGE, RX);
    printf(" %d %d %d\n", call(base + 64), call(base + PAGE + 64), call(base + 2 * PAGE + 64));
    munmap(base, 4 * PAGE);
}

/* Code that changes itself: the page that is executed is written to, by the instruction before */
static void itself(void)
{
    static const unsigned char code[] = {
#ifdef __x86_64__
        0xc6, 0x05, 1, 0, 0, 0, 42, /* movb $42,1(%rip) */
#else
        0xc6, 0x05, 0, 0, 0, 0, 42, /* movb $42,absolute */
#endif
        0xb8, 7, 0, 0, 0, 0xc3, /* mov $7,%eax; ret */
    };
    char *base = map(2, 0);
    memcpy(base + 16, code, sizeof code);
#ifndef __x86_64__
    char *at = base + 16 + 8;
    memcpy(base + 18, &at, 4);
#endif
    printf("itself: %d", call(base + 16));
    base[24] = 9, base[22] = 43;
    printf(" %d\n", call(base + 16));
    munmap(base, 2 * PAGE);
}

/* A compiler: new code behind the old, in the page that it runs in, calls into both; old code is overwritten */
static void compiler(void)
{
    char *base = map(64, 0), *next = base;
    long sum = 0;
    int *heap = (int *)(base + 32 * PAGE);
    for (int i = 0; i < 6000; i++) {
        number(next, i);
        heap[i & 8191] = call(next);
        sum += heap[i & 8191] + call(base);
        if (i % 100 == 0)
            number(base, -i);
        next += 16;
        if (next >= base + 20 * PAGE)
            next = base + 16;
    }
    printf("compiler: %ld\n", sum);
    munmap(base, 64 * PAGE);
}

static int add(int (*function)(int), int value) { return function(value); }

static void on_the_stack(void)
{
    int outer = 30, right = 0;
    int nested(int value) { return value + outer; } /* a trampoline on the stack */
    for (int i = 0; i < 5; i++, outer++)
        right += add(nested, i) == i + outer;
    char buffer[64];
    for (int i = 0; i < 5; i++) {
        number(buffer, i);
        __asm__ volatile("" : : "r"(buffer) : "memory");
        right += call(buffer) == i;
    }
    printf("stack: %d\n", right);
}

static void implied(void)
{
    personality(READ_IMPLIES_EXEC);
    char *base = mmap(0, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int right = 0;
    for (int i = 0; i < 4; i++) {
        memset(base + PAGE, i, PAGE);
        number(base, i);
        right += call(base) == i;
    }
    printf("implied: %d\n", right);
    munmap(base, 4 * PAGE);
}

int main(void)
{
    loops();
    crossing();
    forks();
    protections();
    refusals();
    from_the_kernel();
    moves();
    files();
    itself();
    compiler();
    on_the_stack();
    implied();
    return 0;
}
