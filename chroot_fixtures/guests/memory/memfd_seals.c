/* Anonymous files in memory: names, modes, seals and what they forbid, execution. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8
#define MFD_EXEC 16
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 32
#endif
#define PAGE 4096
#define SHOW(e) do { errno = 0; long r_ = (long)(e); \
    printf("%s: %ld %s\n", #e, r_, r_ == -1 ? strerrorname_np(errno) : ""); } while (0)

static char buffer[5 * PAGE], name[300];

static int sealable(unsigned flags, off_t size) {
    int fd = memfd_create("sealable", MFD_ALLOW_SEALING | flags);
    ftruncate(fd, size);
    return fd;
}

static int mode_of(int fd) {
    struct stat status;
    fstat(fd, &status);
    return status.st_mode;
}

static void making(void) {
    SHOW(memfd_create("x", 0x20));
    SHOW(memfd_create("x", MFD_NOEXEC_SEAL | MFD_EXEC));
    SHOW(memfd_create("x", 2 << 26));
    SHOW(memfd_create(0, 0));
    memset(name, 'n', 250);
    SHOW(memfd_create(name, 0));
    memset(buffer, 'n', sizeof buffer - 1);
    SHOW(memfd_create(buffer, 0));
    memset(buffer, 0, sizeof buffer);
    name[249] = 0;
    SHOW(memfd_create(name, 0) >= 0);
    int fd = memfd_create("", MFD_CLOEXEC);
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND));
    SHOW(mode_of(fd) == (S_IFREG | 0777));
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    struct stat status;
    fstat(fd, &status);
    SHOW(status.st_nlink);
    SHOW(status.st_size);
    SHOW(status.st_blocks);
    SHOW(fchmod(fd, 0640));
    SHOW(mode_of(fd) == (S_IFREG | 0640));
    fd = memfd_create("a b\n", 0);
    ftruncate(fd, PAGE);
    char path[64], text[100] = "";
    sprintf(path, "/proc/self/fd/%d", fd);
    readlink(path, text, 99);
    printf("[%s]\n", text);
    mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    mmap(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[300];
    while (fgets(line, sizeof line, maps)) {
        char *found = strstr(line, "/memfd:");
        if (found) {
            char flags[5], device[10];
            sscanf(line, "%*s %4s %*s %9s", flags, device);
            printf("%s %s %s", flags, device, found);
        }
    }
    fclose(maps);
    int again = open(path, O_RDWR | O_TRUNC);
    SHOW(again >= 0);
    fstat(fd, &status);
    SHOW(status.st_size);
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "/dev/shm/lbw-memfd", AT_SYMLINK_FOLLOW));
}

static void size_seals(void) {
    int fd = sealable(0, 2 * PAGE + 100);
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(fcntl(fd, F_ADD_SEALS, 0x40));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    SHOW(pwrite(fd, buffer, 4 * PAGE, 0));
    SHOW(pwrite(fd, buffer, 100, 2 * PAGE));
    SHOW(pwrite(fd, buffer, 101, 2 * PAGE));
    SHOW(pwrite(fd, buffer, 101, 2 * PAGE - 1));
    SHOW(pwrite(fd, buffer, 0, 5 * PAGE));
    SHOW(pwrite(fd, buffer, 1, 5 * PAGE));
    SHOW(fallocate(fd, 0, 0, 2 * PAGE));
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 3 * PAGE));
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 3 * PAGE));
    SHOW(ftruncate(fd, 2 * PAGE + 100));
    SHOW(ftruncate(fd, 2 * PAGE + 101));
    SHOW(ftruncate(fd, 50));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    SHOW(ftruncate(fd, 49));
    SHOW(ftruncate(fd, 50));
    char path[64];
    sprintf(path, "/proc/self/fd/%d", fd);
    SHOW(open(path, O_RDWR | O_TRUNC));
    SHOW(fcntl(fd, F_GET_SEALS));
}

static void write_seals(void) {
    int fd = sealable(0, 2 * PAGE);
    char *shared = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    mprotect(shared, 2 * PAGE, PROT_READ);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    mprotect(shared, 2 * PAGE, PROT_READ | PROT_WRITE);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    shared[0] = 'w';
    SHOW(write(fd, buffer, 1));
    SHOW(madvise(shared, PAGE, MADV_REMOVE));
    SHOW(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    char *read_only = mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    SHOW(read_only[0]);
    SHOW(mprotect(read_only, PAGE, PROT_READ | PROT_WRITE));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    if (!fork())
        _exit(fcntl(fd, F_GET_SEALS));
    int status;
    munmap(shared, 2 * PAGE);
    wait(&status);
    SHOW(WEXITSTATUS(status));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    char *own = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    own[0] = 'o';
    SHOW(own[0] * 1000 + read_only[0]);
    SHOW(pwrite(fd, buffer, 0, 0));
    SHOW(pwrite(fd, buffer, 1, 0));
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, PAGE));
    SHOW(fallocate(fd, 0, 0, PAGE));
    SHOW(ftruncate(fd, PAGE));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    SHOW(fcntl(fd, F_ADD_SEALS, 0));
    SHOW(fcntl(fd, F_GET_SEALS));
    char path[64];
    sprintf(path, "/proc/self/fd/%d", fd);
    int reader = open(path, O_RDONLY);
    SHOW(fcntl(reader, F_GET_SEALS));
    SHOW(fcntl(reader, F_ADD_SEALS, 0));
}

static void exec_seals(void) {
    int fd = memfd_create("x", MFD_NOEXEC_SEAL);
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(mode_of(fd) == (S_IFREG | 0666));
    SHOW(fchmod(fd, 0755));
    SHOW(fchmod(fd, 0600));
    fd = sealable(MFD_EXEC, PAGE);
    char *shared = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC));
    munmap(shared, PAGE);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC));
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(fchmod(fd, 0666));
    SHOW(fchmod(fd, 0711));
}

static void others(void) {
    char path[64];
    sprintf(path, "/dev/shm/lbw-seals-%d", getpid());
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    SHOW(fcntl(fd, F_GET_SEALS));
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    unlink(path);
    SHOW(fcntl(open("/dev/shm", O_RDONLY), F_GET_SEALS));
    SHOW(fcntl(open("/proc/self/exe", O_RDONLY), F_GET_SEALS));
    int ends[2];
    pipe(ends);
    SHOW(fcntl(ends[1], F_ADD_SEALS, 1));
    SHOW(fcntl(ends[0], F_ADD_SEALS, 1));
    SHOW(fcntl(99, F_GET_SEALS));
}

/* Run this program from a memfd: by fexecve, and once it is sealed and writable no more. */
static void executing(char *self) {
    int from = open(self, O_RDONLY), status;
    long count;
    static char data[1 << 16];
    char *words[] = {"memfd", "child", 0}, *none[] = {0};
    for (int round = 0; round < 3; round++) {
        int fd = memfd_create("program", MFD_ALLOW_SEALING | (round == 1 ? MFD_CLOEXEC : round == 2 ? MFD_NOEXEC_SEAL : 0));
        lseek(from, 0, SEEK_SET);
        while ((count = read(from, data, sizeof data)) > 0)
            write(fd, data, count);
        fflush(stdout);
        char path[64];
        sprintf(path, "/proc/self/fd/%d", fd);
        int reader = open(path, O_RDONLY | O_CLOEXEC);
        if (!fork()) {
            fexecve(fd, words, none);
            _exit(errno == ETXTBSY ? 41 : errno == EACCES ? 42 : 43);
        }
        wait(&status);
        SHOW(WEXITSTATUS(status));
        close(fd);
        if (!fork()) {
            fexecve(reader, words, none);
            _exit(errno == EACCES ? 42 : 43);
        }
        wait(&status);
        SHOW(WEXITSTATUS(status));
        close(reader);
    }
}

int main(int argc, char **argv) {
    if (argc > 1) {
        char text[100] = "";
        readlink("/proc/self/exe", text, 99);
        printf("a program of a memfd: %s\n", text);
        FILE *comm = fopen("/proc/self/comm", "r");
        SHOW(comm != 0);
        return 7;
    }
    making();
    size_seals();
    write_seals();
    exec_seals();
    others();
    executing(argv[0]);
    return 0;
}
