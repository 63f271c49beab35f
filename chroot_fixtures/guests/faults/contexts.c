/* Contexts, long jumps, alternate stacks, a smashed stack: what leaves a function by another way than it came. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static __thread int counter;
static ucontext_t home, contexts[3];
static char stacks[3][32768];
static int log_[30], entries;

static void turn(int number) {
    for (int i = 0; i < 5; i++) {
        counter += number + 1;
        errno = number;
        log_[entries++] = number * 1000 + counter;
        swapcontext(&contexts[number], &contexts[(number + 1) % 3]);
        counter += errno;
    }
}

static sigjmp_buf environment;
static volatile int alarms;

static void jump_out(int signo) {
    counter++;
    siglongjmp(environment, signo);
}

static void on_alarm(int signo) {
    alarms++;
    errno = 7;
}

__attribute__((noinline, optimize("stack-protector-all"))) static void smash(volatile int length) {
    char buffer[16];
    memset(buffer, 'A', length);
    asm volatile("" ::"r"(buffer) : "memory");
}

__attribute__((noinline)) static int deep(int level, jmp_buf *back) {
    counter++;
    if (!level) longjmp(*back, 5);
    return deep(level - 1, back) + 1;
}

/* My own text: what the file has, whatever has been patched. */
static void compare_text(void) {
    extern char __executable_start[], etext[];
    static char file[8192], memory[8192];
    int fd = open("/proc/self/exe", O_RDONLY), mem = open("/proc/self/mem", O_RDONLY), wrong = 0, ends[2];
    pipe(ends);
    char *start = __executable_start + 4096;
    for (long at = 0; start + at + 8192 < etext; at += 8192) {
        pread(fd, file, 8192, 4096 + at);
        if (pread(mem, memory, 8192, (off_t)(start + at)) != 8192 || memcmp(file, memory, 8192)) wrong++;
        write(ends[1], start + at, 8192);
        read(ends[0], memory, 8192);
        if (memcmp(file, memory, 8192)) wrong++;
    }
    printf("text: %d\n", wrong);
}

int main(void) {
    int status;
    for (int i = 0; i < 3; i++) {
        getcontext(&contexts[i]);
        contexts[i].uc_stack.ss_sp = stacks[i];
        contexts[i].uc_stack.ss_size = sizeof stacks[i];
        contexts[i].uc_link = &home;
        makecontext(&contexts[i], (void (*)(void))turn, 1, i);
    }
    swapcontext(&home, &contexts[0]);
    for (int i = 0; i < entries; i++) printf("%d ", log_[i]);
    printf("\n");

    jmp_buf back;
    for (int i = 0; i < 3; i++) {
        if (!setjmp(back)) deep(20, &back);
        else printf("back %d\n", counter);
    }

    stack_t alternate = {.ss_sp = stacks[0], .ss_size = sizeof stacks[0]};
    struct sigaction action = {.sa_handler = jump_out, .sa_flags = SA_ONSTACK};
    sigaltstack(&alternate, NULL);
    sigaction(SIGSEGV, &action, NULL);
    for (int i = 0; i < 3; i++)
        if (!sigsetjmp(environment, 1)) asm volatile("mov %%fs:(%0), %%eax" ::"r"(0x7000000000) : "eax");
        else printf("segv %d\n", counter);

    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 500}, {0, 500}}, never = {};
    setitimer(ITIMER_REAL, &often, NULL);
    long sum = 0;
    for (int i = 0; alarms < 50; i++) {
        if (!setjmp(back)) deep(i % 10, &back);
        void *memory = malloc(i % 500 + 1);
        counter = 5;
        sum += counter;
        free(memory);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    printf("%d\n", sum % 5 == 0);

    fflush(stdout);
    if (!fork()) {
        close(2);
        smash(8);
        printf("not yet\n");
        fflush(stdout);
        smash(64);
        _exit(0);
    }
    wait(&status);
    printf("%x\n", status);
    compare_text();
    return 0;
}
