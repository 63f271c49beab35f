/* Thread areas, local descriptor tables and loads of segment registers, in 32-bit and in 64-bit programs. */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile unsigned long trap, error;
static unsigned *data; /* below 4 GB */

static void fault(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	trap = uc->uc_mcontext.gregs[REG_TRAPNO];
	error = uc->uc_mcontext.gregs[REG_ERR];
	siglongjmp(back, signo);
}

#define TRY(what, statement)                                                                                          \
	do {                                                                                                          \
		int signo = sigsetjmp(back, 1);                                                                       \
		if (!signo) {                                                                                         \
			statement;                                                                                    \
			printf("%s: done\n", what);                                                                   \
		} else                                                                                                \
			printf("%s: signal %d trap %ld error %lx\n", what, signo, trap, error);                       \
	} while (0)

#define SHOW() TRY("see", printf("fs %x: ", fs()); printf("%x\n", load_fs(8)))

static int ldt_write(int func, unsigned entry, unsigned base, unsigned limit, unsigned bits)
{
	struct user_desc d = {.entry_number = entry, .base_addr = base, .limit = limit};
	memcpy((char *)&d + 12, &bits, 4);
	return (int)syscall(SYS_modify_ldt, func, &d, sizeof d);
}

/* The C library keeps FS in 64-bit programs, GS in 32-bit ones; the other one is ours. */
#ifdef __i386__
#define OURS "fs"
#else
#define OURS "gs"
#endif

static unsigned load_fs(unsigned offset)
{
	unsigned value;
	asm volatile("movl %%" OURS ":(%1), %0" : "=r"(value) : "r"((unsigned long)offset));
	return value;
}

static unsigned fs(void)
{
	unsigned short value;
	asm volatile("mov %%" OURS ", %0" : "=r"(value));
	return value;
}

#ifdef __i386__
static int area(int call, int entry, unsigned base, unsigned limit, unsigned bits, struct user_desc *out)
{
	struct user_desc d = {.entry_number = entry, .base_addr = base, .limit = limit};
	memcpy((char *)&d + 12, &bits, 4);
	int r = syscall(call, &d);
	if (r < 0)
		r = -errno;
	if (out)
		*out = d;
	unsigned b;
	memcpy(&b, (char *)&d + 12, 4);
	printf("%s(%d %#x %#x %#x) = %d: %d %#x %#x %#x\n", call == SYS_set_thread_area ? "set" : "get", entry, base, limit,
	       bits, r, d.entry_number, call == SYS_set_thread_area ? base : d.base_addr == base ? 1 : d.base_addr && entry == 12,
	       d.limit, b);
	return r;
}

static __thread int mine = 1;
static unsigned child_stack[4096];

static int child(void *argument)
{
	unsigned short gs;
	asm volatile("mov %%gs, %0" : "=r"(gs));
	unsigned value;
	asm volatile("movl %%gs:4, %0" : "=r"(value));
	printf("clone: gs %x value %x\n", gs, value);
	return 5;
}

static void *thread(void *argument)
{
	unsigned short gs;
	asm volatile("mov %%gs, %0" : "=r"(gs));
	printf("thread: gs %x mine %d fs %x %s\n", gs, mine, fs(), fs() ? load_fs(8) == data[2] ? "same" : "other" : "none");
	asm volatile("mov %0, %%" OURS : : "r"((unsigned short)(13 << 3 | 3)));
	printf("thread: fs %x %x\n", fs(), load_fs(8));
	mine = 7;
	return NULL;
}

static void areas(void)
{
	struct user_desc d;
	unsigned plain = 0x51; /* 32-bit, pages, useable */
	area(SYS_get_thread_area, 12, 0, 0, 0, NULL);
	area(SYS_get_thread_area, 11, 0, 0, 0, NULL);
	area(SYS_get_thread_area, 15, 0, 0, 0, NULL);
	area(SYS_get_thread_area, 13, 0, 0, 0, NULL);
	area(SYS_set_thread_area, 11, 0, 0, plain, NULL);
	area(SYS_set_thread_area, 13, 0x1000, 0xfffff, 0x50, NULL); /* 16 bit */
	area(SYS_set_thread_area, 13, 0x1000, 0xfffff, plain | 2 << 1, NULL);
	area(SYS_set_thread_area, 13, 0x1000, 0xfffff, plain | 0x20, NULL);
	area(SYS_set_thread_area, 13, 0x1000, 0xfffff, plain | 8, NULL);
	area(SYS_get_thread_area, 13, 0x1000, 0, 0, NULL);
	area(SYS_set_thread_area, 13, 0x1000, 0xfffff, plain | 1 << 1, NULL);
	area(SYS_get_thread_area, 13, 0x1000, 0, 0, NULL);
	area(SYS_set_thread_area, 13, 0, 0, 0x28, NULL); /* empty */
	area(SYS_get_thread_area, 13, 0, 0, 0, NULL);
	area(SYS_set_thread_area, -1, (unsigned)data, 0x3ff, 0x1, &d);
	area(SYS_set_thread_area, -1, (unsigned)data + 4, 0xfffff, plain, &d);
	area(SYS_set_thread_area, -1, 0, 0xfffff, plain, NULL);
	area(SYS_get_thread_area, 13, (unsigned)data, 0, 0, NULL);
	area(SYS_get_thread_area, 14, (unsigned)data + 4, 0, 0, NULL);
	TRY("mov fs 13", asm volatile("mov %0, %%" OURS : : "r"((unsigned short)0x6b)));
	SHOW();
	TRY("mov fs 14", asm volatile("movw $0x73, %%ax; mov %%ax, %%fs" : : : "eax"));
	SHOW();
	TRY("pop fs 13", asm volatile("pushl $0x6b; popl %%fs" : : : "memory"));
	SHOW();
	TRY("pop16 fs 14", asm volatile("pushw $0x73; popw %%fs" : : : "memory"));
	SHOW();
	struct {
		unsigned offset;
		unsigned short selector;
	} __attribute__((packed)) pointer = {0x12345678, 0x6b};
	unsigned offset = 0;
	TRY("lfs", asm volatile("lfs %1, %0" : "=r"(offset) : "m"(pointer)));
	printf("fs %x: %x offset %x\n", fs(), load_fs(8), offset);
	unsigned short memory[4] = {0, 0x73, 0, 0};
	TRY("mov fs memory", asm volatile("mov 2(%0,%1,1), %%fs" : : "r"(memory), "r"(0) : "memory"));
	SHOW();
	area(SYS_set_thread_area, 14, (unsigned)data + 8, 0xfffff, plain, NULL); /* while it is loaded */
	SHOW();
	if (!fork()) {
		printf("fork: fs %x: %x\n", fs(), load_fs(8));
		area(SYS_get_thread_area, 14, (unsigned)data + 8, 0, 0, NULL);
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	TRY("mov es", unsigned es; asm volatile("mov %1, %%es; movl %%es:8, %0; push %%ds; pop %%es"
						: "=r"(es) : "r"((unsigned short)0x6b));
	    printf("es: %x\n", es));
	TRY("mov ss", unsigned ss; asm volatile("mov %%esp, %%ecx; mov %1, %%ss; mov $16, %%esp; pop %0; mov %2, %%ss; mov %%ecx, %%esp"
						: "=&r"(ss) : "r"(0x73), "r"(0x2b) : "ecx");
	    printf("ss: %x\n", ss));
	pthread_t t;
	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	printf("main: mine %d fs %x: %x\n", mine, fs(), load_fs(8));
	struct user_desc tls = {.entry_number = 13, .base_addr = (unsigned)data + 16, .limit = 100, .seg_32bit = 1, .useable = 1};
	unsigned short gs;
	asm volatile("mov %%gs, %0" : "=r"(gs));
	tls.entry_number = gs >> 3;
	int tid, status, pid;
	int saved = tls.entry_number;
	for (int entry = -1; entry < 20; entry += 7) {
		tls.entry_number = entry;
		pid = syscall(SYS_clone, SIGCHLD | 0x80000, 0, 0, &tls, 0);
		if (!pid)
			_exit(3);
		printf("clone %d: %s\n", entry, pid > 0 ? "made" : strerror(errno));
		if (pid > 0)
			wait(&status);
	}
	(void)saved, (void)tid, (void)child, (void)child_stack;
	printf("clone fault: %ld %s\n", syscall(SYS_clone, SIGCHLD | 0x80000, 0, 0, 16, 0), strerror(errno));
	asm volatile("mov %0, %%" OURS : : "r"((unsigned short)0));
}
#endif

static void ldt(void)
{
	unsigned plain = 0x51;
	char buffer[256];
	printf("ldt %d\n", (int)syscall(SYS_modify_ldt, 0, buffer, 64));
	printf("default %d %d\n", (int)syscall(SYS_modify_ldt, 2, buffer, 64), (int)syscall(SYS_modify_ldt, 2, buffer, 256));
	printf("bad %d %d\n", (int)syscall(SYS_modify_ldt, 3, buffer, 64), (int)syscall(SYS_modify_ldt, 1, buffer, 15));
	printf("fault %d\n", (int)syscall(SYS_modify_ldt, 1, 8, 16));
	printf("raw %lx\n", (unsigned long)syscall(SYS_modify_ldt, 1, buffer, 15));
	printf("write %d\n", ldt_write(0x11, 8192, 0, 0, plain));
	printf("write %d\n", ldt_write(1, 0, 0, 0xfffff, plain | 3 << 1));
	printf("write %d\n", ldt_write(0x11, 0, 0, 0xfffff, plain | 3 << 1));
	printf("write %d\n", ldt_write(0x11, 1, (unsigned long)data, 0xfffff, plain));
	printf("write %d\n", ldt_write(1, 2, (unsigned long)data + 4, 0xfffff, plain));
	printf("write %d\n", ldt_write(0x11, 3, (unsigned long)data + 4, 0xfffff, plain | 0x20)); /* not present */
	printf("write %d\n", ldt_write(0x11, 4, (unsigned long)data + 4, 0xfffff, plain | 2 << 1 | 8)); /* code, execute only */
	printf("write %d\n", ldt_write(0x11, 5, 0, 0, 0x28));
	unsigned long long entries[8];
	int size = syscall(SYS_modify_ldt, 0, entries, sizeof entries);
	printf("read %d:", size);
	for (int i = 0; i < 8; i++)
		printf(" %016llx", entries[i] & 0x00fffffff0000ffffull);
	printf("\nread %d\n", (int)syscall(SYS_modify_ldt, 0, entries, 12));
	TRY("mov fs 1", asm volatile("mov %0, %%" OURS : : "r"((unsigned short)0x0f)); SHOW());
	TRY("mov fs 2", asm volatile("mov %0, %%" OURS : : "r"((unsigned short)0x17)); SHOW());
	TRY("mov fs 2 rpl 0", asm volatile("mov %0, %%" OURS : : "r"((unsigned short)0x14)); SHOW());
	ldt_write(0x11, 2, (unsigned long)data + 12, 0xfffff, plain);
	SHOW();
	TRY("mov fs 3", asm volatile("mov %0, %%" OURS : : "r"((unsigned short)0x1f)));
	TRY("mov fs 4", asm volatile("mov %0, %%" OURS : : "r"((unsigned short)0x27)));
	TRY("mov fs 5", asm volatile("mov %0, %%" OURS : : "r"((unsigned short)0x2f)));
	TRY("mov fs 9", asm volatile("mov %0, %%" OURS : : "r"((unsigned short)0x4f)));
	TRY("mov fs gdt 20", asm volatile("mov %0, %%" OURS : : "r"((unsigned short)(20 << 3))));
	if (!fork()) {
		printf("fork %x: %x\n", fs(), load_fs(8));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	TRY("mov fs data", asm volatile("mov %0, %%" OURS : : "r"((unsigned short)0x2b)); printf("%x\n", fs()));
	TRY("mov fs null", asm volatile("mov %0, %%" OURS : : "r"((unsigned short)0)); printf("%x\n", fs()));
	TRY("mov fs null 3", asm volatile("mov %0, %%" OURS : : "r"((unsigned short)3)); printf("%x\n", fs()));
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	data = mmap((void *)0x20000000, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	for (int i = 0; i < 100; i++)
		data[i] = 0x11000000 + i;
	static char stack[65536];
	stack_t st = {.ss_sp = stack, .ss_size = sizeof stack};
	sigaltstack(&st, NULL);
	struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
#ifdef __i386__
	areas();
	ldt();
#else
	unsigned long base;
	syscall(SYS_arch_prctl, 0x1003, &base); /* the C library needs FS: GS is tested */
	ldt();
#endif
	return 0;
}
