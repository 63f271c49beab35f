/* personality and what it changes: uname, executable data, inheritance over fork and exec. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;

static void fault(int signo) { siglongjmp(back, signo); }

static void run(const char *what, unsigned char *code)
{
	code[0] = 0xc3;
	int signo = sigsetjmp(back, 1);
	if (!signo)
		((void (*)(void))code)();
	printf("%s: %s\n", what, signo ? strsignal(signo) : "runs");
}

static void show(const char *when)
{
	struct utsname name;
	uname(&name);
	printf("%s: %#x %s\n", when, personality(0xffffffff), name.machine);
	run("heap", sbrk(4096));
	unsigned char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	run("mapping", page);
	mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	run("executable", page);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	run("protected", page);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	signal(SIGSEGV, fault);
	show(argc > 1 ? argv[0] : "start");
	if (argc > 1)
		return 3;
	printf("%#x\n", personality(PER_LINUX32));
	show("linux32");
	printf("%#x\n", personality(PER_LINUX | READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE));
	show("exec");
	int status;
	if (!fork()) {
		show("child");
		execl("/proc/self/exe", "again", "1", NULL);
		_exit(1);
	}
	wait(&status);
	printf("%x\n", status);
	return 0;
}
