/* Memory of the program at addresses where lbw keeps code of its own. Nothing of that may show, and code whose way led
 * there goes on as before. */
#include <setjmp.h>
#include <signal.h>
#include <sys/personality.h>

#include "code.h"

static const struct { uint64_t start, end; } zones[] = {
    {0x40000000, 0x80000000}, {0x5554d5550000, 0x555555550000}, {0x555595550000, 0x5555d5550000},
    {0x7ffdc0000000, 0x7ffe40000000}, {0x7ffe80000000, 0x7fff00000000},
};
#define ZONES (sizeof zones / sizeof *zones)

static sigjmp_buf back;
static volatile int faults;

static void on_fault(int signo, siginfo_t *info, void *context) {
    faults++;
    siglongjmp(back, 1);
}

/* Write to every page where there might be something, and see that it is zero before and what was written after. */
static unsigned char *take(int zone, int prot) {
    unsigned char *start = mmap((void *)zones[zone].start, zones[zone].end - zones[zone].start, prot,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (start == MAP_FAILED) printf("zone %d: %m\n", zone);
    return start;
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    int status;
    char byte;
    if (personality(0xffffffff) != ADDR_NO_RANDOMIZE) { /* else the stack may lie in a zone */
        personality(ADDR_NO_RANDOMIZE);
        execv("/proc/self/exe", argv);
    }
    sigaction(SIGSEGV, &action, NULL);
    prepare();
    int fd = code_file("code");
    unsigned char *text = mmap(NULL, sizeof code, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    unsigned char *low = mmap((void *)0x10000000, sizeof code, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0);
    run("before", text);
    run("low before", low);
    int ends[2];
    pipe(ends);
    /* Nothing is there to be read. */
    int seen = 0;
    for (int zone = 0; zone < ZONES; zone++)
        for (uint64_t page = zones[zone].start; page < zones[zone].end; page += 1 << 24) {
            if (write(ends[1], (void *)page, 1) == 1) read(ends[0], &byte, 1), seen++;
        }
    printf("%d seen\n", seen);
    if (!fork()) {
        for (int zone = 0; zone < ZONES; zone++) {
            take(zone, PROT_NONE);
            printf("zone %d\n", zone);
            run("covered", text);
            run("low covered", low);
        }
        _exit(5);
    }
    wait(&status);
    printf("%x\n", status);
    run("parent", text);
    for (int zone = 0; zone < ZONES; zone++) {
        unsigned char *start = take(zone, PROT_READ | PROT_WRITE);
        int wrong = 0;
        for (uint64_t at = 0; at < zones[zone].end - zones[zone].start; at += 1 << 22) {
            if (start[at]) wrong++;
            start[at] = 7;
        }
        run("written", text);
        run("low written", low);
        for (uint64_t at = 0; at < zones[zone].end - zones[zone].start; at += 1 << 22)
            if (start[at] != 7) wrong++;
        printf("zone %d: %d wrong\n", zone, wrong);
    }
    /* One page each, all over a zone; then code there. */
    for (int zone = 0; zone < ZONES; zone++) munmap((void *)zones[zone].start, zones[zone].end - zones[zone].start);
    run("free again", text);
    for (int zone = 0; zone < ZONES; zone++) {
        unsigned char *there = mmap((void *)zones[zone].start + 0x100000, sizeof code, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0);
        run("in a zone", there);
        run("text", text);
        look("in a zone", there, code);
        munmap(there, sizeof code);
        if (!sigsetjmp(back, 1)) call(there, 8);
    }
    printf("%d faults\n", faults);
    /* The break grows into one. */
    munmap(low, sizeof code);
    char *top = sbrk(0x48000000);
    if (top == (void *)-1) printf("brk: %m\n");
    for (long at = 0; at < 0x48000000; at += 1 << 24) top[at] = 1;
    run("break", text);
    sbrk(-0x48000000L);
    run("back", text);
    return 0;
}
