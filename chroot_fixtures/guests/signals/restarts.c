/* What a signal does to each call that waits: without SA_RESTART, with it, and a stop signal with SIGCONT.
 * All cases of a round run at the same time, each in a process of its own. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct state {
    int fds[4];
    int id;
    pid_t helper;
    char path[32];
    volatile int word, waiting, done, calls;
    long result;
    int error;
};

struct call {
    const char *name;
    void (*prepare)(struct state *);
    long (*wait)(struct state *);
    void (*release)(struct state *);
};

static struct state *now;
static const struct call *call;
static const struct timespec brief = {0, 250000000}, longer = {3, 0};

#define WAIT(name) static long name(struct state *s)
#define DO(name) static void name(struct state *s)

DO(nothing) { (void)s; }
DO(pipes) { if (pipe(s->fds)) abort(); }
DO(give) { if (write(s->fds[1], "x", 1) != 1) abort(); }
WAIT(reads) { char byte[8]; return read(s->fds[0], byte, 8); }
DO(full)
{
    pipes(s);
    char block[4096] = {0};
    fcntl(s->fds[1], F_SETFL, O_NONBLOCK);
    while (write(s->fds[1], block, sizeof block) > 0)
        ;
    fcntl(s->fds[1], F_SETFL, 0);
}
DO(take) { char block[4096]; if (read(s->fds[0], block, sizeof block) < 1) abort(); }
WAIT(writes) { return write(s->fds[1], "x", 1); }
DO(has_child)
{
    pipes(s);
    pid_t child = fork();
    if (!child) {
        char byte;
        close(s->fds[1]);
        _exit(read(s->fds[0], &byte, 1));
    }
    s->helper = child;
}
DO(parent_of) { (void)s; }
WAIT(waits) { has_child(s); return waitpid(s->helper, NULL, 0) < 0 ? -1 : 1; }
WAIT(waits_id) { siginfo_t info; has_child(s); return waitid(P_PID, s->helper, &info, WEXITED); }
WAIT(sleeps) { (void)s; return nanosleep(&brief, NULL); }
WAIT(sleeps_clock) { (void)s; return -(errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &brief, NULL)) ? -1 : 0; }
WAIT(sleeps_until)
{
    struct timespec until;
    (void)s;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (until.tv_nsec += brief.tv_nsec) / 1000000000;
    until.tv_nsec %= 1000000000;
    return -(errno = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL)) ? -1 : 0;
}
WAIT(polls) { struct pollfd p = {s->fds[0], POLLIN, 0}; return poll(&p, 1, -1); }
WAIT(polls_timed) { struct pollfd p = {s->fds[0], POLLIN, 0}; return poll(&p, 1, 3000); }
WAIT(polls_out) { (void)s; return poll(NULL, 0, 250); }
WAIT(ppolls) { struct pollfd p = {s->fds[0], POLLIN, 0}; return ppoll(&p, 1, &longer, NULL); }
WAIT(selects)
{
    fd_set set;
    struct timeval time = {3, 0};
    FD_ZERO(&set);
    FD_SET(s->fds[0], &set);
    return select(s->fds[0] + 1, &set, NULL, NULL, &time);
}
WAIT(pselects)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(s->fds[0], &set);
    return pselect(s->fds[0] + 1, &set, NULL, NULL, &longer, NULL);
}
DO(epolls_on)
{
    struct epoll_event event = {EPOLLIN, {0}};
    pipes(s);
    s->fds[2] = epoll_create1(0);
    epoll_ctl(s->fds[2], EPOLL_CTL_ADD, s->fds[0], &event);
}
WAIT(epolls) { struct epoll_event event; return epoll_wait(s->fds[2], &event, 1, 3000); }
WAIT(futexes) { return syscall(SYS_futex, &s->word, FUTEX_WAIT, 0, NULL); }
WAIT(futexes_timed) { return syscall(SYS_futex, &s->word, FUTEX_WAIT, 0, &longer); }
DO(wake) { s->word = 1; syscall(SYS_futex, &s->word, FUTEX_WAKE, 1); }
DO(locked)
{
    for (int i = 0; i < 2; i++)
        s->fds[i] = open(s->path, O_RDWR | O_CREAT, 0600);
    flock(s->fds[1], LOCK_EX);
}
WAIT(flocks) { return flock(s->fds[0], LOCK_EX); }
DO(funlocks) { flock(s->fds[1], LOCK_UN); }
DO(record_locked)
{
    struct flock lock = {.l_type = F_WRLCK, .l_len = 1};
    for (int i = 0; i < 2; i++)
        s->fds[i] = open(s->path, O_RDWR | O_CREAT, 0600);
    fcntl(s->fds[1], F_OFD_SETLK, &lock);
}
WAIT(record_locks)
{
    struct flock lock = {.l_type = F_WRLCK, .l_len = 1};
    return fcntl(s->fds[0], F_OFD_SETLKW, &lock);
}
DO(record_unlocks)
{
    struct flock lock = {.l_type = F_UNLCK, .l_len = 1};
    fcntl(s->fds[1], F_OFD_SETLK, &lock);
}
DO(fifo) { mkfifo(s->path, 0600); }
WAIT(opens) { return open(s->path, O_RDONLY) >= 0 ? 0 : -1; }
DO(opens_too) { if (open(s->path, O_RDWR) < 0) abort(); }
WAIT(pauses) { (void)s; return pause(); }
WAIT(suspends) { sigset_t set; (void)s; sigemptyset(&set); return sigsuspend(&set); }
DO(terminates) { kill(s->helper, SIGKILL); }
WAIT(waits_for_signal)
{
    sigset_t set;
    (void)s;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    return sigtimedwait(&set, NULL, &longer);
}
DO(sockets) { if (socketpair(AF_UNIX, SOCK_STREAM, 0, s->fds)) abort(); }
WAIT(receives) { char byte; return recv(s->fds[0], &byte, 1, 0); }
DO(sockets_timed)
{
    struct timeval time = {3, 0};
    sockets(s);
    setsockopt(s->fds[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
}
DO(listens)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    s->fds[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    s->fds[1] = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(address.sun_path, s->path);
    if (bind(s->fds[0], (struct sockaddr *)&address, sizeof address) || listen(s->fds[0], 5))
        abort();
}
DO(connects)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, s->path);
    connect(s->fds[1], (struct sockaddr *)&address, sizeof address);
}
WAIT(accepts) { return accept(s->fds[0], NULL, NULL) >= 0 ? 0 : -1; }
DO(events) { s->fds[0] = s->fds[1] = eventfd(0, 0); }
DO(signals_event) { eventfd_write(s->fds[1], 1); }
DO(timers) { s->fds[0] = timerfd_create(CLOCK_MONOTONIC, 0); }
DO(arms) { struct itimerspec soon = {{0, 0}, {0, 1}}; timerfd_settime(s->fds[0], 0, &soon, NULL); }
DO(signal_file)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    s->fds[0] = signalfd(-1, &set, 0);
}
WAIT(reads_signal) { char block[128]; return read(s->fds[0], block, sizeof block); }
DO(sends_signal) { kill(s->helper, SIGUSR1); }
DO(watches) { s->fds[0] = inotify_init(); mkdir(s->path, 0700); inotify_add_watch(s->fds[0], s->path, IN_DELETE_SELF); }
WAIT(reads_watch) { char block[512]; return read(s->fds[0], block, sizeof block) > 0 ? 1 : -1; }
DO(removes) { rmdir(s->path); }
DO(queues) { s->id = msgget(IPC_PRIVATE, 0600); }
WAIT(takes_message) { struct { long type; char text[8]; } message; return msgrcv(s->id, &message, 8, 0, 0); }
DO(gives_message) { struct { long type; char text[8]; } message = {1, "abc"}; msgsnd(s->id, &message, 3, 0); }
DO(semaphores) { s->id = semget(IPC_PRIVATE, 1, 0600); }
WAIT(downs) { struct sembuf operation = {0, -1, 0}; return semop(s->id, &operation, 1); }
WAIT(downs_timed) { struct sembuf operation = {0, -1, 0}; return semtimedop(s->id, &operation, 1, &longer); }
DO(ups) { struct sembuf operation = {0, 1, 0}; semop(s->id, &operation, 1); }
DO(message_queues)
{
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
    char name[64];
    sprintf(name, "/lbw-%d-%s", getpid(), s->path);
    s->id = mq_open(name, O_RDWR | O_CREAT, 0600, &attributes);
    mq_unlink(name);
}
WAIT(mq_receives) { char block[8]; return mq_receive(s->id, block, 8, NULL); }
DO(mq_sends) { mq_send(s->id, "ab", 2, 0); }

static const struct call calls[] = {
    {"read pipe", pipes, reads, give},
    {"write pipe", full, writes, take},
    {"wait4", parent_of, waits, give},
    {"waitid", parent_of, waits_id, give},
    {"nanosleep", nothing, sleeps, nothing},
    {"clock_nanosleep", nothing, sleeps_clock, nothing},
    {"clock_nanosleep absolute", nothing, sleeps_until, nothing},
    {"poll", pipes, polls, give},
    {"poll timed", pipes, polls_timed, give},
    {"poll until its end", nothing, polls_out, nothing},
    {"ppoll", pipes, ppolls, give},
    {"select", pipes, selects, give},
    {"pselect", pipes, pselects, give},
    {"epoll_wait", epolls_on, epolls, give},
    {"futex", nothing, futexes, wake},
    {"futex timed", nothing, futexes_timed, wake},
    {"flock", locked, flocks, funlocks},
    {"record lock", record_locked, record_locks, record_unlocks},
    {"open fifo", fifo, opens, opens_too},
    {"pause", nothing, pauses, terminates},
    {"sigsuspend", nothing, suspends, terminates},
    {"sigtimedwait", nothing, waits_for_signal, nothing},
    {"recv", sockets, receives, give},
    {"recv timed", sockets_timed, receives, give},
    {"accept", listens, accepts, connects},
    {"read eventfd", events, reads, signals_event},
    {"read timerfd", timers, reads, arms},
    {"read signalfd", signal_file, reads_signal, sends_signal},
    {"read inotify", watches, reads_watch, removes},
    {"msgrcv", queues, takes_message, gives_message},
    {"semop", semaphores, downs, ups},
    {"semtimedop", semaphores, downs_timed, ups},
    {"mq_receive", message_queues, mq_receives, mq_sends},
};
enum { COUNT = sizeof calls / sizeof *calls };

static int releasing;

static void handler(int signo)
{
    (void)signo;
    now->calls++;
    if (releasing && call->release != terminates && call->release != sends_signal)
        call->release(now);
}

static void child(int flags)
{
    struct sigaction action;
    struct itimerval timer = {{0, 100000}, {0, 100000}}; /* again, should the first come before the call */
    sigset_t set;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags > 0 ? SA_RESTART : 0;
    releasing = flags > 0;
    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (flags >= 0)
        setitimer(ITIMER_REAL, &timer, NULL);
    now->waiting = 1;
    errno = 0;
    now->result = call->wait(now);
    now->error = errno;
    now->done = 1;
    _exit(0);
}

static void round_of(const char *title, int flags)
{
    struct state *states = mmap(NULL, COUNT * sizeof *states, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[COUNT];
    printf("== %s\n", title);
    fflush(stdout);
    for (int i = 0; i < COUNT; i++) {
        struct state *s = &states[i];
        sprintf(s->path, "r%d-%d", flags + 1, i);
        calls[i].prepare(s);
        now = s;
        call = &calls[i];
        if (!(pids[i] = fork()))
            child(flags);
    }
    if (flags < 0) {
        int status;
        for (int i = 0; i < COUNT; i++)
            while (!states[i].waiting || (calls[i].prepare == parent_of && !states[i].helper))
                usleep(1000);
        usleep(100000);
        for (int i = 0; i < COUNT; i++)
            kill(pids[i], SIGSTOP);
        for (int i = 0; i < COUNT; i++)
            waitpid(pids[i], &status, WUNTRACED);
        for (int i = 0; i < COUNT; i++)
            kill(pids[i], SIGCONT);
        usleep(20000);
    }
    if (flags)
        usleep(250000);
    for (int i = 0; i < COUNT; i++) {
        struct state *s = &states[i];
        if (!s->done && (flags < 0 || (flags && calls[i].release == sends_signal))) {
            if (calls[i].wait == waits || calls[i].wait == waits_id) /* its child waits for this process's pipe */
                kill(s->helper, SIGKILL);
            else if (calls[i].release == terminates)
                kill(pids[i], SIGKILL);
            else if (calls[i].release == sends_signal)
                kill(pids[i], SIGUSR1);
            else
                calls[i].release(s);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        struct state *s = &states[i];
        waitpid(pids[i], NULL, 0);
        if (s->done)
            printf("%-26s %ld %s calls %d\n", calls[i].name, s->result, s->result < 0 ? strerror(s->error) : "", s->calls > 0);
        else
            printf("%-26s never returns\n", calls[i].name);
        if (unlink(s->path) < 0)
            rmdir(s->path);
        if (calls[i].prepare == queues)
            msgctl(s->id, IPC_RMID, NULL);
        if (calls[i].prepare == semaphores)
            semctl(s->id, 0, IPC_RMID);
    }
    fflush(stdout);
}

int main(void)
{
    char directory[] = "/tmp/restartsXXXXXX";
    if (!mkdtemp(directory) || chdir(directory))
        return 1;
    round_of("a handler", 0);
    round_of("a handler with SA_RESTART", 1);
    round_of("stopped and continued", -1);
    rmdir(directory);
    return 0;
}
