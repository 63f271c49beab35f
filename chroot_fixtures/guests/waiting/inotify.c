/* inotify: every event of files and directories, cookies, coalescing, limits of the interface. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int fd;
static unsigned cookies[64];
static int known;

static int number_of(unsigned cookie) {
    if (!cookie) return 0;
    for (int i = 0; i < known; i++) if (cookies[i] == cookie) return i + 1;
    cookies[known++] = cookie;
    return known;
}

static const char *names[] = {"ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM",
    "MOVED_TO", "CREATE", "DELETE", "DELETE_SELF", "MOVE_SELF", "?", "UNMOUNT", "Q_OVERFLOW", "IGNORED"};

static void drain_fd(int from, const char *what) {
    char buffer[65536] __attribute__((aligned(8)));
    printf("%s:\n", what);
    for (;;) {
        ssize_t length = read(from, buffer, sizeof buffer);
        if (length < 0) {
            if (errno != EAGAIN) printf("  read: %s\n", strerror(errno));
            return;
        }
        for (char *at = buffer; at < buffer + length;) {
            struct inotify_event *event = (void *)at;
            printf("  wd %d", event->wd);
            for (int bit = 0; bit < 16; bit++) if (event->mask >> bit & 1) printf(" %s", names[bit]);
            if (event->mask & IN_ISDIR) printf(" ISDIR");
            if (event->cookie) printf(" cookie %d", number_of(event->cookie));
            if (event->len) printf(" '%s' (%u)", event->name, event->len);
            printf("\n");
            at += sizeof *event + event->len;
        }
    }
}

static void drain(const char *what) { drain_fd(fd, what); }

static void result(const char *what, long value) {
    if (value < 0) printf("%s: %s\n", what, strerror(errno));
    else printf("%s: %ld\n", what, value);
}

static void make(const char *path, const char *text) {
    int file = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (write(file, text, strlen(text)) < 0) perror("write");
    close(file);
}

static void errors(void) {
    result("flags", inotify_init1(0x10));
    result("no mask", inotify_add_watch(fd, "d", 0));
    result("bad fd", inotify_add_watch(99, "d", IN_OPEN));
    result("not inotify", inotify_add_watch(1, "d", IN_OPEN));
    result("add and create", inotify_add_watch(fd, "d", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE));
    result("missing", inotify_add_watch(fd, "missing", IN_OPEN));
    result("bad pointer", inotify_add_watch(fd, (char *)8, IN_OPEN));
    result("only a directory", inotify_add_watch(fd, "f", IN_OPEN | IN_ONLYDIR));
    result("rm unknown", inotify_rm_watch(fd, 77));
    result("rm of a file", inotify_rm_watch(1, 1));
    result("write", write(fd, "x", 1));
    char small[8];
    result("empty", read(fd, small, 8));
    int pending = -1;
    result("FIONREAD", ioctl(fd, FIONREAD, &pending));
    printf("pending %d\n", pending);
}

static void files(void) {
    int file_wd = inotify_add_watch(fd, "f", IN_ALL_EVENTS), dir_wd = inotify_add_watch(fd, ".", IN_ALL_EVENTS);
    result("watch f", file_wd);
    result("watch .", dir_wd);
    char byte[16];
    int file = open("f", O_RDWR);
    drain("open");
    result("read", read(file, byte, 1));
    result("read", pread(file, byte, 1, 0));
    drain("two reads");
    result("write", write(file, "abc", 3));
    result("pwrite", pwrite(file, "abc", 3, 1));
    drain("two writes");
    result("at the end", read(file, byte, 16) >= 0 ? read(file, byte, 16) : -1);
    drain("read at the end");
    result("nothing", write(file, "", 0));
    drain("write of nothing");
    result("ftruncate", ftruncate(file, 100));
    drain("ftruncate");
    result("fallocate", fallocate(file, 0, 0, 200));
    drain("fallocate");
    result("fchmod", fchmod(file, 0600));
    drain("fchmod");
    int copy = dup(file);
    close(file);
    drain("close of one of two");
    close(copy);
    drain("close");
    close(open("f", O_RDONLY));
    drain("open and close for reading");
    close(open("f", O_PATH));
    drain("open as a path");
    close(open("f", O_WRONLY | O_TRUNC));
    drain("open with O_TRUNC");
    result("chmod", chmod("f", 0644));
    drain("chmod");
    result("chown", chown("f", getuid(), -1));
    drain("chown");
    result("chown of nothing", chown("f", -1, -1));
    drain("chown of nothing");
    struct timespec times[2] = {{1, 2}, {3, 4}};
    result("utimensat", utimensat(AT_FDCWD, "f", times, 0));
    drain("utimensat");
    times[0].tv_nsec = UTIME_OMIT;
    utimensat(AT_FDCWD, "f", times, 0);
    drain("mtime");
    times[0].tv_nsec = 1, times[1].tv_nsec = UTIME_OMIT;
    utimensat(AT_FDCWD, "f", times, 0);
    drain("atime");
    result("truncate", truncate("f", 5));
    drain("truncate");
    result("link", link("f", "g"));
    drain("link");
    close(open("g", O_RDONLY));
    drain("open under the other name");
    result("unlink", unlink("g"));
    drain("unlink of the other name");
    result("rm", inotify_rm_watch(fd, file_wd));
    drain("rm_watch");
    result("stat", stat("f", &(struct stat){0}));
    drain("stat");
    result("rm", inotify_rm_watch(fd, dir_wd));
    result("rm again", inotify_rm_watch(fd, dir_wd));
    drain("rm_watch");
}

static void directories(void) {
    int wd = inotify_add_watch(fd, "d", IN_ALL_EVENTS);
    result("watch d", wd);
    make("d/new", "hello");
    drain("create and write");
    make("d/new", "hello again");
    drain("write again");
    result("mkdir", mkdir("d/sub", 0755));
    result("symlink", symlink("new", "d/link"));
    result("mknod", mknod("d/fifo", S_IFIFO | 0600, 0));
    drain("names");
    close(open("d/link", O_RDONLY));
    drain("open through a link");
    DIR *listing = opendir("d");
    while (readdir(listing)) {}
    closedir(listing);
    drain("listing");
    result("rename", rename("d/new", "d/newer"));
    drain("rename");
    result("rename away", rename("d/newer", "e"));
    drain("rename away");
    result("rename back", rename("e", "d/newest"));
    drain("rename back");
    make("d/victim", "");
    drain("a victim");
    result("rename over", rename("d/newest", "d/victim"));
    drain("rename over");
    make("d/other", "");
    drain("another");
    result("exchange", renameat2(AT_FDCWD, "d/other", AT_FDCWD, "d/sub", RENAME_EXCHANGE));
    drain("exchange");
    result("rename of a directory", rename("d/other", "d/moved"));
    drain("rename of a directory");
    result("rmdir", rmdir("d/moved"));
    result("unlink", unlink("d/sub"));
    result("unlink", unlink("d/link"));
    result("unlink", unlink("d/fifo"));
    drain("removed");
    result("chmod of the directory", chmod("d", 0700));
    result("chmod of an entry", chmod("d/victim", 0600));
    drain("chmod");
    result("rename of the watched directory", rename("d", "dd"));
    drain("rename of itself");
    close(open("dd/victim", O_RDONLY));
    drain("after its rename");
    unlink("dd/victim");
    result("rmdir of the watched directory", rmdir("dd"));
    drain("removal of itself");
    result("rm", inotify_rm_watch(fd, wd));
}

static void last_names(void) {
    make("one", "1");
    int wd = inotify_add_watch(fd, "one", IN_ALL_EVENTS);
    result("watch one", wd);
    link("one", "two");
    drain("link");
    unlink("one");
    drain("unlink of one");
    unlink("two");
    drain("unlink of both");
    make("open", "1");
    inotify_add_watch(fd, "open", IN_ALL_EVENTS);
    inotify_add_watch(fd, ".", IN_ALL_EVENTS);
    int file = open("open", O_RDWR);
    unlink("open");
    drain("unlink of an open file");
    result("write", write(file, "x", 1));
    drain("write to it");
    close(file);
    drain("close of it");
    make("a", "1");
    make("b", "2");
    inotify_add_watch(fd, "b", IN_ALL_EVENTS);
    drain("two files");
    rename("a", "b");
    drain("rename over a watched file");
    int dir = inotify_add_watch(fd, ".", IN_OPEN | IN_EXCL_UNLINK);
    file = open("b", O_RDWR | O_CREAT, 0600);
    int other = open("b", O_RDWR);
    inotify_add_watch(fd, ".", IN_ALL_EVENTS | IN_EXCL_UNLINK);
    unlink("b");
    drain("unlink with IN_EXCL_UNLINK");
    if (write(file, "x", 1) != 1) perror("write");
    close(file);
    close(other);
    drain("not told");
    inotify_rm_watch(fd, dir);
    drain("end");
}

static void flags(void) {
    make("f", "text");
    int wd = inotify_add_watch(fd, "f", IN_OPEN | IN_ONESHOT);
    close(open("f", O_RDONLY));
    close(open("f", O_RDONLY));
    drain("oneshot");
    result("rm of an ended one", inotify_rm_watch(fd, wd));
    wd = inotify_add_watch(fd, "f", IN_OPEN);
    printf("same: %d\n", inotify_add_watch(fd, "f", IN_CLOSE_NOWRITE) == wd);
    close(open("f", O_RDONLY));
    drain("replaced");
    printf("same: %d\n", inotify_add_watch(fd, "f", IN_OPEN | IN_MASK_ADD) == wd);
    close(open("f", O_RDONLY));
    drain("added");
    result("create only", inotify_add_watch(fd, "f", IN_OPEN | IN_MASK_CREATE));
    symlink("f", "link");
    printf("through the link: %d\n", inotify_add_watch(fd, "link", IN_OPEN) == wd);
    int link_wd = inotify_add_watch(fd, "link", IN_ALL_EVENTS | IN_DONT_FOLLOW);
    printf("the link itself: %d\n", link_wd != wd);
    unlink("link");
    drain("unlink of the link");
    inotify_rm_watch(fd, wd);
    drain("end");
}

static void reading(void) {
    int wd = inotify_add_watch(fd, ".", IN_CREATE);
    struct pollfd poller = {fd, POLLIN | POLLOUT | POLLRDNORM, 0};
    int set = epoll_create1(0);
    struct epoll_event event = {EPOLLIN | EPOLLET, {.u32 = 5}}, got;
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    result("poll", poll(&poller, 1, 0));
    make("n1", "");
    make("name-of-16-bytes", "");
    result("poll", poll(&poller, 1, 0));
    printf("revents %x\n", poller.revents);
    result("epoll", epoll_wait(set, &got, 1, 0));
    result("epoll", epoll_wait(set, &got, 1, 0));
    int pending = 0;
    ioctl(fd, FIONREAD, &pending);
    printf("pending %d\n", pending);
    char buffer[64];
    result("too small", read(fd, buffer, 20));
    result("one", read(fd, buffer, 40));
    drain("the other");
    make("n2", "");
    result("epoll", epoll_wait(set, &got, 1, 0));
    drain("the third");
    result("sendfile", sendfile(1, fd, 0, 10));
    inotify_rm_watch(fd, wd);
    close(set);
    drain("end");
    /* a reader that waits */
    int blocking = inotify_init1(0);
    inotify_add_watch(blocking, ".", IN_CREATE);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        usleep(2000);
        make("from-the-child", "");
        _exit(0);
    }
    result("waited", read(blocking, buffer, sizeof buffer));
    printf("%s\n", ((struct inotify_event *)buffer)->name);
    waitpid(child, 0, 0);
    /* overflow */
    FILE *limit = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    int most = 0;
    if (!limit || fscanf(limit, "%d", &most) != 1) printf("no limit\n");
    int count = inotify_init1(IN_NONBLOCK);
    inotify_add_watch(count, ".", IN_OPEN);
    inotify_add_watch(count, "f", IN_CLOSE_NOWRITE);
    for (int i = 0; i < most / 2 + 10; i++) close(open("f", O_RDONLY));
    static char big[1 << 20];
    int events = 0, overflows = 0;
    for (ssize_t length; (length = read(count, big, sizeof big)) > 0;)
        for (char *at = big; at < big + length; at += sizeof(struct inotify_event) + ((struct inotify_event *)at)->len) {
            events++;
            if (((struct inotify_event *)at)->mask == IN_Q_OVERFLOW) overflows++, printf("wd %d\n", ((struct inotify_event *)at)->wd);
        }
    printf("all but the overflow: %d, overflows %d\n", events - 1 == most, overflows);
    close(count);
}

static void other_ways(void) {
    int wd = inotify_add_watch(fd, ".", IN_ALL_EVENTS);
    make("source", "0123456789");
    drain("source");
    int from = open("source", O_RDONLY), to = open("target", O_CREAT | O_RDWR, 0600), p[2];
    if (pipe(p)) return;
    drain("both");
    result("sendfile", sendfile(to, from, 0, 4));
    drain("sendfile");
    result("copy_file_range", copy_file_range(from, 0, to, 0, 4, 0));
    drain("copy_file_range");
    result("splice", splice(from, 0, p[1], 0, 2, 0));
    drain("splice from");
    result("splice", splice(p[0], 0, to, 0, 2, 0));
    drain("splice to");
    result("sendfile at the end", sendfile(to, from, 0, 4));
    drain("nothing");
    struct iovec parts[2] = {{"ab", 2}, {"cd", 2}};
    result("writev", writev(to, parts, 2));
    result("pwritev", pwritev(to, parts, 2, 0));
    drain("writev");
    close(from), close(to), close(p[0]), close(p[1]);
    drain("closed");
    result("setxattr", setxattr("source", "user.x", "1", 1, 0));
    result("removexattr", removexattr("source", "user.x"));
    drain("attributes");
    struct sockaddr_un name = {AF_UNIX, "socket"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    result("bind", bind(listener, (void *)&name, sizeof name));
    drain("socket");
    close(listener);
    unlink("socket");
    result("access", access("source", R_OK));
    result("readlink", readlink("source", (char[9]){0}, 9));
    result("mkdir of what is there", mkdir("source", 0700));
    result("open of a directory for writing", open(".", O_WRONLY));
    result("exclusive", open("source", O_CREAT | O_EXCL | O_WRONLY, 0600));
    drain("failures");
    inotify_rm_watch(fd, wd);
    drain("end");
}

static void instances(void) {
    int first = inotify_init1(IN_NONBLOCK), second = inotify_init1(IN_NONBLOCK);
    inotify_add_watch(first, "f", IN_OPEN);
    inotify_add_watch(second, "f", IN_OPEN | IN_CLOSE);
    close(open("f", O_RDONLY));
    drain_fd(first, "first");
    drain_fd(second, "second");
    close(first);
    close(open("f", O_RDONLY));
    drain_fd(second, "second again");
    int file = open("f", O_RDONLY);
    close(second);
    close(file);
    char link[64], path[64];
    sprintf(path, "/proc/self/fd/%d", fd);
    link[readlink(path, link, sizeof link - 1)] = 0;
    printf("%s\n", link);
}

int main(void) {
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    mkdir("d", 0755);
    make("f", "some text");
    fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    errors();
    files();
    directories();
    last_names();
    flags();
    reading();
    other_ways();
    instances();
    return 0;
}
