/* Both kinds of i386 signal frames, word by word: what differs from run to run is made relative to the frame. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <unistd.h>

static unsigned char *frame;
static unsigned words[256];
static volatile int old_kind;

static void show(unsigned at, const char *what, unsigned value)
{
	if (strstr("pretcode eip esp esp_at fpstate", what))
		printf("%4u %-12s %s\n", at, what, value ? "set" : "0");
	else if (value - (unsigned)frame < 1024)
		printf("%4u %-12s frame%+d\n", at, what, (int)(value - (unsigned)frame));
	else
		printf("%4u %-12s %#x\n", at, what, value);
}

static const char *const context_names[] = {
	"gs", "fs", "es", "ds", "edi", "esi", "ebp", "esp", "ebx", "edx", "ecx", "eax", "trapno", "err", "eip", "cs",
	"eflags", "esp_at", "ss", "fpstate", "oldmask", "cr2",
};

static void context(unsigned at)
{
	for (unsigned i = 0; i < 22; i++) {
		unsigned value = words[at / 4 + i];
		if (i == 16)
			value &= ~0xd5u; /* status flags */
		if (i >= 4 && i <= 11 && i != 7)
			continue; /* whatever the compiler had there */
		show(at + 4 * i, context_names[i], value);
	}
	printf("esp twice the same: %d\n", words[at / 4 + 7] == words[at / 4 + 17]);
	unsigned char *fp = (unsigned char *)words[at / 4 + 19];
	printf("fpstate aligned %u, %d above the frame\n", ((unsigned)fp + 112) & 63, (int)(fp - frame) > 0);
	unsigned *w = (unsigned *)fp;
	printf("fsave: cw %x sw %x tw %x cs %x ds %x status %x magic %x\n", w[0], w[1], w[2], w[4], w[6],
	       fp[108] | fp[109] << 8, fp[110] | fp[111] << 8);
	for (int i = 0; i < 8; i++) {
		for (int j = 9; j >= 0; j--)
			printf("%02x", fp[28 + 10 * i + j]);
		printf(i % 4 == 3 ? "\n" : " ");
	}
	unsigned char *fx = fp + 112;
	printf("fxsave: cw %x sw %x tag %x mxcsr %x\n", fx[0] | fx[1] << 8, fx[2] | fx[3] << 8, fx[4],
	       *(unsigned *)(fx + 24));
	printf("xmm0 %08x %08x xmm7 %08x\n", *(unsigned *)(fx + 160), *(unsigned *)(fx + 164), *(unsigned *)(fx + 272));
}

static void dump(void)
{
	memcpy(words, frame, sizeof words);
	show(0, "pretcode", words[0]);
	printf("entry: esp %% 16 = %u\n", ((unsigned)frame + 4) & 15);
	printf("signo %u\n", words[1]);
	if (old_kind) {
		context(8);
		unsigned extra = 8 + 88 + 624;
		printf("extramask %x retcode", words[extra / 4]);
		for (int i = 0; i < 8; i++)
			printf(" %02x", frame[extra + 4 + i]);
		printf("\n");
	} else {
		show(8, "pinfo", words[2]);
		show(12, "puc", words[3]);
		for (int i = 0; i < 32; i++)
			if (i != 3 && i != 4)
				printf("%x%c", words[4 + i], i % 16 == 15 ? '\n' : ' ');
		printf("uc flags %x link %x stack %s %x %x\n", words[36] & ~1u, words[37], words[38] ? "set" : "0", words[39],
		       words[40]);
		context(164);
		printf("mask %x %x retcode", words[252 / 4], words[256 / 4]);
		for (int i = 0; i < 8; i++)
			printf(" %02x", frame[260 + i]);
		printf("\n");
	}
	unsigned short ds, es, fs, gs, cs, ss;
	asm("mov %%ds, %0; mov %%es, %1; mov %%fs, %2" : "=r"(ds), "=r"(es), "=r"(fs));
	asm("mov %%gs, %0; mov %%cs, %1; mov %%ss, %2" : "=r"(gs), "=r"(cs), "=r"(ss));
	printf("handler: ds %x es %x fs %x gs %x cs %x ss %x\n", ds, es, fs, gs, cs, ss);
}

__attribute__((noinline)) static void plain(int signo)
{
	frame = (unsigned char *)__builtin_frame_address(0) + 4;
	printf("plain %d\n", signo);
	dump();
}

__attribute__((noinline)) static void info(int signo, siginfo_t *si, void *uc)
{
	frame = (unsigned char *)__builtin_frame_address(0) + 4;
	printf("info %d code %d %d %d\n", signo, si->si_code, (unsigned char *)si - frame == 16,
	       (unsigned char *)uc - frame == 144);
	dump();
}

static void step(int signo, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	printf("signal %d code %d address %#x trap %d error %x cr2 %#lx\n", signo, si->si_code,
	       signo == SIGSEGV ? (unsigned)si->si_addr : 0, uc->uc_mcontext.gregs[REG_TRAPNO],
	       uc->uc_mcontext.gregs[REG_ERR], signo == SIGSEGV ? uc->uc_mcontext.cr2 : 0);
	uc->uc_mcontext.gregs[REG_EIP] = uc->uc_mcontext.gregs[REG_EDI];
	uc->uc_mcontext.gregs[REG_EAX] = 0x1234567;
	uc->uc_mcontext.gregs[REG_EFL] |= 1;
	uc->uc_mcontext.fpregs->_st[0].significand[0] ^= 1;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	struct sigaction action = {.sa_handler = plain};
	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
	action.sa_sigaction = info;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGUSR2, &action, NULL);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGRTMAX - 3);
	sigprocmask(SIG_BLOCK, &set, NULL);
	asm volatile("fldpi; fld1; fldz; movl $0x3f800000, %%eax; movd %%eax, %%xmm0; movd %%eax, %%xmm7" ::: "eax");
	old_kind = 1;
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
	old_kind = 0;
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2);
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
	sigaltstack(&stack, NULL);
	action.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigaction(SIGUSR2, &action, NULL);
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2);
	asm volatile("emms");

	/* frames that are changed, and faults */
	action.sa_sigaction = step;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
#define TRY(code)                                                                                                     \
	do {                                                                                                          \
		unsigned eax;                                                                                         \
		unsigned char carry;                                                                                  \
		long double top = 0;                                                                                  \
		asm volatile("fld1; mov $1f, %%edi; xor %%eax, %%eax; " code "; 1: setc %1; fstpt %2"                  \
			     : "=&a"(eax), "=&q"(carry), "=m"(top) : : "edi", "ecx", "edx", "memory");                \
		printf("%s: eax %x carry %d top %.20Lg\n", code, eax, carry, top);                                    \
	} while (0)
	TRY("movl 0x10, %%eax");
	TRY("movl %%eax, 0xffffe000");
	TRY("movl %%eax, 0xf0000000");
	TRY("ud2");
	TRY("int3");
	TRY("xor %%ecx, %%ecx; xor %%edx, %%edx; div %%ecx");
	TRY("hlt");
	TRY("movl $0x7fffffff, %%eax; add %%eax, %%eax; into");
	TRY("int $0x81");
	TRY("movw $0x1234, %%ax; mov %%ax, %%gs");
	TRY("movw $0x7, %%ax; mov %%ax, %%fs");
	TRY("push $1; pop %%ss");
	return argc > 100;
}
