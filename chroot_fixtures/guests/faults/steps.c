/* Single steps through every form of segment access: one trap for each instruction, where it ends.
 * Repeated instructions count once: how often they trap is a matter of the processor. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

#include "forms.h"

static long steps[4000];
static volatile int count;

static void on_trap(int signo, siginfo_t *info, void *context) {
    long rip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    if (rip >= (long)forms_begin && rip < (long)forms_end && count < 4000) {
        steps[count] = (rip - (long)forms_begin) << 16 | info->si_code << 8 | ((long)info->si_addr == rip);
        if (!count || steps[count] != steps[count - 1]) count++;
    }
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    fill_block();
    set_gs(block);
    for (int again = 0; again < 4; again++) {
        count = 0;
        asm volatile("pushf; orl $0x100, (%%rsp); popf" ::: "cc", "memory");
        forms(2);
        asm volatile("pushf; andl $~0x100, (%%rsp); popf" ::: "cc", "memory");
        printf("%d:", count);
        for (int i = 0; i < count; i++) printf(" %lx", steps[i]);
        printf("\n");
        if (again == 1) forms(3); /* what can be patched is */
    }
    return 0;
}
