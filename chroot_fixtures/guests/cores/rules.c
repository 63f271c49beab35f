/* When a core file is written, where, how long it may be, and what is in it. Run where core_pattern is "core". */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is searched for must not be in our own memory. */
static char *marker(char *to, const char *what)
{
    sprintf(to, "<%s|%s>", "mark", what);
    return to;
}

static int contains(const char *path, const char *what)
{
    char wanted[64];
    struct stat stat;
    int fd = open(path, O_RDONLY), found = 0;
    if (fd < 0 || fstat(fd, &stat))
        return -1;
    char *data = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    marker(wanted, what);
    for (char *at = data; (at = memmem(at, data + stat.st_size - at, wanted, strlen(wanted))); at++)
        found++;
    munmap(data, stat.st_size);
    close(fd);
    return found;
}

static rlim_t limit = RLIM_INFINITY;

static void crash(const char *name, void (*prepare)(void), int signo)
{
    siginfo_t info;
    struct stat stat;
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        struct rlimit core = {limit, RLIM_INFINITY};
        setrlimit(RLIMIT_CORE, &core);
        if (prepare)
            prepare();
        if (signo < 0)
            for (;;)
                pause();
        if (signo)
            raise(signo);
        else
            *(volatile int *)16 = 1;
        _exit(1);
    }
    if (signo < 0) {
        usleep(150000);
        kill(child, -signo);
    }
    memset(&info, 0, sizeof info);
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    waitpid(child, &status, 0);
    printf("%-24s status %#x code %d", name, status, info.si_code);
    if (lstat("core", &stat))
        printf(" no file\n");
    else if (S_ISREG(stat.st_mode))
        printf(" mode %o links %d owner %d %s%s\n", stat.st_mode & 07777, (int)stat.st_nlink, (int)stat.st_uid,
               stat.st_size ? "" : "empty", limit < 1 << 20 && (rlim_t)stat.st_blocks * 512 > limit + 4096 ? "too long" : "");
    else
        printf(" no regular file\n");
}

static char buffers[2][64];
static void not_dumpable(void) { prctl(PR_SET_DUMPABLE, 0); }
static void dumpable_again(void)
{
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_DUMPABLE, 1);
}
static void other_user(void)
{
    if (setresuid(1234, 1234, 1234))
        _exit(9);
}
static void other_user_dumpable(void)
{
    other_user();
    prctl(PR_SET_DUMPABLE, 1);
}
static void elsewhere(void)
{
    if (chdir("sub"))
        _exit(9);
}
static void masked(void) { umask(0777); }
static void small_files(void)
{
    struct rlimit size = {8192, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &size);
}
static void *anonymous(int flags)
{
    return mmap(NULL, 65536, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
}
static void memory(void)
{
    char *heap = malloc(100);
    marker(heap, "heap");
    marker(anonymous(MAP_PRIVATE), "private");
    marker(anonymous(MAP_SHARED), "shared");
    char *hidden = anonymous(MAP_PRIVATE);
    marker(hidden, "dontdump");
    madvise(hidden, 65536, MADV_DONTDUMP);
    char *shown = anonymous(MAP_PRIVATE);
    marker(shown, "dodump");
    madvise(shown, 65536, MADV_DONTDUMP);
    madvise(shown, 65536, MADV_DODUMP);
    char *none = anonymous(MAP_PRIVATE);
    marker(none + 4096, "none");
    mprotect(none, 65536, PROT_NONE);
    int fd = open("mapped", O_RDWR);
    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    char *changed = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
    changed[0] = 'x';
    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 12288);
}
static void filter(const char *value)
{
    int fd = open("/proc/self/coredump_filter", O_WRONLY);
    if (write(fd, value, strlen(value)) != (ssize_t)strlen(value))
        printf("filter: %s\n", strerror(errno));
    close(fd);
    memory();
}
static void filter_nothing(void) { filter("0"); }
static void filter_private(void) { filter("0x1"); }
static void filter_shared(void) { filter("2\n"); }
static void filter_mapped(void) { filter("4"); }

static void found(void)
{
    static const char *const names[] = {"heap", "private", "shared", "dontdump", "dodump", "none", "file0", "file1", "file2",
                                        "file3"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        printf(" %s %d", names[i], contains("core", names[i]));
    printf("\n");
}

int main(void)
{
    char text[64];
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(022);
    mkdir("sub", 0777);
    chmod("sub", 0777);
    int fd = open("mapped", O_RDWR | O_CREAT, 0666);
    for (int page = 0; page < 4; page++) {
        sprintf(text, "file%d", page);
        marker(buffers[0], text);
        if (pwrite(fd, buffers[0], strlen(buffers[0]), 4096 * page + 100) < 0)
            return 1;
    }
    if (ftruncate(fd, 16384))
        return 1;
    close(fd);
    memset(buffers, 0, sizeof buffers);
    limit = 0;
    crash("limit 0", NULL, 0);
    limit = 4095;
    crash("limit 4095", NULL, 0);
    limit = 4096;
    crash("limit 4096", NULL, 0);
    unlink("core");
    limit = 20000;
    crash("limit 20000", NULL, 0);
    unlink("core");
    limit = RLIM_INFINITY;
    crash("segv", NULL, 0);
    crash("abort, over the old one", NULL, SIGABRT);
    unlink("core");
    crash("quit from outside", NULL, -SIGQUIT);
    unlink("core");
    crash("term", NULL, SIGTERM);
    crash("kill", NULL, SIGKILL);
    crash("xcpu", NULL, SIGXCPU);
    unlink("core");
    crash("sys", NULL, SIGSYS);
    unlink("core");
    crash("not dumpable", not_dumpable, 0);
    crash("dumpable again", dumpable_again, 0);
    unlink("core");
    crash("another user", other_user, 0);
    crash("who cannot write here", other_user_dumpable, 0);
    crash("elsewhere", elsewhere, 0);
    printf("sub/core %d\n", access("sub/core", F_OK));
    crash("umask 0777", masked, 0);
    unlink("core");
    crash("RLIMIT_FSIZE", small_files, 0);
    unlink("core");
    fd = open("precious", O_WRONLY | O_CREAT, 0666);
    close(fd);
    if (link("precious", "core"))
        return 1;
    crash("hard link", NULL, 0);
    printf("precious %d\n", contains("precious", "x"));
    unlink("core");
    if (symlink("precious", "core"))
        return 1;
    crash("symbolic link", NULL, 0);
    unlink("core");
    mkdir("core", 0777);
    crash("directory", NULL, 0);
    rmdir("core");
    crash("memory", memory, 0);
    found();
    crash("filter 0", filter_nothing, 0);
    found();
    crash("filter 1", filter_private, 0);
    found();
    crash("filter 2", filter_shared, 0);
    found();
    crash("filter 4", filter_mapped, 0);
    found();
    return 0;
}
