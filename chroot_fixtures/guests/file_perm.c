/* Permissions: what an ordinary user may do to files of root and of others. Needs root to begin with. */
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

static void touch(const char *path, int mode, int uid, int gid) {
    close(open(path, O_CREAT | O_WRONLY, 0600));
    if (chown(path, uid, gid) || chmod(path, mode))
        printf("%s: %s\n", path, strerrorname_np(errno));
}

static void mode_of(const char *path) {
    struct stat st;
    if (stat(path, &st))
        printf("%s: %s\n", path, strerrorname_np(errno));
    else
        printf("%s: %o %d %d\n", path, st.st_mode, (int)st.st_uid, (int)st.st_gid);
}

int main(void) {
    umask(022);
    T(chmod(".", 0777));
    touch("root", 0644, 0, 0);
    touch("secret", 0600, 0, 0);
    touch("mine", 0640, 1000, 1000);
    touch("unreadable", 0200, 1000, 1000);
    touch("group", 0060, 0, 100);
    touch("setid", 06755, 1000, 1000);
    T(mkdir("closed", 0700));
    T(mkdir("listed", 0744));
    T(mkdir("searched", 0711));
    touch("searched/inside", 0644, 0, 0);
    T(mkdir("sticky", 0777));
    T(chmod("sticky", 01777));
    touch("sticky/root", 0666, 0, 0);
    touch("sticky/mine", 0666, 1000, 1000);
    T(mkdir("setgid", 0777));
    T(chown("setgid", 0, 100));
    T(chmod("setgid", 02777));
    T(access("secret", W_OK | X_OK));
    T(access("closed", X_OK));

    gid_t groups[] = {100};
    T(syscall(SYS_setgroups, 1, groups));
    T(syscall(SYS_setresgid, 1000, 1000, 1000));
    T(syscall(SYS_setresuid, 1000, 1000, 1000));

    T(open("secret", O_RDONLY));
    T(open("root", O_WRONLY));
    T(close(open("root", O_RDONLY)));
    T(open("unreadable", O_RDONLY));
    T(close(open("unreadable", O_WRONLY)));
    T(close(open("group", O_RDWR)));
    T(access("root", W_OK));
    T(access("root", R_OK));
    T(access("mine", X_OK));
    T(open("closed/x", O_RDONLY));
    T(open("closed", O_RDONLY));
    T(chdir("closed"));
    T(close(open("listed", O_RDONLY)));
    T(chdir("listed"));
    T(open("searched", O_RDONLY));
    T(close(open("searched/inside", O_RDONLY)));
    T(open("searched/new", O_CREAT | O_WRONLY, 0600));
    T(unlink("searched/inside"));
    T(mkdir("searched/d", 0700));
    T(chmod("root", 0777));
    T(chmod("mine", 0600));
    T(chown("mine", 0, -1));
    T(chown("mine", -1, 100));
    T(chown("mine", -1, 5));
    T(chown("mine", 1000, -1));
    T(chown("root", -1, -1));
    mode_of("mine");
    T(chmod("mine", 02755));
    mode_of("mine");
    T(chown("mine", -1, 1000));
    mode_of("mine");
    T(utimensat(AT_FDCWD, "root", NULL, 0));
    T(utimensat(AT_FDCWD, "root", (struct timespec[]){{1, 0}, {2, 0}}, 0));
    T(utimensat(AT_FDCWD, "sticky/root", NULL, 0));
    T(utimensat(AT_FDCWD, "mine", (struct timespec[]){{1, 0}, {2, 0}}, 0));
    T(unlink("sticky/root"));
    T(rename("sticky/root", "sticky/other"));
    T(unlink("sticky/mine"));
    T(truncate("root", 0));
    T(truncate("mine", 10));
    T(link("mine", "linked"));
    T(mknod("device", S_IFCHR | 0600, 0x103));
    T(mkfifo("fifo", 0600));
    T(chroot("."));
    T(mkdir("setgid/d", 0755));
    mode_of("setgid/d");
    T(close(open("setgid/f", O_CREAT | O_WRONLY, 0644)));
    mode_of("setgid/f");
    T(open("root", O_RDONLY | O_NOATIME));
    T(close(open("mine", O_RDONLY | O_NOATIME)));

    /* Writing takes the set-user-id bit away. */
    int fd;
    mode_of("setid");
    T(fd = open("setid", O_WRONLY));
    T(write(fd, "x", 1));
    mode_of("setid");
    T(close(fd));
    return 0;
}
