/* Shared by the guests that make system calls of i386 by their numbers: S(text, number, arguments...). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline long raw(long number, long a, long b, long c, long d, long e, long f)
{
    long block[3] = {number, f, a}, result;
    __asm__ volatile("push %%ebp; push %%ebx; mov 4(%%eax), %%ebp; mov 8(%%eax), %%ebx; mov (%%eax), %%eax; int $0x80;"
                     "pop %%ebx; pop %%ebp"
                     : "=a"(result)
                     : "a"(block), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory");
    return result;
}

static inline long shown(const char *text, long result)
{
    if (result < 0 && result > -4096)
        printf("%s = %s\n", text, strerrorname_np(-result));
    else
        printf("%s = %ld\n", text, result);
    return result;
}

static inline long quiet(const char *text, long result)
{
    printf("%s %s\n", text, result < 0 && result > -4096 ? strerrorname_np(-result) : "done");
    return result;
}

#define CALL6(n, a, b, c, d, e, f, ...) raw(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL(...) CALL6(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define S(text, ...) shown(text, CALL(__VA_ARGS__))
#define Q(text, ...) quiet(text, CALL(__VA_ARGS__)) /* a result that differs from run to run */
#define LOW(value) ((long)(uint32_t)(value))
#define HIGH(value) ((long)((uint64_t)(value) >> 32))
#define PAIR(value) LOW(value), HIGH(value)

static inline void bytes(const char *text, const void *start, size_t count)
{
    printf("%s", text);
    for (size_t i = 0; i < count; i++)
        printf(" %02x", ((const unsigned char *)start)[i]);
    printf("\n");
}

/* Arrays as arguments. */
#define I32(...) ((int32_t[]){__VA_ARGS__})
#define U32(...) ((uint32_t[]){__VA_ARGS__})
#define I64(...) ((int64_t[]){__VA_ARGS__})
#define U64(...) ((uint64_t[]){__VA_ARGS__})
#define U16(...) ((uint16_t[]){__VA_ARGS__})
#define POINTERS(...) ((void *[]){__VA_ARGS__})
