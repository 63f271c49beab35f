/* Processes: waiting, clone with the order of i386, limits, priorities, names of the system. */
#include "calls.h"
#include <sched.h>

static unsigned char block[512];

static uint32_t word(int index) { return ((uint32_t *)block)[index]; }

static void children(void)
{
    int status = -1, tid = -1, child = -1;
    pid_t pid = fork();
    if (!pid)
        _exit(5);
    printf("%d\n", CALL(7, pid, &status, 0) == pid);
    printf("  %x\n", status);
    S("waitpid", 7, -1, 0, 0);
    S("waitpid flags", 7, -1, 0, 0x1000);
    if (!(pid = fork()))
        _exit(6);
    memset(block, 0xEE, sizeof block);
    printf("%d\n", CALL(114, pid, &status, 0, block) == pid);
    printf("  %x %u %x\n", status, word(0), word(18));
    if (!(pid = fork()))
        _exit(7);
    memset(block, 0xEE, sizeof block);
    S("waitid", 284, 1, pid, block, 4, block + 256);
    printf("  %u %u %u %d %u %u\n", word(0), word(1), word(2), word(3) == (uint32_t)pid, word(4), word(5));
    printf("  %u %x\n", word(64), word(64 + 18));
    S("waitid nothing", 284, 0, 0, block, 4 | 1, 0);

    long made = CALL(120, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &tid, 0, &child);
    if (!made)
        _exit(child == getpid() && tid != child ? 1 : child == getpid() ? 2 : 3);
    printf("%d %d\n", tid == made, child);
    CALL(7, made, &status, 0);
    printf("  %x\n", status);
    S("clone", 120, CLONE_THREAD, 0, 0, 0, 0);
    S("clone3 small", 435, block, 8);
    uint64_t arguments[8] = {0, 0, 0, 0, SIGCHLD, 0, 0, 0};
    made = CALL(435, arguments, 64);
    if (!made)
        _exit(9);
    CALL(7, made, &status, 0);
    printf("  %x\n", status);
    made = CALL(190);
    if (!made)
        raw(1, 8, 0, 0, 0, 0, 0);
    CALL(7, made, &status, 0);
    printf("  vfork %x\n", status);
}

static void limits(void)
{
    S("getrlimit", 76, 4, block);
    printf("  %x %x\n", word(0), word(1));
    S("ugetrlimit", 191, 1, block);
    printf("  %x %x\n", word(0), word(1));
    S("getrlimit of infinity", 76, 1, block);
    printf("  %x %x\n", word(0), word(1));
    S("setrlimit", 75, 4, U32(1000, 0xFFFFFFFF));
    S("prlimit64", 340, 0, 4, 0, block);
    printf("  %llx %llx\n", (long long)((uint64_t *)block)[0], (long long)((uint64_t *)block)[1]);
    S("prlimit64", 340, 0, 1, U64(5LL << 32, ~0ULL), 0);
    S("ugetrlimit", 191, 1, block);
    printf("  %x %x\n", word(0), word(1));
    S("getrlimit", 76, 1, block);
    printf("  %x %x\n", word(0), word(1));
    S("getrlimit EINVAL", 76, 99, block);
    S("ugetrlimit EFAULT", 191, 1, 0);
}

static void system_names(void)
{
    S("uname", 122, block);
    printf("  %s %s\n", block, block + 4 * 65);
    S("olduname", 109, block);
    printf("  %s %s\n", block, block + 4 * 65);
    S("oldolduname", 59, block);
    printf("  %s %s\n", block, block + 4 * 9);
    S("personality", 136, 8);
    S("uname", 122, block);
    printf("  %s\n", block + 4 * 65);
    S("oldolduname", 59, block);
    printf("  %s\n", block + 4 * 9);
    S("personality", 136, -1);
    S("personality", 136, 0);
    S("uname EFAULT", 122, 0);
    memset(block, 0xEE, sizeof block);
    S("sysinfo", 116, block);
    printf("  %d %d %x\n", word(4) > 0, word(13) == 1 || word(13) == 4096, word(16));
}

static void scheduling(void)
{
    S("nice", 34, 3);
    S("getpriority", 96, 0, 0);
    S("nice", 34, -1);
    S("getpriority", 96, 0, 0);
    S("nice", 34, 100);
    S("getpriority", 96, 0, 0);
    S("setpriority", 97, 0, 0, 0);
    S("sched_getaffinity 4", 242, 0, 4, block);
    S("sched_getaffinity 6", 242, 0, 6, block);
    S("sched_setaffinity", 241, 0, 4, U32(1));
    S("sched_getaffinity", 242, 0, 4, block);
    printf("  %x\n", word(0));
    S("sched_getscheduler", 157, 0);
    S("getcpu", 318, block, block + 4, 0);
    S("set_robust_list", 311, block, 24);
    S("set_robust_list", 311, block, 12);
    S("get_robust_list", 312, 0, block + 64, block + 68);
    printf("  %d %u\n", word(16) == (uint32_t)block, word(17));
    S("set_robust_list", 311, 0, 12);
    S("prctl name", 172, 16, block);
    printf("  %s\n", block);
    memset(block, 0xEE, sizeof block);
    S("prctl tid address", 172, 40, block);
    printf("  %x %x\n", word(1), word(2));
    S("arch_prctl", 384, 0x1002, block);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    setpgid(0, 0);
    children();
    limits();
    system_names();
    scheduling();
    return 0;
}
