/* futex, futex_waitv and set_robust_list: what is refused, and with what; the order of the checks. No call here waits. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
#define PRIVATE FUTEX_PRIVATE_FLAG

static const char *text(long result)
{
    static char texts[16][40];
    static int next;
    char *place = texts[next++ & 15];
    if (result < 0) snprintf(place, 40, "%s", strerrorname_np(errno));
    else snprintf(place, 40, "%ld", result);
    return place;
}

#define FUTEX(...) syscall(SYS_futex, __VA_ARGS__)
#define SHOW(call) printf("%s: %s\n", #call, text(call))

/* As the calls have them: futex on i386 has 32-bit seconds, futex_waitv never. */
struct timeout { long seconds, nanoseconds; };
struct timeout64 { int64_t seconds; int64_t nanoseconds; };
struct word { uint64_t val, uaddr; uint32_t flags, reserved; };

static struct timeout zero, negative = {-1, 0}, large = {0, 1000000000};
static struct timeout64 zero64, negative64 = {-1, 0}, large64 = {0, 1000000000};
static int w, v;

static void times_and_addresses(void)
{
    SHOW(FUTEX(1, FUTEX_WAIT, 0, &large, 0, 0));
    SHOW(FUTEX(1, FUTEX_WAIT, 0, 1, 0, 0));
    SHOW(FUTEX(1, FUTEX_WAIT, 0, &zero, 0, 0));
    SHOW(FUTEX(&w, FUTEX_WAIT, 1, &negative, 0, 0));
    SHOW(FUTEX(&w, FUTEX_WAIT, 1, &large, 0, 0));
    SHOW(FUTEX(&w, FUTEX_WAIT, 1, 1, 0, 0));
    SHOW(FUTEX(&w, FUTEX_WAIT, 1, &zero, 0, 0));
    SHOW(FUTEX(&w, FUTEX_WAIT, 0, &zero, 0, 0));
    SHOW(FUTEX(0, FUTEX_WAIT, 0, &zero, 0, 0));
    SHOW(FUTEX(0, FUTEX_WAIT | PRIVATE, 0, &zero, 0, 0));
    SHOW(FUTEX(0, FUTEX_WAKE, 0, 0, 0, 0));
    SHOW(FUTEX(0, FUTEX_WAKE | PRIVATE, 0, 0, 0, 0));
    SHOW(FUTEX(4096, FUTEX_WAKE | PRIVATE, 0, 0, 0, 0));
    SHOW(FUTEX(1, FUTEX_WAKE | PRIVATE, 0, 0, 0, 0));
#ifdef __x86_64__
    SHOW(FUTEX(1UL << 62, FUTEX_WAKE | PRIVATE, 0, 0, 0, 0));
    SHOW(FUTEX(0x7ffffffff000, FUTEX_WAKE | PRIVATE, 0, 0, 0, 0));
    SHOW(FUTEX(0x7ffffffff004, FUTEX_WAKE | PRIVATE, 0, 0, 0, 0));
#endif
    SHOW(FUTEX(~3UL, FUTEX_WAKE | PRIVATE, 0, 0, 0, 0));
    SHOW(FUTEX(&w, FUTEX_WAIT_BITSET, 0, &zero, 0, 0));
    SHOW(FUTEX(1, FUTEX_WAIT_BITSET, 1, &zero, 0, 1));
    SHOW(FUTEX(&w, FUTEX_WAKE_BITSET, 1, 0, 0, 0));
    SHOW(FUTEX(1, FUTEX_WAKE_BITSET, 1, 0, 0, 1));
    SHOW(FUTEX(&w, FUTEX_WAKE, -5, 0, 0, 0));
    SHOW(FUTEX(&w, FUTEX_FD, 0, 0, 0, 0));
    for (int op = 0; op < 17; op++) {
        w = 4194303; /* nobody's tid */
        printf("realtime %d: %s\n", op, text(FUTEX(&w, op | FUTEX_CLOCK_REALTIME, 0, &zero, &v, 0)));
        w = v = 0;
    }
    for (int bit = 9; bit < 32; bit++) printf("%s ", text(FUTEX(&w, FUTEX_WAIT | 1u << bit, 0, &zero, 0, 0)));
    printf("\n");
}

static void pages(void)
{
    struct {
        const char *name;
        char *at;
    } all[8] = {
        {"read-only", mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)},
        {"once written", mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)},
        {"none", mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)},
        {"shared read-only", mmap(0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0)},
        {"shared none", mmap(0, 4096, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)},
        {"unmapped", mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)},
    };
    int fd = open("/tmp", O_RDWR | O_TMPFILE, 0600);
    if (write(fd, "\1\0\0", 4) != 4) return;
    all[6].name = "file read-only", all[6].at = mmap(0, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
    all[7].name = "behind the file", all[7].at = all[6].at + 4096;
    all[1].at[0] = 0;
    mprotect(all[1].at, 4096, PROT_READ);
    munmap(all[5].at, 4096);
    for (int i = 0; i < 8; i++)
        for (int flag = 0; flag <= PRIVATE; flag += PRIVATE) {
            char *p = all[i].at;
            w = v = 0;
            printf("%s%s:", all[i].name, flag ? " private" : "");
            printf(" wait %s", text(FUTEX(p, FUTEX_WAIT | flag, 99, &zero, 0, 0)));
            printf(" wake %s", text(FUTEX(p, FUTEX_WAKE | flag, 1, 0, 0, 0)));
            printf(" wake_op %s", text(FUTEX(p, FUTEX_WAKE_OP | flag, 1, 0, &w, 0)));
            printf(" %s", text(FUTEX(&w, FUTEX_WAKE_OP | flag, 1, 0, p, 0)));
            printf(" requeue %s", text(FUTEX(p, FUTEX_REQUEUE | flag, 1, 1, &w, 0)));
            printf(" %s", text(FUTEX(&w, FUTEX_REQUEUE | flag, 1, 1, p, 0)));
            printf(" lock %s", text(FUTEX(p, FUTEX_LOCK_PI | flag, 0, 0, 0, 0)));
            printf(" trylock %s", text(FUTEX(p, FUTEX_TRYLOCK_PI | flag, 0, 0, 0, 0)));
            printf(" unlock %s", text(FUTEX(p, FUTEX_UNLOCK_PI | flag, 0, 0, 0, 0)));
            printf(" wait_requeue %s", text(FUTEX(p, FUTEX_WAIT_REQUEUE_PI | flag, 99, &zero, &w, 0)));
            printf(" %s\n", text(FUTEX(&w, FUTEX_WAIT_REQUEUE_PI | flag, 77, &zero, p, 0)));
        }
}

static void two_words(void)
{
    w = v = 0;
    SHOW(FUTEX(&w, FUTEX_REQUEUE, 0, 0, &w, 0));
    SHOW(FUTEX(&w, FUTEX_CMP_REQUEUE, 0, 0, &w, 0));
    SHOW(FUTEX(&w, FUTEX_CMP_REQUEUE, 0, 0, &w, 1));
    SHOW(FUTEX(&w, FUTEX_REQUEUE, -1, 0, &w, 0));
    SHOW(FUTEX(&w, FUTEX_REQUEUE, 0, -1, &w, 0));
    SHOW(FUTEX(&w, FUTEX_CMP_REQUEUE_PI, 1, 0, &w, 0));
    SHOW(FUTEX(&w, FUTEX_CMP_REQUEUE_PI, 0, 0, &v, 0));
    SHOW(FUTEX(&w, FUTEX_CMP_REQUEUE_PI, 2, 0, &v, 0));
    SHOW(FUTEX(&w, FUTEX_CMP_REQUEUE_PI, 1, 0, &v, 0));
    SHOW(FUTEX(&w, FUTEX_CMP_REQUEUE_PI, 1, 0, &v, 1));
    SHOW(FUTEX(&w, FUTEX_CMP_REQUEUE_PI, 1, -1, &v, 1));
    SHOW(FUTEX(&w, FUTEX_WAIT_REQUEUE_PI, 0, &zero, &w, 0));
    SHOW(FUTEX(&w, FUTEX_WAIT_REQUEUE_PI, 0, &zero, &v, 0));
    SHOW(FUTEX(&w, FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, 0, &zero, &v, 1));
    SHOW(FUTEX(&w, FUTEX_WAIT_REQUEUE_PI, 1, &zero, &v, 1));
    SHOW(FUTEX(&w, FUTEX_WAIT_REQUEUE_PI, 0, &large, &v, 1));
    for (int code = 0; code < 16; code++) {
        w = 5;
        printf("operation %d: %s", code, text(FUTEX(&v, FUTEX_WAKE_OP | PRIVATE, 1, 1, &w, code << 28 | 3 << 12 | 5)));
        printf(" %d\n", w);
        w = 5;
        printf("comparison %d: %s", code,
               text(FUTEX(&v, FUTEX_WAKE_OP | PRIVATE, 1, 1, &w, 1 << 28 | code << 24 | 3 << 12 | 5)));
        printf(" %d\n", w);
    }
    for (int shift = 30; shift < 34; shift++) {
        FUTEX(&v, FUTEX_WAKE_OP | PRIVATE, 1, 1, &w, 8u << 28 | shift << 12);
        printf("%x ", w);
    }
    FUTEX(&v, FUTEX_WAKE_OP | PRIVATE, 1, 1, &w, 0xfffu << 12);
    printf("%x\n", w);
}

#define LOCK(value, op) w = (value), printf("%s, %s: %s", #value, #op, text(FUTEX(&w, op, 0, 0, 0, 0))), \
    printf(" %x\n", (w & FUTEX_TID_MASK) == own ? w & ~FUTEX_TID_MASK | 1 : w)

static void locks(void)
{
    int own = syscall(SYS_gettid), nobody = 4194303;
    LOCK(0, FUTEX_LOCK_PI);
    LOCK(own, FUTEX_LOCK_PI);
    LOCK(own, FUTEX_TRYLOCK_PI);
    LOCK(own, FUTEX_UNLOCK_PI);
    LOCK(0, FUTEX_UNLOCK_PI);
    LOCK(0, FUTEX_TRYLOCK_PI);
    LOCK(nobody, FUTEX_LOCK_PI);
    LOCK(nobody, FUTEX_TRYLOCK_PI);
    LOCK(nobody, FUTEX_UNLOCK_PI);
    LOCK(nobody | FUTEX_WAITERS, FUTEX_LOCK_PI2);
    LOCK(FUTEX_OWNER_DIED, FUTEX_LOCK_PI);
    LOCK(FUTEX_WAITERS, FUTEX_LOCK_PI);
    LOCK(FUTEX_WAITERS | FUTEX_OWNER_DIED, FUTEX_TRYLOCK_PI);
    LOCK(own | FUTEX_WAITERS | FUTEX_OWNER_DIED, FUTEX_UNLOCK_PI);
    LOCK(own | FUTEX_OWNER_DIED, FUTEX_LOCK_PI);
    w = 0;
    SHOW(FUTEX(&w, FUTEX_LOCK_PI, 0, &large, 0, 0));
    SHOW(FUTEX(&w, FUTEX_LOCK_PI, 0, &negative, 0, 0));
    SHOW(FUTEX(&w, FUTEX_LOCK_PI, 0, 1, 0, 0));
    SHOW(FUTEX(&w, FUTEX_LOCK_PI2, 0, &large, 0, 0));
    SHOW(FUTEX(&w, FUTEX_TRYLOCK_PI, 0, 1, 0, 0));
    SHOW(FUTEX((char *)&w + 1, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
    SHOW(FUTEX((char *)&w + 1, FUTEX_LOCK_PI, 0, 0, 0, 0));
    SHOW(FUTEX(8, FUTEX_LOCK_PI, 0, 0, 0, 0));
    SHOW(FUTEX(8, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
}

#define WAITV(...) syscall(SYS_futex_waitv, __VA_ARGS__)

static void vectors(void)
{
    static struct word words[130];
    static int values[130];
    for (int i = 0; i < 130; i++) words[i].uaddr = (uintptr_t)&values[i], words[i].flags = FUTEX_32 | PRIVATE;
    SHOW(WAITV(words, 0, 0, 0, 0));
    SHOW(WAITV(words, 129, 0, 0, 0));
    SHOW(WAITV(0, 1, 0, 0, 0));
    SHOW(WAITV(8, 1, 0, 0, 0));
    SHOW(WAITV(words, 1, 1, 0, 0));
    SHOW(WAITV(words, 128, 0, &zero64, 1));
    SHOW(WAITV(words, 1, 0, &zero64, 0));
    SHOW(WAITV(words, 1, 0, &zero64, 2));
    SHOW(WAITV(words, 1, 0, &large64, 1));
    SHOW(WAITV(words, 1, 0, &negative64, 1));
    SHOW(WAITV(words, 1, 0, 1, 1));
    SHOW(WAITV(8, 1, 0, &large64, 2));
    values[3] = 1;
    SHOW(WAITV(words, 128, 0, &zero64, 1));
    values[3] = 0, words[3].val = 1ULL << 32;
    SHOW(WAITV(words, 128, 0, &zero64, 1));
    words[3].val = 0, words[2].reserved = 1;
    SHOW(WAITV(words, 128, 0, &zero64, 1));
    words[2].reserved = 0;
    for (int flags = 0; flags < 4; flags++) {
        words[0].flags = flags;
        printf("size %d: %s\n", flags, text(WAITV(words, 1, 0, &zero64, 1)));
    }
    for (int bit = 4; bit < 32; bit++) {
        words[0].flags = FUTEX_32 | 1u << bit;
        printf("%s ", text(WAITV(words, 1, 0, &zero64, 1)));
    }
    words[0].flags = FUTEX_32 | PRIVATE;
    printf("\n");
    words[1].uaddr = 1;
    SHOW(WAITV(words, 3, 0, &zero64, 1));
    words[1].uaddr = 0;
    SHOW(WAITV(words, 3, 0, &zero64, 1));
    words[1].flags = FUTEX_32, values[0] = 1;
    SHOW(WAITV(words, 3, 0, &zero64, 1));
    words[1].uaddr = (uintptr_t)&values[0], values[0] = 0;
    SHOW(WAITV(words, 3, 0, &zero64, 1));
}

int main(void)
{
    long own = 3 * sizeof(long);
    times_and_addresses();
    pages();
    two_words();
    locks();
    vectors();
    SHOW(syscall(SYS_set_robust_list, 0, 5));
    SHOW(syscall(SYS_set_robust_list, 0, own - 1));
    SHOW(syscall(SYS_set_robust_list, &w, own));
    SHOW(syscall(SYS_set_robust_list, 1, own));
    SHOW(syscall(SYS_set_robust_list, ~0UL, own));
    SHOW(syscall(SYS_get_robust_list, 999999, 0, 0));
    return 0;
}
