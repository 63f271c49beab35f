/* A program that steps through itself: system calls, thread-local memory and loads of GS are one step each. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

extern char start[], stop[];
static int offsets[64], codes[64], count;

static void step(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	unsigned at = uc->uc_mcontext.gregs[REG_EIP];
	if (count < 64) {
		codes[count] = info->si_code;
		offsets[count++] = at - (unsigned)start;
	}
	if (at >= (unsigned)stop)
		uc->uc_mcontext.gregs[REG_EFL] &= ~0x100;
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};
	sigaction(SIGTRAP, &action, NULL);
	for (int i = 0; i < 3; i++) {
		asm volatile("pushf; orl $0x100, (%%esp); popf\n"
			     ".globl start\nstart: nop; movl $20, %%eax; int $0x80; nop\n"
			     "mov %%gs, %%ecx; mov %%ecx, %%gs; movl %%gs:0x14, %%ecx; push %%gs; pop %%gs; nop\n"
			     ".globl stop\nstop: nop; nop" ::: "eax", "ecx", "memory", "cc");
		for (int j = 0; j < count; j++)
			printf("%d/%d ", offsets[j], codes[j]);
		puts("");
		count = 0;
	}
	return 0;
}
