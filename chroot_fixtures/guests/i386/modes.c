/* Code that changes between 64-bit and compatibility mode, and system calls through the gate of the other ABI. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

typedef unsigned long long u64;

#define LOW ((unsigned char *)0x30000000)
#define SLOT(n) (*(volatile u64 *)(LOW + 0x800 + 8 * (n)))
static unsigned char *at;

static void put(const char *hex)
{
	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		unsigned byte;
		sscanf(hex, "%2x", &byte);
		*at++ = byte;
		hex++;
	}
}

/* A function of our own mode that far-calls code in the other one: the code is `hex`, and ends with a far return. */
static void other(const char *hex)
{
	at = LOW;
#ifdef __x86_64__
	put("b92b000000 8ed9"); /* DS, which is null in a 64-bit program: mov ecx, 0x2b; mov ds, ecx */
#endif
	put(hex);
	put("cb"); /* retf */
	unsigned *pointer = (unsigned *)(LOW + 0x700);
	pointer[0] = (unsigned)(unsigned long)LOW;
#ifdef __i386__
	pointer[1] = 0x33;
	asm volatile("pushl %%ebp; lcall *%0; popl %%ebp" : : "m"(*pointer) : "eax", "ebx", "ecx", "edx", "esi", "edi", "memory", "cc");
#else
	pointer[1] = 0x23;
	asm volatile("push %%rbp; push %%rbx; mov %%rsp, %%r15; mov %1, %%rsp; lcall *(%0); mov %%r15, %%rsp; pop %%rbx; pop %%rbp"
		     : : "r"(pointer), "r"(LOW + 0x3000)
		     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
#endif
}

static void show(const char *what, int count)
{
	printf("%s:", what);
	for (int i = 0; i < count; i++) {
		printf(" %llx", SLOT(i));
		SLOT(i) = 0xeeee;
	}
	printf("\n");
}

static volatile int hits;

static void handler(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	hits++;
	printf("handler %d code %d cs %llx\n", signo, signo == SIGALRM ? 0 : info->si_code,
#ifdef __i386__
	       (u64)uc->uc_mcontext.gregs[REG_CS]
#else
	       (u64)uc->uc_mcontext.gregs[REG_CSGSFS] & 0xffff
#endif
	);
	if (signo == SIGILL)
#ifdef __i386__
		uc->uc_mcontext.gregs[REG_EIP] += 2;
#else
		uc->uc_mcontext.gregs[REG_RIP] += 2;
#endif
}

static void alarm_in(int flags, int milliseconds)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | flags};
	sigaction(SIGALRM, &action, NULL);
	struct itimerval timer = {.it_value = {.tv_usec = milliseconds * 1000}};
	setitimer(ITIMER_REAL, &timer, NULL);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	mmap(LOW, 0x4000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
	sigaltstack(&stack, NULL);
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 8; i++)
		SLOT(i) = 0xeeee;
	int pid = getpid();
#ifdef __i386__
	/* 64-bit code: mov rax, imm64; mov [0x30000800], rax; mov eax, cs; ... */
	other("48b8 8877665544332211 4889042500080030 8cc8 4889042508080030 4831c0 48ffc8 4889042510080030");
	show("64-bit code", 3);
	/* getpid by syscall: mov eax, 39 */
	other("b827000000 0f05 4889042500080030");
	printf("getpid %d\n", SLOT(0) == pid);
	/* getpid by int 0x80 with rubbish above: mov rax, 0x1100000014 */
	other("48b8 1400000011000000 cd80 4889042500080030");
	printf("getpid %d\n", SLOT(0) == pid);
	/* unknown number: mov eax, 9999; int 0x80 and syscall */
	other("b80f270000 cd80 4889042500080030 b80f270000 0f05 4889042508080030");
	show("unknown", 2);
	/* r8 to r11 over int 0x80: mov r8d..r11d */
	other("41b808000000 41b909000000 41ba0a000000 41bb0b000000 b814000000 cd80"
	      "4c89042500080030 4c890c2508080030 4c89142510080030 4c891c2518080030");
	show("r8-r11", 4);
	/* write(1, 0x30000780, 6) by syscall */
	strcpy((char *)LOW + 0x780, "write\n");
	other("b801000000 bf01000000 be80070030 ba06000000 0f05 4889042500080030");
	show("write", 1);
	/* a signal in 64-bit code to a handler of the 32-bit program: tkill(pid, SIGUSR1) by syscall */
	char code[200];
	sprintf(code, "b8c8000000 bf%02x%02x%02x00 be0a000000 0f05 8cc9 4889042500080030 48890c2508080030", pid & 255, pid >> 8 & 255,
		pid >> 16 & 255);
	other(code);
	show("tkill", 2);
	/* poll(NULL, 0, 5000) by syscall and by int 0x80, interrupted, in 64-bit code; then pause */
	alarm_in(SA_RESTART, 150);
	other("b807000000 31ff 31f6 ba88130000 0f05 4889042500080030");
	show("poll", 1);
	alarm_in(SA_RESTART, 150);
	other("b8a8000000 31db 31c9 ba88130000 cd80 4889042500080030");
	show("poll", 1);
	/* a read that starts again */
	int ends[2];
	pipe(ends);
	alarm_in(SA_RESTART, 150);
	if (!fork()) {
		usleep(500000);
		write(ends[1], "x", 1);
		_exit(0);
	}
	sprintf(code, "31c0 bf%02x000000 be90070030 ba04000000 0f05 4889042500080030", ends[0]);
	other(code);
	show("read", 1);
	wait(NULL);
	alarm_in(SA_RESTART, 150);
	if (!fork()) {
		usleep(500000);
		write(ends[1], "x", 1);
		_exit(0);
	}
	sprintf(code, "b803000000 bb%02x000000 b990070030 ba04000000 cd80 4889042500080030", ends[0]);
	other(code);
	show("read", 1);
	wait(NULL);
#else
	/* compatibility mode: mov eax, cs; mov [0x30000800], eax; dec eax (what REX.W is in 64-bit mode) */
	other("8cc8 a300080030 31c0 48 a308080030 8cd0 a310080030 8cd8 a318080030");
	for (int i = 0; i < 4; i++)
		SLOT(i) &= 0xffffffff;
	show("32-bit code", 3);
	SLOT(3) = 0xeeee;
	/* getpid by int 0x80 */
	other("b814000000 cd80 a300080030");
	printf("getpid %d\n", (int)SLOT(0) == pid);
	other("b80f270000 cd80 a300080030");
	printf("unknown %d\n", (int)SLOT(0));
	/* from 64-bit code: registers whole, result extended by sign, arguments cut */
	register u64 r8 asm("r8") = 0x8888888888ull, r9 asm("r9") = 0x9999999999ull, r10 asm("r10") = 0xaaaaaaaaaaull,
		     r11 asm("r11") = 0xbbbbbbbbbbull;
	u64 result = 0x100000004ull;
	u64 rbx = 0x7700000001ull, rcx = 0x5500000000ull + (unsigned long)(LOW + 0x780), rdx = 0x4400000006ull;
	strcpy((char *)LOW + 0x780, "write\n");
	asm volatile("int $0x80" : "+a"(result), "+b"(rbx), "+c"(rcx), "+d"(rdx), "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r11) : : "memory");
	printf("%llx %llx %llx %llx %llx %llx %llx %llx\n", result, rbx, rcx, rdx, r8, r9, r10, r11);
	result = 6; /* close(-1) */
	rbx = ~0ull;
	asm volatile("int $0x80" : "+a"(result), "+b"(rbx) : : "memory");
	printf("%llx %llx\n", result, rbx);
	/* a signal in 32-bit code to a handler of the 64-bit program: tkill */
	char code[200];
	sprintf(code, "b8ee000000 bb%02x%02x%02x00 b90a000000 cd80 8cc9 a300080030 890d08080030", pid & 255, pid >> 8 & 255,
		pid >> 16 & 255);
	SLOT(0) = SLOT(1) = 0;
	other(code);
	show("tkill", 2);
	/* poll(NULL, 0, 5000) by int 0x80, interrupted, in both modes */
	alarm_in(SA_RESTART, 150);
	SLOT(0) = 0;
	other("b8a8000000 31db 31c9 ba88130000 cd80 a300080030");
	show("poll", 1);
	alarm_in(SA_RESTART, 150);
	result = 168;
	asm volatile("int $0x80" : "+a"(result) : "b"(0), "c"(0), "d"(5000) : "memory");
	printf("poll %lld\n", (long long)result);
	int ends[2];
	pipe(ends);
	for (int flags = 0; flags < 2; flags++) {
		alarm_in(flags ? SA_RESTART : 0, 150);
		if (!fork()) {
			usleep(500000);
			write(ends[1], "x", 1);
			_exit(0);
		}
		result = 3;
		asm volatile("int $0x80" : "+a"(result) : "b"(ends[0]), "c"(LOW + 0x790), "d"(1) : "memory");
		printf("read %lld\n", (long long)result);
		wait(NULL);
	}
	/* mmap2 and mremap by int 0x80: addresses that 32-bit code can use */
	result = 192;
	asm volatile("push %%rbp; xor %%ebp, %%ebp; int $0x80; pop %%rbp"
		     : "+a"(result) : "b"(0), "c"(8192), "d"(3), "S"(0x22), "D"(-1) : "memory");
	printf("mmap2 %d\n", (result >> 32) == 0 && *(int *)result == 0);
	/* fork by int 0x80 */
	result = 2;
	asm volatile("int $0x80" : "+a"(result) : : "memory");
	if (!result)
		_exit(9);
	int status;
	printf("fork %d %x\n", waitpid(result, &status, 0) == (int)result, status);
#endif
	printf("hits %d\n", hits);
	return 0;
}
