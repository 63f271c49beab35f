/* Uses memory in many ways; after each step it shows what /proc says about itself, its children and the machine. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define MEGABYTE (1ul << 20)
#define RW (PROT_READ | PROT_WRITE)

static char text[1 << 18], pages[1 << 18];
static unsigned char resident[1 << 15];
static pid_t processes[16];
static int count;

/* Writes from the end to the beginning: who writes upwards may get pages ahead of time. */
static void fill(char *where, char what, size_t length) {
    for (size_t at = length; at; at -= PAGE) memset(where + at - PAGE, what, PAGE);
}

static char *slurp(const char *path) {
    int fd = open(path, O_RDONLY);
    size_t length = 0;
    if (fd < 0) return strcpy(text, "");
    for (ssize_t n; (n = read(fd, text + length, sizeof text - 1 - length)) > 0;) length += n;
    text[length] = 0;
    close(fd);
    return text;
}

static void copy(const char *scene, pid_t pid, const char *name) {
    char path[60];
    if (pid) sprintf(path, "/proc/%d/%s", pid, name);
    else sprintf(path, "/proc/%s", name);
    slurp(path);
    printf("#%s %d %s\n%s", scene, pid, name, text);
}

/* For each mapping: address, size, pages that pagemap shows, pages that mincore shows (of our own). */
static void count_pages(const char *scene, pid_t pid) {
    char path[60];
    sprintf(path, "/proc/%d/maps", pid);
    slurp(path);
    sprintf(path, "/proc/%d/pagemap", pid);
    int fd = open(path, O_RDONLY);
    printf("#%s %d pages\n", scene, pid);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long start, end;
        sscanf(line, "%lx-%lx", &start, &end);
        unsigned long number = (end - start) / PAGE, present = 0, core = 0;
        if (number > sizeof resident) continue;
        pread(fd, pages, number * 8, start / PAGE * 8);
        for (unsigned long i = 0; i < number; i++) present += ((uint64_t *)pages)[i] >> 63;
        if (pid == getpid()) {
            mincore((void *)start, end - start, resident);
            for (unsigned long i = 0; i < number; i++) core += resident[i] & 1;
        }
        printf("%lx %lu %lu %lu\n", start, number, present, core);
    }
    close(fd);
}

static void show(const char *scene) {
    static const char *names[] = {"smaps", "smaps_rollup", "statm", "status", "stat", "numa_maps"};
    struct sysinfo info;
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < 6; j++) copy(scene, processes[i], names[j]);
        count_pages(scene, processes[i]);
    }
    copy(scene, 0, "meminfo");
    copy(scene, 0, "vmstat");
    sysinfo(&info);
    printf("#%s 0 sysinfo\ntotal %lu\nfree %lu\nshared %lu\n", scene, info.totalram / 1024, info.freeram / 1024,
           info.sharedram / 1024);
    fflush(stdout);
}

/* A child that does `work` and then waits to be killed. */
static pid_t child(void (*work)(void)) {
    int done[2];
    char c;
    pipe(done);
    pid_t pid = fork();
    if (!pid) {
        work();
        write(done[1], "x", 1);
        for (;;) pause();
    }
    read(done[0], &c, 1);
    close(done[0]);
    close(done[1]);
    return pid;
}

static char *own, *shared;

static void nothing(void) {}

static void write_some(void) {
    fill(own + MEGABYTE, 3, MEGABYTE / 2);
    shared[MEGABYTE] = 3;
}

static void write_and_fork(void) {
    own[3 * MEGABYTE] = 4;
    if (!fork()) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        own[3 * MEGABYTE + PAGE] = 5;
        for (;;) pause();
    }
}

static void forget(int from) {
    while (count > from) {
        pid_t pid = processes[--count];
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

int main(int argc, char **argv) {
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    memset(buffer, 1, sizeof buffer);
    memset(text, 1, sizeof text);
    memset(pages, 1, sizeof pages);
    memset(resident, 1, sizeof resident);
    processes[count++] = getpid();
    if (argc > 1) {
        show("executed");
        return 0;
    }
    show("warm");
    show("start");
    own = mmap(0, 8 * MEGABYTE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    show("mapped");
    fill(own, 1, 4 * MEGABYTE);
    show("touched");
    shared = mmap(0, 4 * MEGABYTE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fill(shared, 1, 2 * MEGABYTE);
    show("shared");
    processes[count++] = child(nothing);
    show("forked");
    processes[count++] = child(write_some);
    show("a child wrote");
    processes[count++] = child(write_and_fork);
    fill(own, 2, MEGABYTE / 4);
    show("the parent wrote");
    madvise(own, MEGABYTE / 8, MADV_DONTNEED);
    munmap(own + 7 * MEGABYTE, MEGABYTE);
    mprotect(own + 2 * MEGABYTE, MEGABYTE, PROT_NONE);
    show("forgotten");
    kill(processes[--count], SIGKILL);
    waitpid(processes[count], NULL, 0);
    system("killall5 -9 2>/dev/null"); /* there is none: a vfork and an exec in vain */
    show("fewer");
    forget(1);
    show("alone");
    own = mremap(own, MEGABYTE, 9 * MEGABYTE, MREMAP_MAYMOVE);
    show("moved");
    mlock(own, MEGABYTE / 2);
    show("locked");
    int fd = open("/tmp/file", O_RDWR | O_CREAT, 0600);
    ftruncate(fd, MEGABYTE);
    write(fd, own, MEGABYTE / 2);
    char *file = mmap(0, MEGABYTE, RW, MAP_SHARED, fd, 0);
    file[MEGABYTE - 1] = 1;
    show("a file of tmpfs");
    int disk = open("/work/file", O_RDWR | O_CREAT, 0600);
    write(disk, own, MEGABYTE / 2);
    char *seen = mmap(0, MEGABYTE / 2, RW, MAP_SHARED, disk, 0), *copied = mmap(0, MEGABYTE / 2, RW, MAP_PRIVATE, disk, 0);
    fill(seen, 7, MEGABYTE / 8);
    fill(copied, 8, MEGABYTE / 4);
    show("a file");
    processes[count++] = child(nothing);
    show("a file and a child");
    forget(1);
    msync(seen, MEGABYTE / 2, MS_SYNC);
    munmap(copied, MEGABYTE / 2);
    show("written back");
    munmap(seen, MEGABYTE / 2);
    munmap(file, MEGABYTE);
    unlink("/tmp/file");
    close(fd);
    show("unmapped");
    fflush(stdout);
    execl("/proc/self/exe", "figures", "again", NULL);
    return 1;
}
