/* vfork and posix_spawn: who waits, what is shared until then, all attributes and file actions; memory shared without
   threads; an own thread library by raw clone. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *me;
static volatile int shared;
static volatile int handled;

static void handler(int signo) { handled++; }

static int report(char **argv) {
    char here[100];
    sigset_t mask;
    struct sigaction one, two;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    sigaction(SIGUSR1, NULL, &one), sigaction(SIGUSR2, NULL, &two);
    printf("child: %s X=%s group %d session %d policy %d nice %d\n", argv[1], getenv("X") ? getenv("X") : "-",
           getpgrp() == getpid(), getsid(0) == getpid(), sched_getscheduler(0), getpriority(PRIO_PROCESS, 0));
    printf("child: blocked %d %d ignored %d %d cwd %s fds %d %d %d umask %o euid %d\n", sigismember(&mask, SIGINT),
           sigismember(&mask, SIGUSR1), one.sa_handler == SIG_IGN, two.sa_handler == SIG_IGN,
           getcwd(here, sizeof here), fcntl(60, F_GETFD), fcntl(61, F_GETFD), fcntl(62, F_GETFD), umask(0), geteuid());
    return 6;
}

static void spawn(const char *name, posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes) {
    char *argv[] = {me, (char *)name, NULL};
    int status = 0;
    pid_t pid = 0;
    fflush(stdout);
    int error = posix_spawn(&pid, "/proc/self/exe", actions, attributes, argv, environ);
    if (!error) waitpid(pid, &status, 0);
    printf("%s: %s %x\n", name, error ? strerrorname_np(error) : "started", status);
}

static void spawns(void) {
    posix_spawnattr_t a;
    posix_spawn_file_actions_t f;
    sigset_t set;
    struct sched_param priority = {0};
    spawn("plain", NULL, NULL);
    posix_spawnattr_init(&a);
    sigemptyset(&set), sigaddset(&set, SIGINT);
    posix_spawnattr_setsigmask(&a, &set);
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    signal(SIGUSR1, SIG_IGN), signal(SIGUSR2, SIG_IGN);
    posix_spawnattr_setsigdefault(&a, &set);
    posix_spawnattr_setpgroup(&a, 0);
    posix_spawnattr_setschedpolicy(&a, SCHED_BATCH);
    posix_spawnattr_setschedparam(&a, &priority);
    posix_spawnattr_setflags(&a, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP |
                                     POSIX_SPAWN_SETSCHEDULER);
    posix_spawn_file_actions_init(&f);
    posix_spawn_file_actions_addopen(&f, 60, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&f, 60, 61);
    posix_spawn_file_actions_addopen(&f, 62, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
    posix_spawn_file_actions_addchdir_np(&f, "/dev");
    spawn("attributes", &f, &a);
    posix_spawnattr_setflags(&a, POSIX_SPAWN_SETSID | POSIX_SPAWN_RESETIDS);
    spawn("session", NULL, &a);
    posix_spawn_file_actions_addclose(&f, 60);
    posix_spawn_file_actions_addopen(&f, 63, "/nonexistent/file", O_RDONLY, 0);
    spawn("bad action", &f, NULL);
    posix_spawnattr_setpgroup(&a, 1 << 22);
    posix_spawnattr_setflags(&a, POSIX_SPAWN_SETPGROUP);
    spawn("bad group", NULL, &a);
    signal(SIGUSR1, SIG_DFL), signal(SIGUSR2, SIG_DFL);
}

static void *counting(void *unused) {
    while (shared < 1000000000) shared++;
    return NULL;
}

static void vforks(void) {
    int status;
    volatile int local = 1;
    struct timespec now = {0, 0};
    signal(SIGALRM, handler);
    sigset_t chld;
    sigemptyset(&chld), sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    pid_t parent = getpid(), pid = vfork();
    if (!pid) {
        local = 2;
        kill(parent, SIGALRM);  /* comes, but the parent does not return before we end */
        usleep(3000);
        shared = handled;
        _exit(5);
    }
    printf("shared stack %d, handled before %d, after %d\n", local, shared, handled);
    printf("SIGCHLD %d\n", sigtimedwait(&chld, NULL, &now) == SIGCHLD);
    waitpid(pid, &status, 0);
    printf("%x\n", status);
    pid = vfork();
    if (!pid) execl("/nonexistent", "x", NULL), _exit(errno);
    waitpid(pid, &status, 0);
    printf("%x\n", status == ENOENT << 8);
    fflush(stdout);
    pid = vfork();
    if (!pid) execl("/proc/self/exe", me, "vforked", NULL);
    waitpid(pid, &status, 0);
    printf("executed %x\n", status);

    /* Other threads run while one waits for its child. */
    pthread_t thread;
    shared = 0;
    pthread_create(&thread, NULL, counting, NULL);
    pid = vfork();
    if (!pid) {
        for (int i = 0; i < 500 && shared <= 1000; i++) usleep(10000);
        _exit(shared > 1000);
    }
    int seen = shared;
    shared = 2000000000;
    pthread_join(thread, NULL);
    waitpid(pid, &status, 0);
    printf("others ran %d %x\n", seen > 1000, status);
    sigprocmask(SIG_UNBLOCK, &chld, NULL);

    /* A parent that is killed while it waits. */
    fflush(stdout);
    pid = fork();
    if (!pid) {
        if (!vfork()) kill(getppid(), SIGKILL), usleep(1000), _exit(0);
        _exit(1);
    }
    waitpid(pid, &status, 0);
    printf("killed %x\n", status);
}

struct job {
    int *word;
    int fd;
};

static int in_other_process(void *argument) {
    struct job *job = argument;
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(page, "mapped by the child");
    *(char **)(job + 1) = page;
    job->fd = open("/dev/zero", O_RDONLY);
    sigaltstack(&(stack_t){.ss_sp = malloc(32768), .ss_size = 32768}, NULL);
    struct rlimit none = {7, 7};
    setrlimit(RLIMIT_NOFILE, &none);
    *job->word = 1;
    syscall(SYS_futex, job->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    while (*(volatile int *)job->word != 2) syscall(SYS_futex, job->word, FUTEX_WAIT, 1, NULL, NULL, 0);
    return getpid() == syscall(SYS_gettid) ? 17 : 18;
}

/* Two processes with one memory and one table of descriptors. */
static void shared_memory(void) {
    struct { struct job job; char *page; } all;
    int word = 0, status;
    struct rlimit limit;
    stack_t before, after;
    all.job.word = &word;
    sigaltstack(NULL, &before);
    char *stack = malloc(65536);
    pid_t pid = clone(in_other_process, stack + 65536, CLONE_VM | CLONE_FILES | SIGCHLD, &all);
    while (!*(volatile int *)&word) syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    char byte = 1;
    printf("%s, descriptor reads %zd\n", all.page, read(all.job.fd, &byte, 1));
    getrlimit(RLIMIT_NOFILE, &limit);
    sigaltstack(NULL, &after);
    printf("limits are its own %d, stack too %d\n", limit.rlim_cur > 7, before.ss_sp == after.ss_sp);
    printf("its memory is ours: %d\n", kill(pid, 0));
    word = 2;
    syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
    waitpid(pid, &status, 0);
    printf("%x, memory stays: %s\n", status, all.page);
    close(all.job.fd);
}

/* As Go makes its threads: no pthread, TLS by CLONE_SETTLS, the end told by CLONE_CHILD_CLEARTID. */
static char blocks[8][16384] __attribute__((aligned(64)));
static int finished[8];
static volatile long sum;

static int worker(void *argument) {
    __atomic_fetch_add(&sum, (long)argument, __ATOMIC_SEQ_CST);
    syscall(SYS_sched_yield);
    syscall(SYS_exit, 0);
    return 0;
}

static void raw_threads(void) {
    for (int i = 0; i < 8; i++) {
        finished[i] = 1;
        clone(worker, blocks[i] + sizeof blocks[i], CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_SYSVSEM |
              CLONE_THREAD | CLONE_CHILD_CLEARTID, (void *)(long)(i + 1), NULL, NULL, &finished[i]);
    }
    for (int i = 0; i < 8; i++)
        while (*(volatile int *)&finished[i]) syscall(SYS_futex, &finished[i], FUTEX_WAIT, 1, NULL, NULL, 0);
    printf("sum %ld\n", sum);
}

int main(int argc, char **argv) {
    me = argv[0];
    if (argc > 1) return report(argv);
    setenv("X", "yes", 1);
    chdir("/tmp");
    umask(022);
    spawns();
    vforks();
    shared_memory();
    raw_threads();
    return 0;
}
