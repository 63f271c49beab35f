/* setpgid, setsid and their errors; a group that becomes orphaned with stopped members gets SIGHUP and SIGCONT. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int hits;

static void handler(int signo) {
    hits++;
}

#define SHOW(call) \
    do { \
        errno = 0; \
        long result = (long)(call); \
        printf("%s = %ld %s\n", #call, result < 0 ? -1 : result, result < 0 ? strerrorname_np(errno) : ""); \
        fflush(stdout); \
    } while (0)

int main(int argc, char **argv) {
    int status, pipes[2], ready[2];
    char byte = 0;
    pid_t pid, child;

    if (argc > 1) {
        if (read(0, &byte, 1) < 0) return 2;
        return 9;
    }
    if (!(pid = fork())) {
        SHOW(setpgid(0, 0));
        SHOW(getpgrp() == getpid());
        SHOW(setsid());
        SHOW(setpgid(0, 1));
        SHOW(setpgid(-1, 0));
        SHOW(setpgid(0, -1));
        SHOW(setpgid(999999, 0));
        SHOW(getpgid(999999));
        SHOW(getsid(999999));
        if (!(child = fork())) {
            SHOW(setsid() == getpid());
            SHOW(getsid(0) == getpid());
            SHOW(setsid());
            SHOW(setpgid(0, 0));
            _exit(0);
        }
        waitpid(child, &status, 0);
        /* After its execve a child can no longer be moved. */
        if (pipe(pipes) || pipe2(ready, 0)) _exit(1);
        if (!(child = fork())) {
            dup2(pipes[0], 0);
            close(pipes[0]);
            close(pipes[1]);
            execl("/proc/self/exe", "self", "child", NULL);
            _exit(3);
        }
        SHOW(setpgid(child, child) == 0 || errno == EACCES);
        close(pipes[0]);
        usleep(100000);
        SHOW(setpgid(child, getpgrp()));
        close(pipes[1]);
        SHOW(waitpid(-child, &status, 0) == child || errno == ECHILD);
        while (waitpid(-1, &status, 0) > 0) {
        }
        SHOW(waitpid(0, &status, 0));
        _exit(0);
    }
    waitpid(pid, &status, 0);

    if (pipe(pipes)) return 1;
    if (!(pid = fork())) {
        setsid();
        if (!(child = fork())) {
            setpgid(0, 0);
            signal(SIGHUP, handler);
            signal(SIGCONT, handler);
            kill(getpid(), SIGSTOP);
            byte = '0' + hits;
            if (write(pipes[1], &byte, 1) != 1) _exit(1);
            _exit(0);
        }
        waitpid(child, &status, WUNTRACED);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    close(pipes[1]);
    SHOW(read(pipes[0], &byte, 1));
    printf("signals of the orphaned group: %c\n", byte);
    return 0;
}
