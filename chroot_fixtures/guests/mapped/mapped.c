/* A program that stores to mapped files and says what it has done, for tests that look at the files from outside. */
#define _FILE_OFFSET_BITS 64
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define P 4096

struct record {
    uint32_t number, check;
    char filler[56];
};

static char *map(const char *name, int flags, int prot, int kind, size_t length) {
    int fd = open(name, flags);
    char *p = fd < 0 ? MAP_FAILED : mmap(NULL, length, prot, kind, fd, 0);
    if (p == MAP_FAILED) {
        printf("%s: %s\n", name, strerrorname_np(errno));
        exit(1);
    }
    close(fd);
    return p;
}

static void wait_for_line(void) {
    char c;
    while (read(0, &c, 1) == 1 && c != '\n')
        ;
}

/* Write records one after the other; say the number of each when it is safe. */
static void records(const char *name, const char *how) {
    int fd = open(name, O_RDWR);
    size_t count = lseek(fd, 0, SEEK_END) / sizeof(struct record);
    struct record *all = mmap(NULL, count * sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i * 37 % count;
        all[at].number = i + 1;
        all[at].check = (i + 1) * 2654435761u;
        memset(all[at].filler, i, sizeof all[at].filler);
        if (strcmp(how, "msync") == 0)
            msync((char *)all + (at * sizeof *all & -P), P, MS_SYNC);
        else if (strcmp(how, "fsync") == 0)
            fsync(fd);
        else { /* a write needs neither */
            struct record record = all[at];
            pwrite(fd, &record, sizeof record, at * sizeof record);
        }
        printf("%u\n", i + 1);
    }
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    const char *what = argv[1], *name = argv[2];
    if (strcmp(what, "records") == 0) {
        records(name, argv[3]);
    } else if (strcmp(what, "store") == 0) { /* and keep the mapping */
        char *p = map(name, O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED, P);
        strcpy(p, argv[3]);
        printf("stored\n");
        wait_for_line();
        if (argc > 4)
            execl("/bin/mapped", "mapped", "nothing", "", NULL);
    } else if (strcmp(what, "watch") == 0) { /* see what somebody else does to the file */
        char *shared = map(name, O_RDONLY, PROT_READ, MAP_SHARED, 4 * P);
        char *private = map(name, O_RDONLY, PROT_READ, MAP_PRIVATE, 4 * P);
        printf("%c%c\n", shared[0], private[3 * P]);
        struct stat s;
        for (int i = 0; i < 2; i++) {
            wait_for_line();
            if (strcmp(argv[3], "stat") == 0)
                stat(name, &s);
            else if (strcmp(argv[3], "open") == 0)
                close(open(name, O_RDONLY));
            else
                munmap(map(name, O_RDONLY, PROT_READ, MAP_SHARED, P), P);
            printf("%c%c\n", shared[0], private[3 * P]);
        }
    } else if (strcmp(what, "twice") == 0) { /* one file through two names */
        char *one = map(name, O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED, P);
        char *two = map(argv[3], O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED, P);
        one[0] = '1';
        two[1] = '2';
        int fd = open(argv[3], O_RDWR);
        pwrite(fd, "3", 1, 2);
        char text[4] = "";
        pread(fd, text, 3, 0);
        printf("%.3s %.3s %s\n", one, two, text);
        ftruncate(open(name, O_RDWR), 1);
        printf("%d %d\n", one[1], two[2]);
    } else if (strcmp(what, "copied") == 0) { /* an overlay copies the file when it is opened for writing */
        char *before = map(name, O_RDONLY, PROT_READ, MAP_SHARED, P);
        char *after = map(name, O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED, P);
        after[0] = '!';
        char *again = map(name, O_RDONLY, PROT_READ, MAP_SHARED, P);
        printf("%c%c%c\n", before[0], after[0], again[0]);
    } else if (strcmp(what, "full") == 0) { /* where the host takes nothing */
        int fd = open(name, O_RDWR);
        long page = atoi(argv[3]);
        char *p = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, page * P);
        strcpy(p, "text");
        printf("stored\n");
        wait_for_line();
        for (int i = 0; i < 2; i++)
            printf("msync: %s\n", msync(p, P, MS_SYNC) ? strerrorname_np(errno) : "0");
        for (int i = 0; i < 2; i++)
            printf("fsync: %s\n", fsync(fd) ? strerrorname_np(errno) : "0");
        char text[5] = "";
        pread(fd, text, 4, page * P);
        printf("%s %s\n", p, text);
    } else if (strcmp(what, "both") == 0) { /* what may be done to a file */
        printf("read: %c\n", map(name, O_RDONLY, PROT_READ, MAP_SHARED, P)[0]);
        char *p = map(name, O_RDONLY, PROT_READ, MAP_SHARED, P);
        printf("protect: %s\n", mprotect(p, P, PROT_READ | PROT_WRITE) ? strerrorname_np(errno) : "0");
        map(name, O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED, P);
    } else if (strcmp(what, "busy") == 0) { /* programs that are mapped for writing, and written while they run */
        int fd = open(name, O_RDWR);
        char *p = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        char *private = mmap(NULL, P, PROT_READ, MAP_PRIVATE, fd, 0);
        close(fd);
        execl(name, "program", "nothing", "", NULL);
        printf("mapped: %s\n", strerrorname_np(errno));
        munmap(p, P);
        execl(name, "program", "nothing", "", NULL);
        printf("mapped privately: %s\n", strerrorname_np(errno));
        munmap(private, P);
        if (fork() == 0) {
            execl(name, "program", "nothing", "", NULL);
            _exit(1);
        }
        int status;
        wait(&status);
        printf("unmapped: %d\n", WEXITSTATUS(status));
        fd = open("/proc/self/exe", O_RDWR);
        printf("running: %s\n", fd < 0 ? strerrorname_np(errno) : "0");
    }
    return 0;
}
