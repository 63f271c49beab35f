/* Signals: the calls for 32 signals, siginfo in the layout of i386, waiting for signals. */
#include "calls.h"

struct old_action { uint32_t handler, mask, flags, restorer; };
struct action { uint32_t handler, flags, restorer; uint64_t mask; } __attribute__((packed));

static volatile int got, code, sent;

static void plain(int signo) { got = signo; }
static void full(int signo, siginfo_t *info, void *context)
{
    got = signo;
    code = info->si_code;
    sent = info->si_value.sival_int;
    (void)context;
}

void restorer(void);
__asm__("restorer: pop %eax; mov $119, %eax; int $0x80");

static void masks(void)
{
    uint32_t set = 0, before = 0;
    uint64_t wide = 0;
    S("sigprocmask", 126, SIG_SETMASK, U32(0x80000200), &before);
    printf("  %x\n", before);
    S("sigprocmask", 126, SIG_BLOCK, U32(0x100), &before);
    printf("  %x\n", before);
    S("sigprocmask", 126, SIG_UNBLOCK, U32(0x200), 0);
    S("sigprocmask", 126, 0, 0, &set);
    printf("  %x\n", set);
    S("sigprocmask how", 126, 9, &set, 0);
    S("sigprocmask EFAULT", 126, 0, 8, 0);
    S("rt_sigprocmask", 175, SIG_SETMASK, U64(0xF00000000ULL), 0, 8);
    S("sigprocmask keeps", 126, SIG_SETMASK, U32(0x400), 0);
    S("rt_sigprocmask", 175, 0, 0, &wide, 8);
    printf("  %llx\n", (long long)wide);
    S("rt_sigprocmask size", 175, 0, 0, &wide, 4);
    S("sgetmask", 68);
    S("ssetmask", 69, 0x80000001);
    S("rt_sigprocmask", 175, 0, 0, &wide, 8);
    printf("  %llx\n", (long long)wide);
    S("ssetmask", 69, 0x200);
    S("kill", 37, CALL(20), SIGUSR1);
    S("sigpending", 73, &set);
    printf("  %x\n", set);
    S("rt_sigpending", 176, &wide, 8);
    printf("  %llx\n", (long long)wide);
}

static void actions(void)
{
    struct old_action action = {(uint32_t)plain, 0x5, SA_RESTART | SA_NODEFER | 0x4000000, (uint32_t)restorer}, before = {1, 2, 3, 4};
    S("sigaction", 67, SIGUSR2, &action, &before);
    printf("  %x %x %x %x\n", before.handler, before.mask, before.flags, before.restorer);
    S("sigaction", 67, SIGUSR2, 0, &before);
    printf("  %d %x %x\n", before.handler == action.handler, before.mask, before.flags);
    struct action wide;
    memset(&wide, 0xEE, sizeof wide);
    S("rt_sigaction", 174, SIGUSR2, 0, &wide, 8);
    printf("  %d %x %llx\n", wide.handler == action.handler, wide.flags, (long long)wide.mask);
    S("sigaction SIGKILL", 67, SIGKILL, &action, 0);
    S("sigaction 99", 67, 99, 0, &before);
    S("sigaction EFAULT", 67, SIGUSR2, 8, 0);
    printf("%d\n", CALL(48, SIGUSR2, SIG_IGN) == (long)plain);
    S("signal", 48, SIGUSR2, SIG_DFL);
    S("signal SIGSTOP", 48, SIGSTOP, SIG_IGN);
    S("rt_sigaction", 174, SIGUSR2, 0, &wide, 8);
    printf("  %x %x\n", wide.handler, wide.flags);

    signal(SIGUSR1, plain);
    S("sigsuspend", 72, 0, 0, 0);
    printf("  got %d\n", got);
    S("sgetmask", 68);
    S("ssetmask", 69, 0);
    got = 0;
    S("sigaction", 67, SIGUSR2, &action, 0);
    S("tgkill", 270, CALL(20), CALL(224), SIGUSR2);
    printf("  got %d\n", got);
}

static void infos(void)
{
    int32_t info[32] = {SIGUSR1, 0, SI_QUEUE, 0, 0, 0x7654321};
    int32_t taken[32];
    struct sigaction full_action = {.sa_sigaction = full, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN, &full_action, NULL);
    info[0] = SIGRTMIN;
    S("rt_sigqueueinfo", 178, CALL(20), SIGRTMIN, info);
    printf("  %d %d %x\n", got == SIGRTMIN, code, sent);
    S("rt_tgsigqueueinfo", 335, CALL(20), CALL(224), SIGRTMIN, info);
    S("rt_sigqueueinfo signal", 178, CALL(20), 99, info);
    uint64_t set = 1ULL << (SIGRTMIN - 1) | 1 << (SIGUSR1 - 1) | 1 << (SIGCHLD - 1);
    S("rt_sigprocmask", 175, SIG_SETMASK, &set, 0, 8);
    S("rt_sigtimedwait", 177, &set, taken, I32(0, 1000), 8);
    S("rt_sigtimedwait_time64", 421, &set, taken, I64(0, 1000), 8);
    S("rt_sigtimedwait_time64 EINVAL", 421, &set, taken, I64(0, 1000000000), 8);
    S("rt_sigtimedwait EINVAL", 177, &set, taken, I32(-1, 0), 8);
    S("rt_sigqueueinfo", 178, CALL(20), SIGRTMIN, info);
    memset(taken, 0xEE, sizeof taken);
    S("rt_sigtimedwait", 177, &set, taken, 0, 8);
    printf("  %d %d %d %x\n", taken[0] == SIGRTMIN, taken[1], taken[2], taken[5]);
    S("kill", 37, CALL(20), SIGUSR1);
    memset(taken, 0xEE, sizeof taken);
    S("rt_sigtimedwait_time64", 421, &set, taken, I64(5, 0), 8);
    printf("  %d %d %d %d %d\n", taken[0], taken[2], taken[3] == CALL(20), taken[4], taken[5]);
    if (!fork())
        _exit(7);
    memset(taken, 0xEE, sizeof taken);
    S("rt_sigtimedwait", 177, &set, taken, 0, 8);
    printf("  %d %d %d %d %d\n", taken[0], taken[2], taken[3] > 0, taken[4], taken[5]);
    memset(taken, 0xEE, sizeof taken);
    S("waitid", 284, 0, 0, taken, 4, 0);
    printf("  %d %d %d %d %d\n", taken[0], taken[2], taken[3] > 0, taken[4], taken[5]);
    bytes("  rest", taken + 6, 8);

    int32_t stack[3] = {(int32_t)malloc(16384), 0, 16384}, before[4] = {1, 2, 3, 4};
    S("sigaltstack", 186, stack, before);
    printf("  %d %d %d\n", before[0], before[1], before[2]);
    S("sigaltstack", 186, 0, before);
    printf("  %d %d %d %d\n", before[0] == stack[0], before[1], before[2], before[3]);
    stack[2] = 2047;
    S("sigaltstack ENOMEM", 186, stack, 0);
    stack[1] = 99;
    S("sigaltstack EINVAL", 186, stack, 0);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    masks();
    actions();
    infos();
    return 0;
}
