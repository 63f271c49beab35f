/* Runs generated functions: plainly, step by step, and with signals at any moment. What a step or a signal shows is
 * the program as it was written: each place, each register.  blocks_begin .. blocks_end, functions[] are generated. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define DATA 0x30000000L
#define DATA_SIZE 0x6000

typedef uint64_t hash;
extern void *functions[], *functions_end[];
extern char blocks_begin[], blocks_end[], leave[];
void enter(void *function, uint64_t *registers, uint64_t bad);

static uint64_t segment[1024] __attribute__((aligned(4096)));
uint64_t variables[16];
extern uint64_t flags;
static char alternate[65536];
extern uint64_t __start_places[], __stop_places[]; /* where instructions begin, ascending */
static hash trace;
static greg_t last;
static long count, hits;
static int faults;
static char *wrong;

static const int saved[] = {REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8, REG_R9,
                            REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

static hash mix(hash old, uint64_t value) {
    old = (old ^ value) * 0x9e3779b97f4a7c15;
    return old ^ old >> 29;
}

static int inside(greg_t rip) {
    return rip >= (greg_t)blocks_begin && rip < (greg_t)blocks_end;
}

static void on_step(int signo, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    greg_t rip = registers[REG_RIP];
    if (!inside(rip) || rip == last) return; /* repeated instructions count once */
    last = rip;
    count++;
    for (int i = 0; i < 17; i++) trace = mix(trace, registers[saved[i]]);
}

static void on_alarm(int signo, siginfo_t *info, void *context) {
    greg_t rip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    extern char __executable_start[], etext[];
    if (!inside(rip)) {
        if (rip < (greg_t)__executable_start || rip >= (greg_t)etext) wrong = "outside";
        return;
    }
    hits++;
    uint64_t *place = __start_places;
    while (place < __stop_places && *place != (uint64_t)rip) place++;
    if (place == __stop_places) wrong = "between instructions";
}

static void on_fault(int signo, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    if (!inside(registers[REG_RIP])) signal(signo, SIG_DFL);
    faults++;
    for (int i = 0; i < 17; i++) trace = mix(trace, registers[saved[i]]);
    trace = mix(trace, (uint64_t)info->si_addr), trace = mix(trace, info->si_code), trace = mix(trace, registers[REG_ERR]);
    registers[REG_RIP] = (greg_t)leave;
}

static void reset(void) {
    mmap((void *)DATA, DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (int i = 0; i < 1024; i++) segment[i] = i * 0x0101010101010101UL ^ i << 20;
    for (int i = 0; i < 16; i++) variables[i] = i * 0x1111;
}

static hash run(int which, int round) {
    uint64_t registers[18];
    hash result = 0;
    reset();
    enter(functions[which], registers, round == 1 ? 0x40000000 : DATA + 0x3000);
    for (int i = 0; i < 18; i++) result = mix(result, i < 17 ? registers[i] : registers[i] & 0x8c5);
    for (int i = 0; i < 1024; i++) result = mix(result, segment[i]);
    for (int i = 0; i < 16; i++) result = mix(result, variables[i]);
    for (int i = 0; i < DATA_SIZE / 8; i++) result = mix(result, ((uint64_t *)DATA)[i]);
    return result;
}

int main(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct itimerval often = {{0, 300}, {0, 300}}, never = {};
    int number = functions_end - functions;
    hash results[number];
    sigaltstack(&stack, NULL);
    action.sa_sigaction = on_fault, sigaction(SIGSEGV, &action, NULL), sigaction(SIGBUS, &action, NULL);
    action.sa_sigaction = on_step, sigaction(SIGTRAP, &action, NULL);
    action.sa_sigaction = on_alarm, sigaction(SIGALRM, &action, NULL);
    syscall(SYS_arch_prctl, ARCH_SET_GS, segment);
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < number; i++) {
            trace = 0;
            results[i] = run(i, round);
            printf("%d: %lx, %d faults %lx\n", i, results[i], faults, trace);
            fflush(stdout);
        }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < number; i++) {
            trace = count = 0;
            flags = 0x302;
            hash result = run(i, round);
            flags = 0x202;
            printf("%d in %ld steps: %lx, %lx\n", i, count, result, trace);
            fflush(stdout);
        }
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; hits < 60; i = (i + 1) % number) {
        uint64_t registers[18];
        for (int again = 0; again < 1000; again++) enter(functions[i], registers, DATA + 0x3000);
        if (run(i, 3) != results[i]) wrong = "result";
        if (wrong) printf("%d: %s\n", i, wrong), exit(1);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    return 0;
}
