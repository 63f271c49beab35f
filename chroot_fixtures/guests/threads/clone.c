/* clone and clone3: what is shared, what is refused, which numbers are given out, who is the parent. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct clone_args arguments;
static char *stack;
static int shared;
static int pipe_ends[2];

#define SHOW(call) \
    do { \
        errno = 0; \
        long result = (long)(call); \
        printf("%s = %s %s\n", #call, result < 0 ? "-1" : result ? "positive" : "0", \
               result < 0 ? strerrorname_np(errno) : ""); \
        fflush(stdout); \
    } while (0)

static long clone3(uint64_t flags, uint64_t exit_signal) {
    memset(&arguments, 0, sizeof arguments);
    arguments.flags = flags;
    arguments.exit_signal = exit_signal;
    return syscall(SYS_clone3, &arguments, sizeof arguments);
}

/* Ends the child at once, should there be one. */
static long again(void) {
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (!pid) _exit(0);
    if (pid > 0) waitpid(pid, NULL, __WALL);
    return pid;
}

static long plain(unsigned long flags, void *parent_tid) {
    long pid = syscall(SYS_clone, flags, 0L, parent_tid, NULL, 0L);
    if (!pid) _exit(0);
    if (pid > 0) waitpid(pid, NULL, __WALL);
    return pid;
}

static void reset(uint64_t flags) {
    memset(&arguments, 0, sizeof arguments);
    arguments.flags = flags;
    arguments.exit_signal = flags & (CLONE_THREAD | CLONE_PARENT) ? 0 : SIGCHLD;
}

static void sizes(void) {
    struct { struct clone_args known; uint64_t more; } large;
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page + 4096, 4096, PROT_NONE);
    memset(&large, 0, sizeof large);
    large.known.exit_signal = SIGCHLD;
    large.more = 1;
    SHOW(syscall(SYS_clone3, &large, 63));
    SHOW(syscall(SYS_clone3, &large, sizeof large));
    SHOW(syscall(SYS_clone3, &large, 4097));
    SHOW(syscall(SYS_clone3, NULL, 64));
    SHOW(syscall(SYS_clone3, page + 4096 - 64, 72));
    for (unsigned size = 64; size <= sizeof large; size += 8) {
        large.more = 0;
        pid_t pid = syscall(SYS_clone3, &large, size);
        if (!pid) _exit(size);
        int status;
        waitpid(pid, &status, 0);
        printf("size %u: %d\n", size, WEXITSTATUS(status));
    }
    memcpy(page + 4096 - 64, &large, 64);
    pid_t pid = syscall(SYS_clone3, page + 4096 - 64, 64);
    if (!pid) _exit(1);
    printf("at the end of a page %d\n", waitpid(pid, NULL, 0) == pid);
}

static void refusals(void) {
    SHOW(clone3(CLONE_THREAD, 0));
    SHOW(clone3(CLONE_THREAD | CLONE_SIGHAND, 0));
    SHOW(clone3(CLONE_SIGHAND, SIGCHLD));
    SHOW(clone3(CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND, SIGCHLD));
    SHOW(clone3(CLONE_DETACHED, SIGCHLD));
    SHOW(clone3(SIGCHLD, 0));
    SHOW(clone3(1ULL << 60, SIGCHLD));
    SHOW(clone3(0, 65));
    SHOW(clone3(0, 0x100000011));
    SHOW(clone3(CLONE_PARENT, SIGCHLD));
    SHOW(clone3(CLONE_FS | CLONE_NEWNS, SIGCHLD));
    SHOW(clone3(CLONE_FS | CLONE_NEWUSER, SIGCHLD));
    reset(0), arguments.stack = 4096;
    SHOW(again());
    reset(0), arguments.stack_size = 4096;
    SHOW(again());
    reset(0), arguments.stack = -4096, arguments.stack_size = 4096;
    SHOW(again());
    reset(CLONE_PIDFD), arguments.pidfd = 8;
    SHOW(again());
    reset(CLONE_PIDFD | CLONE_PARENT_SETTID), arguments.pidfd = arguments.parent_tid = (uintptr_t)&shared;
    SHOW(again());
    SHOW(plain(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, &shared));
    SHOW(plain(CLONE_PIDFD | SIGCHLD, (void *)8));
    SHOW(plain(CLONE_DETACHED | SIGCHLD, NULL));
    SHOW(plain(CLONE_PARENT_SETTID | SIGCHLD, (void *)8));
    SHOW(plain(100, NULL));
    SHOW(plain(0, NULL));
    SHOW(plain(CLONE_UNTRACED | CLONE_IO | CLONE_PTRACE | CLONE_SYSVSEM | SIGCHLD, NULL));
    reset(CLONE_INTO_CGROUP), arguments.cgroup = 999;
    SHOW(again());
    arguments.cgroup = pipe_ends[0];
    SHOW(again());
    arguments.cgroup = 1ULL << 31;
    SHOW(again());
    errno = 0;
    long result = syscall(SYS_clone3, &arguments, 80);
    printf("cgroup in a short structure %ld %s\n", result, strerrorname_np(errno));
    struct pollfd none = {pipe_ends[0] + 2, POLLIN, 0};
    printf("no descriptor is left %d\n", poll(&none, 1, 0) == 1 && none.revents == POLLNVAL);
}

static void numbers(void) {
    pid_t wanted[3] = {31777, 0, 0};
    reset(0), arguments.set_tid = (uintptr_t)wanted;
    SHOW(again());
    reset(0), arguments.set_tid_size = 1;
    SHOW(again());
    reset(0), arguments.set_tid = (uintptr_t)wanted, arguments.set_tid_size = 33;
    SHOW(again());
    reset(0), arguments.set_tid = 8, arguments.set_tid_size = 1;
    SHOW(again());
    for (int i = 0; i < 2; i++) {
        reset(0), arguments.set_tid = (uintptr_t)wanted, arguments.set_tid_size = 1;
        printf("chosen %d\n", (int)again());
    }
    wanted[0] = getpid();
    SHOW(again());
    wanted[0] = 0;
    SHOW(again());
    wanted[0] = -5;
    SHOW(again());
    wanted[0] = 1 << 30;
    SHOW(again());
    wanted[0] = 31777;
    if (!fork()) {
        syscall(SYS_setresuid, 65534, 65534, 65534);
        SHOW(again());
        SHOW(plain(CLONE_NEWNS | SIGCHLD, NULL));
        SHOW(plain(CLONE_NEWPID | SIGCHLD, NULL));
        SHOW(plain(CLONE_NEWNET | CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
        SHOW(clone3(CLONE_NEWTIME, SIGCHLD));
        SHOW(unshare(CLONE_NEWUTS));
        SHOW(unshare(CLONE_NEWIPC | CLONE_FS));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

static int sharing(void *argument) {
    if (*(long *)argument & CLONE_FS) chdir("/"), umask(07);
    if (*(long *)argument & CLONE_FILES) dup2(pipe_ends[1], 77), close(pipe_ends[0]);
    if (*(long *)argument & CLONE_SIGHAND) signal(SIGUSR2, SIG_IGN);
    shared = getppid();
    return 3;
}

static void show_sharing(long flags) {
    char here[200];
    struct sigaction action;
    int status;
    shared = 0;
    chdir("/tmp"), umask(022), signal(SIGUSR2, SIG_DFL);
    pipe(pipe_ends), close(77);
    pid_t pid = clone(sharing, stack + 65536, (int)flags | SIGCHLD, &flags);
    waitpid(pid, &status, 0);
    sigaction(SIGUSR2, NULL, &action);
    mode_t mask = umask(022);
    printf("%lx: %x memory %d cwd %s umask %o fd %d %d action %d\n", flags, status, shared == getpid(),
           getcwd(here, sizeof here), mask, fcntl(77, F_GETFD), fcntl(pipe_ends[0], F_GETFD) < 0,
           action.sa_handler == SIG_IGN);
    close(pipe_ends[0]), close(pipe_ends[1]);
}

static int brother(void *argument) { return getppid() == *(pid_t *)argument ? 4 : 5; }

static void signals_at_the_end(void) {
    sigset_t all, old;
    siginfo_t info;
    int status;
    struct timespec now = {0, 0};
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    pid_t pid = plain(SIGUSR1, NULL);
    printf("told by %d", sigtimedwait(&all, &info, &now));
    printf(" pid %d code %d\n", info.si_pid == pid, info.si_code);
    plain(0, NULL);
    printf("told by %d\n", sigtimedwait(&all, &info, &now));
    pid = syscall(SYS_clone, SIGUSR1, 0L, NULL, NULL, 0L);
    if (!pid) _exit(9);
    printf("WNOHANG %d", waitpid(pid, &status, 0) == -1 && errno == ECHILD);
    int found = waitpid(pid, &status, __WCLONE) == pid;
    printf(" clone %d %x\n", found, status);
    sigtimedwait(&all, &info, &now);
    pid = syscall(SYS_clone, SIGCHLD, 0L, NULL, NULL, 0L);
    if (!pid) _exit(9);
    printf("ordinary, __WCLONE %d", waitpid(pid, &status, __WCLONE) == -1 && errno == ECHILD);
    found = waitpid(pid, &status, __WALL | __WCLONE) == pid;
    printf(" __WALL %d %x\n", found, status);
    sigtimedwait(&all, &info, &now);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void handler(int signo) {}

/* A child that would tell nobody of its end, and does after execve, or when it has got another parent. */
static void told_after_all(void) {
    sigset_t chld;
    struct timespec second = {5, 0}, now = {0, 0};
    int status;
    sigemptyset(&chld), sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    while (sigtimedwait(&chld, NULL, &now) > 0) {}
    fflush(stdout);
    pid_t pid = syscall(SYS_clone, 0L, 0L, NULL, NULL, 0L);
    if (!pid) execl("/proc/self/exe", "clone", "executed", NULL);
    printf("told %d", sigtimedwait(&chld, NULL, &second));
    int found = waitpid(pid, &status, WNOHANG) == pid;
    printf(" found %d %x\n", found, status);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int late = 0; late < 2; late++) {
        siginfo_t info;
        char byte;
        pipe(pipe_ends);
        fflush(stdout);
        if (!fork()) {
            if (!syscall(SYS_clone, 0L, 0L, NULL, NULL, 0L)) {
                if (late) read(pipe_ends[0], &byte, 1);
                _exit(9);
            }
            if (!late) waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | __WALL);
            _exit(0);
        }
        wait(&status);
        sigtimedwait(&chld, NULL, &second);
        write(pipe_ends[1], "x", 1);
        if (late) printf("told %d", sigtimedwait(&chld, NULL, &second));
        found = waitpid(-1, &status, WNOHANG) > 0;
        printf(" inherited %d %x\n", found, status);
    }
    sigprocmask(SIG_UNBLOCK, &chld, NULL);
}

int main(int argc, char **argv) {
    if (argc > 1) return 5;
    pipe(pipe_ends);
    stack = malloc(65536);
    sizes();
    refusals();
    fflush(stdout);
    numbers();
    close(pipe_ends[0]), close(pipe_ends[1]);
    show_sharing(0);
    show_sharing(CLONE_VM);
    show_sharing(CLONE_FS);
    show_sharing(CLONE_FILES);
    show_sharing(CLONE_VM | CLONE_SIGHAND);
    show_sharing(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK);

    pid_t me = getpid();
    fflush(stdout);
    if (!fork()) {
        pid_t pid = clone(brother, stack + 65536, CLONE_PARENT | SIGUSR2, &me);
        errno = 0;
        waitpid(pid, NULL, __WALL);
        printf("not my child %s\n", strerrorname_np(errno));
        fflush(stdout);
        _exit(0);
    }
    int status, sum = 0;
    for (int i = 0; i < 2; i++) wait(&status), sum += WEXITSTATUS(status);
    printf("children %d\n", sum);

    signals_at_the_end();
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, handler);
    reset(CLONE_CLEAR_SIGHAND);
    pid_t pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (!pid) {
        struct sigaction one, two;
        sigaction(SIGUSR1, NULL, &one), sigaction(SIGUSR2, NULL, &two);
        _exit((one.sa_handler == SIG_IGN) * 2 + (two.sa_handler == SIG_DFL));
    }
    waitpid(pid, &status, 0);
    printf("cleared handlers %d\n", WEXITSTATUS(status));
    int parent_tid = 0, child_tid = 0;
    pid = clone(brother, stack + 65536, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_VM |
                CLONE_VFORK | SIGCHLD, &me, &parent_tid, NULL, &child_tid);
    printf("numbers %d %d\n", parent_tid == pid, child_tid);
    waitpid(pid, &status, 0);
    printf("%x\n", status);
    told_after_all();
    return 0;
}
