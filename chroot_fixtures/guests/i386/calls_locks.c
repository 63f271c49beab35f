/* Record locks through fcntl and fcntl64, in both layouts. */
#include "calls.h"

struct small { int16_t type, whence; int32_t start, len, pid; };
struct __attribute__((packed)) wide { int16_t type, whence; int64_t start, len; int32_t pid; };

static void show_small(struct small *l) { printf("  %d %d %d %d %d\n", l->type, l->whence, l->start, l->len, !!l->pid); }
static void show_wide(struct wide *l)
{
    printf("  %d %d %lld %lld %d\n", l->type, l->whence, (long long)l->start, (long long)l->len, l->pid > 0 ? 1 : l->pid);
}

int main(void)
{
    int fd = S("open", 5, "f", O_RDWR | O_CREAT | 0100000, 0600), ready[2], done[2];
    char byte;
    S("pipe", 42, ready);
    S("pipe", 42, done);
    S("F_SETLK", 55, fd, 6, (&(struct small){F_WRLCK, 0, 10, 5, 0}));
    S("F_SETLK64 of fcntl", 55, fd, 13, (&(struct wide){F_WRLCK, 0, 10, 5, 0}));
    S("F_GETLK64 of fcntl", 55, fd, 12, (&(struct wide){F_WRLCK, 0, 10, 5, 0}));
    S("F_OFD_SETLK of fcntl", 55, fd, 37, (&(struct wide){F_WRLCK, 0, 10, 5, 0}));
    S("F_SETLK64", 221, fd, 13, (&(struct wide){F_WRLCK, 0, 3LL << 31, 1LL << 33, 0}));
    S("F_SETLK64 to the end", 221, fd, 13, (&(struct wide){F_RDLCK, 0, 1LL << 40, 0, 0}));
    S("F_SETLK64 negative", 221, fd, 13, (&(struct wide){F_RDLCK, 0, -5, 0, 0}));
    fflush(stdout);
    if (!fork()) {
        struct small s = {F_WRLCK, 0, 0, 100, 0};
        S("F_GETLK", 55, fd, 5, &s);
        show_small(&s);
        s = (struct small){F_WRLCK, 0, 0x7ffffff0, 0, 0};
        S("F_GETLK too far", 55, fd, 5, &s);
        struct wide w = {F_WRLCK, 0, 100, 0, 0};
        S("F_GETLK64", 221, fd, 12, &w);
        show_wide(&w);
        w = (struct wide){F_WRLCK, 0, 1LL << 41, 5, 0};
        S("F_GETLK64", 221, fd, 12, &w);
        show_wide(&w);
        w = (struct wide){F_WRLCK, 0, 40, 5, 7};
        S("F_OFD_GETLK pid", 221, fd, 36, &w);
        w.pid = 0;
        S("F_OFD_GETLK", 221, fd, 36, &w);
        show_wide(&w);
        S("F_SETLK64", 221, fd, 13, (&(struct wide){F_RDLCK, 0, 12, 1, 0}));
        S("F_SETLK", 55, fd, 6, (&(struct small){F_WRLCK, 0, 0, 10, 0}));
        S("F_OFD_SETLK", 221, fd, 37, (&(struct wide){F_WRLCK, 0, 30, 10, 0}));
        fflush(stdout);
        CALL(4, ready[1], "x", 1);
        S("F_SETLKW64", 221, fd, 14, (&(struct wide){F_WRLCK, 0, 12, 1, 0}));
        exit(0);
    }
    CALL(3, ready[0], &byte, 1);
    struct small s = {F_RDLCK, 0, 0, 5, 0};
    S("F_GETLK of the child's", 55, fd, 5, &s);
    show_small(&s);
    S("F_OFD_SETLK conflicts", 221, CALL(5, "f", O_RDWR), 37, (&(struct wide){F_RDLCK, 0, 33, 1, 0}));
    usleep(20000);
    fflush(stdout);
    S("F_UNLCK", 221, fd, 13, (&(struct wide){F_UNLCK, 0, 0, 0, 0}));
    fflush(stdout);
    wait(NULL);
    S("F_GETLK EFAULT", 55, fd, 5, 8);
    S("F_DUPFD", 221, fd, F_DUPFD, 50);
    S("F_GETOWN_EX", 221, fd, 16, &s);
    S("unknown", 221, fd, 999, 0);
    return 0;
}
