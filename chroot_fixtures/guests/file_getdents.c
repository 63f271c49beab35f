/* Directory reading: completeness, positions, rewinding, buffers too small, removal on the way. */
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

struct record {
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
};

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(void) {
    char name[300], buf[4096];
    int fd;
    T(mkdir("d", 0700));
    T(chdir("d"));
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "file-%03d", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    memset(name, 'n', 255);
    name[255] = 0;
    T(close(open(name, O_CREAT | O_WRONLY, 0600)));
    name[255] = 'n';
    name[256] = 0;
    T(open(name, O_CREAT | O_WRONLY, 0600));
    T(mkdir("sub", 0700));
    T(symlink("sub", "link"));
    T(mkfifo("fifo", 0600));
    T(fd = open(".", O_RDONLY | O_DIRECTORY));
    T(read(fd, buf, 10));
    T(write(fd, buf, 10));
    T(syscall(SYS_getdents64, fd, buf, 10));

    char *names[400];
    int count = 0, aligned = 1, types = 0, nonzero = 1;
    long length;
    while ((length = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0)
        for (long at = 0; at < length;) {
            struct record *entry = (void *)(buf + at);
            aligned &= entry->reclen % 8 == 0 && entry->reclen >= 19 + strlen(entry->name) + 1;
            nonzero &= entry->ino != 0;
            if (!strcmp(entry->name, "sub") || !strcmp(entry->name, "."))
                types += entry->type == DT_DIR;
            if (!strcmp(entry->name, "link"))
                types += entry->type == DT_LNK;
            if (!strcmp(entry->name, "fifo"))
                types += entry->type == DT_FIFO;
            names[count++] = strdup(entry->name);
            at += entry->reclen;
        }
    printf("end %ld, %d entries, aligned %d, types %d, ino %d\n", length, count, aligned, types, nonzero);
    qsort(names, count, sizeof *names, compare);
    unsigned hash = 0;
    for (int i = 0; i < count; i++)
        for (char *c = names[i]; *c; c++)
            hash = hash * 31 + (unsigned char)*c;
    printf("hash %08x, first %s, last %s\n", hash, names[0], names[count - 1]);
    T(syscall(SYS_getdents64, fd, buf, sizeof buf));
    T(lseek(fd, 0, SEEK_SET));
    T(syscall(SYS_getdents64, fd, buf, sizeof buf) > 0);
    T(close(fd));

    /* telldir and seekdir */
    DIR *dir = opendir(".");
    struct dirent *entry;
    long position = 0;
    for (int i = 0; i < 10; i++)
        entry = readdir(dir);
    position = telldir(dir);
    entry = readdir(dir);
    char tenth[256];
    strcpy(tenth, entry->d_name);
    while (readdir(dir)) {
    }
    seekdir(dir, position);
    printf("seekdir %d\n", !strcmp(readdir(dir)->d_name, tenth));
    rewinddir(dir);

    /* Removing while reading finds everything. */
    int removed = 0;
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "sub"))
            removed += unlink(entry->d_name) == 0;
    printf("removed %d\n", removed);
    closedir(dir);
    T(rmdir("sub"));
    T(fd = open(".", O_RDONLY | O_DIRECTORY));
    T(chdir(".."));
    T(rmdir("d"));
    T(syscall(SYS_getdents64, fd, buf, sizeof buf));
    T(syscall(SYS_getdents64, 0, buf, sizeof buf));
    T(syscall(SYS_getdents64, 77, buf, sizeof buf));
    return 0;
}
