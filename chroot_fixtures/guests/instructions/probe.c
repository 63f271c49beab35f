/* What an instruction does: each case of standard input is run in a child, with known registers, flags and memory, and
 * everything that is different afterwards is printed: the signal that ended it and what the kernel says about it,
 * registers, flags, x87 and SSE state, memory. Addresses are fixed, so that two runs can be compared byte by byte.
 *
 *     NAME HEX [register=value]... [flags=value] [mxcsr=value] [fcw=value] [step] [loops] [mask=signal]
 *
 * The bytes are followed by ud2, which ends a case that does nothing wrong. `step`: SIGTRAPs are written down and
 * returned from. `at=address` puts the code elsewhere (a page of its own). `quiet`: only the signal is printed.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE 0x10000000ul
#define DATA 0x20000000ul
#define STACK 0x30000000ul
#define SIZE 0x4000ul

typedef unsigned long word;

#ifdef __x86_64__
#define COUNT 16
static const char *names[COUNT] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                   "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const int places[COUNT] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
#define PC REG_RIP
#define XMMS 16
#else
#define COUNT 8
static const char *names[COUNT] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
static const int places[COUNT] = {REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI};
#define PC REG_EIP
#define XMMS 8
#endif

/* what the trampoline loads */
word registers[COUNT], flags, target;
unsigned char image[512] __attribute__((aligned(64)));
static unsigned char memory_before[SIZE], stack_before[SIZE];
static word code, end, thread_base;
static int stepping, quiet;
static char line[65536];
static int used;

void enter(void);
#ifdef __x86_64__
__asm__("enter: fxrstor64 image(%rip)\n"
        "mov registers+32(%rip), %rsp\n"
        "push target(%rip)\n push flags(%rip)\n"
        "mov registers(%rip), %rax\n mov registers+8(%rip), %rcx\n mov registers+16(%rip), %rdx\n"
        "mov registers+24(%rip), %rbx\n mov registers+40(%rip), %rbp\n mov registers+48(%rip), %rsi\n"
        "mov registers+56(%rip), %rdi\n mov registers+64(%rip), %r8\n mov registers+72(%rip), %r9\n"
        "mov registers+80(%rip), %r10\n mov registers+88(%rip), %r11\n mov registers+96(%rip), %r12\n"
        "mov registers+104(%rip), %r13\n mov registers+112(%rip), %r14\n mov registers+120(%rip), %r15\n"
        "popf\n ret\n");
#else
__asm__("enter: fxrstor image\n"
        "mov registers+16, %esp\n"
        "pushl target\n pushl flags\n"
        "mov registers, %eax\n mov registers+4, %ecx\n mov registers+8, %edx\n"
        "mov registers+12, %ebx\n mov registers+20, %ebp\n mov registers+24, %esi\n mov registers+28, %edi\n"
        "popf\n ret\n");
#endif

static void restore(void) {
    __asm__ volatile("pushf\n andl $~0x40100, (%%" 
#ifdef __x86_64__
                     "rsp"
#else
                     "esp"
#endif
                     ")\n popf\n cld" ::: "cc", "memory");
#ifdef __x86_64__
    long ignored;
    __asm__ volatile("syscall" : "=a"(ignored) : "a"(SYS_arch_prctl), "D"(0x1002), "S"(thread_base)
                     : "rcx", "r11", "memory");
#else
    __asm__ volatile("mov %0, %%gs\n mov %1, %%ds\n mov %1, %%es" ::"r"(thread_base), "r"(0x2b));
#endif
}

static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    used += vsnprintf(line + used, sizeof line - used, format, arguments);
    va_end(arguments);
}

static void place(const char *name, word address) {
    if (address - code < 0x1000) {
        say(" %s=code+%ld", name, (long)(address - code));
    } else {
        say(" %s=%#lx", name, address);
    }
}

static void changes(const char *name, const unsigned char *now, const unsigned char *before, int size) {
    for (int at = 0; at < size; at += 16) {
        if (memcmp(now + at, before + at, 16)) {
            say(" %s+%#x=", name, at);
            for (int i = 0; i < 16; i++) say("%02x", now[at + i]);
        }
    }
}

static void handler(int signo, siginfo_t *info, void *raw) {
    restore();
    ucontext_t *uc = raw;
    greg_t *g = uc->uc_mcontext.gregs;
    word pc = g[PC];
    if (signo == SIGTRAP && stepping && stepping < 200) {
        stepping++;
        say(" step:%ld", (long)(pc - code));
        if (g[REG_TRAPNO] != 1 || info->si_code != 2) say("(%d %d)", (int)g[REG_TRAPNO], info->si_code);
        return;
    }
    if (signo == SIGILL && pc == end) {
        say(" done");
    } else {
        say(" signal=%d code=%d", signo, info->si_code);
        place("addr", (word)info->si_addr);
        say(" trapno=%d err=%d", (int)g[REG_TRAPNO], (int)g[REG_ERR]);
        place("rip", pc);
    }
    if (!quiet) {
        for (int i = 0; i < COUNT; i++)
            if ((word)g[places[i]] != registers[i]) say(" %s=%#lx", names[i], (word)g[places[i]]);
        word now = g[REG_EFL] & 0x50fd5, then = flags & 0x50fd5;  /* RF and AC too */
        if (signo != SIGTRAP) now &= ~0x10000ul;
        if (now != then) say(" flags=%#lx", now);
        unsigned char *fp = (unsigned char *)uc->uc_mcontext.fpregs;
#ifndef __x86_64__
        fp += 112; /* behind the old part: the image of fxsave */
#endif
        if (memcmp(fp, image, 5)) say(" fcw=%02x%02x fsw=%02x%02x ftw=%02x", fp[1], fp[0], fp[3], fp[2], fp[4]);
        if (memcmp(fp + 24, image + 24, 4)) say(" mxcsr=%02x%02x", fp[25], fp[24]);
        for (int i = 0; i < 8; i++) {
            if (memcmp(fp + 32 + 16 * i, image + 32 + 16 * i, 10)) {
                say(" st%d=", i);
                for (int j = 9; j >= 0; j--) say("%02x", fp[32 + 16 * i + j]);
            }
        }
        changes("xmm", fp + 160, image + 160, 16 * XMMS);
        changes("data", (void *)DATA, memory_before, SIZE);
        changes("stack", (void *)STACK, stack_before, SIZE);
    }
    line[used++] = '\n';
    syscall(SYS_write, 1, line, used);
    syscall(SYS_exit_group, 0);
}

static void run(char *text) {
    char *save = NULL, *name = strtok_r(text, " \n", &save), *hex = strtok_r(NULL, " \n", &save);
    if (!name || !hex) return;
    code = CODE;
    flags = 0x202;
    word *pages[] = {(word *)DATA, (word *)STACK};
    for (int p = 0; p < 2; p++)
        for (word i = 0; i < SIZE / sizeof(word); i++) pages[p][i] = (word)0x0102030405060708ull * (i % 13 + 1) + p;
    for (int i = 0; i < COUNT; i++) registers[i] = (word)0x1122334455667788ull * (i + 1);
    registers[3] = DATA + 0x100;
    registers[6] = DATA + 0x200;
    registers[7] = DATA + 0x300;
    registers[4] = STACK + SIZE / 2;
    memset(image, 0, sizeof image);
    image[0] = 0x7f, image[1] = 3, image[24] = 0x80, image[25] = 0x1f;
    for (int i = 0; i < 16 * XMMS; i++) image[160 + i] = (unsigned char)(i * 7 + 3);
    used = 0;
    say("%s:", name);
    signal(SIGALRM, SIG_DFL);
    for (char *option; (option = strtok_r(NULL, " \n", &save));) {
        char *value = strchr(option, '=');
        unsigned long long number = value ? strtoull(value + 1, NULL, 0) : 0;
        if (value) *value = 0;
        if (!strcmp(option, "step")) stepping = 1;
        if (!strcmp(option, "quiet")) quiet = 1;
        if (!strcmp(option, "flags")) flags = number;
        if (!strcmp(option, "mxcsr")) image[24] = number & 255, image[25] = number >> 8;
        if (!strcmp(option, "fcw")) image[0] = number & 255, image[1] = number >> 8;
        if (!strcmp(option, "at")) code = number;
        if (!strcmp(option, "data")) *(unsigned long long *)(DATA + 0x200) = number;
        for (int i = 0; i < COUNT; i++)
            if (!strcmp(option, names[i])) registers[i] = number;
    }
    mmap((void *)(code & ~0xffful), 0x2000, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    unsigned char *at = (void *)code;
    for (; hex[0] && hex[1]; hex += 2) {
        char digits[3] = {hex[0], hex[1], 0};
        *at++ = strtoul(digits, NULL, 16);
    }
    end = (word)at;
    for (int i = 0; i < 32; i++) at[i] = i & 1 ? 0x0b : 0x0f;
    target = code;
    memcpy(memory_before, (void *)DATA, SIZE);
    if (registers[4] - STACK <= SIZE) {
        ((word *)registers[4])[-1] = target; /* as the trampoline leaves them */
        ((word *)registers[4])[-2] = flags;
    }
    memcpy(stack_before, (void *)STACK, SIZE);
    alarm(20);
    enter();
}

int main(void) {
    static char text[4096], alternate[65536];
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    int caught[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS};
    for (unsigned i = 0; i < sizeof caught / sizeof *caught; i++) sigaction(caught[i], &action, NULL);
    mmap((void *)DATA, SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mmap((void *)STACK, SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
#ifdef __x86_64__
    syscall(SYS_arch_prctl, 0x1003, &thread_base);
#else
    __asm__("mov %%gs, %0" : "=r"(thread_base));
#endif
    setvbuf(stdout, NULL, _IONBF, 0);
    setvbuf(stdin, NULL, _IOFBF, 65536);
    while (fgets(text, sizeof text, stdin)) {
        char name[200] = "";
        sscanf(text, "%199s", name);
        if (!name[0] || name[0] == '#') continue;
        pid_t child = fork();
        if (!child) {
            run(text);
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        if (status) printf("%s: status=%#x\n", name, status);
    }
    return 0;
}
