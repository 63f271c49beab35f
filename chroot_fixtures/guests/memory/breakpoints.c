/* A debugger's way into program text: /proc/PID/mem changes code that has run, here and in a child, each for itself. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK 42424242

static __thread int counter;

/* It uses thread-local memory, so its text has been patched by the time. */
__attribute__((noinline, aligned(64))) static int step(void) {
    counter += MARK;
    __asm__ volatile("");
    return counter;
}

static sigjmp_buf back;

static void trapped(int signo, siginfo_t *info, void *context) {
    (void)context;
    siglongjmp(back, info->si_code == SI_KERNEL ? signo : -signo);
}

static void change(int fd, const char *whose, int old, int new) {
    unsigned char text[64];
    printf("%s: read %zd", whose, pread64(fd, text, sizeof text, (off64_t)(uintptr_t)step));
    for (unsigned i = 0; i < sizeof text - 4; i++)
        if (!memcmp(text + i, &old, 4)) printf(", written %zd", pwrite64(fd, &new, 4, (off64_t)(uintptr_t)step + i));
    printf("\n");
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 0; i < 5; i++) step();
    counter = 0;
    printf("%d\n", step());
    int fd = open("/proc/self/mem", O_RDWR);
    change(fd, "self", MARK, 43);
    counter = 0;
    for (int i = 0; i < 5; i++) printf("%d ", step());
    printf("\n");
    int ready[2], go[2];
    char c, path[40];
    pipe(ready);
    pipe(go);
    pid_t pid = fork();
    if (!pid) {
        printf("child %d\n", step());
        write(ready[1], "r", 1);
        read(go[0], &c, 1);
        printf("child %d\n", step());
        _exit(0);
    }
    read(ready[0], &c, 1);
    sprintf(path, "/proc/%d/mem", pid);
    int other = open(path, O_RDWR);
    change(other, "child", 43, 1000);
    printf("parent %d\n", step());
    write(go[1], "g", 1);
    waitpid(pid, NULL, 0);
    printf("of nobody: read %zd", pread64(other, path, 8, (off64_t)(uintptr_t)step));
    printf(", written %zd\n", pwrite64(other, path, 8, (off64_t)(uintptr_t)step));
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    unsigned char breakpoint = 0xcc, before;
    pread64(fd, &before, 1, (off64_t)(uintptr_t)step);
    pwrite64(fd, &breakpoint, 1, (off64_t)(uintptr_t)step);
    int how = sigsetjmp(back, 1);
    if (!how) step();
    printf("breakpoint: %d\n", how == SIGTRAP);
    pwrite64(fd, &before, 1, (off64_t)(uintptr_t)step);
    printf("%d\n", step());
    return 0;
}
