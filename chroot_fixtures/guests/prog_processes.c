// Processes as programs use them: children by the hundred, spawn, popen, clone, sessions, statuses, scripts, limits.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char self[4096];

static void show(const char *what, int status) {
    if (WIFEXITED(status)) printf("%s: exited %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status)) printf("%s: killed by %s\n", what, strsignal(WTERMSIG(status)));
    else if (WIFSTOPPED(status)) printf("%s: stopped by %s\n", what, strsignal(WSTOPSIG(status)));
    else printf("%s: %s\n", what, WIFCONTINUED(status) ? "continued" : "?");
}

static void run(const char *what, void (*child)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) { child(); _exit(99); }
    int status;
    waitpid(pid, &status, 0);
    show(what, status);
}

static void ends(void) { exit(3); }
static void big(void) { _exit(0x1234); }
static void aborts(void) { struct rlimit none = {0}; setrlimit(RLIMIT_CORE, &none); abort(); }
static void divides(void) { volatile int zero = 0; struct rlimit none = {0}; setrlimit(RLIMIT_CORE, &none); _exit(1 / zero); }
static void faults(void) { struct rlimit none = {0}; setrlimit(RLIMIT_CORE, &none); *(volatile char *)16 = 1; }
static void illegal(void) { struct rlimit none = {0}; setrlimit(RLIMIT_CORE, &none); __asm__("ud2"); }
static void kills(void) { raise(SIGKILL); }
static void broken(void) { int p[2]; if (pipe(p)) _exit(9); close(p[0]); if (write(p[1], "x", 1) < 0) _exit(8); }
static void spins(void) { struct rlimit second = {1, 2}; setrlimit(RLIMIT_CPU, &second); for (;;) {} }
static void limited(void) {
    struct rlimit small = {4096, 4096};
    setrlimit(RLIMIT_FSIZE, &small);
    static char data[8192];
    int file = open("limited", O_CREAT | O_RDWR | O_TRUNC, 0600);
    long first = write(file, data, 8192);
    signal(SIGXFSZ, SIG_IGN);
    long second = write(file, data, 1);
    _exit(first == 4096 && second == -1 && errno == EFBIG ? 0 : 1);
}
static void few_files(void) {
    struct rlimit few = {10, 10};
    setrlimit(RLIMIT_NOFILE, &few);
    int last = -1, fd;
    while ((fd = open("/", O_RDONLY)) >= 0) last = fd;
    _exit(errno == EMFILE ? last : 77);
}
static void little_memory(void) {
    struct rlimit little = {64 << 20, 64 << 20};
    setrlimit(RLIMIT_AS, &little);
    _exit(malloc(100 << 20) == 0 && errno == ENOMEM ? 5 : 6);
}

static int thread(void *argument) { *(volatile int *)argument = 7; return 4; }

static void attempt(const char *path) {
    char *words[] = {"name", "a", "b", 0};
    pid_t pid = fork();
    if (!pid) { execv(path, words); _exit(errno); }
    int status;
    waitpid(pid, &status, 0);
    printf("exec %s: %d\n", path, WEXITSTATUS(status));
}

static void file(const char *path, const char *content, int mode) {
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (write(fd, content, strlen(content)) < 0) _exit(1);
    close(fd);
    chmod(path, mode);
}

int main(int count, char **words) {
    setvbuf(stdout, 0, _IOLBF, 0);
    if (count > 1) {  // executed again
        printf("as");
        for (int i = 1; i < count; i++) printf(" [%s]", words[i]);
        printf(" with");
        for (char **e = environ; *e; e++) printf(" {%s}", *e);
        printf("\n");
        fflush(stdout);
        return 6;
    }
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 1;
    int status;

    int sum = 0;
    for (int i = 0; i < 100; i++) if (!fork()) _exit(i);
    for (int i = 0; i < 100; i++) { wait(&status); sum += WEXITSTATUS(status); }
    printf("100 children %d, then %d\n", sum, wait(&status) < 0 ? errno : 0);

    run("exit", ends); run("large status", big); run("abort", aborts); run("division", divides); run("fault", faults);
    run("illegal", illegal); run("kill", kills); run("broken pipe", broken); run("processor time", spins);
    run("file size", limited); run("files", few_files); run("memory", little_memory);

    pid_t pid = fork();
    if (!pid) for (;;) pause();
    kill(pid, SIGSTOP); waitpid(pid, &status, WUNTRACED); show("stop", status);
    kill(pid, SIGCONT); waitpid(pid, &status, WCONTINUED); show("continue", status);
    printf("nothing new: %d\n", waitpid(pid, &status, WNOHANG));
    kill(pid, SIGTERM);
    siginfo_t info;
    waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
    printf("waitid: code %d status %d\n", info.si_code, info.si_status);
    waitpid(pid, &status, 0); show("terminate", status);

    char *spawned[] = {"self", "spawned", 0}, *environment[] = {"A=1", "B=", 0};
    int failed = posix_spawn(&pid, self, 0, 0, spawned, environment);
    waitpid(pid, &status, 0);
    printf("spawn %d\n", failed);
    show("spawned", status);
    printf("spawn of nothing: %d\n", posix_spawn(&pid, "/nonexistent", 0, 0, spawned, environment));
    volatile int local = 1;
    pid = vfork();
    if (!pid) { local = 2; execve(self, (char *[]){"self", "vforked", 0}, environment); _exit(1); }
    waitpid(pid, &status, 0); show("vforked", status);
    printf("vfork shares memory: %d\n", local);
    static char stack[65536];
    int cell = 0;
    pid = clone(thread, stack + sizeof stack, CLONE_VM | SIGCHLD, &cell);
    waitpid(pid, &status, 0);
    printf("clone %d %d\n", cell, WEXITSTATUS(status));

    file("plain", "no script\n", 0755); file("forbidden", "#!/bin/sh\n", 0644); file("lost", "#!/nonexistent\n", 0755);
    char script[5000];
    snprintf(script, sizeof script, "#! %s  one argument \nrest\n", self);
    file("script", script, 0755);
    file("outer", "#!./script\n", 0755);
    file("endless", "#!./endless\n", 0755);
    file("elf", "\177ELF\2\1\1", 0755);
    mkdir("directory", 0755);
    symlink("loop", "loop");
    setenv("PATH", "/bin", 1);
    clearenv(); setenv("ONLY", "this", 1);
    for (const char **path = (const char *[]){"plain", "forbidden", "lost", "script", "outer", "endless", "elf", "directory",
         "loop", "plain/x", "/nonexistent", "", 0}; *path; path++) attempt(*path);

    printf("leader %d %d\n", getpgrp() == getpid(), getsid(0) == getpid());
    pid = fork();
    if (!pid) {
        failed = setpgid(0, 0);
        failed |= getpgrp() != getpid();
        printf("setsid of a leader: %d\n", setsid() < 0 ? errno : 0);
        if (!fork()) { setsid(); _exit(getsid(0) == getpid() && getpgrp() == getpid() ? 0 : 1); }
        wait(&status);
        _exit(failed | WEXITSTATUS(status));
    }
    waitpid(pid, &status, 0); show("groups", status);

    struct tms before, after;
    struct rusage usage;
    times(&before);
    do {
        for (volatile long i = 0; i < 1000000; i++) {}
        times(&after);
    } while (after.tms_utime + after.tms_stime < before.tms_utime + before.tms_stime + 5);
    getrusage(RUSAGE_SELF, &usage);
    printf("time passes %d\n", usage.ru_utime.tv_sec + usage.ru_utime.tv_usec > 0);
    struct utsname name;
    uname(&name);
    printf("%s %s\n", name.sysname, name.machine);
    return 0;
}
