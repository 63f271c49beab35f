/* Signals at any moment of a loop with every form of segment access: each shows a place where an instruction begins,
 * registers as the program has them, and the red zone as it was. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

#include "forms.h"

static volatile int hits, elsewhere;
static char *wrong;
static greg_t wrong_place, wrong_value;

static const struct { int reg; greg_t value; } canaries[] = {
    {REG_RBP, CANARY(5)}, {REG_RBX, CANARY(3)}, {REG_R8, CANARY(8)}, {REG_R9, CANARY(9)}, {REG_R10, CANARY(10)},
    {REG_R11, CANARY(11)}, {REG_R12, CANARY(12)}, {REG_R13, CANARY(13)}, {REG_R14, CANARY(14)}, {REG_R15, CANARY(15)},
    {REG_RCX, CANARY(1)}, {REG_RDX, CANARY(2)}, {REG_RSI, CANARY(6)}, {REG_RDI, CANARY(7)},
};

static void on_alarm(int signo, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    greg_t rip = registers[REG_RIP];
    extern char __executable_start[], etext[];
    if (rip < (greg_t)forms_begin || rip >= (greg_t)forms_end) {
        if (rip < (greg_t)__executable_start || rip >= (greg_t)etext) wrong = "text", wrong_place = rip;
        elsewhere++;
        return;
    }
    hits++;
    struct place *place = places;
    while (place < places_end && place->address != rip) place++;
    if (place == places_end) {
        wrong = "place", wrong_place = rip - (greg_t)forms_begin;
        return;
    }
    for (int i = 0; i < sizeof canaries / sizeof *canaries - 4 * place->loose; i++)
        if (registers[canaries[i].reg] != canaries[i].value) {
            wrong = "register", wrong_place = rip - (greg_t)forms_begin, wrong_value = registers[canaries[i].reg];
        }
    uint64_t *stack = (uint64_t *)registers[REG_RSP];
    for (int i = 3; i < 16; i++)
        if (stack[-i] != 0x5a5a5a5a5a5a5a5a)
            wrong = "red zone", wrong_place = rip - (greg_t)forms_begin, wrong_value = stack[-i];
}

static char initial[sizeof block], expected[sizeof block];

int main(void) {
    struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct itimerval often = {{0, 700}, {0, 700}}, never = {};
    fill_block();
    set_gs(block);
    memcpy(initial, block, sizeof block);
    forms(200);
    memcpy(expected, block, sizeof block);
    printf("%d\n", hits);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    while (hits < 200 && !wrong) {
        memcpy(block, initial, sizeof block);
        forms(200);
        if (memcmp(block, expected, sizeof block)) wrong = "sum";
    }
    setitimer(ITIMER_REAL, &never, NULL);
    printf("%s %lx %lx\n", wrong ? wrong : "right", (long)wrong_place, (long)wrong_value);
    return 0;
}
