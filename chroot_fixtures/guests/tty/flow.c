/* Bytes through pseudo-terminals: much of it, timers, short buffers, bad pointers, and who waits for whom. */
#include "pair.h"

#include <sys/select.h>
#include <sys/uio.h>
#include <time.h>

static unsigned sum(unsigned value, const unsigned char *data, long length) {
    for (long i = 0; i < length; i++)
        value = value * 31 + data[i];
    return value;
}

#define MUCH (3 << 20)

/* Write MUCH bytes at one side, read them at the other in another process. */
static void stream(const char *what, int from, int to, int nonblocking) {
    static unsigned char data[100000];
    int pipes[2];
    pipe(pipes);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        long done = 0;
        unsigned value = 0;
        while (done < MUCH) {
            int length = (done * 7 + 1) % 60000 + 1;
            if (done + length > MUCH)
                length = MUCH - done;
            for (int i = 0; i < length; i++)
                data[i] = (done + i) * 2654435761u >> 24;
            value = sum(value, data, length);
            for (int at = 0; at < length;) {
                int count = write(from, data + at, length - at);
                if (count < 0 && errno == EAGAIN) {
                    struct pollfd p = {from, POLLOUT, 0};
                    poll(&p, 1, 5000);
                    if (!(p.revents & POLLOUT))
                        _exit(2);
                } else if (count <= 0)
                    _exit(1);
                else
                    at += count;
            }
            done += length;
        }
        write(pipes[1], &value, sizeof value);
        _exit(0);
    }
    long done = 0;
    unsigned value = 0, sent = 1;
    if (nonblocking)
        fcntl(to, F_SETFL, O_RDWR | O_NONBLOCK);
    while (done < MUCH) {
        int count = read(to, data, sizeof data);
        if (count < 0 && errno == EAGAIN) {
            fd_set set;
            FD_ZERO(&set);
            FD_SET(to, &set);
            if (select(to + 1, &set, NULL, NULL, &(struct timeval){5, 0}) != 1)
                break;
            continue;
        }
        if (count <= 0)
            break;
        value = sum(value, data, count);
        done += count;
    }
    fcntl(to, F_SETFL, O_RDWR);
    read(pipes[0], &sent, sizeof sent);
    int status;
    waitpid(child, &status, 0);
    printf("%s: %ld bytes, same %d, writer %x\n", what, done, sent == value, status);
    close(pipes[0]);
    close(pipes[1]);
}

static void raw(int minimum, int time) {
    struct termios t;
    tcgetattr(slave, &t);
    cfmakeraw(&t);
    t.c_cc[VMIN] = minimum;
    t.c_cc[VTIME] = time;
    tcsetattr(slave, TCSANOW, &t);
}

static void full(void) {
    char block[1000];
    long total[2] = {0, 0};
    memset(block, 'b', sizeof block);
    for (int side = 0; side < 2; side++) {
        int fd = side ? slave : master;
        fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
        int count;
        for (int tries = 0; tries < 100; tries++)
            while ((count = write(fd, block, sizeof block)) > 0)
                total[side] += count;
        printf("full: %s, bounded %d\n", strerror(errno), total[side] > 4095 && total[side] < 70000);
        readiness("  full", fd);
        int other = side ? master : slave;
        long got = 0;
        fcntl(other, F_SETFL, O_RDWR | O_NONBLOCK);
        for (int idle = 0; idle < 20;) {
            count = read(other, block, sizeof block);
            if (count > 0)
                got += count, idle = 0;
            else
                idle++, usleep(500);
        }
        printf("  all %d\n", got == total[side]);
        readiness("  empty", fd);
        fcntl(master, F_SETFL, O_RDWR);
        fcntl(slave, F_SETFL, O_RDWR);
    }
}

static void later(const char *text, int delay) {
    if (!fork()) {
        usleep(delay * 1000);
        write(master, text, strlen(text));
        _exit(0);
    }
}

static void nothing(int number) {}

static void timers(void) {
    char data[20];
    raw(1, 0);
    later("a", 20);
    show("min 1", data, read(slave, data, 10));
    raw(3, 0);
    type("ab");
    readiness("min 3", slave);
    later("c", 20);
    show("min 3", data, read(slave, data, 10));
    type("abcd");
    show("min 3", data, read(slave, data, 2));
    show("min 3", data, read(slave, data, 2));
    raw(0, 0);
    show("min 0", data, read(slave, data, 10));
    type("x");
    show("min 0", data, read(slave, data, 10));
    raw(0, 1);
    show("time 1", data, read(slave, data, 10));
    later("y", 20);
    show("time 1", data, read(slave, data, 10));
    raw(5, 1);
    later("ab", 20);
    show("min 5 time 1", data, read(slave, data, 10));
    type("abcdefg");
    show("min 5 time 1", data, read(slave, data, 10));
    type("q");
    readiness("min 5 time 1", slave);
    show("min 5 time 1", data, read(slave, data, 10));
    raw(5, 0);
    type("abc");
    fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
    show("nonblocking", data, read(slave, data, 10));
    show("nonblocking", data, read(slave, data, 10));
    raw(0, 5);
    show("nonblocking", data, read(slave, data, 10));
    fcntl(slave, F_SETFL, O_RDWR);
    raw(5, 0);
    type("abc");
    struct sigaction action = {.sa_handler = nothing};
    sigaction(SIGALRM, &action, NULL);
    ualarm(30000, 0);
    show("signal", data, read(slave, data, 10));
    ualarm(30000, 0);
    show("signal", data, read(slave, data, 10));
    while (wait(NULL) > 0)
        ;
}

static void *volatile nowhere = (void *)8;

static void pointers(void) {
    raw(1, 0);
    result("write", write(slave, nowhere, 5));
    result("master write", write(master, nowhere, 5));
    type("kept");
    result("read", read(slave, nowhere, 5));
    put("also");
    result("master read", read(master, nowhere, 5));
    result("nothing", read(slave, nowhere, 0));
    result("nothing", write(slave, nowhere, 0));
    char one[3], two[3];
    tcflush(slave, TCIFLUSH);
    tcflush(master, TCIFLUSH);
    type("abcdef");
    struct iovec iov[2] = {{one, 3}, {two, 3}};
    result("readv", readv(slave, iov, 2));
    show("one", one, 3);
    show("two", two, 3);
    result("writev", writev(slave, iov, 2));
    settle();
    take(master, "seen", 10);
    result("pread", pread(slave, one, 1, 0));
    result("pwrite", pwrite(master, one, 1, 0));
    result("ftruncate", ftruncate(slave, 0));
    result("fsync", fsync(slave));
    result("lseek", lseek(master, 0, SEEK_END));
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    open_pair();
    raw(1, 0);
    stream("slave to master", slave, master, 0);
    stream("master to slave", master, slave, 1);
    full();
    timers();
    pointers();
    close_pair();
    return 0;
}
