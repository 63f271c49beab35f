/* What rt_sigreturn takes from a frame that the handler has changed, and what it refuses: registers, flags, segments,
 * floating point state with and without its magic numbers, mask, alternate stack. */
#ifdef __i386__
#pragma GCC target("sse2")
#endif
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <unistd.h>

#ifdef __x86_64__
#define IP REG_RIP
#define SP REG_RSP
#define AX REG_RAX
#define FLAGS REG_EFL
#else
#define IP REG_EIP
#define SP REG_ESP
#define AX REG_EAX
#define FLAGS REG_EFL
#endif

typedef void edit(ucontext_t *);
static edit *change;
static sigjmp_buf back;
static volatile uintptr_t asked_ip;
static volatile int caught;

static unsigned char *fpu(ucontext_t *uc)
{
    unsigned char *at = (unsigned char *)uc->uc_mcontext.fpregs;
#ifdef __i386__
    at += 112;
#endif
    return at;
}

static uint32_t word(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

static void put(unsigned char *at, uint32_t value) { memcpy(at, &value, 4); }

static void on_usr1(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    change(context);
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *regs = uc->uc_mcontext.gregs;
    printf(" signal %d code %d addr %#lx trap %d err %#x", signo, info->si_code, (unsigned long)info->si_addr,
           (int)regs[REG_TRAPNO], (int)regs[REG_ERR]);
    printf(" %s", (uintptr_t)regs[IP] == asked_ip ? "there" : "elsewhere");
    printf(" usr2 %s\n", sigismember(&uc->uc_sigmask, SIGUSR2) == 1 ? "blocked" : "free");
    caught = 1;
    siglongjmp(back, 1);
}

static void set(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigaction(signo, &action, NULL);
}

static void attempt(const char *name, edit *how)
{
    printf("%-28s", name);
    fflush(stdout);
    change = how;
    asked_ip = 0;
    caught = 0;
    if (!sigsetjmp(back, 1)) {
        raise(SIGUSR1);
        printf(" returned\n");
    }
}

static void nothing(ucontext_t *uc) { (void)uc; }
static void magic(ucontext_t *uc)
{
    unsigned char *at = fpu(uc);
    uint32_t extended = word(at + 468), size = word(at + 480);
    printf(" flags %#lx magic %#x %#x features %d sizes %d %d header %d", uc->uc_flags & 7, word(at + 464),
           word(at + size), word(at + 472) & 3, extended - size == (sizeof(long) == 8 ? 4 : 116), size >= 576,
           word(at + 512) & 3);
}
static void low_ip(ucontext_t *uc) { uc->uc_mcontext.gregs[IP] = asked_ip = 16; }
#ifdef __x86_64__
static void wild_ip(ucontext_t *uc) { uc->uc_mcontext.gregs[IP] = (greg_t)(asked_ip = 0x8000000000000000); }
static void kernel_ip(ucontext_t *uc) { uc->uc_mcontext.gregs[IP] = (greg_t)(asked_ip = 0xffffffff81000000); }
static void cs(ucontext_t *uc, int selector)
{
    asked_ip = uc->uc_mcontext.gregs[IP];
    uc->uc_mcontext.gregs[REG_CSGSFS] = (uc->uc_mcontext.gregs[REG_CSGSFS] & ~0xffffll) | selector;
}
static void ss(ucontext_t *uc, int selector)
{
    asked_ip = uc->uc_mcontext.gregs[IP];
    uc->uc_mcontext.gregs[REG_CSGSFS] = (uc->uc_mcontext.gregs[REG_CSGSFS] & 0xffffffffffffll) | (long)selector << 48;
}
static void ring0_cs(ucontext_t *uc) { cs(uc, 0x30); }
#else
static void cs(ucontext_t *uc, int selector)
{
    asked_ip = uc->uc_mcontext.gregs[IP];
    uc->uc_mcontext.gregs[REG_CS] = selector;
}
static void ss(ucontext_t *uc, int selector)
{
    asked_ip = uc->uc_mcontext.gregs[IP];
    uc->uc_mcontext.gregs[REG_SS] = selector;
}
static void ring0_cs(ucontext_t *uc) { cs(uc, 0x20); }
#endif
static void kernel_cs(ucontext_t *uc) { cs(uc, 0x10); }
static void null_cs(ucontext_t *uc) { cs(uc, 0); }
static void data_cs(ucontext_t *uc) { cs(uc, 0x2b); }
static void wild_cs(ucontext_t *uc) { cs(uc, 0xfff3); }
static void null_ss(ucontext_t *uc) { ss(uc, 0); }
static void code_ss(ucontext_t *uc) { ss(uc, 0x33); }
static void ring0_ss(ucontext_t *uc) { ss(uc, 0x28); }
static void wild_ss(ucontext_t *uc) { ss(uc, 0xfff3); }
static unsigned char *fpu_there(ucontext_t *uc)
{
    asked_ip = uc->uc_mcontext.gregs[IP];
    return fpu(uc);
}
static void bad_mxcsr(ucontext_t *uc) { put(fpu_there(uc) + 24, 0x80001f80); }
static void bad_mxcsr_mask(ucontext_t *uc)
{
    put(fpu(uc) + 28, 0);
    sigaddset(&uc->uc_sigmask, SIGUSR2);
}
static void blocked_and_bad(ucontext_t *uc)
{
    sigaddset(&uc->uc_sigmask, SIGUSR2);
    bad_mxcsr(uc);
}
static void no_magic1(ucontext_t *uc) { put(fpu(uc) + 464, 0); }
static void no_magic2(ucontext_t *uc) { put(fpu(uc) + word(fpu(uc) + 480), 0); }
static void large(ucontext_t *uc) { put(fpu(uc) + 480, 1 << 20); }
static void small(ucontext_t *uc) { put(fpu(uc) + 480, 512); }
static void bad_header(ucontext_t *uc) { put(fpu_there(uc) + 528, 1); }
static void wild_component(ucontext_t *uc) { put(fpu(uc) + 512, word(fpu(uc) + 512) | 1u << 30); }
static void no_fpu(ucontext_t *uc) { uc->uc_mcontext.fpregs = NULL; }
static void wild_fpu(ucontext_t *uc) { uc->uc_mcontext.fpregs = (void *)16; }
static void crooked_fpu(ucontext_t *uc) { uc->uc_mcontext.fpregs = (void *)((char *)uc->uc_mcontext.fpregs + 8); }
static void all_flags(ucontext_t *uc) { uc->uc_mcontext.gregs[FLAGS] = 0x7ffbfeff; }
static void other_stack(ucontext_t *uc)
{
    static char area[32768];
    uc->uc_stack.ss_sp = area;
    uc->uc_stack.ss_size = sizeof area;
    uc->uc_stack.ss_flags = 0;
}
static void small_stack(ucontext_t *uc)
{
    other_stack(uc);
    uc->uc_stack.ss_size = 64;
}
static void bad_stack(ucontext_t *uc)
{
    other_stack(uc);
    uc->uc_stack.ss_size = 12345;
    uc->uc_stack.ss_flags = 77;
}

/* Raise SIGUSR1 and return the flags afterwards. */
static unsigned long flags(edit *how)
{
    unsigned long value;
    long pid = getpid(), result;
    change = how;
#ifdef __x86_64__
    __asm__ volatile("syscall; pushfq; popq %1; cld"
                     : "=a"(result), "=r"(value)
                     : "a"(62), "D"(pid), "S"(SIGUSR1)
                     : "rcx", "r11", "memory");
#else
    __asm__ volatile("int $0x80; pushfl; popl %1; cld"
                     : "=a"(result), "=r"(value)
                     : "a"(37), "b"(pid), "c"(SIGUSR1)
                     : "memory");
#endif
    return value;
}

/* Raise SIGUSR1 with known values in XMM0, MXCSR and the x87 control word; print what they are afterwards. */
static void state(const char *name, edit *how)
{
    uint32_t mxcsr = 0x9fc0, first = 0x12345678, after = 0, lane = 0;
    uint16_t control = 0x27f, control_after = 0;
    change = how;
    if (sigsetjmp(back, 1))
        return;
    long pid = getpid(), result;
#ifdef __x86_64__
    __asm__ volatile("ldmxcsr %3; fldcw %4; movd %5, %%xmm9; syscall; stmxcsr %1; fnstcw %2; movd %%xmm9, %6"
                     : "=a"(result), "=m"(after), "=m"(control_after)
                     : "m"(mxcsr), "m"(control), "r"(first), "m"(lane), "a"(62), "D"(pid), "S"(SIGUSR1)
                     : "rcx", "r11", "xmm9", "memory");
#else
    __asm__ volatile("ldmxcsr %3; fldcw %4; movd %5, %%xmm5; int $0x80; stmxcsr %1; fnstcw %2; movd %%xmm5, %6"
                     : "=a"(result), "=m"(after), "=m"(control_after)
                     : "m"(mxcsr), "m"(control), "m"(first), "m"(lane), "a"(37), "b"(pid), "c"(SIGUSR1)
                     : "xmm5", "memory");
#endif
    printf("%-28s mxcsr %#x control %#x xmm %#x\n", name, after, control_after, lane);
    mxcsr = 0x1f80;
    control = 0x37f;
    __asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(control));
}

static void see_state(ucontext_t *uc)
{
    uint32_t mxcsr, lane;
    uint16_t control, environment[14];
    (void)uc;
#ifdef __x86_64__
    __asm__ volatile("movd %%xmm9, %0" : "=r"(lane));
#else
    __asm__ volatile("movd %%xmm5, %0" : "=r"(lane));
#endif
    __asm__ volatile("stmxcsr %0; fnstcw %1; fnstenv %2" : "=m"(mxcsr), "=m"(control), "=m"(environment));
    printf("in the handler: mxcsr %#x control %#x xmm %#x tags %#x\n", mxcsr, control, lane, environment[4]);
}

static void change_state(ucontext_t *uc)
{
    put(fpu(uc) + 24, 0x1fa0);
    fpu(uc)[0] = 0x7f;
    fpu(uc)[1] = 3;
#ifdef __i386__
    ((unsigned char *)uc->uc_mcontext.fpregs)[0] = 0x7f;
    ((unsigned char *)uc->uc_mcontext.fpregs)[1] = 3;
    put(fpu(uc) + 160 + 5 * 16, 0xabcdef);
#else
    put(fpu(uc) + 160 + 9 * 16, 0xabcdef);
#endif
}
static void change_fxsave(ucontext_t *uc)
{
    change_state(uc);
    no_magic1(uc);
}
static void not_held(ucontext_t *uc) { put(fpu(uc) + 512, 0); }
static void no_sse(ucontext_t *uc) { put(fpu(uc) + 472, 1); }
static void only_sse(ucontext_t *uc) { put(fpu(uc) + 472, 2); }

int main(void)
{
    stack_t stack;
    setvbuf(stdout, NULL, _IONBF, 0);
    set(SIGUSR1, on_usr1, 0);
    set(SIGSEGV, on_fault, 0);
    set(SIGBUS, on_fault, 0);
    attempt("as it is", nothing);
    attempt("magic", magic);
    attempt("ip low", low_ip);
#ifdef __x86_64__
    attempt("ip not canonical", wild_ip);
    attempt("ip of the kernel", kernel_ip);
#endif
    attempt("cs 0x10", kernel_cs);
    attempt("cs 0", null_cs);
    attempt("cs 0x2b", data_cs);
    attempt("cs 0xfff3", wild_cs);
    attempt("cs without rpl", ring0_cs);
    attempt("ss 0", null_ss);
    attempt("ss 0x33", code_ss);
    attempt("ss 0xfff3", wild_ss);
    attempt("ss without rpl", ring0_ss);
    attempt("mxcsr reserved bit", bad_mxcsr);
    attempt("and a mask", blocked_and_bad);
    attempt("mxcsr mask 0, usr2 blocked", bad_mxcsr_mask);
    attempt("as it is", nothing);
    attempt("no magic1", no_magic1);
    attempt("no magic2", no_magic2);
    attempt("too large", large);
    attempt("too small", small);
    attempt("bad header", bad_header);
    attempt("unknown component", wild_component);
    attempt("no fpu", no_fpu);
    attempt("fpu nowhere", wild_fpu);
    attempt("fpu not aligned", crooked_fpu);
    printf("all flags: %#lx\n", flags(all_flags) & 0xfff00);
    state("state kept", nothing);
    state("state in the handler", see_state);
    state("state changed", change_state);
    state("changed without magic", change_fxsave);
    state("initial without fpu", no_fpu);
    state("components not held", not_held);
    state("sse not restored", no_sse);
    state("x87 not restored", only_sse);
    attempt("another stack", other_stack);
    sigaltstack(NULL, &stack);
    printf("size %zu flags %d\n", stack.ss_size, stack.ss_flags);
    attempt("small stack", small_stack);
    attempt("bad stack", bad_stack);
    sigaltstack(NULL, &stack);
    printf("size %zu flags %d\n", stack.ss_size, stack.ss_flags);
    set(SIGUSR1, on_usr1, SA_ONSTACK);
    attempt("from the stack", bad_stack);
    stack.ss_size = 16384;
    sigaltstack(&stack, NULL);
    attempt("from the stack, another", other_stack);
    sigaltstack(NULL, &stack);
    printf("size %zu flags %d\n", stack.ss_size, stack.ss_flags);
    return 0;
}
