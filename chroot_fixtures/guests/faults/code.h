/* Code in a file, made of sites: each stub returns something that tells whether it ran as written. GS: `block`. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 4
#define STUBS 7
static const int stubs[STUBS] = {0, 0x100, 0x200, 0x300, 0x400, 0x500, 0xffb};

static uint64_t block[512] __attribute__((aligned(4096)));
static unsigned char code[PAGES * 4096];

extern char teller[];
asm(".text; teller: mov (%rsp), %rax; ret");

static void put(unsigned char *at, const char *bytes) {
    while (*bytes) {
        unsigned value;
        sscanf(bytes, "%2x", &value);
        *at++ = value;
        bytes += 2;
        while (*bytes == ' ') bytes++;
    }
}

static void prepare(void) {
    for (int i = 0; i < 512; i++) block[i] = 1000 + i;
    block[500] = (uint64_t)teller;
    syscall(SYS_arch_prctl, ARCH_SET_GS, block);
    memset(code, 0xcc, sizeof code);
    for (int page = 0; page < PAGES; page++) {
        unsigned char *at = code + page * 4096;
        put(at, "65 48 03 04 25 00 00 00 00 c3"); /* add rax, gs:[page * 8 + 64] */
        at[5] = page * 8 + 64;
        put(at + 0x100, "65 8b 07 c3");                            /* mov eax, gs:[rdi] */
        put(at + 0x200, "65 8b 07 65 03 07 65 03 07 48 01 f8 c3"); /* three sites in a row, add rax, rdi */
        put(at + 0x300, "65 ff 14 25 a0 0f 00 00 c3");             /* call gs:[4000] */
        put(at + 0x400, "31 c0 65 48 87 04 25 f0 0f 00 00 65 ff 04 25 f0 0f 00 00 65 48 87 04 25 f0 0f 00 00 c3");
        put(at + 0x500, "65 48 8b 47 08 65 48 03 07 c3"); /* mov rax, gs:[rdi + 8]; add rax, gs:[rdi] */
        if (!page) put(at + 0xffb, "31 c0 65 8b 07"); /* mov eax, gs:[rdi], the last of its page */
    }
}

static uint64_t call(unsigned char *function, long argument) {
    uint64_t result;
    asm volatile("lea -128(%%rsp), %%rsp\n\tcall *%2\n\tsub $-128, %%rsp" : "=a"(result), "+D"(argument)
                 : "r"(function), "0"(0L) : "memory", "cc", "rcx", "rdx");
    return result;
}

static int code_file(const char *name) {
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0700);
    if (write(fd, code, sizeof code) != sizeof code) perror("write");
    return fd;
}

/* Run all stubs, so often that whatever happens to sites has happened; print the sum of what they say. */
static void run(const char *what, unsigned char *at) {
    uint64_t results[3];
    for (int round = 0; round < 3; round++) {
        uint64_t sum = 0;
        for (int page = 0; page < PAGES; page++)
            for (int i = 0; i < STUBS; i++) {
                unsigned char *stub = at + page * 4096 + stubs[i];
                if (stubs[i] == 0xffb && page) continue;
                uint64_t value = call(stub, page * 80 + 8);
                if (stubs[i] == 0x300) value -= (uint64_t)at;
                sum = sum * 33 + value;
            }
        results[round] = sum;
    }
    printf("%s: %lx%s\n", what, results[0], results[0] == results[1] && results[1] == results[2] ? "" : ", not always");
    fflush(stdout);
}

/* The kernel sees the bytes that were written, whatever the processor runs. */
static void look(const char *what, unsigned char *at, const unsigned char *expected) {
    static unsigned char seen[2][sizeof code];
    int ends[2], fd = open("/proc/self/mem", O_RDONLY);
    if (pread(fd, seen[0], sizeof code, (off_t)at) != sizeof code) printf("mem: %m\n");
    close(fd);
    pipe(ends);
    if (write(ends[1], at, sizeof code) != sizeof code || read(ends[0], seen[1], sizeof code) != sizeof code) printf("pipe: %m\n");
    close(ends[0]), close(ends[1]);
    for (int i = 0; i < 2; i++)
        if (memcmp(seen[i], expected, sizeof code)) printf("%s: other bytes, %d\n", what, i);
}
