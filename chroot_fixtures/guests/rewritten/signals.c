/* What a signal handler sees while thread-local memory is accessed: the program's own instructions, all registers as
   they were, the true address. Link statically: then all code lies between __executable_start and etext. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/ucontext.h>

#ifdef __x86_64__
#define PC REG_RIP
#define BX REG_RBX
#define BP REG_RBP
#define SELF "mov %%fs:0, %0"
#define LOAD "mov %%fs:0x2000000(%%rcx), %%rbx"
#define STORE "mov %%rbx, %%fs:0x2000000(%%rcx)"
#define FRAME "mov %%rbp, %0\n\t"
#define PUSH_FLAGS "pushfq"
#define POP_FLAGS "popfq"
#define TRACE "orl $0x100, (%%rsp)"
#define NO_TRACE "andl $~0x100, (%%rsp)"
#define RED_ZONE "lea -256(%%rsp), %%rsp"
#define RED_ZONE_BACK "lea 256(%%rsp), %%rsp"
#define TLS_STEPS "mov %%fs:0, %%rax\n\tmov %%fs:0x0(%%rcx), %%rdx\n\tnop\n\tadd %%fs:0x0(,%%rcx,8), %%rdx"
#else
#define PC REG_EIP
#define BX REG_EBX
#define BP REG_EBP
#define SELF "mov %%gs:0, %0"
#define LOAD "mov %%gs:0x2000000(%%ecx), %%ebx"
#define STORE "mov %%ebx, %%gs:0x2000000(%%ecx)"
#define FRAME "mov %%ebp, %0\n\t"
#define PUSH_FLAGS "pushfl"
#define POP_FLAGS "popfl"
#define TRACE "orl $0x100, (%%esp)"
#define NO_TRACE "andl $~0x100, (%%esp)"
#define RED_ZONE "nop"
#define RED_ZONE_BACK "nop"
#define TLS_STEPS "mov %%gs:0, %%eax\n\tmov %%gs:0x0(%%ecx), %%edx\n\tnop\n\tadd %%gs:0x0(,%%ecx,8), %%edx"
#endif

extern char __executable_start[], etext[];
extern char load_site[], store_site[];
static volatile uintptr_t self, frame, page;
static volatile sig_atomic_t steps, ticks, outside, wrong;
static volatile char *expected;
static __thread volatile unsigned counter;

static int inside(uintptr_t pc) { return pc >= (uintptr_t)__executable_start && pc < (uintptr_t)etext; }

static void on_segv(int signo, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    printf("segv: site %d, address %d, rbx %d, frame %d, code %d\n", (uintptr_t)registers[PC] == (uintptr_t)expected,
           (uintptr_t)info->si_addr == self + 0x2000000, registers[BX] == 0x1234567,
           (uintptr_t)registers[BP] == frame, info->si_code);
    fflush(stdout);
    page = (uintptr_t)info->si_addr & -4096ul;
    mmap((void *)page, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void on_trap(int signo, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    steps++;
    if (!inside(registers[PC]) || (uintptr_t)info->si_addr != (uintptr_t)registers[PC])
        outside++;
}

static void on_alarm(int signo, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    ticks++;
    if (!inside(registers[PC]))
        outside++;
    counter++;
    counter--;
}

static void handle(int signo, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(signo, &action, NULL);
}

int main(void)
{
    uintptr_t value, result;
    printf("begin\n");
    handle(SIGSEGV, on_segv);
    handle(SIGTRAP, on_trap);
    handle(SIGALRM, on_alarm);
    __asm__ volatile(SELF : "=r"(value));
    self = value;

    expected = load_site;
    __asm__ volatile(FRAME "load_site: " LOAD : "=m"(frame), "=b"(result) : "b"(0x1234567ul), "c"(0ul) : "memory");
    printf("loaded %lu\n", (unsigned long)result);
    munmap((void *)page, 8192);
    expected = store_site;
    __asm__ volatile(FRAME "store_site: " STORE : "=m"(frame) : "b"(0x1234567ul), "c"(0ul) : "memory");
    printf("stored %lx\n", *(unsigned long *)(self + 0x2000000));

    __asm__ volatile(RED_ZONE "\n\t" PUSH_FLAGS "\n\t" TRACE "\n\t" POP_FLAGS "\n\t" TLS_STEPS "\n\t"
                     PUSH_FLAGS "\n\t" NO_TRACE "\n\t" POP_FLAGS "\n\t" RED_ZONE_BACK
                     : : "c"(0ul) : "rax", "rdx", "memory", "cc");
    printf("%d steps, %d outside\n", (int)steps, (int)outside);

    struct itimerval every = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &every, NULL);
    unsigned rounds = 0;
    while (ticks < 40)
        for (int i = 0; i < 1000; i++, rounds++)
            counter++;
    setitimer(ITIMER_REAL, &never, NULL);
    printf("counted right: %d, %d outside\n", counter == rounds, (int)outside);
    return 3;
}
