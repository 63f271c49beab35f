/* Segment accesses that fault for good: the handler sees the place, all registers, the address, as if nothing stood
 * between. Recovery by a changed RIP, or by siglongjmp. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define BASE 0x10000000L   /* of GS: one page, one that is read-only, none */
#define STACK 0x20000000L
#define EDGE (BASE + 0x1000)
#define NOWHERE 0x1010101

struct attempt {
    char *name, *site, *end;
};
extern struct attempt attempts[], attempts_end[];
void attempt(struct attempt *, long where);
extern char resume[];
extern uint64_t kept_stack;

asm(R"(
.intel_syntax noprefix
.macro try name:req, instruction:vararg
    .pushsection .rodata
7:  .asciz "\name"
    .popsection
    .pushsection attempts_table, "aw"
    .quad 7b, 8f, 9f
    .popsection
8:  \instruction
9:  jmp resume
.endm
.pushsection attempts_table, "aw"
.balign 8
.global attempts
attempts:
.popsection
.text
.global attempt, resume, kept_stack
attempt:    # rsi: what is in RBX
    push rbp; push rbx; push r12; push r13; push r14; push r15
    mov [rip + kept_stack], rsp
    mov rax, [rdi + 8]
    mov [rip + going], rax
    mov rbx, rsi
    lea rsi, [rbx + 8]
    mov edi, 0x20000100
    mov eax, 0xa0a0a0a0
    mov ecx, 9
    mov edx, 0xd0d0
    mov ebp, 0xb0b0
    mov esp, 0x20000800
    mov r8d, 0x8080; mov r9d, 0x9090; mov r10d, 0x10; mov r11d, 0x11; mov r12d, 0x12; mov r13d, 0x13; mov r14d, 0x14; mov r15d, 0x15
    cmp eax, 0x80808080
    jmp [rip + going]
resume:
    mov rsp, [rip + kept_stack]
    pop r15; pop r14; pop r13; pop r12; pop rbx; pop rbp
    ret
    try "load", mov rax, gs:[rbx]
    try "load over its base", mov rbx, gs:[rbx]
    try "load with index", mov r9, gs:[rbx + r10 * 2 - 0x20]
    try "load byte", mov al, gs:[rbx]
    try "load high byte", mov ah, gs:[rbx]
    try "load narrow", mov rax, gs:[ebx]
    try "store", mov gs:[rbx], r8
    try "store immediate", mov dword ptr gs:[rbx + 3], 0x1234567
    try "add", add gs:[rbx], rdx
    try "lock add", lock add gs:[rbx], rdx
    try "lock cmpxchg", lock cmpxchg gs:[rbx], rdx
    try "cmpxchg16b", cmpxchg16b gs:[rsi + 8]
    try "xchg", xchg gs:[rbx], rax
    try "push", push qword ptr gs:[rbx]
    try "push on a bad stack", push qword ptr gs:[r10]
    try "pop", pop qword ptr gs:[rbx]
    try "call", call gs:[rbx]
    try "jmp", jmp gs:[rbx]
    try "call on a bad stack", call gs:[r10]
    try "movups", movups xmm0, gs:[rbx]
    try "movups to", movups gs:[rbx], xmm0
    try "fld", fld qword ptr gs:[rbx]
    try "fist", fist dword ptr gs:[rbx]
    try "xlat", xlat byte ptr gs:[rbx]
    try "lodsb", lods al, byte ptr gs:[rsi]
    try "movsb", movs byte ptr es:[rdi], byte ptr gs:[rsi]
    try "rep movsb", rep movs byte ptr es:[rdi], byte ptr gs:[rsi]
    try "rep lodsq", rep lods rax, qword ptr gs:[rsi]
    try "repe cmpsb", repe cmps byte ptr gs:[rsi], byte ptr es:[rdi]
    try "div", div qword ptr gs:[r10 + 0x20]
    try "bts", bts gs:[rbx], rdx
    try "shld", shld gs:[rbx], rdx, 3
    try "sete", sete gs:[rbx]
    try "cmov that is not done", cmovne rax, gs:[rbx]
.pushsection attempts_table, "aw"
.global attempts_end
attempts_end:
.popsection
.lcomm kept_stack, 8
.lcomm going, 8
.att_syntax
)");

static char alternate[32768];
static sigjmp_buf back;
static struct attempt *now;
static int jumps;

int main(void);

static void on_fault(int signo, siginfo_t *info, void *context) {
    static const int names[] = {REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8, REG_R9,
                                REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    printf("  %d %d at %+ld, address %lx, trap %lld, error %llx, flags %llx:", signo, info->si_code,
           (long)registers[REG_RIP] - (long)now->site, (long)info->si_addr, registers[REG_TRAPNO], registers[REG_ERR],
           registers[REG_EFL] & 0x8d5);
    for (int i = 0; i < 16; i++) printf(" %llx", registers[names[i]]);
    printf("\n");
    greg_t rip = registers[REG_RIP];
    if (rip != NOWHERE && (rip < (greg_t)attempt || rip > (greg_t)main)) {
        fflush(stdout);
        _exit(9);
    }
    if (jumps) siglongjmp(back, 1);
    registers[REG_RIP] = (greg_t)resume;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    static const long wheres[] = {0x2000, 0x1000, 0x1ffd, -0x10000000, 0x7000000000000000, 0x7ffff0000000, 0x1ff0};
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    setvbuf(stdout, malloc(65536), _IOFBF, 65536);
    mmap((void *)BASE, 0x2000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mmap((void *)STACK, 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (long *word = (void *)EDGE; word < (long *)(EDGE + 0x1000); word++) *word = NOWHERE;
    mprotect((void *)EDGE, 0x1000, PROT_READ);
    *(char **)(BASE + 0x10) = resume;
    syscall(SYS_arch_prctl, ARCH_SET_GS, BASE);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < sizeof wheres / sizeof *wheres; i++)
            for (now = attempts; now < attempts_end; now++) {
                int bad_stack = !!strstr(now->name, "stack");
                if (bad_stack && i) continue;
                printf("%s %lx\n", now->name, wheres[i]);
                jumps = round;
                memset((void *)(STACK + 0x100), 1, 32);
                mprotect((void *)EDGE, 0x1000, wheres[i] == 0x1ffd ? PROT_READ | PROT_WRITE : PROT_READ);
                if (bad_stack) mprotect((void *)STACK, 0x1000, PROT_READ);
                if (!sigsetjmp(back, 1)) attempt(now, wheres[i]);
                if (bad_stack) mprotect((void *)STACK, 0x1000, PROT_READ | PROT_WRITE);
                for (int byte = 0; byte < 16; byte++) printf(" %02x", ((unsigned char *)STACK)[0x100 + byte]);
                printf("\n");
            }
    return 0;
}
