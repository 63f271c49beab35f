/* Names: hard and symbolic links, readlink, rename in its many cases. */
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

static void nlink(const char *path) {
    struct stat st;
    if (lstat(path, &st))
        printf("%s: %s\n", path, strerrorname_np(errno));
    else
        printf("%s: links %d type %o\n", path, S_ISDIR(st.st_mode) ? -1 : (int)st.st_nlink, st.st_mode & S_IFMT);
}

static void show(const char *path) {
    char target[100];
    ssize_t length = readlink(path, target, sizeof target);
    if (length < 0)
        printf("readlink %s: %s\n", path, strerrorname_np(errno));
    else
        printf("readlink %s: %.*s\n", path, (int)length, target);
}

int main(void) {
    char two[2];
    T(close(open("one", O_CREAT | O_WRONLY, 0600)));
    T(link("one", "two"));
    T(link("one", "two"));
    T(link("nosuch", "three"));
    T(link("one", "nodir/three"));
    nlink("one");
    T(mkdir("dir", 0700));
    T(link("dir", "dir2"));
    T(symlink("one", "sym"));
    T(symlink("one", "sym"));
    T(symlink("", "empty"));
    T(symlink("nosuch", "dangling"));
    T(symlink("loop", "loop"));
    T(symlink("dir", "symdir"));
    show("sym");
    show("one");
    show("nosuch");
    show("dangling");
    T(readlink("sym", two, 2));
    T(readlink("sym", two, 0));
    T(link("sym", "hardsym"));
    nlink("hardsym");
    T(linkat(AT_FDCWD, "sym", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    nlink("followed");
    nlink("one");
    T(linkat(AT_FDCWD, "sym", AT_FDCWD, "x", 0x4));
    T(open("loop", O_RDONLY));
    T(open("dangling", O_RDONLY));
    T(open("sym", O_RDONLY | O_NOFOLLOW));
    T(close(open("sym", O_PATH | O_NOFOLLOW)));
    T(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0600));
    T(close(open("dangling", O_CREAT | O_WRONLY, 0600)));
    nlink("nosuch");
    T(unlink("nosuch"));
    T(access("symdir/../one", F_OK));
    T(mkdir("symdir/sub", 0700));
    T(unlink("symdir/"));
    T(rmdir("symdir"));

    /* rename */
    T(rename("one", "moved"));
    nlink("one");
    nlink("moved");
    T(rename("moved", "two"));   /* the same file: nothing happens */
    nlink("moved");
    T(rename("nosuch", "x"));
    T(rename("moved", "nodir/x"));
    T(rename("dir", "dir/sub/inside"));
    T(rename("dir", "two"));
    T(rename("two", "dir"));
    T(mkdir("full", 0700));
    T(close(open("full/f", O_CREAT | O_WRONLY, 0600)));
    T(mkdir("hollow", 0700));
    T(rename("hollow", "full"));
    T(rename("full", "hollow"));
    nlink("hollow/f");
    T(rename("hollow/.", "x"));
    T(rename("sym", "sym2"));
    show("sym2");
    T(rename("two", "two/"));
    T(renameat2(AT_FDCWD, "two", AT_FDCWD, "sym2", RENAME_NOREPLACE));
    T(renameat2(AT_FDCWD, "two", AT_FDCWD, "hollow", RENAME_EXCHANGE));
    nlink("two");
    nlink("hollow");
    T(renameat2(AT_FDCWD, "two", AT_FDCWD, "nosuch", RENAME_EXCHANGE));
    T(renameat2(AT_FDCWD, "two", AT_FDCWD, "hollow", RENAME_EXCHANGE | RENAME_NOREPLACE));
    T(renameat2(AT_FDCWD, "two", AT_FDCWD, "hollow", 0x80));
    T(unlink("two/f"));
    T(rmdir("two"));

    /* A file without a name lives until its last close. */
    int fd;
    char byte;
    T(fd = open("gone", O_CREAT | O_RDWR, 0600));
    T(write(fd, "x", 1));
    T(unlink("gone"));
    T(pread(fd, &byte, 1, 0));
    struct stat st;
    T(fstat(fd, &st));
    printf("links %d size %d\n", (int)st.st_nlink, (int)st.st_size);
    T(close(fd));
    return 0;
}
