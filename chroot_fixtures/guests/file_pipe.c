/* Pipes and FIFOs: capacity, blocking, broken pipes, packets, both ends of a FIFO, sendfile and splice. */
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

static char buf[1 << 18];
static volatile sig_atomic_t broken;

static void on_pipe(int signo) {
    broken += signo == SIGPIPE;
}

int main(void) {
    int ends[2], file;
    T(pipe2(ends, 0x8));
    T(pipe((int *)8));
    T(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
    T(fcntl(ends[0], F_GETFD));
    T(fcntl(ends[0], F_GETFL));
    T(fcntl(ends[1], F_GETFL));
    T(read(ends[0], buf, 1));
    T(write(ends[0], buf, 1));
    T(read(ends[1], buf, 1));
    T(lseek(ends[0], 0, SEEK_SET));
    T(pread(ends[0], buf, 1, 0));
    T(pwrite(ends[1], buf, 1, 0));
    T(fcntl(ends[0], F_GETPIPE_SZ));
    T(write(ends[1], buf, sizeof buf));
    T(write(ends[1], buf, 1));
    int waiting;
    T(ioctl(ends[0], FIONREAD, &waiting));
    printf("%d\n", waiting);
    T(read(ends[0], buf, 4096));
    T(write(ends[1], buf, 4096));
    T(write(ends[1], buf, 4096));
    T(read(ends[0], buf, sizeof buf));
    T(fcntl(ends[0], F_SETPIPE_SZ, 10000));
    T(fcntl(ends[0], F_GETPIPE_SZ));
    T(fcntl(ends[0], F_SETPIPE_SZ, 0));
    struct stat st;
    T(fstat(ends[0], &st));
    printf("%o\n", st.st_mode);
    T(close(ends[1]));
    T(read(ends[0], buf, 1));
    T(close(ends[0]));

    T(pipe(ends));
    T(close(ends[0]));
    signal(SIGPIPE, on_pipe);
    T(write(ends[1], "x", 1));
    printf("SIGPIPE %d\n", (int)broken);
    T(write(ends[1], "x", 0));
    T(close(ends[1]));

    /* A write longer than the pipe waits for a reader that is slow. */
    T(pipe(ends));
    pid_t child = fork();
    if (child == 0) {
        long sum = 0, count;
        close(ends[1]);
        usleep(10000);
        while ((count = read(ends[0], buf, 5000)) > 0)
            for (long i = 0; i < count; i++)
                sum += (unsigned char)buf[i];
        _exit(sum % 251);
    }
    T(close(ends[0]));
    long expected = 0;
    for (size_t i = 0; i < sizeof buf; i++)
        expected += (unsigned char)(buf[i] = i * 7);
    T(write(ends[1], buf, sizeof buf));
    T(close(ends[1]));
    int status;
    T(waitpid(child, &status, 0) > 0);
    printf("%d\n", WEXITSTATUS(status) == expected % 251);

    /* Packets. */
    T(pipe2(ends, O_DIRECT));
    T(write(ends[1], "one", 3));
    T(write(ends[1], "twotwo", 6));
    T(read(ends[0], buf, 100));
    T(read(ends[0], buf, 3));
    T(fcntl(ends[0], F_SETFL, O_NONBLOCK));
    T(read(ends[0], buf, 3));
    T(close(ends[0]));
    T(close(ends[1]));

    /* A FIFO: openers wait for each other. */
    T(mkfifo("fifo", 0600));
    T(open("fifo", O_WRONLY | O_NONBLOCK));
    int reader, writer;
    T(reader = open("fifo", O_RDONLY | O_NONBLOCK));
    T(read(reader, buf, 1));
    T(writer = open("fifo", O_WRONLY));
    T(read(reader, buf, 1));
    T(write(writer, "through", 7));
    T(read(reader, buf, 100));
    T(close(writer));
    T(read(reader, buf, 1));
    T(close(reader));
    if ((child = fork()) == 0) {
        writer = open("fifo", O_WRONLY);
        write(writer, "child", 5);
        _exit(0);
    }
    T(reader = open("fifo", O_RDONLY));
    T(read(reader, buf, 100));
    printf("%.5s\n", buf);
    T(read(reader, buf, 100));
    T(waitpid(child, &status, 0) > 0);
    T(close(reader));
    T(open("fifo", O_RDONLY | O_DIRECTORY));

    /* A signal undoes the opening of a FIFO. */
    struct sigaction action = {.sa_handler = on_pipe};
    T(sigaction(SIGALRM, &action, NULL));
    T(setitimer(ITIMER_REAL, (struct itimerval[]){{{0, 0}, {0, 20000}}}, NULL));
    T(open("fifo", O_RDONLY));

    /* Copying inside the kernel. */
    T(file = open("source", O_CREAT | O_RDWR, 0600));
    T(write(file, "0123456789", 10));
    T(pipe(ends));
    off_t at = 2;
    T(sendfile(ends[1], file, &at, 5));
    printf("at %ld\n", (long)at);
    T(lseek(file, 0, SEEK_SET));
    T(sendfile(ends[1], file, NULL, 100));
    T(lseek(file, 0, SEEK_CUR));
    T(read(ends[0], buf, 100));
    printf("%.15s\n", buf);
    T(sendfile(file, ends[0], NULL, 5));
    int copy;
    T(copy = open("copy", O_CREAT | O_RDWR, 0600));
    T(sendfile(copy, file, (off_t[]){7}, 100));
    T(lseek(file, 0, SEEK_SET));
    T(copy_file_range(file, NULL, copy, NULL, 4, 0));
    T(copy_file_range(file, (loff_t[]){0}, file, (loff_t[]){5}, 9, 0));
    T(copy_file_range(file, NULL, copy, NULL, 4, 1));
    T(pread(copy, buf, 100, 0));
    printf("%.7s\n", buf);
    T(write(ends[1], "spliced", 7));
    T(splice(ends[0], NULL, copy, (loff_t[]){20}, 100, 0));
    T(splice(copy, (loff_t[]){22}, ends[1], NULL, 3, 0));
    T(read(ends[0], buf, 100));
    printf("%.3s\n", buf);
    T(splice(file, NULL, copy, NULL, 3, 0));
    T(splice(ends[0], (loff_t[]){0}, copy, NULL, 3, 0));
    T(splice(ends[0], NULL, copy, NULL, 3, SPLICE_F_NONBLOCK));
    return 0;
}
