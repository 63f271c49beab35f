/* wait4 and waitid: statuses, siginfo, stops and continuations, errors, exit signals, orphans and subreapers. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int hits;
static siginfo_t last;

static void handler(int signo, siginfo_t *info, void *context) {
    hits++;
    last = *info;
}

static void catch(int signo) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(signo, &action, NULL);
}

#define SHOW(call) \
    do { \
        errno = 0; \
        long result = (long)(call); \
        printf("%s = %ld %s\n", #call, result < 0 ? -1 : result, result < 0 ? strerrorname_np(errno) : ""); \
        fflush(stdout); \
    } while (0)

static int collect(pid_t pid) {
    int status;
    while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {
    }
    return status;
}

int main(void) {
    int status, pipes[2];
    pid_t pid;
    siginfo_t info;
    struct rusage usage;
    char byte;

    catch(SIGCHLD);
    SHOW(wait4(-1, &status, 0, 0));
    SHOW(waitpid(999999, &status, 0));
    SHOW(waitid(P_ALL, 0, &info, 0));
    SHOW(waitid(P_PID, 0, &info, WEXITED));
    SHOW(wait4(-1, &status, 0x8888, 0));
    SHOW(waitpid(-1 << 31, &status, 0));

    if (!(pid = fork())) _exit(7);
    status = collect(pid);
    printf("%x: %d hits, signal %d code %d status %d ours %d\n", status, hits, last.si_signo, last.si_code,
           last.si_status, last.si_pid == pid);
    if (!(pid = fork())) raise(SIGKILL);
    status = collect(pid);
    printf("%x: code %d status %d\n", status, last.si_code, last.si_status);

    if (!(pid = fork())) {
        pause();
        _exit(1);
    }
    kill(pid, SIGSTOP);
    SHOW(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
    printf("%d %d %d\n", info.si_code, info.si_status, info.si_signo);
    SHOW(waitpid(pid, &status, WUNTRACED) == pid);
    printf("%x\n", status);
    SHOW(waitpid(pid, &status, WUNTRACED | WNOHANG));
    kill(pid, SIGCONT);
    SHOW(waitid(P_PID, pid, &info, WCONTINUED));
    printf("%d %d\n", info.si_code, info.si_status);
    kill(pid, SIGTERM);
    SHOW(waitid(P_PID, pid, &info, WEXITED));
    printf("%d %d\n", info.si_code, info.si_status);

    /* A child with another exit signal is seen only by __WCLONE and __WALL. */
    catch(SIGUSR1);
    pid = syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
    if (!pid) _exit(3);
    SHOW(waitpid(pid, &status, 0));
    status = collect(pid);
    printf("%x signal %d\n", status, last.si_signo);

    /* Orphans go to the subreaper; PR_SET_PDEATHSIG tells them. */
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1));
    if (pipe(pipes)) return 1;
    if (!(pid = fork())) {
        if (!fork()) {
            prctl(PR_SET_PDEATHSIG, SIGUSR2);
            catch(SIGUSR2);
            hits = 0;
            if (write(pipes[1], "x", 1) != 1) _exit(1);
            while (!hits) usleep(1000);
            _exit(40);
        }
        if (read(pipes[0], &byte, 1) != 1) _exit(1);
        _exit(0);
    }
    collect(pid);
    status = collect(-1);
    printf("adopted: %x\n", status);
    SHOW(getrusage(RUSAGE_CHILDREN, &usage));
    printf("%d\n", usage.ru_maxrss > 0);

    /* SIG_IGN: no zombies. */
    signal(SIGCHLD, SIG_IGN);
    if (!fork()) _exit(1);
    SHOW(wait(&status));
    return 0;
}
