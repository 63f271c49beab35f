/* Reading and writing: offsets, vectors, appending, large offsets, bad pointers in the middle. */
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

static char buf[65536];

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16); /* so that the limit of the file size does not hit the output */
    int fd, other;
    struct iovec iov[3];
    T(fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0644));
    T(write(fd, "hello world\n", 12));
    T(lseek(fd, 0, SEEK_CUR));
    T(lseek(fd, -5, SEEK_END));
    memset(buf, 0, sizeof buf);
    T(read(fd, buf, 100));
    printf("[%s]\n", buf);
    T(read(fd, buf, 100));
    T(pread(fd, buf, 5, 6));
    printf("[%.5s]\n", buf);
    T(pwrite(fd, "WORLD", 5, 6));
    T(lseek(fd, 0, SEEK_SET));
    iov[0] = (struct iovec){buf, 3};
    iov[1] = (struct iovec){buf + 100, 0};
    iov[2] = (struct iovec){buf + 200, 50};
    T(readv(fd, iov, 3));
    printf("[%.3s][%.9s]\n", buf, buf + 200);
    iov[0] = (struct iovec){"abc", 3};
    iov[1] = (struct iovec){"", 0};
    iov[2] = (struct iovec){"defgh", 5};
    T(writev(fd, iov, 3));
    T(pwritev(fd, iov, 3, 100));
    T(lseek(fd, 0, SEEK_END));
    T(preadv(fd, (struct iovec[]){{buf, 10}, {buf + 10, 10}}, 2, 96));
    printf("[%02x%02x%02x%02x%.8s]\n", buf[0], buf[1], buf[2], buf[3], buf + 4);
    T(preadv2(fd, (struct iovec[]){{buf, 4}}, 1, 0, 0));
    T(lseek(fd, 6, SEEK_SET));
    T(preadv2(fd, (struct iovec[]){{buf, 5}}, 1, -1, 0));
    printf("[%.5s]\n", buf);
    T(lseek(fd, 0, SEEK_CUR));
    T(pwritev2(fd, (struct iovec[]){{"tail", 4}}, 1, 0, RWF_APPEND));
    T(lseek(fd, 0, SEEK_CUR));
    T(lseek(fd, 0, SEEK_END));
    T(readv(fd, iov, 0));
    T(readv(fd, iov, -1));
    T(readv(fd, iov, 1025));
    T(preadv2(fd, iov, 1, 0, 0x4000));
    T(read(fd, buf, 0));
    T(write(fd, buf, 0));

    /* Append mode: the offset goes to the end, wherever it was; pwrite on Linux appends too. */
    T(other = open("data", O_WRONLY | O_APPEND));
    T(lseek(other, 0, SEEK_SET));
    T(write(other, "END", 3));
    T(lseek(other, 0, SEEK_CUR));
    T(pwrite(other, "!", 1, 0));
    T(lseek(fd, 0, SEEK_END));
    T(close(other));

    /* Beyond 4 GB. */
    T(lseek(fd, 5000000000L, SEEK_SET));
    T(write(fd, "far", 3));
    T(lseek(fd, 0, SEEK_END));
    T(pread(fd, buf, 10, 4999999998L));
    printf("[%02x%02x%.3s]\n", buf[0], buf[1], buf + 2);
    T(ftruncate(fd, 20));
    T(lseek(fd, 0, SEEK_END));
    T(lseek(fd, -21, SEEK_END));
    T(lseek(fd, 0, 99));
    T(pread(fd, buf, 1, -1));

    /* A buffer that ends at a hole: short counts, EFAULT only when nothing was moved. */
    char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 4096, 4096);
    memset(pages, 'x', 4096);
    T(pwrite(fd, pages + 4090, 20, 0));
    T(pwrite(fd, pages + 4096, 20, 0));
    T(ftruncate(fd, 100));
    T(pread(fd, pages + 4096, 20, 0));
    T(read(fd, (void *)8, 1) == 1);

    /* Limits of the file size. */
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {50, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    fflush(stdout);
    T(setrlimit(RLIMIT_FSIZE, &limit));
    T(ftruncate(fd, 60));
    T(pwrite(fd, buf, 20, 40));
    T(pwrite(fd, buf, 20, 50));
    T(setrlimit(RLIMIT_FSIZE, &none));
    T(close(fd));
    T(close(fd));
    T(unlink("data"));
    return 0;
}
