/* Stop and continue: all threads of a process, interrupted calls, what SIGCHLD and wait tell, what SIGCONT and stop
 * signals do to each other, orphaned groups, zombies that nobody wants. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t children;
static siginfo_t last;

static void on_child(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    children++;
    last = *info;
}

static void set(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigaction(signo, &action, NULL);
}

static void told(const char *what)
{
    usleep(50000); /* a child that continues tells so by itself */
    printf("%s: %d SIGCHLD, last code %d status %d uid %d\n", what, children, children ? last.si_code : 0,
           children ? last.si_status : 0, (int)last.si_uid);
    children = 0;
}

static void wait_for(const char *what, pid_t pid, int options)
{
    int status = 0;
    pid_t result = waitpid(pid, &status, options);
    printf("%s: %s %s%s%s%s %d\n", what, result == pid ? "it" : result ? strerror(errno) : "nothing",
           result == pid && WIFEXITED(status) ? "exited" : "", result == pid && WIFSIGNALED(status) ? "killed" : "",
           result == pid && WIFSTOPPED(status) ? "stopped" : "", result == pid && WIFCONTINUED(status) ? "continued" : "",
           result != pid ? 0 : WIFSTOPPED(status) ? WSTOPSIG(status) : WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    fflush(stdout);
}

struct shared {
    atomic_long counters[3];
    atomic_int ready;
    int results[4], errors[4], signals;
};
static struct shared *shared;

static void *compute(void *counter)
{
    for (;;)
        atomic_fetch_add((atomic_long *)counter, 1);
    return NULL;
}

static void *sleeps(void *unused)
{
    struct timespec time = {0, 500000000};
    (void)unused;
    atomic_fetch_add(&shared->ready, 1);
    shared->results[0] = nanosleep(&time, NULL);
    shared->errors[0] = errno;
    return NULL;
}

static void *waits_for_signals(void *unused)
{
    struct timespec time = {10, 0};
    sigset_t set;
    (void)unused;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    atomic_fetch_add(&shared->ready, 1);
    shared->results[1] = sigtimedwait(&set, NULL, &time);
    shared->errors[1] = errno;
    return NULL;
}

static void *polls(void *fd)
{
    struct pollfd poller = {*(int *)fd, POLLIN, 0};
    atomic_fetch_add(&shared->ready, 1);
    shared->results[2] = poll(&poller, 1, 10000);
    shared->errors[2] = errno;
    return NULL;
}

static void threads(void)
{
    int ends[2];
    if (pipe(ends))
        return;
    pid_t child = fork();
    if (!child) {
        pthread_t thread, others[3];
        for (int i = 0; i < 2; i++)
            pthread_create(&thread, NULL, compute, &shared->counters[i]);
        pthread_create(&others[0], NULL, sleeps, NULL);
        pthread_create(&others[1], NULL, waits_for_signals, NULL);
        pthread_create(&others[2], NULL, polls, &ends[0]);
        for (int i = 0; i < 3; i++)
            pthread_join(others[i], NULL);
        _exit(7);
    }
    while (shared->ready < 3 || !shared->counters[0] || !shared->counters[1])
        usleep(1000);
    usleep(100000);
    kill(child, SIGSTOP);
    wait_for("threads", child, WUNTRACED);
    long before[2] = {shared->counters[0], shared->counters[1]};
    usleep(50000);
    printf("stand still: %d %d\n", before[0] == shared->counters[0], before[1] == shared->counters[1]);
    kill(child, SIGCONT);
    while (shared->counters[0] == before[0] || shared->counters[1] == before[1])
        usleep(1000);
    printf("go on\n");
    usleep(20000);
    if (write(ends[1], "x", 1) != 1)
        abort();
    wait_for("exited", child, 0);
    printf("nanosleep %d; sigtimedwait %d %s; poll %d\n", shared->results[0], shared->results[1],
           strerror(shared->errors[1]), shared->results[2]);
    close(ends[0]);
    close(ends[1]);
}

static void child_signals(void)
{
    siginfo_t info;
    set(SIGCHLD, on_child, SA_RESTART);
    children = 0;
    pid_t child = fork();
    if (!child)
        for (;;)
            pause();
    setpgid(child, child); /* ours is orphaned */
    kill(child, SIGTSTP);
    wait_for("tstp", child, WUNTRACED);
    told("stopped");
    wait_for("again", child, WUNTRACED | WNOHANG);
    kill(child, SIGTTIN); /* stopped already */
    kill(child, SIGCONT);
    wait_for("cont", child, WCONTINUED);
    told("continued");
    wait_for("again", child, WCONTINUED | WNOHANG);
    kill(child, SIGCONT); /* goes on already: nobody is told */
    wait_for("not stopped", child, WCONTINUED | WNOHANG);
    told("nothing");
    set(SIGCHLD, on_child, SA_RESTART | SA_NOCLDSTOP);
    kill(child, SIGSTOP);
    memset(&info, 0, sizeof info);
    waitid(P_PID, child, &info, WSTOPPED | WNOWAIT);
    printf("waitid: signal %d code %d status %d\n", info.si_signo, info.si_code, info.si_status);
    memset(&info, 0, sizeof info);
    waitid(P_PID, child, &info, WSTOPPED);
    printf("waitid: signal %d code %d status %d\n", info.si_signo, info.si_code, info.si_status);
    told("no cldstop");
    kill(child, SIGTERM); /* stays pending */
    usleep(10000);
    wait_for("pending", child, WNOHANG);
    kill(child, SIGCONT);
    wait_for("terminated", child, 0);
    told("killed");
    child = fork();
    if (!child)
        for (;;)
            pause();
    kill(child, SIGSTOP);
    wait_for("stopped", child, WUNTRACED);
    kill(child, SIGKILL);
    wait_for("killed", child, 0);
    told("killed while stopped");
    set(SIGCHLD, on_child, SA_NOCLDWAIT);
    if (!(child = fork()))
        _exit(3);
    wait_for("no wait", child, 0);
    told("no zombie");
    signal(SIGCHLD, SIG_IGN);
    if (!(child = fork()))
        _exit(3);
    wait_for("ignored", child, 0);
    signal(SIGCHLD, SIG_DFL);
}

static void on_cont(int signo, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    shared->signals = shared->signals * 100 + signo;
}

static void each_other(void)
{
    sigset_t stops, pending;
    shared->signals = 0;
    sigemptyset(&stops);
    sigaddset(&stops, SIGCONT);
    sigaddset(&stops, SIGTSTP);
    sigaddset(&stops, SIGTTOU);
    sigprocmask(SIG_BLOCK, &stops, NULL);
    set(SIGCONT, on_cont, 0);
    raise(SIGTSTP);
    syscall(SYS_tkill, getpid(), SIGTTOU);
    sigpending(&pending);
    printf("stops pending %d %d\n", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGTTOU));
    kill(getpid(), SIGCONT);
    sigpending(&pending);
    printf("then %d %d cont %d\n", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGTTOU),
           sigismember(&pending, SIGCONT));
    raise(SIGTSTP);
    sigpending(&pending);
    printf("then %d cont %d\n", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGCONT));
    kill(getpid(), SIGCONT);
    sigprocmask(SIG_UNBLOCK, &stops, NULL);
    printf("handled %d\n", shared->signals);
    fflush(stdout);
    shared->signals = 0;
    pid_t child = fork(); /* a blocked SIGCONT continues too, its handler runs later */
    if (!child) {
        sigprocmask(SIG_BLOCK, &stops, NULL);
        raise(SIGSTOP);
        shared->signals += 1;
        sigprocmask(SIG_UNBLOCK, &stops, NULL);
        _exit(0);
    }
    wait_for("stopped", child, WUNTRACED);
    kill(child, SIGCONT);
    wait_for("done", child, 0);
    printf("handled %d\n", shared->signals);
    signal(SIGCONT, SIG_IGN);
    child = fork(); /* so does an ignored one */
    if (!child) {
        raise(SIGSTOP);
        _exit(0);
    }
    wait_for("stopped", child, WUNTRACED);
    kill(child, SIGCONT);
    wait_for("done", child, 0);
    signal(SIGCONT, SIG_DFL);
}

static void on_hup(int signo, siginfo_t *info, void *context)
{
    (void)context;
    shared->signals = shared->signals * 100 + signo;
    if (info->si_code == SI_KERNEL)
        shared->results[3]++;
}

static void orphans(void)
{
    int ends[2];
    char byte;
    if (pipe(ends))
        return;
    shared->signals = shared->results[3] = 0;
    shared->ready = 0;
    pid_t middle = fork();
    if (!middle) { /* when it ends, the group of its stopped child is orphaned */
        pid_t child = fork();
        if (!child) {
            close(ends[0]);
            setpgid(0, 0);
            set(SIGHUP, on_hup, 0);
            set(SIGCONT, on_hup, 0);
            raise(SIGSTOP);
            raise(SIGTSTP); /* has no effect now */
            raise(SIGTTIN);
            shared->ready = 1;
            _exit(0);
        }
        int status;
        waitpid(child, &status, WUNTRACED);
        _exit(WIFSTOPPED(status) ? 5 : 6);
    }
    close(ends[1]);
    int status;
    waitpid(middle, &status, 0);
    printf("middle %d\n", WEXITSTATUS(status));
    while (read(ends[0], &byte, 1) > 0)
        ;
    close(ends[0]);
    /* whichever of the two handlers' frames is on top: both ran */
    printf("orphan: hup and cont %d from the kernel %d, not stopped again %d\n",
           shared->signals == 118 || shared->signals == 1801, shared->results[3], (int)shared->ready);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    threads();
    child_signals();
    each_other();
    orphans();
    return 0;
}
