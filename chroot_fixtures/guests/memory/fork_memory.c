/* Memory after fork, vfork and clone: who sees whose stores, in chains, in wide trees, when parents end first; mappings
 * that children do not get or get empty; sizes of what is resident. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, MB = 1 << 20, RW = PROT_READ | PROT_WRITE, PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS };

static char *map(size_t size, int flags)
{
    char *memory = mmap(0, size, RW, flags, -1, 0);
    if (memory == MAP_FAILED)
        exit(2);
    return memory;
}

static void fill(char *memory, size_t size, int seed)
{
    for (size_t page = 0; page < size / PAGE; page++)
        *(int *)(memory + page * PAGE) = seed + page;
}

/* How many pages hold something else */
static int wrong(const char *memory, size_t size, int seed)
{
    int count = 0;
    for (size_t page = 0; page < size / PAGE; page++)
        count += *(const int *)(memory + page * PAGE) != seed + (int)page;
    return count;
}

static int ended(pid_t pid)
{
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static pid_t begin(void)
{
    fflush(stdout);
    return fork();
}

/* Fifty generations, each of which ends before the next one does anything: what all of them wrote is there */
static void chain(void)
{
    char *memory = map(8 * MB, PRIVATE);
    int *result = (int *)map(PAGE, MAP_SHARED | MAP_ANONYMOUS), steps[2];
    fill(memory, 8 * MB, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (pipe(steps))
        exit(3);
    if (begin() == 0) {
        for (int generation = 0; generation < 50; generation++) {
            *(int *)(memory + generation * 40 * PAGE) = 5000 + generation;
            if (fork() > 0)
                _exit(0);
        }
        int good = 0;
        for (int generation = 0; generation < 50; generation++)
            good += *(int *)(memory + generation * 40 * PAGE) == 5000 + generation;
        *result = good * 1000 + wrong(memory, 8 * MB, 0);
        _exit(0);
    }
    int children = 0;
    while (wait(0) > 0)
        children++;
    printf("chain: %d children, result %d, mine %d wrong\n", children, *result, wrong(memory, 8 * MB, 0));
    munmap(memory, 8 * MB);
}

/* Two hundred children alive at once, each with stores of its own, while the parent goes on writing */
static void tree(void)
{
    enum { CHILDREN = 200 };
    char *memory = map(4 * MB, PRIVATE), byte = 0;
    pid_t children[CHILDREN];
    int gate[2], good = 0;
    fill(memory, 4 * MB, 0);
    if (pipe(gate))
        exit(3);
    for (int i = 0; i < CHILDREN; i++) {
        *(int *)(memory + i * PAGE) = -i;
        children[i] = begin();
        if (children[i] == 0) {
            close(gate[1]);
            *(int *)(memory + (i + 300) * PAGE) = i;
            if (read(gate[0], &byte, 1) != 0) /* all are there */
                _exit(9);
            int bad = 0;
            for (int page = 0; page < 1024; page++) {
                int expected = page == i + 300 ? i : page <= i ? -page : page;
                bad += *(int *)(memory + page * PAGE) != expected;
            }
            _exit(bad != 0);
        }
    }
    close(gate[1]);
    for (int i = 0; i < CHILDREN; i++)
        good += ended(children[i]) == 0;
    int mine = 0;
    for (int page = 0; page < 1024; page++)
        mine += *(int *)(memory + page * PAGE) == (page < CHILDREN ? -page : page);
    printf("tree: %d of %d children, %d pages right\n", good, CHILDREN, mine);
    close(gate[0]);
    munmap(memory, 4 * MB);
}

static void advice(void)
{
    char *memory = map(12 * PAGE, PRIVATE);
    fill(memory, 12 * PAGE, 7);
    printf("advice: %d %d", madvise(memory + 2 * PAGE, 2 * PAGE, MADV_DONTFORK),
           madvise(memory + 6 * PAGE, 2 * PAGE, MADV_WIPEONFORK));
    pid_t pid = begin();
    if (pid == 0) {
        unsigned char there[12];
        int gone = mincore(memory + 2 * PAGE, 2 * PAGE, there) != 0;
        int wiped = *(int *)(memory + 6 * PAGE) == 0 && *(int *)(memory + 7 * PAGE) == 0;
        int kept = *(int *)memory == 7 && *(int *)(memory + 5 * PAGE) == 12 && *(int *)(memory + 8 * PAGE) == 15;
        *(int *)(memory + 6 * PAGE) = 1;
        pid_t next = fork();
        if (next == 0) /* it is inherited, too */
            _exit(*(int *)(memory + 6 * PAGE) == 0);
        int again = ended(next);
        if (fork() == 0) { /* that is a hole */
            signal(SIGSEGV, SIG_DFL);
            memory[2 * PAGE] = 1;
        }
        int status;
        wait(&status);
        _exit(gone | wiped << 1 | kept << 2 | again << 3 | (WTERMSIG(status) == SIGSEGV) << 4);
    }
    printf(" child %d, mine %d wrong;", ended(pid), wrong(memory, 12 * PAGE, 7));
    printf(" undone %d %d", madvise(memory + 2 * PAGE, 2 * PAGE, MADV_DOFORK),
           madvise(memory + 6 * PAGE, 2 * PAGE, MADV_KEEPONFORK));
    pid = begin();
    if (pid == 0)
        _exit(wrong(memory, 12 * PAGE, 7));
    printf(" child %d wrong;", ended(pid));
    char *shared = map(PAGE, MAP_SHARED | MAP_ANONYMOUS);
    printf(" wipe of shared memory %d\n", madvise(shared, PAGE, MADV_WIPEONFORK));
    munmap(memory, 12 * PAGE);
}

static char *common;

static int with_memory(void *argument)
{
    (void)argument;
    common[0] = 1;
    char *mine = map(PAGE, PRIVATE);
    mine[0] = 42;
    *(char **)(common + 64) = mine;
    munmap(common + PAGE, PAGE);
    mprotect(common + 2 * PAGE, PAGE, PROT_READ);
    _exit(5);
}

/* vfork and CLONE_VM: one address space */
static void together(void)
{
    common = map(3 * PAGE, PRIVATE);
    fflush(stdout);
    volatile int local = 1;
    pid_t pid = vfork();
    if (pid == 0) {
        local = 2;
        common[1] = 9;
        common = mremap(common, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
        _exit(0);
    }
    printf("vfork: %d, local %d, stored %d, grown %d\n", ended(pid), local, common[1], common[3 * PAGE]);
    char *stack = map(64 << 10, PRIVATE);
    pid = clone(with_memory, stack + (64 << 10), CLONE_VM | SIGCHLD, 0);
    int status = ended(pid);
    unsigned char there;
    printf("clone: %d, stored %d, mapped %d, unmapped %d", status, common[0], **(char **)(common + 64),
           mincore(common + PAGE, PAGE, &there));
    pid = begin();
    if (pid == 0) {
        common[2 * PAGE] = 1;
        _exit(0);
    }
    printf(", protected %d\n", ended(pid));
}

/* A parent that writes while its child does; a child that unmaps and protects what is shared */
static void apart(void)
{
    char *memory = map(6 * MB, PRIVATE);
    fill(memory, 6 * MB, 3);
    int gate[2];
    char byte;
    if (pipe(gate))
        exit(3);
    pid_t pid = begin();
    if (pid == 0) {
        close(gate[1]);
        munmap(memory + MB, MB);
        mprotect(memory + 3 * MB, MB, PROT_READ);
        madvise(memory + 5 * MB, MB, MADV_DONTNEED);
        fill(memory, MB, 100000);
        if (read(gate[0], &byte, 1) != 0)
            _exit(9);
        int zero = 0;
        for (int page = 0; page < 256; page++)
            zero += *(int *)(memory + 5 * MB + page * PAGE) == 0;
        int own = wrong(memory, MB, 100000) == 0, kept = wrong(memory + 2 * MB, 3 * MB, 3 + 512) == 0;
        _exit(own | kept << 1 | (zero == 256) << 2);
    }
    fill(memory + 2 * MB, 2 * MB, 200000);
    close(gate[1]);
    printf("apart: child %d, mine %d %d %d wrong\n", ended(pid), wrong(memory, 2 * MB, 3),
           wrong(memory + 2 * MB, 2 * MB, 200000), wrong(memory + 4 * MB, 2 * MB, 3 + 1024));
    munmap(memory, 6 * MB);
}

/* Whether about so many MB more are resident than before; Linux counts in batches */
static long before;

static int holds(long megabytes)
{
    char text[4096];
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || !fgets(text, sizeof text, file) || sscanf(text, "%*d %ld", &pages) != 1)
        exit(4);
    fclose(file);
    if (!before)
        before = pages;
    return labs(pages - before - megabytes * (MB / PAGE)) < 2 * MB / PAGE;
}

static void sizes(void)
{
    holds(0);
    char *memory = map(64 * MB, PRIVATE);
    int mapped = holds(0);
    fill(memory, 64 * MB, 0);
    printf("resident: mapped %d, filled %d", mapped, holds(64));
    pid_t pid = begin();
    if (pid == 0) { /* it has what its parent had */
        int good = holds(64);
        fill(memory, 32 * MB, 1);
        good += holds(64);
        munmap(memory + 8 * MB, 40 * MB);
        good += holds(24);
        _exit(good);
    }
    int status = ended(pid);
    madvise(memory, 16 * MB, MADV_DONTNEED);
    printf(", child %d, dropped %d", status, holds(48));
    munmap(memory, 64 * MB);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf(", unmapped %d, peak %d\n", holds(0), usage.ru_maxrss / 1024 >= 64);
}

int main(void)
{
    chain();
    tree();
    advice();
    together();
    apart();
    sizes();
    return 0;
}
