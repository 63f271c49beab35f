/* A sweep of error cases over the file system calls. */
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
    char buf[100], longname[5000];
    int fd, dir, epath;
    struct stat st;
    memset(longname, 'a', sizeof longname);
    longname[4999] = 0;
    T(mkdir("d", 0755));
    T(fd = open("f", O_CREAT | O_RDWR | O_EXCL, 0644));
    T(dir = open("d", O_RDONLY));
    T(epath = open("f", O_PATH));

    /* open */
    T(open("f", O_CREAT | O_EXCL, 0644));
    T(open("d", O_WRONLY));
    T(open("d", O_RDWR | O_CREAT, 0644));
    T(open("f", O_RDONLY | O_DIRECTORY));
    T(open("f/", O_RDONLY));
    T(open("f/x", O_RDONLY));
    T(open("nosuch", O_RDONLY));
    T(open("nosuch/x", O_CREAT | O_RDWR, 0644));
    T(open("", O_RDONLY));
    T(open("new/", O_CREAT | O_RDWR, 0644));
    T(open(longname, O_RDONLY));
    longname[4000] = 0;
    T(open(longname, O_RDONLY));
    longname[256] = 0;
    T(open(longname, O_CREAT | O_RDWR, 0644));
    T(open((char *)1, O_RDONLY));
    T(open(NULL, O_RDONLY));
    T(openat(77, "f", O_RDONLY));
    T(openat(fd, "f", O_RDONLY));
    T(close(openat(dir, "../f", O_RDONLY)));
    T(close(openat(77, "/", O_RDONLY)));
    T(open("d", O_TMPFILE | O_RDONLY, 0600));
    T(open("f", O_TMPFILE | O_RDWR, 0600));
    T(open("d", 020000000 | O_RDWR, 0600));
    T(close(open("d", O_TMPFILE | O_RDWR, 0600)));

    /* descriptors */
    T(read(epath, buf, 1));
    T(write(epath, buf, 1));
    T(fchmod(epath, 0600));
    T(ftruncate(epath, 0));
    T(fsync(epath));
    T(ioctl(epath, FIONREAD, buf));
    T(fcntl(epath, F_GETFD));
    T(fcntl(epath, F_GETFL));
    T(read(-1, buf, 1));
    T(read(dir, buf, 1));
    T(read(dir, buf, 0));
    T(write(dir, buf, 1));
    T(read(fd, (char *)-4096, 1));
    T(write(fd, (char *)8, 1));
    T(writev(fd, (struct iovec *)8, 1));
    T(writev(fd, (struct iovec[]){{(char *)8, 5}}, 1));
    T(writev(fd, (struct iovec[]){{"ok", 2}, {(char *)8, 5}}, 2));
    T(readv(fd, (struct iovec[]){{buf, -1}}, 1));
    T(lseek(fd, -1, SEEK_SET));
    T(lseek(fd, 1, 17));
    T(lseek(77, 0, SEEK_SET));
    T(dup(77));
    T(dup2(77, 78));
    T(dup2(fd, -1));
    T(dup2(fd, 1 << 20));
    T(dup2(fd, fd));
    T(dup3(fd, fd, 0));
    T(dup3(fd, 50, 0x10));
    T(dup3(fd, 50, O_CLOEXEC));
    T(fcntl(50, F_GETFD));
    T(fcntl(50, F_SETFD, 0));
    T(fcntl(50, F_GETFD));
    T(fcntl(50, F_SETFD, FD_CLOEXEC));
    T(close(50));
    T(fcntl(fd, F_DUPFD, 60));
    T(fcntl(fd, F_DUPFD_CLOEXEC, 60));
    T(fcntl(61, F_GETFD));
    T(fcntl(fd, F_DUPFD, -1));
    T(fcntl(fd, F_DUPFD, 1 << 20));
    T(fcntl(fd, F_GETFL));
    T(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY | O_EXCL));
    T(fcntl(fd, F_GETFL));
    T(fcntl(fd, F_SETFL, 0));
    T(fcntl(fd, 9999));
    T(fcntl(fd, F_GETOWN));
    T(fcntl(fd, F_SETOWN, getpid()));
    T(fcntl(fd, F_GETOWN) == getpid());
    T(fcntl(fd, F_SETOWN, 999999));
    T(fcntl(fd, F_GETPIPE_SZ));
    T(fcntl(77, F_GETFL));
    T(ioctl(fd, 0x5401, buf));
    T(ioctl(fd, 0x1234, buf));
    T(ioctl(fd, FIONREAD, (int *)8));
    T(ioctl(fd, FIOCLEX));
    T(fcntl(fd, F_GETFD));
    T(ioctl(fd, FIONCLEX));
    T(ioctl(fd, FIONBIO, (int[]){1}));
    T(fcntl(fd, F_GETFL));
    T(ioctl(fd, FIONBIO, (int[]){0}));
    T(ioctl(77, FIONREAD, buf));
    T(syscall(SYS_close_range, 60, 61, 0));
    T(fcntl(60, F_GETFD));
    T(syscall(SYS_close_range, 5, 4, 0));
    T(syscall(SYS_close_range, 100, 200, 8));

    /* paths */
    T(stat("f", (struct stat *)8));
    T(stat(longname, &st));
    T(fstat(77, &st));
    T(fstatat(77, "f", &st, 0));
    T(fstatat(fd, "f", &st, 0));
    T(fstatat(77, "", &st, AT_EMPTY_PATH));
    T(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
    T(readlink("f", buf, 100));
    T(readlink("nosuch", buf, 100));
    T(readlink("", buf, 100));
    T(readlinkat(fd, "", buf, 100));
    T(unlink("d"));
    T(unlink("f/"));
    T(unlink("nosuch"));
    T(unlink(""));
    T(unlink("/"));
    T(rmdir("/"));
    T(unlinkat(77, "f", 0));
    T(unlinkat(dir, "f", 0x1000));
    T(mkdirat(fd, "x", 0700));
    T(symlinkat("t", fd, "x"));
    T(symlink("t", ""));
    T(symlink(longname, "nosuch/x"));
    T(link("f", ""));
    T(link("", "x"));
    T(linkat(dir, "nosuch", dir, "x", 0));
    T(rename("", "x"));
    T(rename("f", ""));
    T(rename("f", longname));
    T(rename("f/", "x"));
    T(rename("d", "d/x"));
    T(rename("f", "d"));
    T(rename("d", "f"));
    T(rename("/", "x"));
    T(rename("d/.", "x"));
    T(chmod("", 0));
    T(chown("nosuch", 0, 0));
    T(fchown(77, 0, 0));
    T(fchownat(AT_FDCWD, "f", 0, 0, 0x2));
    T(truncate("d", 0));
    T(truncate("", 0));
    T(ftruncate(dir, 0));
    T(chdir("f"));
    T(chdir(""));
    T(chroot("f"));
    T(chroot("nosuch"));
    T(access("", F_OK));
    T(access("f/", F_OK));
    T(access("d/", F_OK));
    T(access("f", 16));
    T(utimensat(77, "f", NULL, 0));
    T(utimensat(AT_FDCWD, "", NULL, 0));
    T(syscall(SYS_utimensat, AT_FDCWD, NULL, NULL, 0));
    T(syscall(SYS_utimensat, fd, NULL, NULL, 0));
    T(syscall(SYS_utimensat, fd, NULL, NULL, AT_SYMLINK_NOFOLLOW));

    /* the rest */
    T(fsync(77));
    T(fdatasync(fd));
    T(syncfs(fd));
    T(sync_file_range(fd, 0, 10, 0x10));
    T(sync_file_range(fd, -1, 10, 0));
    T(posix_fadvise(fd, 0, 10, POSIX_FADV_SEQUENTIAL));
    T(posix_fadvise(fd, 0, 10, 99));
    T(readahead(fd, 0, 10));
    T(readahead(77, 0, 10));
    T(fallocate(fd, 0, 0, 0));
    T(fallocate(dir, 0, 0, 10));
    T(fallocate(77, 0, 0, 10));
    T(sendfile(77, fd, NULL, 1));
    T(sendfile(fd, 77, NULL, 1));
    T(sendfile(fd, dir, NULL, 1));
    T(copy_file_range(fd, NULL, dir, NULL, 1, 0));
    T(mknod("d", S_IFREG | 0600, 0));
    T(mknod("nosuch/x", S_IFREG | 0600, 0));
    T(getcwd(buf, 1) != NULL);
    T(syscall(SYS_getcwd, (char *)8, 4096L));
    T(umask(022) >= 0);

    /* EMFILE: the lowest number is taken, and the limit is exact. */
    struct rlimit limit = {12, 12};
    T(setrlimit(RLIMIT_NOFILE, &limit));
    int last = -1, next;
    while ((next = open("f", O_RDONLY)) >= 0)
        last = next;
    printf("last %d, %s\n", last, strerrorname_np(errno));
    T(dup(fd));
    T(pipe((int[2]){0, 0}));
    T(close(8));
    T(pipe((int[2]){0, 0}));
    T(dup(fd));
    T(dup2(fd, 12));
    T(poll(NULL, 13, 0));
    return 0;
}
