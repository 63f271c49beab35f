/* Directories: making, removing, moving about, getcwd of a removed place. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Print an expression, its value, and the errno name when it is -1. */
#define T(expr)                                                                                  \
    do {                                                                                         \
        errno = 0;                                                                               \
        long result_ = (long)(expr);                                                             \
        printf("%s = %ld%s%s\n", #expr, result_, result_ == -1 ? " " : "",                       \
               result_ == -1 ? strerrorname_np(errno) : "");                                     \
    } while (0)

int main(void) {
    char cwd[PATH_MAX], small[3];
    T(mkdir("a", 0755));
    T(mkdir("a", 0755));
    T(mkdir("a/b", 0700));
    T(mkdir("a/b/", 0700));
    T(mkdir("x/y", 0700));
    T(mkdir("c/", 0700));
    T(mkdir(".", 0700));
    T(mkdir("", 0700));
    T(rmdir("a"));
    T(rmdir("a/b/."));
    T(rmdir("a/b/.."));
    T(rmdir("."));
    T(rmdir("nosuch"));
    T(close(open("file", O_CREAT | O_WRONLY, 0600)));
    T(rmdir("file"));
    T(mkdir("file/x", 0700));
    T(unlink("a"));
    T(chdir("a/b"));
    T(getcwd(small, 3) != NULL);
    T(getcwd(cwd, sizeof cwd) != NULL);
    printf("%s\n", strrchr(cwd, '/') - 2);
    int top;
    T(top = open("../..", O_RDONLY | O_DIRECTORY));
    T(rmdir("../b"));
    T(syscall(SYS_getcwd, cwd, sizeof cwd));
    T(open("x", O_CREAT | O_WRONLY, 0600));
    T(mkdir("x", 0700));
    T(access(".", F_OK));
    T(access("..", F_OK));
    T(fchdir(top));
    T(fchdir(0));
    T(fchdir(77));
    T(mkdirat(top, "d", 0755));
    T(mkdirat(top, "d/e", 0755));
    T(unlinkat(top, "d", 0));
    T(unlinkat(top, "d", AT_REMOVEDIR));
    T(unlinkat(top, "d/e", AT_REMOVEDIR));
    T(unlinkat(top, "d", AT_REMOVEDIR));
    T(unlinkat(top, "d", 0x40));
    T(chdir("file"));
    T(chdir("nosuch"));
    umask(027);
    struct stat st;
    T(mkdir("masked", 0777));
    T(stat("masked", &st));
    printf("%o\n", st.st_mode);
    umask(0);
    T(mkdir("sticky", 01777));
    T(stat("sticky", &st));
    printf("%o %d\n", st.st_mode, (int)st.st_nlink >= 1);
    T(rmdir("sticky"));
    T(rmdir("masked"));
    T(rmdir("a"));
    T(rmdir("c"));
    T(unlink("file"));
    return 0;
}
