/* Sparse files: holes read as zeros, blocks, punching, SEEK_DATA and SEEK_HOLE at their edges. */
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
    int fd;
    struct stat st;
    static char buf[8192];
    T(fd = open("sparse", O_CREAT | O_RDWR, 0600));
    T(lseek(fd, 0, SEEK_DATA));
    T(lseek(fd, 0, SEEK_HOLE));
    T(ftruncate(fd, 1L << 30));
    T(fstat(fd, &st));
    printf("size %ld few blocks %d\n", (long)st.st_size, st.st_blocks < 100);
    memset(buf, 'd', sizeof buf);
    T(pwrite(fd, buf, 8192, 1 << 20));
    T(fstat(fd, &st));
    printf("some blocks %d\n", st.st_blocks >= 16 && st.st_blocks < 4096);
    T(pread(fd, buf, 100, 1000));
    printf("%d %d\n", buf[0], buf[99]);
    T(lseek(fd, 0, SEEK_DATA));
    T(lseek(fd, 1 << 20, SEEK_DATA));
    T(lseek(fd, (1 << 20) + 5, SEEK_DATA));
    T(lseek(fd, 0, SEEK_HOLE));
    T(lseek(fd, 1 << 20, SEEK_HOLE));
    T(lseek(fd, 2 << 20, SEEK_DATA));
    T(lseek(fd, 1L << 30, SEEK_DATA));
    T(lseek(fd, 1L << 30, SEEK_HOLE));
    T(lseek(fd, -1, SEEK_DATA));
    T(lseek(fd, 0, SEEK_CUR) >= 0);
    T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 4096));
    T(pread(fd, buf, 2, (1 << 20) + 4095));
    printf("%d %c\n", buf[0], buf[1]);
    T(fstat(fd, &st));
    printf("size %ld\n", (long)st.st_size);
    T(close(fd));
    T(unlink("sparse"));
    return 0;
}
