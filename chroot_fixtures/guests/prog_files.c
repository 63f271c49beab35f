// Many files, large directories, big pipes, and memory that is checked after each of many forks.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES 3000

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    char name[64];
    mkdir("many", 0755);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "many/a-file-with-the-number-%d", i);
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
        if (fd < 0 || (i % 100 == 0 && write(fd, name, strlen(name)) < 0)) return 1;
        close(fd);
    }
    static int seen[FILES + 8];
    int count = 0, dots = 0;
    DIR *directory = opendir("many");
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') dots++;
        else if (count < FILES + 8) seen[count++] = atoi(strrchr(entry->d_name, '-') + 1);
    }
    closedir(directory);
    qsort(seen, count, sizeof *seen, by_number);
    int wrong = 0;
    for (int i = 0; i < FILES; i++) wrong += seen[i] != i;
    printf("%d entries, %d dots, %d wrong\n", count, dots, wrong);
    directory = opendir("many");  // removed while it is read
    count = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "many/%.50s", entry->d_name);
        count += unlink(name) == 0;
    }
    closedir(directory);
    printf("%d removed, directory: %d\n", count, rmdir("many"));

    int ends[2];
    if (pipe(ends)) return 1;
    printf("pipe %d, grown %d", fcntl(ends[0], F_GETPIPE_SZ), fcntl(ends[1], F_SETPIPE_SZ, 1 << 20));
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    static char block[65536];
    long total = 0, done;
    while ((done = write(ends[1], block, sizeof block)) > 0) total += done;
    struct pollfd wait_for[2] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}};
    printf(", holds %ld, then %d; poll %d %d %d\n", total, errno, poll(wait_for, 2, 0), wait_for[0].revents, wait_for[1].revents);
    close(ends[0]); close(ends[1]);

    int first[2], second[2];
    if (pipe(first) || pipe(second)) return 1;
    if (!fork()) {  // a filter between two pipes
        close(first[1]); close(second[0]);
        long length;
        while ((length = read(first[0], block, sizeof block)) > 0) {
            for (long i = 0; i < length; i++) block[i] ^= 0x55;
            for (long at = 0; at < length;) at += write(second[1], block + at, length - at);
        }
        _exit(0);
    }
    if (!fork()) {
        close(first[0]); close(second[0]); close(second[1]);
        for (int i = 0; i < 400; i++) {
            memset(block, i, 20011);
            if (write(first[1], block, 20011) != 20011) _exit(1);
        }
        _exit(0);
    }
    close(first[0]); close(first[1]); close(second[1]);
    unsigned long sum = 0;
    total = 0;
    while ((done = read(second[0], block, 10007)) > 0) {
        total += done;
        for (long i = 0; i < done; i++) sum = sum * 31 + (unsigned char)block[i];
    }
    int status, bad = 0;
    while (wait(&status) > 0) bad |= status;
    printf("%ld bytes through two pipes, %lx, %d\n", total, sum, bad);

    static unsigned char memory[64][4096];
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 64; i++) memory[i][round * 64] = round + i;
        pid_t child = fork();
        if (!child) {
            int errors = 0;
            for (int r = 0; r <= round; r++) for (int i = 0; i < 64; i++) errors += memory[i][r * 64] != (unsigned char)(r + i);
            memset(memory, 0xEE, sizeof memory);
            _exit(errors > 255 ? 255 : errors);
        }
        memory[round][1] = round;
        waitpid(child, &status, 0);
        bad += status;
    }
    for (int i = 0; i < 60; i++) bad += memory[i][1] != i;
    printf("forks in a loop: %d\n", bad);
    char deep[300];
    memset(deep, 'd', 200);
    deep[200] = 0;
    int depth = 0;
    while (depth < 40 && !mkdir(deep, 0755) && !chdir(deep)) depth++;
    errno = 0;
    char *path = getcwd(0, 0);
    printf("depth %d, path longer than PATH_MAX: %d, %d\n", depth, path && strlen(path) > 4096, access(".", R_OK | W_OK));
    while (depth-- && !chdir("..") && !rmdir(deep)) {}
    printf("removed %d\n", access(deep, F_OK) ? errno : 0);
    return 0;
}
