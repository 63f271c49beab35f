/* Time: 32 and 64 bits of seconds, timers, sleeping, times of processes. */
#include "calls.h"

static int32_t old[8];
static int64_t wide[8];
static unsigned char block[256];

static volatile int got, value;

static void handler(int signo, siginfo_t *info, void *context)
{
    got = signo;
    value = info->si_value.sival_int;
    (void)context;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int id = 0; id < 13; id++) {
        if (id == 8 || id == 9) /* alarms need a clock that lasts */
            continue;
        char text[40];
        sprintf(text, "clock %d", id);
        memset(old, 0xEE, sizeof old);
        memset(wide, 0xEE, sizeof wide);
        S(text, 265, id, old);
        S(text, 403, id, wide);
        long long apart = (wide[0] - old[0]) * 1000000000 + wide[1] - old[1];
        printf("  %d %d %x %llx\n", apart >= 0 && apart < 1000000000, wide[1] < 1000000000, old[2], (long long)wide[2]);
    }
    S("clock_getres", 266, 1, old);
    printf("  %d %d\n", old[0], old[1]);
    S("clock_getres_time64", 406, 5, wide);
    printf("  %lld %d\n", (long long)wide[0], wide[1] % 1000000 == 0);
    S("clock_getres NULL", 266, 1, 0);
    S("clock_getres EINVAL", 406, 99, 0);
    printf("%d\n", labs(CALL(13, old) - old[0]) < 2);
    S("time EFAULT", 13, 1);
    S("stime EFAULT", 25, 0);
    S("gettimeofday", 78, old, block);
    printf("  %d\n", llabs(old[0] - (long long)time(NULL)) < 2);
    S("clock_settime EFAULT", 264, 0, 0);
    S("clock_settime64 EINVAL", 404, 0, I64(0, 1000000000));
    S("clock_settime EINVAL", 264, 1, I32(0, 0));
    memset(block, 0, sizeof block);
    memset(block + 128, 0xEE, 64);
    Q("adjtimex", 124, block);
    printf("  %d %x\n", labs(*(int32_t *)(block + 36) - time(NULL)) < 2, block[128]);
    memset(block, 0, sizeof block);
    Q("clock_adjtime64", 405, 0, block);
    printf("  %d\n", llabs(*(int64_t *)(block + 72) - (long long)time(NULL)) < 2);
    memset(block, 0, sizeof block);
    Q("clock_adjtime", 343, 0, block);
    printf("  %d\n", labs(*(int32_t *)(block + 36) - time(NULL)) < 2);

    S("nanosleep", 162, I32(0, 1000), 0);
    S("nanosleep EINVAL", 162, I32(0, 1000000000), 0);
    S("nanosleep negative", 162, I32(-1, 0), 0);
    S("nanosleep EFAULT", 162, 0, 0);
    S("clock_nanosleep", 267, 1, 1, I32(0, 5), 0);
    S("clock_nanosleep_time64", 407, 1, 0, I64(0, 0x500000000 + 1000), 0);
    S("clock_nanosleep_time64 EINVAL", 407, 1, 0, I64(0, 1000000000), 0);
    S("clock_nanosleep_time64 past", 407, 0, 1, I64(5, 0), 0);

    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    int id = -1;
    int32_t event[16] = {0x12345678, SIGUSR1, 0};
    S("timer_create", 259, 1, event, &id);
    S("timer_settime", 260, id, 0, I32(1000, 5, 2000, 500000000), old);
    printf("  %d %d %d %d\n", old[0], old[1], old[2], old[3]);
    S("timer_gettime", 261, id, old);
    printf("  %d %d %d\n", old[0], old[1], old[2]);
    S("timer_settime64", 409, id, 0, I64(6000000000, 5, 7000000000, 500000000), wide);
    printf("  %lld %lld %lld\n", (long long)wide[0], (long long)wide[1], (long long)wide[2]);
    S("timer_gettime64", 408, id, wide);
    printf("  %lld %lld %lld\n", (long long)wide[0], (long long)wide[1], (long long)wide[2]);
    S("timer_gettime cuts", 261, id, old);
    printf("  %d %d\n", old[0], old[2]);
    S("timer_settime EINVAL", 260, id, 0, I32(0, 0, 0, -1), 0);
    S("timer_settime", 260, id, 0, I32(0, 0, 0, 1000), 0);
    while (!got)
        usleep(1000);
    printf("signal %d value %x\n", got, value);
    S("timer_getoverrun", 262, id);
    S("timer_delete", 263, id);
    S("timer_delete", 263, id);
    event[2] = 77;
    S("timer_create EINVAL", 259, 1, event, &id);

    got = 0;
    S("setitimer", 104, 0, I32(1000, 5, 2000, 500000), 0);
    S("getitimer", 105, 0, old);
    printf("  %d %d %d\n", old[0], old[1] / 10000, old[2]);
    S("setitimer", 104, 0, I32(0, 0, 0, 1000), old);
    while (!got)
        usleep(1000);
    printf("signal %d\n", got);
    S("setitimer EINVAL", 104, 0, I32(0, 0, 0, 1000000), 0);
    S("alarm", 27, 100);
    S("alarm", 27, 0);
    memset(old, 0xEE, sizeof old);
    Q("times", 43, old);
    printf("  %d %x\n", old[0] >= 0 && old[0] < 1000, old[4]);
    memset(block, 0xEE, sizeof block);
    S("getrusage", 77, 0, block);
    printf("  %d %x\n", *(int32_t *)block, *(int32_t *)(block + 72));

    int word = 7;
    S("futex", 240, &word, 0, 8, 0, 0, 0);
    S("futex timeout", 240, &word, 0, 7, I32(0, 1000), 0, 0);
    S("futex EINVAL", 240, &word, 0, 7, I32(0, -1), 0, 0);
    S("futex_time64 timeout", 422, &word, 0, 7, I64(0, 1000), 0, 0);
    S("futex_time64 bitset", 422, &word, 9 | 256, 7, I64(5, 0), 0, 1);
    S("futex_time64 EINVAL", 422, &word, 0, 7, I64(0, 1000000000), 0, 0);
    return 0;
}
