/* Queues: what collapses, what is queued in which order, RLIMIT_SIGPENDING, who may pretend what, bad arguments. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *name(int number)
{
    switch (number) {
    case 0: return "0";
    case EPERM: return "EPERM";
    case ESRCH: return "ESRCH";
    case EINTR: return "EINTR";
    case E2BIG: return "E2BIG";
    case EAGAIN: return "EAGAIN";
    case ENOMEM: return "ENOMEM";
    case EFAULT: return "EFAULT";
    case EINVAL: return "EINVAL";
    case ENOSYS: return "ENOSYS";
    }
    return strerror(number);
}

static const char *outcome(long result) { return result < 0 ? name(errno) : "0"; }
#define SHOW(what) printf("%s: %s\n", #what, outcome(what))

static void show(siginfo_t *info, int signo)
{
    printf("  %d code %d %s pid %d value %d\n", signo < SIGRTMIN ? signo : signo - SIGRTMIN + 1000, info->si_code,
           info->si_signo == signo ? "" : "wrong number", info->si_pid == getpid() ? 1 : info->si_pid ? 2 : 0,
           info->si_code < 0 && info->si_code != SI_TKILL ? info->si_value.sival_int : 0);
}

static int drain(void)
{
    struct timespec none = {0, 0};
    sigset_t all;
    siginfo_t info;
    int signo, count = 0;
    sigfillset(&all);
    memset(&info, 0, sizeof info);
    while ((signo = sigtimedwait(&all, &info, &none)) > 0) {
        show(&info, signo);
        memset(&info, 0, sizeof info);
        count++;
    }
    printf("  then %s\n", name(errno));
    return count;
}

static long queue(int pid, int tid, int signo, int code)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_code = code;
    info.si_pid = getpid();
    info.si_value.sival_int = 4711;
    if (tid)
        return syscall(SYS_rt_tgsigqueueinfo, pid, tid, signo, &info);
    return syscall(SYS_rt_sigqueueinfo, pid, signo, &info);
}

static int in_child(void (*what)(void))
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        uid_t user = 100000 + getppid(); /* nobody else's signals are to count */
        if (setresgid(user, user, user) || setresuid(user, user, user))
            _exit(99);
        what();
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (status)
        printf("ended with %#x\n", status);
    return status;
}

static int queued_by_user(void)
{
    char line[256];
    int count = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "SigQ: %d/", &count);
    fclose(file);
    return count;
}

static void limits(void)
{
    struct rlimit limit = {5, 5};
    union sigval value = {.sival_int = 0};
    setrlimit(RLIMIT_SIGPENDING, &limit);
    for (int i = 0; i < 7; i++) {
        value.sival_int = i;
        printf("sigqueue %d: %s\n", i, outcome(sigqueue(getpid(), SIGRTMIN + 1, value)));
    }
    printf("standard by sigqueue: %s\n", outcome(sigqueue(getpid(), SIGUSR1, value)));
    printf("standard by kill: %s\n", outcome(kill(getpid(), SIGUSR2)));
    printf("real-time by kill: %s\n", outcome(kill(getpid(), SIGRTMIN + 2)));
    printf("real-time by kill, pending: %s\n", outcome(kill(getpid(), SIGRTMIN + 1)));
    printf("real-time by tgkill: %s\n", outcome(syscall(SYS_tgkill, getpid(), getpid(), SIGRTMIN + 3)));
    printf("queued by the user: %d\n", queued_by_user());
    printf("standard by tgkill: %s\n", outcome(syscall(SYS_tgkill, getpid(), getpid(), SIGHUP)));
    drain();
    printf("again: %s\n", outcome(sigqueue(getpid(), SIGRTMIN + 1, value)));
    drain();
    pid_t child = fork();
    if (!child) { /* the user's count is one for all its processes, but the limit is the receiver's */
        int count = 0;
        while (!sigqueue(getppid(), SIGRTMIN + 5, value))
            count++;
        printf("child queued %d, then %s\n", count, name(errno));
        fflush(stdout);
        limit.rlim_cur = limit.rlim_max = 0;
        setrlimit(RLIMIT_SIGPENDING, &limit);
        printf("own: %s %s\n", outcome(sigqueue(getpid(), SIGRTMIN + 5, value)), outcome(kill(getpid(), SIGRTMIN)));
        drain();
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    printf("drained %d\n", drain());
}

static void many(void)
{
    struct rlimit limit;
    siginfo_t info;
    sigset_t set;
    int good = 0, queued = 0;
    getrlimit(RLIMIT_SIGPENDING, &limit);
    (void)limit;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 7);
    for (; queued < 10000; queued++)
        if (sigqueue(getpid(), SIGRTMIN + 7, (union sigval){.sival_int = queued}))
            break;
    printf("queued %d\n", queued);
    for (int i = 0; i < queued; i++)
        good += sigwaitinfo(&set, &info) == SIGRTMIN + 7 && info.si_value.sival_int == i;
    printf("in order %d\n", good);
}

static volatile int ran[65], runs;
static void count(int signo) { ran[signo]++, runs++; }
static int order[64], ordered;
static void note(int signo) { order[ordered++] = signo; }

static void many_handlers(void)
{
    struct sigaction action;
    sigset_t set;
    memset(&action, 0, sizeof action);
    action.sa_handler = count;
    sigfillset(&action.sa_mask);
    for (int n = 0; n < 8; n++)
        sigaction(SIGRTMIN + n, &action, NULL);
    for (int i = 0; i < 4000; i++)
        sigqueue(getpid(), SIGRTMIN + i % 8, (union sigval){.sival_int = i});
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    printf("handlers ran %d\n", runs);
    for (int n = 1; n < 65; n++)
        if (ran[n])
            printf(" %d", ran[n]);
    printf("\n");
}

static void *other_thread(void *tid)
{
    *(int *)tid = (int)syscall(SYS_gettid);
    pause();
    return NULL;
}

static void pretend(void)
{
    static int codes[] = {SI_USER, SI_QUEUE, SI_TIMER, SI_MESGQ, SI_ASYNCIO, SI_SIGIO, SI_TKILL, SI_ASYNCNL, -77, SI_KERNEL,
                          1, 5, -2147483647 - 1};
    int pid = getpid(), parent = getppid(), tid = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, other_thread, &tid);
    while (!*(volatile int *)&tid)
        usleep(1000);
    for (unsigned i = 0; i < sizeof codes / sizeof *codes; i++) {
        printf("code %d: self %s", codes[i], outcome(queue(pid, 0, SIGUSR1, codes[i])));
        printf(" own thread %s", outcome(queue(pid, pid, SIGUSR2, codes[i])));
        printf(" other thread %s", outcome(queue(pid, tid, 0, codes[i])));
        printf(" parent %s", outcome(queue(parent, 0, 0, codes[i])));
        printf(" nobody %s\n", outcome(queue(999999, 0, 0, codes[i])));
        drain();
    }
    SHOW(queue(pid, 0, 65, SI_QUEUE));
    SHOW(queue(pid, 0, -1, SI_QUEUE));
    SHOW(queue(0, 0, SIGUSR1, SI_QUEUE));
    SHOW(queue(-1, 0, SIGUSR1, SI_QUEUE));
    SHOW(queue(pid, -1, SIGUSR1, SI_QUEUE));
    SHOW(queue(-pid, pid, SIGUSR1, SI_QUEUE));
    SHOW(queue(parent, pid, 0, SI_QUEUE));
    SHOW(queue(pid, 999999, 0, SI_QUEUE));
    SHOW(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, 8));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGUSR1, 8));
    siginfo_t info;
    for (int code = -80; code <= -1; code += 79) {
        memset(&info, 0, sizeof info);
        info.si_code = code;
        ((char *)&info)[100] = 1; /* behind what the kernel knows */
        printf("long info, code %d: %s\n", code, outcome(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info)));
        memset(&info, 7, sizeof info);
        sigset_t all;
        struct timespec none = {0, 0};
        sigfillset(&all);
        if (sigtimedwait(&all, &info, &none) > 0)
            printf("  byte 100: %d\n", ((char *)&info)[100]);
    }
}

static void bad(void)
{
    sigset_t set;
    struct sigaction action;
    struct timespec time;
    stack_t stack;
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    char *edge = page + 4096 - 4;
    sigemptyset(&set);
    memset(&action, 0, sizeof action);
    SHOW(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, -1, NULL, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGKILL, NULL, page, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGKILL, page, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGSTOP, page, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 16));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, edge, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, edge, 8));
    SHOW(syscall(SYS_rt_sigaction, 99, edge, NULL, 8));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, NULL, 4));
    SHOW(syscall(SYS_rt_sigprocmask, 77, NULL, NULL, 8));
    SHOW(syscall(SYS_rt_sigprocmask, 77, page, NULL, 8));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, edge, NULL, 8));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, edge, 8));
    SHOW(syscall(SYS_rt_sigpending, edge, 8));
    SHOW(syscall(SYS_rt_sigpending, edge, 4));
    SHOW(syscall(SYS_rt_sigpending, edge, 9));
    SHOW(syscall(SYS_rt_sigsuspend, edge, 8));
    SHOW(syscall(SYS_rt_sigsuspend, page, 4));
    memset(page, 0, 4096);
    time.tv_sec = -1, time.tv_nsec = 0;
    SHOW(syscall(SYS_rt_sigtimedwait, page, NULL, &time, 8));
    time.tv_sec = 0, time.tv_nsec = 1000000000;
    SHOW(syscall(SYS_rt_sigtimedwait, page, NULL, &time, 8));
    time.tv_nsec = -1;
    SHOW(syscall(SYS_rt_sigtimedwait, page, NULL, &time, 8));
    time.tv_nsec = 0;
    SHOW(syscall(SYS_rt_sigtimedwait, page, NULL, &time, 8));
    SHOW(syscall(SYS_rt_sigtimedwait, page, NULL, edge, 8));
    SHOW(syscall(SYS_rt_sigtimedwait, edge, NULL, &time, 8));
    SHOW(syscall(SYS_rt_sigtimedwait, page, NULL, &time, 4));
    kill(getpid(), SIGUSR1);
    sigfillset(&set);
    SHOW(syscall(SYS_rt_sigtimedwait, &set, edge, &time, 8)); /* the signal is gone all the same */
    SHOW(syscall(SYS_rt_sigtimedwait, &set, NULL, &time, 8));
    SHOW(sigaltstack((void *)edge, NULL));
    SHOW(sigaltstack(NULL, (void *)edge));
    memset(&stack, 0, sizeof stack);
    stack.ss_flags = 4;
    SHOW(sigaltstack(&stack, NULL));
    stack.ss_flags = 0;
    stack.ss_size = 2047;
    SHOW(sigaltstack(&stack, NULL));
    stack.ss_size = 2048;
    SHOW(sigaltstack(&stack, (void *)edge)); /* changed all the same */
    sigaltstack(NULL, &stack);
    printf("size %zu flags %d\n", stack.ss_size, stack.ss_flags);
    stack.ss_flags = SS_DISABLE | (1u << 31);
    SHOW(sigaltstack(&stack, NULL));
    sigaltstack(NULL, &stack);
    printf("size %zu flags %#x\n", stack.ss_size, (unsigned)stack.ss_flags);
    SHOW(kill(getpid(), 65));
    SHOW(kill(getpid(), -1));
    SHOW(kill(999999, 65));
    SHOW(kill(999999, 0));
    SHOW(kill(-999999, SIGUSR1));
    SHOW(kill(-2147483647 - 1, 0));
    SHOW(syscall(SYS_tkill, 0, 0));
    SHOW(syscall(SYS_tkill, -1, SIGUSR1));
    SHOW(syscall(SYS_tkill, getpid(), 65));
    SHOW(syscall(SYS_tkill, 999999, 65));
    SHOW(syscall(SYS_tgkill, getpid(), 0, 0));
    SHOW(syscall(SYS_tgkill, -1, getpid(), 0));
    SHOW(syscall(SYS_tgkill, getppid(), getpid(), 0));
    SHOW(syscall(SYS_tgkill, getpid(), getpid(), -3));
    SHOW(kill(1, SIGCONT) < 0 && errno == EPERM ? 0 : -1);
    SHOW(kill(getppid(), SIGCONT)); /* another user, but the same session */
    SHOW(kill(getppid(), SIGUSR1));
}

static void flags(void)
{
    unsigned long act[4] = {(unsigned long)count, 0xffffffff, (unsigned long)count, ~0ul}, old[4] = {0, 0, 0, 0};
    struct sigaction action;
    printf("rt_sigaction %s", outcome(syscall(SYS_rt_sigaction, SIGUSR1, act, NULL, 8)));
    printf(" %s", outcome(syscall(SYS_rt_sigaction, SIGUSR1, NULL, old, 8)));
    printf(" flags %#lx mask %#lx\n", old[1], old[3]);
    memset(&action, 0, sizeof action);
    action.sa_handler = count;
    action.sa_flags = 0x400 | 0x800;
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGUSR2, NULL, &action);
    printf("unsupported %d tag bits %d\n", !!(action.sa_flags & 0x400), !!(action.sa_flags & 0x800));
    signal(SIGUSR1, SIG_DFL);
}

static void priority(void)
{
    struct sigaction action;
    sigset_t set;
    const int sent[] = {SIGTERM, SIGRTMIN + 3, SIGUSR2, SIGSEGV, SIGHUP, SIGRTMIN, SIGFPE, SIGCHLD, SIGSYS, SIGTRAP};
    memset(&action, 0, sizeof action);
    action.sa_handler = note;
    sigfillset(&action.sa_mask);
    for (unsigned i = 0; i < sizeof sent / sizeof *sent; i++) {
        sigaction(sent[i], &action, NULL);
        kill(getpid(), sent[i]);
        syscall(SYS_tkill, getpid(), sent[i]);
    }
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    for (int i = 0; i < ordered; i++)
        printf(" %d", order[i]);
    printf("\n");
}

int main(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int i = 0; i < 3; i++)
        kill(getpid(), SIGUSR1), sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = i});
    kill(getpid(), SIGRTMIN), kill(getpid(), SIGRTMIN);
    drain();
    in_child(limits);
    struct rlimit limit = {20000, 20000};
    setrlimit(RLIMIT_SIGPENDING, &limit);
    in_child(many);
    in_child(many_handlers);
    in_child(pretend);
    in_child(bad);
    in_child(flags);
    in_child(priority);
    return 0;
}
