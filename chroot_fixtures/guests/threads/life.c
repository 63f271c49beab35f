/* Life and death of threads: numbers, names, /proc, the leader that ends first, exec from another thread, who is told. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define gettid() ((int)syscall(SYS_gettid))
static char *me;
static int ends[2];
static volatile int number;
static sem_t go, ready;

#define SHOW(call) \
    do { \
        errno = 0; \
        long result = (long)(call); \
        printf("%s = %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : ""); \
        fflush(stdout); \
    } while (0)

/* The value of `field` in a file of /proc, or the whole line. */
static const char *line_of(const char *path, const char *field) {
    static char lines[4][400];  /* several may be printed at once */
    static int turn;
    char *line = lines[turn++ & 3];
    FILE *file = fopen(path, "r");
    if (!file) return strerrorname_np(errno);
    *line = 0;
    while (fgets(line, sizeof *lines, file)) {
        if (!field || !strncmp(line, field, strlen(field))) break;
        *line = 0;
    }
    fclose(file);
    line[strcspn(line, "\n")] = 0;
    return field && *line ? line + strcspn(line, "\t") + 1 : line;
}

static const char *of_task(int tid, const char *name, const char *field) {
    char path[80];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, name);
    return line_of(path, field);
}

static int tasks(void) {
    DIR *directory = opendir("/proc/self/task");
    int found = 0;
    for (struct dirent *entry; (entry = readdir(directory));) found += *entry->d_name != '.';
    closedir(directory);
    return found;
}

static int write_name(const char *path, const char *name) {
    int fd = open(path, O_WRONLY);
    int result = write(fd, name, strlen(name));
    close(fd);
    return result;
}

static void *named(void *unused) {
    char path[80], name[20], other[80];
    number = gettid();
    prctl(PR_SET_NAME, "a name that is too long");
    printf("name %s\n", of_task(number, "comm", NULL));
    printf("process's %s\n", line_of("/proc/self/comm", NULL));
    snprintf(path, sizeof path, "/proc/thread-self/comm");
    printf("renamed %d", write_name(path, "0123456789abcdefg"));
    prctl(PR_GET_NAME, name);
    printf(" to %s\n", name);
    printf("renamed %d", write_name(path, "two\nlines"));
    prctl(PR_GET_NAME, name);
    printf(" to %s\n", name);
    ssize_t length = readlink("/proc/thread-self", path, sizeof path - 1);
    path[length] = 0;
    snprintf(other, sizeof other, "%d/task/%d", getpid(), number);
    printf("thread-self %d, tasks %d, Threads %s\n", !strcmp(path, other), tasks(), line_of("/proc/self/status", "Threads"));
    printf("Tgid %d Pid %d State %s\n", atoi(of_task(number, "status", "Tgid")) == getpid(),
           atoi(of_task(number, "status", "Pid")) == number, of_task(number, "status", "State"));
    snprintf(path, sizeof path, "/proc/%d/status", number);
    printf("by its number: Pid %d Tgid %d\n", atoi(line_of(path, "Pid")) == number, atoi(line_of(path, "Tgid")) == getpid());
    snprintf(path, sizeof path, "/proc/self/task/%d/task", number);
    printf("%s\n", line_of(path, NULL));
    printf("%s\n", of_task(1 << 22, "comm", NULL));
    snprintf(path, sizeof path, "/proc/self/task/%d/fd/1", number);
    printf("its descriptors %d\n", access(path, F_OK));
    sem_post(&ready), sem_wait(&go);
    return NULL;
}

static void names(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, named, NULL);
    sem_wait(&ready);
    printf("name of the other %s, of this %s\n", of_task(number, "comm", NULL), of_task(getpid(), "comm", NULL));
    char path[80];
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", number);
    printf("renamed %d", write_name(path, "given"));
    printf(" to %s\n", of_task(number, "comm", NULL));
    SHOW(syscall(SYS_tgkill, getpid(), number, 0));
    SHOW(syscall(SYS_tgkill, number, number, 0));
    SHOW(syscall(SYS_tgkill, getpid(), 1, 0));
    SHOW(syscall(SYS_tkill, number, 0));
    SHOW(kill(number, 0));
    SHOW(setpgid(number, 0));
    SHOW(getpgid(number) == getpgid(0));
    SHOW(getsid(number) == getsid(0));
    SHOW(getpriority(PRIO_PROCESS, number));
    SHOW(setpriority(PRIO_PROCESS, number, 7));
    SHOW(getpriority(PRIO_PROCESS, number));
    SHOW(getpriority(PRIO_PROCESS, 0));
    sem_post(&go);
    pthread_join(thread, NULL);
    SHOW(syscall(SYS_tgkill, getpid(), number, 0));
    printf("after it %s, tasks %d\n", of_task(number, "comm", NULL), tasks());
}

static int status_of(void (*body)(void)) {
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) body(), _exit(98);
    waitpid(pid, &status, 0);
    return status;
}

static void *survivor(void *unused) {
    char path[80];
    while (strncmp(line_of("/proc/self/status", "State"), "Z", 1)) usleep(1000);
    printf("leader %s, tasks %d, Threads %s, VmSize '%s'\n", line_of("/proc/self/status", "State"), tasks(),
           line_of("/proc/self/status", "Threads"), line_of("/proc/self/status", "VmSize"));
    printf("exe %zd %s", readlink("/proc/self/exe", path, 80), strerrorname_np(errno));
    printf(" cwd %zd %s", readlink("/proc/self/cwd", path, 80), strerrorname_np(errno));
    printf(" own exe %d\n", readlink("/proc/thread-self/exe", path, 80) > 0);
    printf("comm %s, maps '%s', cmdline '%s'\n", line_of("/proc/self/comm", NULL), line_of("/proc/self/maps", NULL),
           line_of("/proc/self/cmdline", NULL));
    printf("signals %ld %ld %d\n", syscall(SYS_tkill, getpid(), 0), syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1),
           kill(getpid(), 0));
    printf("policy %ld nice %d\n", syscall(SYS_sched_getscheduler, getpid()), getpriority(PRIO_PROCESS, getpid()));
    if (!fork()) _exit(getppid() == atoi(line_of("/proc/thread-self/status", "PPid")) ? 11 : 12);
    int status;
    wait(&status);
    printf("child of the rest %x\n", status);
    fflush(stdout);
    if (number == 1) execl(me, me, "executed", NULL);
    if (number == 2) raise(SIGTERM);
    if (number == 3) _exit(33);
    syscall(SYS_exit, 34);
    return NULL;
}

static void leader_ends(void) {
    pthread_t thread;
    prctl(PR_SET_NAME, "first");
    pthread_create(&thread, NULL, survivor, NULL);
    usleep(2000);
    syscall(SYS_exit, 1);
}

static void *blocked(void *unused) {
    char byte;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    read(ends[0], &byte, 1);
    return NULL;
}

static void *spinning(void *unused) {
    for (;;) number++;
}

static void *executing(void *pid) {
    char text[40];
    usleep(2000);
    prctl(PR_SET_NAME, "executing");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup3(fd, 50, O_CLOEXEC), dup2(fd, 51);
    snprintf(text, sizeof text, "%d", getpid());
    sigset_t usr;
    sigemptyset(&usr), sigaddset(&usr, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr, NULL);
    pthread_kill(pthread_self(), SIGUSR1);
    execl("/nonexistent", "x", NULL);
    execl(me, me, "from a thread", text, NULL);
    return NULL;
}

static void exec_from_thread(void) {
    pthread_t thread;
    for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, blocked, NULL);
    pthread_create(&thread, NULL, spinning, NULL);
    pthread_create(&thread, NULL, executing, NULL);
    blocked(NULL);
}

static void exit_from_thread(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, blocked, NULL);
    pthread_create(&thread, NULL, spinning, NULL);
    pthread_create(&thread, NULL, (void *(*)(void *))_exit, (void *)44);
    blocked(NULL);
}

static void fault_in_thread(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, blocked, NULL);
    pthread_create(&thread, NULL, (void *(*)(void *))strlen, (void *)44);
    blocked(NULL);
}

static void told(int signo, siginfo_t *info, void *context) {
    printf("told: signal %d, pid %d, code %d\n", signo, info->si_pid == (pid_t)(long)number, info->si_code);
    fflush(stdout);
    write(ends[1], "x", 1);
}

/* A child that is told of the end of the thread that made it, whose process lives on. */
static void *mother(void *unused) {
    int up[2];
    char byte;
    pipe(up);
    number = getpid();
    if (!fork()) {
        struct sigaction action = {.sa_sigaction = told, .sa_flags = SA_SIGINFO};
        sigaction(SIGUSR1, &action, NULL);
        sigset_t usr, none;
        sigemptyset(&none), sigemptyset(&usr), sigaddset(&usr, SIGUSR1);
        sigprocmask(SIG_BLOCK, &usr, NULL);
        prctl(PR_SET_PDEATHSIG, SIGUSR1);
        write(up[1], "x", 1);
        sigsuspend(&none);
        _exit(getppid() == number ? 21 : 22);
    }
    read(up[0], &byte, 1);
    close(up[0]), close(up[1]);
    return NULL;
}

static void *waiter(void *unused) {
    int status;
    errno = 0;
    printf("__WNOTHREAD elsewhere %d", waitpid(-1, &status, __WNOTHREAD | WNOHANG));
    printf(" %s\n", strerrorname_np(errno));
    return NULL;
}

static void children_of_threads(void) {
    pthread_t thread;
    char byte;
    int status;
    pthread_create(&thread, NULL, mother, NULL);
    pthread_join(thread, NULL);
    read(ends[0], &byte, 1);
    int found = waitpid(-1, &status, 0) > 0;
    printf("inherited %d %x\n", found, status);
    pid_t pid = fork();
    if (!pid) pause();
    pthread_create(&thread, NULL, waiter, NULL);
    pthread_join(thread, NULL);
    SHOW(waitpid(-1, &status, __WNOTHREAD | WNOHANG));
    kill(pid, SIGKILL);
    SHOW(waitpid(-1, &status, __WNOTHREAD) == pid);
}

int main(int argc, char **argv) {
    struct rusage usage;
    me = argv[0];
    pipe(ends);
    if (argc == 2) {
        printf("%s: pid is tid %d, tasks %d, comm %s\n", argv[1], getpid() == gettid(), tasks(), line_of("/proc/self/comm", NULL));
        return 7;
    }
    if (argc == 3) {
        sigset_t pending, mask;
        sigpending(&pending), sigprocmask(SIG_BLOCK, NULL, &mask);
        printf("%s: pid kept %d, tid %d, tasks %d, comm %s\n", argv[1], getpid() == atoi(argv[2]), getpid() == gettid(),
               tasks(), line_of("/proc/self/comm", NULL));
        printf("pending %d blocked %d, close-on-exec gone %d, other kept %d\n", sigismember(&pending, SIGUSR1),
               sigismember(&mask, SIGUSR1), fcntl(50, F_GETFD) < 0, fcntl(51, F_GETFD));
        return 8;
    }
    sem_init(&go, 0, 0), sem_init(&ready, 0, 0);
    names();
    for (number = 0; number < 4; number++) printf("%x\n", status_of(leader_ends));
    printf("%x\n", status_of(exec_from_thread));
    printf("%x\n", status_of(exit_from_thread));
    printf("%x\n", status_of(fault_in_thread));
    children_of_threads();
    SHOW(getrusage(RUSAGE_CHILDREN, &usage));
    printf("%d %d\n", usage.ru_utime.tv_usec + usage.ru_stime.tv_usec > 0, usage.ru_minflt > 0);
    SHOW(syscall(SYS_getrusage, RUSAGE_THREAD, 8));
    SHOW(syscall(SYS_getrusage, 5, &usage));
    return 0;
}
