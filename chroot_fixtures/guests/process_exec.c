/* execve and execveat: their errors, and programs found by descriptor. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(call) \
    do { \
        errno = 0; \
        long result = (long)(call); \
        printf("%s = %ld %s\n", #call, result < 0 ? -1 : result, result < 0 ? strerrorname_np(errno) : ""); \
        fflush(stdout); \
    } while (0)

static void put(const char *name, const char *text, int mode) {
    int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, mode);
    if (write(fd, text, strlen(text)) < 0) exit(1);
    close(fd);
}

int main(int argc, char **argv) {
    char *arguments[] = {"name", "child", NULL}, *environment[] = {"A=1", NULL};
    int status, fd;
    pid_t pid;

    if (argc > 1) {
        printf("%d arguments, %s %s, A=%s\n", argc, argv[0], argv[1], getenv("A"));
        return 4;
    }
    SHOW(execve("", arguments, environment));
    SHOW(execve("nonexistent", arguments, environment));
    SHOW(execve("/", arguments, environment));
    SHOW(execve("/proc/self/exe/x", arguments, environment));
    SHOW(execve((char *)1, arguments, environment));
    SHOW(execve("/proc/self/exe", (char **)1, environment));
    char *large = malloc(200000);
    memset(large, 'x', 199999);
    large[199999] = 0;
    char *large_arguments[] = {"name", large, NULL};
    SHOW(execve("/proc/self/exe", large_arguments, environment));

    put("text", "hello\n", 0755);
    SHOW(execve("text", arguments, environment));
    SHOW(chmod("text", 0644));
    SHOW(execve("text", arguments, environment));
    put("loop", "#!loop\n", 0755);
    SHOW(execve("loop", arguments, environment));
    put("missing", "#! /nonexistent -x\n", 0755);
    SHOW(execve("missing", arguments, environment));
    put("cut", "\177ELF\002\001\001", 0755);
    SHOW(execve("cut", arguments, environment));
    fd = open("busy", O_CREAT | O_WRONLY, 0755);
    SHOW(execve("busy", arguments, environment));
    close(fd);
    SHOW(open("/proc/self/exe", O_RDWR));

    SHOW(syscall(SYS_execveat, -1, "x", arguments, environment, 0));
    SHOW(syscall(SYS_execveat, AT_FDCWD, "", arguments, environment, 0));
    SHOW(syscall(SYS_execveat, AT_FDCWD, "text", arguments, environment, 7));
    SHOW(symlink("text", "link"));
    SHOW(syscall(SYS_execveat, AT_FDCWD, "link", arguments, environment, AT_SYMLINK_NOFOLLOW));

    fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (!(pid = fork())) {
        syscall(SYS_execveat, fd, "", arguments, environment, AT_EMPTY_PATH);
        _exit(99);
    }
    waitpid(pid, &status, 0);
    printf("%x\n", status);
    return 0;
}
