// Stacks that grow: the program's own, and mappings with MAP_GROWSDOWN; their limits and the gap below them.
#include "maps.h"

static char *at(long page) { return base + page * PAGE; }
static void map(long page, long count, int prot, int flags) { mmap(at(page), count * PAGE, prot, flags | MAP_FIXED, -1, 0); }

static void limit_stack(rlim_t pages)
{
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = pages * PAGE;
    prlimit(0, RLIMIT_STACK, &limit, NULL);
}

static void growing(void)
{
    puts("-- growing");
    map(1000, 2, RW, PRIVATE | MAP_GROWSDOWN);
    ATTEMPT('w', at(999)), maps("by a page");
    ATTEMPT('w', at(990) + 5), maps("by more");
    ATTEMPT('r', at(980)), ATTEMPT('x', at(970)), maps("by reading; fetching is not allowed");
    int ends[2];
    pipe(ends), write(ends[1], "abc", 3);
    SHOW(read(ends[0], at(960) + 1, 3)), SHOW(write(ends[1], at(950), 3)), maps("by the kernel");
    printf("%.3s %d %d\n", at(960) + 1, *at(999), *at(985));
    mprotect(at(960), 10 * PAGE, PROT_READ), mprotect(at(950), PAGE, PROT_READ);
    ATTEMPT('w', at(949)), ATTEMPT('r', at(948)), maps("read-only");
    munmap(at(950), 20 * PAGE);
    ATTEMPT('w', at(965)), maps("the rest grows");
    fflush(stdout);
    if (!fork()) {
        *at(950) = 'c';
        maps("in a child"), fflush(stdout), _exit(0);
    }
    wait(NULL);
    maps("not in the parent");
    munmap(base, area);
}

static void gaps(void)
{
    puts("-- the gap below");
    map(100, 2, RW, PRIVATE), map(1000, 2, RW, PRIVATE | MAP_GROWSDOWN);
    ATTEMPT('w', at(358)), ATTEMPT('w', at(357)), ATTEMPT('w', at(300)), maps("256 pages");
    munmap(base, area);
    map(100, 2, PROT_NONE, PRIVATE), map(1000, 2, RW, PRIVATE | MAP_GROWSDOWN);
    ATTEMPT('w', at(103)), ATTEMPT('w', at(102)), ATTEMPT('w', at(101)), maps("none above what nobody can access");
    munmap(base, area);
    map(100, 2, RW, PRIVATE | MAP_GROWSDOWN), map(1000, 2, RW, PRIVATE | MAP_GROWSDOWN);
    ATTEMPT('w', at(110)), ATTEMPT('w', at(102)), maps("none above what grows");
    munmap(base, area);
    map(1000, 2, RW, PRIVATE | MAP_GROWSDOWN), map(900, 1, RW, PRIVATE);
    ATTEMPT('w', at(999)), maps("something in the gap");
    mprotect(at(900), PAGE, PROT_NONE);
    ATTEMPT('w', at(999)), maps("which nobody can access any more");
    munmap(base, area);
}

static void limits(void)
{
    struct rlimit space, old;
    puts("-- limits");
    map(1000, 2, RW, PRIVATE | MAP_GROWSDOWN);
    limit_stack(64);
    ATTEMPT('w', at(938)), ATTEMPT('w', at(937)), maps("64 pages");
    limit_stack(128);
    ATTEMPT('w', at(937)), ATTEMPT('w', at(873)), ATTEMPT('w', at(874)), maps("128 pages");
    limit_stack(2048);
    getrlimit(RLIMIT_AS, &old);
    space = old, space.rlim_cur = 4096;
    setrlimit(RLIMIT_AS, &space);
    ATTEMPT('w', at(873));
    setrlimit(RLIMIT_AS, &old);
    ATTEMPT('w', at(873)), maps("RLIMIT_AS");
    munmap(base, area);
}

static int deep(int left)
{
    volatile char frame[1024];
    frame[0] = (char)left, frame[1023] = (char)left;
    return left ? deep(left - 1) + frame[0] - frame[1023] : 0;
}

static void own(rlim_t pages, int depth)
{
    fflush(stdout);
    pid_t child = fork();
    int status;
    if (!child) {
        signal(SIGSEGV, SIG_DFL);
        limit_stack(pages);
        _exit(deep(depth));
    }
    waitpid(child, &status, 0);
    printf("%ld pages, %d kB: %s\n", (long)pages, depth, WIFSIGNALED(status) ? "killed" : "done");
}

static void overflow(void)
{
    limit_stack(256);
    if (sigsetjmp(escape, 1)) {
        char *stack = __builtin_frame_address(0);
        printf("overflow: %d %d, %d\n", caught_signal, caught_code, (char *)caught_address < stack);
        return;
    }
    printf("%d\n", deep(1 << 20));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    find_area(2048 * PAGE);
    catch_faults();
    growing();
    gaps();
    limits();
    puts("-- the program's own stack");
    own(2048, 100), own(2048, 5000), own(2048, 9000), own(4096, 9000), own(300, 1000), own(200, 1000);
    overflow();
    return 0;
}
