// What guests of memory have in common: results with the names of errnos, and /proc/self/maps relative to a base.
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED (MAP_SHARED | MAP_ANONYMOUS)
#define MEGABYTE (1L << 20)

static char *base; // of an area that this program has for itself
static size_t area;

static const char *error_name(void) { return strerrorname_np(errno); }

// Find a free area, with so much room above it that what is mapped anywhere goes elsewhere.
static inline void find_area(size_t length)
{
    area = length;
    base = mmap(NULL, length + 64 * MEGABYTE, PROT_NONE, PRIVATE | MAP_NORESERVE, -1, 0);
    munmap(base, length + 64 * MEGABYTE);
}

// Show the result of a call: an address in the area as its page, another one as "elsewhere".
static inline void result(const char *what, long value)
{
    char *address = (char *)value;
    if (value < 0 && value > -4096)
        printf("%s: %s\n", what, error_name());
    else if (address >= base && address < base + area)
        printf("%s: page %ld\n", what, (address - base) / PAGE);
    else if ((unsigned long)value >= 4096)
        printf("%s: elsewhere\n", what);
    else
        printf("%s: %ld\n", what, value);
}

#define SHOW(call) (errno = 0, result(#call, (long)(call)))

// Show the mappings of the area, and of what touches it.
static inline void maps(const char *when)
{
    char line[512], *name;
    unsigned long start, end, offset;
    char rights[8];
    int at;
    FILE *file = fopen("/proc/self/maps", "r");
    printf("%s\n", when);
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "%lx-%lx %7s %lx %*s %*s %n", &start, &end, rights, &offset, &at);
        if (end <= (unsigned long)base || start >= (unsigned long)base + area)
            continue;
        name = strrchr(line + at, '/');
        printf("  %3ld-%-3ld %s %lx %s", (long)(start - (unsigned long)base) / PAGE, (long)(end - (unsigned long)base) / PAGE, rights, offset,
               name ? name : line[at] && at < (int)strlen(line) ? line + at : "\n");
    }
    fclose(file);
}

static sigjmp_buf escape;
static volatile int caught_signal, caught_code;
static void *volatile caught_address;

static void caught(int signo, siginfo_t *info, void *context)
{
    (void)context;
    caught_signal = signo, caught_code = info->si_code, caught_address = info->si_addr;
    siglongjmp(escape, 1);
}

static inline void catch_faults(void)
{
    static char stack[65536];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaltstack(&other, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

// Access a byte: 'r', 'w' or 'x' (it is to be a return instruction); return 0, or the signal and its code.
static inline const char *attempt(char how, volatile char *address)
{
    static char text[64];
    if (sigsetjmp(escape, 1)) {
        const char *name = caught_signal == SIGBUS ? "SIGBUS" : "SIGSEGV";
        snprintf(text, sizeof text, "%s %d%s", name, caught_code, caught_address == address ? "" : " elsewhere");
        return text;
    }
    if (how == 'r')
        (void)*address;
    else if (how == 'w')
        *address = (char)0xc3;
    else
        ((void (*)(void))(uintptr_t)address)();
    return "done";
}

#define ATTEMPT(how, address) printf("%c %s: %s\n", how, #address, attempt(how, address))
