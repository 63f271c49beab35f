/* Handlers without a restorer, as old programs install them: the way back is the kernel's affair. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask[2];
};

struct old_action {
	void *handler;
	unsigned long mask, flags;
	void *restorer;
};

static volatile int depth;

static void handler(int signo)
{
	printf("signal %d depth %d\n", signo, depth);
	if (depth++ < 3)
		syscall(SYS_tgkill, getpid(), getpid(), depth % 2 ? SIGUSR2 : SIGUSR1);
	depth--;
}

static void info(int signo, siginfo_t *si, void *context)
{
	printf("info %d code %d\n", signo, si->si_code);
	handler(signo);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	struct kernel_action action = {.handler = handler, .flags = SA_NODEFER}, old;
	printf("%ld\n", syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8));
	action.handler = info;
	action.flags = SA_SIGINFO | SA_NODEFER;
	printf("%ld\n", syscall(SYS_rt_sigaction, SIGUSR2, &action, NULL, 8));
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
	struct old_action older = {.handler = handler, .mask = 1 << (SIGUSR2 - 1), .flags = SA_RESETHAND};
	printf("%ld\n", syscall(SYS_sigaction, SIGTERM, &older, NULL));
	syscall(SYS_rt_sigaction, SIGTERM, NULL, &old, 8);
	printf("%d %lx %lx %lx\n", old.handler == (void *)handler, old.flags, old.mask[0], old.mask[1]);
	depth = 3;
	syscall(SYS_tgkill, getpid(), getpid(), SIGTERM);
	syscall(SYS_rt_sigaction, SIGTERM, NULL, &old, 8);
	printf("%p %lx\n", old.handler, old.flags);
	printf("signal: %d\n", syscall(SYS_signal, SIGHUP, handler) == 0);
	syscall(SYS_tgkill, getpid(), getpid(), SIGHUP);
	return 0;
}
