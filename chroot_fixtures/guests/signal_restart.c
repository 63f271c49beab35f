/* Interrupted calls: SA_RESTART on a read, EINTR without it, pause, nanosleep, stop and continue during a read. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int calls;
static int ends[2];

static void handler(int signo)
{
    (void)signo;
    calls++;
}

static void writes(int signo)
{
    (void)signo;
    calls++;
    if (write(ends[1], "x", 1) != 1)
        _exit(9);
}

static void set(void (*function)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = function;
    action.sa_flags = flags;
    sigaction(SIGALRM, &action, NULL);
}

static void soon(void)
{
    struct itimerval timer = {{0, 0}, {0, 20000}};
    calls = 0;
    setitimer(ITIMER_REAL, &timer, NULL);
}

int main(void)
{
    char byte = 0;
    struct timespec second = {5, 0}, rest = {0, 0};
    struct pollfd poller;
    ssize_t result;
    int status;

    if (pipe(ends))
        return 1;
    set(writes, SA_RESTART);
    soon();
    result = read(ends[0], &byte, 1);
    printf("restarted read: %zd %c calls %d\n", result, byte, calls);
    set(handler, 0);
    soon();
    result = read(ends[0], &byte, 1);
    printf("read: %zd %s calls %d\n", result, strerror(errno), calls);
    soon();
    result = pause();
    printf("pause: %zd %s\n", result, strerror(errno));
    set(handler, SA_RESTART);
    soon();
    result = pause();
    printf("pause with SA_RESTART: %zd %s\n", result, strerror(errno));
    soon();
    result = nanosleep(&second, &rest);
    printf("nanosleep: %zd %s rest %d\n", result, strerror(errno), rest.tv_sec == 4 && rest.tv_nsec > 0);
    poller.fd = ends[0];
    poller.events = POLLIN;
    soon();
    result = poll(&poller, 1, 5000);
    printf("poll with SA_RESTART: %zd %s\n", result, strerror(errno));
    fflush(stdout);

    pid_t child = fork();
    if (!child) {
        result = read(ends[0], &byte, 1);
        printf("child: %zd %c\n", result, byte);
        fflush(stdout);
        _exit(0);
    }
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    printf("stopped %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
    fflush(stdout);
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    printf("continued %d\n", WIFCONTINUED(status));
    fflush(stdout);
    if (write(ends[1], "y", 1) != 1)
        return 2;
    waitpid(child, &status, 0);
    printf("exited %d\n", WEXITSTATUS(status));
    return 0;
}
