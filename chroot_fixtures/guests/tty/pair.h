/* A pseudo-terminal whose two sides this program holds, and printing what comes out of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int master, slave;
static char slave_name[64];

/* Let the kernel move bytes between the sides, which Linux does in the background: until nothing changes any more. */
static inline void settle(void) {
    int before[2] = {-1, -1};
    for (int round = 0; round < 100; round++) {
        struct pollfd both[2] = {{master, POLLIN, 0}, {slave, POLLIN, 0}};
        int now[2] = {0, 0};
        usleep(3000);
        poll(both, 2, 0);
        ioctl(master, FIONREAD, &now[0]);
        ioctl(slave, FIONREAD, &now[1]);
        if (round && now[0] == before[0] && now[1] == before[1])
            break;
        before[0] = now[0];
        before[1] = now[1];
    }
}

static inline void open_pair(void) {
    int number, zero = 0;
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    ioctl(master, TIOCGPTN, &number);
    ioctl(master, TIOCSPTLCK, &zero);
    sprintf(slave_name, "/dev/pts/%d", number);
    slave = open(slave_name, O_RDWR | O_NOCTTY);
    if (master < 0 || slave < 0)
        printf("no pair: %s\n", strerror(errno));
}

static inline void close_pair(void) {
    close(slave);
    close(master);
}

static inline void show(const char *what, const char *data, int length) {
    if (length < 0) {
        printf("%s: %s\n", what, strerror(errno));
        return;
    }
    printf("%s: %d \"", what, length);
    for (int i = 0; i < length; i++) {
        unsigned char c = data[i];
        if (c == '\n')
            printf("\\n");
        else if (c == '\r')
            printf("\\r");
        else if (c < 32 || c > 126 || c == '"')
            printf("\\x%02x", c);
        else
            putchar(c);
    }
    printf("\"\n");
}

static inline int take(int fd, const char *what, int length) {
    static char data[70000];
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    int count = read(fd, data, length);
    int saved = errno;
    fcntl(fd, F_SETFL, flags);
    errno = saved;
    show(what, data, count);
    return count;
}

static inline void type(const char *keys) {
    if (write(master, keys, strlen(keys)) < 0)
        printf("write: %s\n", strerror(errno));
    settle();
}

static inline void put(const char *text) {
    if (write(slave, text, strlen(text)) < 0)
        printf("write: %s\n", strerror(errno));
    settle();
}

/* Type, and show what appears on the screen and what a program reads. */
static inline void keys(const char *typed) {
    type(typed);
    take(master, "  echo", 1000);
    take(slave, "  read", 1000);
}

static inline void result(const char *what, int value) {
    if (value < 0)
        printf("%s: %s\n", what, strerror(errno));
    else
        printf("%s: %d\n", what, value);
}

static inline void readiness(const char *what, int fd) {
    struct pollfd p = {fd, POLLIN | POLLPRI | POLLOUT, 0};
    poll(&p, 1, 0);
    printf("%s:%s%s%s%s%s\n", what, p.revents & POLLIN ? " in" : "", p.revents & POLLPRI ? " pri" : "",
           p.revents & POLLOUT ? " out" : "", p.revents & POLLHUP ? " hup" : "", p.revents & POLLERR ? " err" : "");
}

static inline void attributes(tcflag_t input, tcflag_t output, tcflag_t local) {
    struct termios t;
    tcgetattr(slave, &t);
    t.c_iflag = input;
    t.c_oflag = output;
    t.c_lflag = local;
    tcsetattr(slave, TCSANOW, &t);
}
