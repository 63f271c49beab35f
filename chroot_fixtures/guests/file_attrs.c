/* Attributes: stat, statx, modes, owners, times, sizes. */
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
#include <sys/xattr.h>
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

static void show(const char *path) {
    struct stat st;
    if (lstat(path, &st)) {
        printf("%s: %s\n", path, strerrorname_np(errno));
        return;
    }
    printf("%s: %o size %ld uid %d gid %d atime %ld.%09ld mtime %ld.%09ld\n", path, st.st_mode,
           S_ISREG(st.st_mode) ? (long)st.st_size : -1, (int)st.st_uid, (int)st.st_gid, st.st_atim.tv_sec,
           st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

int main(void) {
    int fd;
    struct timespec fixed[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
    umask(022);
    T(fd = open("f", O_CREAT | O_RDWR, 0666));
    T(write(fd, "0123456789", 10));
    T(futimens(fd, fixed));
    show("f");
    T(chmod("f", 0640));
    T(fchmod(fd, 04711));
    T(futimens(fd, fixed));
    show("f");
    T(chmod("nosuch", 0));
    T(chmod("f/x", 0));
    T(fchmodat(AT_FDCWD, "f", 0600, 0));
    T(fchmodat(AT_FDCWD, "f", 0600, 0x40));
    T(chown("f", 1000, 100));
    T(chown("f", -1, 200));
    T(utimensat(AT_FDCWD, "f", fixed, 0));
    show("f");
    T(symlink("f", "l"));
    T(lchown("l", 5, 6));
    T(utimensat(AT_FDCWD, "l", fixed, AT_SYMLINK_NOFOLLOW));
    struct stat st;
    T(lstat("l", &st));
    printf("%d %d %ld\n", (int)st.st_uid, (int)st.st_gid, (long)st.st_size);
    T(fchown(fd, 0, 0));
    T(utimensat(AT_FDCWD, "f", (struct timespec[]){{5, 0}, {0, UTIME_OMIT}}, 0));
    show("f");
    T(utimensat(AT_FDCWD, "f", (struct timespec[]){{0, UTIME_OMIT}, {0, UTIME_OMIT}}, 0));
    T(utimensat(AT_FDCWD, "f", (struct timespec[]){{0, 1000000000}, {0, 0}}, 0));
    T(utimes("f", (struct timeval[]){{7, 8}, {9, 10}}));
    show("f");
    T(utimes("f", (struct timeval[]){{7, 1000000}, {9, 10}}));
    T(utimensat(AT_FDCWD, "f", (struct timespec[]){{-3, 5}, {0, 0}}, 0));
    show("f");
    time_t before = time(0);
    T(utimensat(AT_FDCWD, "f", NULL, 0));
    T(stat("f", &st));
    printf("now: %d\n", st.st_mtime >= before - 2 && st.st_mtime <= before + 10);

    T(truncate("f", 4));
    T(fstat(fd, &st));
    printf("size %ld\n", (long)st.st_size);
    T(truncate("f", 1 << 20));
    T(fstat(fd, &st));
    printf("size %ld\n", (long)st.st_size);
    T(truncate("f", -1));
    T(truncate(".", 1));
    T(truncate("nosuch", 1));
    T(ftruncate(fd, -1));
    T(ftruncate(0, 1));
    T(posix_fallocate(fd, 0, 4096));
    T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 1 << 20, 4096));
    T(fstat(fd, &st));
    printf("size %ld\n", (long)st.st_size);
    T(fallocate(fd, 0, -1, 1));
    T(fallocate(fd, 0, 0, 0));
    T(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1));

    struct statx sx;
    T(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx));
    printf("%d %o %ld %d\n", (sx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS, sx.stx_mode, (long)sx.stx_size,
           (int)sx.stx_nlink);
    T(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &sx));
    printf("%ld\n", (long)sx.stx_size);
    T(statx(fd, "", 0, STATX_SIZE, &sx));
    T(statx(AT_FDCWD, "l", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &sx));
    printf("%o\n", sx.stx_mode & S_IFMT);
    T(statx(AT_FDCWD, "f", 0, 0x80000000, &sx));
    T(statx(AT_FDCWD, "f", 0x6000, 0, &sx));
    T(fstatat(fd, "", &st, AT_EMPTY_PATH));
    T(fstatat(AT_FDCWD, "l", &st, 0));
    printf("%ld\n", (long)st.st_size);
    T(fstatat(AT_FDCWD, "l", &st, 0x8));
    T(stat("", &st));
    T(stat("f/", &st));
    T(stat("f/.", &st));
    int path;
    T(path = open("f", O_PATH));
    T(fstat(path, &st));
    T(read(path, &st, 1));
    T(fchmod(path, 0));
    T(close(path));

    T(access("f", F_OK));
    T(access("f", R_OK | W_OK));
    T(access("f", X_OK));
    T(access("f", 8));
    T(faccessat(AT_FDCWD, "l", F_OK, AT_SYMLINK_NOFOLLOW));
    T(mknod("fifo", S_IFIFO | 0600, 0));
    T(mknod("fifo", S_IFIFO | 0600, 0));
    T(mknod("reg", 0600, 0));
    T(mknod("d", S_IFDIR | 0700, 0));
    T(mknod("bad", 0170000 | 0700, 0));
    T(mknod("null", S_IFCHR | 0600, 0x103));
    T(stat("null", &st));
    printf("%o %lx\n", st.st_mode, (long)st.st_rdev);
    T(stat("fifo", &st));
    printf("%o\n", st.st_mode);
    T(fsync(fd));
    T(fdatasync(fd));

    char value[100];
    T(setxattr("f", "user.color", "blue", 4, 0));
    T(setxattr("f", "user.color", "red", 3, XATTR_CREATE));
    T(setxattr("f", "user.other", "red", 3, XATTR_REPLACE));
    T(fsetxattr(fd, "user.color", "red", 3, XATTR_REPLACE));
    T(getxattr("f", "user.color", value, 2));
    T(getxattr("f", "user.color", NULL, 0));
    T(fgetxattr(fd, "user.color", value, 100));
    printf("%.3s\n", value);
    T(listxattr("f", value, 100));
    printf("%s\n", value);
    T(listxattr("f", value, 1));
    T(flistxattr(fd, NULL, 0));
    T(getxattr("f", "user.other", value, 100));
    T(getxattr("f", "color", value, 100));
    T(getxattr("f", "", value, 100));
    T(getxattr("f", "user.", value, 100));
    T(getxattr("nosuch", "user.color", value, 100));
    T(setxattr("f", "user.x", "", 0, 8));
    T(lsetxattr("l", "user.color", "x", 1, 0));
    T(lgetxattr("l", "user.color", value, 100));
    T(setxattr("fifo", "user.color", "x", 1, 0));
    T(removexattr("f", "user.color"));
    T(removexattr("f", "user.color"));
    T(close(fd));
    return 0;
}
