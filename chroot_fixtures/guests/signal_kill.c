/* kill: groups, signal 0, errors, threads' numbers; tgkill; the exit status of each deadly signal. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void try(const char *what, int result)
{
    printf("%s: %d %s\n", what, result, result < 0 ? strerror(errno) : "");
    fflush(stdout);
}

static void handler(int signo) { (void)signo; }

int main(void)
{
    struct rlimit none = {0, 0};
    pid_t group = 0, children[3];
    int status;
    char byte;
    int ends[2];

    setrlimit(RLIMIT_CORE, &none);
    try("self", kill(getpid(), 0));
    try("nobody", kill(0x3ffffff, 0));
    try("bad signal", kill(getpid(), 65));
    try("negative signal", kill(getpid(), -1));
    try("no group", kill(-0x3ffffff, SIGTERM));
    try("tgkill self", (int)syscall(SYS_tgkill, getpid(), getpid(), 0));
    try("tgkill wrong group", (int)syscall(SYS_tgkill, getppid(), getpid(), 0));
    try("tgkill zero", (int)syscall(SYS_tgkill, getpid(), 0, 0));
    try("tkill nobody", (int)syscall(SYS_tkill, 0x3ffffff, 0));

    if (pipe(ends))
        return 1;
    for (int i = 0; i < 3; i++) {
        if (!(children[i] = fork())) {
            setpgid(0, group);
            if (i == 1)
                signal(SIGTERM, handler);
            if (write(ends[1], "r", 1) != 1)
                _exit(1);
            pause();
            _exit(7);
        }
        if (!group)
            group = children[0];
        setpgid(children[i], group);
        if (read(ends[0], &byte, 1) != 1)
            return 1;
    }
    try("group", kill(-group, SIGTERM));
    for (int i = 0; i < 3; i++) {
        waitpid(children[i], &status, 0);
        printf("child %d: exited %d %d signalled %d\n", i, WIFEXITED(status), WIFEXITED(status) ? WEXITSTATUS(status) : 0,
               WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    }
    try("group gone", kill(-group, SIGTERM));
    for (int signo = 1; signo <= 64; signo++) {
        if (signo == 32 || signo == 33)
            continue; /* the C library's own */
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            setpgid(0, 0); /* a group that is not orphaned, so that SIGTSTP stops it */
            signal(signo, SIG_DFL);
            raise(signo);
            _exit(0);
        }
        waitpid(child, &status, WUNTRACED);
        if (WIFSTOPPED(status)) {
            printf("%d: stopped by %d, ", signo, WSTOPSIG(status));
            kill(child, SIGCONT);
            waitpid(child, &status, 0);
        }
        printf("%d: signal %d core %d exit %d\n", signo, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
               WIFSIGNALED(status) && WCOREDUMP(status), WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
    return 0;
}
