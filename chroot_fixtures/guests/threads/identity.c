/* What threads of one process share of files, and what each has for itself: directories and umask, and credentials. */
#define _GNU_SOURCE
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static sem_t go, done;
static char here[200], secret[40];

static void show(const char *who) {
    mode_t mask = umask(0);
    umask(mask);
    printf("%s: uid %d euid %ld gid %d cwd %s umask %o secret %d\n", who, getuid(), syscall(SYS_geteuid), getgid(),
           getcwd(here, sizeof here), mask, open(secret, O_RDONLY) >= 0);
    fflush(stdout);
}

static void *other(void *unused) {
    syscall(SYS_setresgid, 65534, 65534, 65534);
    syscall(SYS_setresuid, 65534, 65534, 65534);
    show("thread");
    chdir("/"), umask(027);
    sem_post(&done), sem_wait(&go);
    show("thread");
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    printf("no new privileges %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    fflush(stdout);
    if (!fork()) {
        show("its child");
        chdir("/dev");
        _exit(0);
    }
    wait(NULL);
    printf("unshare %d\n", unshare(CLONE_FS));
    chdir("/dev"), umask(0);
    show("alone");
    sem_post(&done), sem_wait(&go);
    show("alone");
    return NULL;
}

static void *everybody(void *unused) {
    sem_post(&done), sem_wait(&go);
    printf("setuid reached it: %d %d\n", getuid(), geteuid());
    return NULL;
}

static int process(void *unused) {
    setresuid(1234, 1234, 1234);
    chdir("/proc");
    return getuid() == 1234;
}

int main(void) {
    pthread_t thread;
    int status;
    sem_init(&go, 0, 0), sem_init(&done, 0, 0);
    chdir("/tmp"), umask(022);
    snprintf(secret, sizeof secret, "/tmp/secret-%d", getpid());
    close(open(secret, O_CREAT | O_WRONLY, 0600));
    show("main");
    pthread_create(&thread, NULL, other, NULL);
    sem_wait(&done);
    show("main");
    chdir("/tmp");
    sem_post(&go), sem_wait(&done);
    show("main");
    printf("no new privileges %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    chdir("/");
    sem_post(&go);
    pthread_join(thread, NULL);
    char *stack = malloc(65536);
    pid_t pid = clone(process, stack + 65536, CLONE_FS | SIGCHLD, NULL);
    waitpid(pid, &status, 0);
    printf("%x ", status);
    show("main");
    chdir("/tmp");
    unlink(secret);
    pthread_create(&thread, NULL, everybody, NULL);
    sem_wait(&done);
    printf("setuid %d\n", setuid(4321));
    fflush(stdout);
    sem_post(&go);
    pthread_join(thread, NULL);
    show("main");
    return 0;
}
