/* Replays a program of system calls from standard input and prints what a program can observe of each.
 *
 * One operation per line, words separated by spaces:
 *   N nr arg...   system call; its result or error, then its outputs          P nr arg...  the same, result an address
 *   R off         read a byte of the window       W off byte   write one      M            /proc/self/maps of the window
 *   B off         brk, relative to the first      F n          the next n operations happen in a child, then go on
 *   @i op         operation in servant i, a child process; what it takes to settle is waited for
 * Arguments: numbers; sHEX string; hHEX bytes; yN N patterned bytes; wOFF address in the window; x a bad address;
 *   oN output of N bytes; rN output of as many bytes as the result says; eN the same just before an unmapped page;
 *   zN a buffer nobody looks at; dN a directory's entries; S struct stat; X struct statx; VN,N output iovec; v input iovec of yN; qN 64 bits in and
 *   out; Q time stamps; gN,N.. 32-bit integers; p pollfds fd:events,..; iI process id of servant I (0: the parent).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef WINDOW
#define WINDOW 0x300000000UL
#endif
#define WINDOW_SIZE 0x80000UL
#define SERVANTS 3

static char text[1 << 20], output[1 << 20];
static size_t used;
static unsigned char arena[1 << 20];
static size_t arena_used;
static unsigned char *guard; /* the start of an unmapped page, 1 MB of memory before it */
static long first_brk;

static void say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    if (used < sizeof output - 8192)
        used += vsnprintf(output + used, 8192, format, list);
    va_end(list);
}

static void flush(int fd)
{
    for (size_t done = 0; done < used;) {
        long n = write(fd, output + done, used - done);
        if (n <= 0)
            break;
        done += n;
    }
    used = 0;
}

static void show(const unsigned char *data, size_t length)
{
    uint32_t sum = 1;
    say(" %zu:", length);
    for (size_t i = 0; i < length; i++)
        sum = sum * 31 + data[i];
    if (length > 32)
        say("%02x%02x%02x%02x..#%08x", data[0], data[1], data[2], data[3], sum);
    else
        for (size_t i = 0; i < length; i++)
            say("%02x", data[i]);
}

static void *take(size_t length)
{
    void *at = arena + arena_used;
    arena_used += (length + 31) & ~15UL;
    if (arena_used > sizeof arena)
        _exit(99);
    return at;
}

static size_t unhex(const char *hex, unsigned char *to)
{
    size_t n = 0;
    unsigned value;
    for (; sscanf(hex + 2 * n, "%2x", &value) == 1; n++)
        to[n] = value;
    to[n] = 0;
    return n;
}

static void pattern(unsigned char *to, size_t length, int seed)
{
    for (size_t i = 0; i < length; i++)
        to[i] = 'A' + (i * 7 + i / 251 + seed) % 57;
}

struct argument {
    char kind;
    unsigned char *at;
    size_t size;
    long value;
    int count;
};

static volatile pid_t *servants; /* shared by all; 0: nobody */

static long parse(const char *word, struct argument *argument, int seed)
{
    const char *rest = word + 1;
    size_t n;
    memset(argument, 0, sizeof *argument);
    argument->kind = *word;
    if (*word == '-' || (*word >= '0' && *word <= '9'))
        return (long)strtoll(word, NULL, 0);
    switch (*word) {
    case 's':
    case 'h':
        argument->at = take(strlen(rest) / 2 + 1);
        argument->size = unhex(rest, argument->at);
        break;
    case 'y':
        argument->at = take(argument->size = strtoul(rest, NULL, 0));
        pattern(argument->at, argument->size, seed);
        break;
    case 'w':
        return WINDOW + strtol(rest, NULL, 0);
    case 'x':
        return 0x10;
    case 'i':
        return servants[atoi(rest)];
    case 'e':
        argument->size = strtoul(rest, NULL, 0);
        argument->at = guard - argument->size;
        pattern(argument->at, argument->size, seed);
        break;
    case 'o':
    case 'r':
    case 'd':
    case 'z':
        argument->at = take(argument->size = strtoul(rest, NULL, 0));
        memset(argument->at, 0xEE, argument->size);
        break;
    case 'S':
        argument->at = take(argument->size = sizeof(struct stat));
        break;
    case 'X':
        argument->at = take(argument->size = sizeof(struct statx));
        memset(argument->at, 0, sizeof(struct statx));
        break;
    case 'q':
        argument->at = take(argument->size = 8);
        *(int64_t *)argument->at = strtoll(rest, NULL, 0);
        break;
    case 'Q': {
        struct timespec *times = take(sizeof(struct timespec[2]));
        argument->at = (void *)times;
        times[0] = (struct timespec){1000000000, 123456000};
        times[1] = (struct timespec){1100000000, *rest ? strtol(rest, NULL, 0) : 5};
        break;
    }
    case 'T': {
        struct timespec *time = take(sizeof(struct timespec));
        argument->at = (void *)time;
        *time = (struct timespec){0, strtol(rest, NULL, 0)};
        break;
    }
    case 'V':
    case 'v': {
        struct iovec *vector = take(16 * sizeof *vector);
        argument->at = (void *)vector;
        for (; *rest; argument->count++) {
            n = strtoul(rest, (char **)&rest, 0);
            vector[argument->count] = (struct iovec){take(n), n};
            if (*word == 'v')
                pattern(vector[argument->count].iov_base, n, seed + argument->count);
            else
                memset(vector[argument->count].iov_base, 0xEE, n);
            rest += *rest == ',';
        }
        break;
    }
    case 'g':
    case 'G': {
        int *values = take(64 * sizeof(int));
        argument->at = (void *)values;
        for (; *rest; argument->count++, rest += *rest == ',')
            values[argument->count] = strtol(rest, (char **)&rest, 0);
        argument->size = argument->count * sizeof(int);
        break;
    }
    case 'p': {
        struct pollfd *fds = take(64 * sizeof *fds);
        argument->at = (void *)fds;
        for (; *rest; argument->count++, rest += *rest == ',') {
            fds[argument->count].fd = strtol(rest, (char **)&rest, 0);
            fds[argument->count].events = strtol(rest + 1, (char **)&rest, 0);
            fds[argument->count].revents = 0x7777;
        }
        break;
    }
    default:
        fprintf(stderr, "bad argument %s\n", word);
        _exit(98);
    }
    return (long)argument->at;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_entries(unsigned char *data, long length)
{
    char *names[256];
    int count = 0;
    for (long i = 0; i < length && count < 256; i += ((struct dirent64 *)(data + i))->d_reclen) {
        struct dirent64 *entry = (void *)(data + i);
        char *line = take(strlen(entry->d_name) + 8);
        sprintf(line, "%.200s=%d", entry->d_name, entry->d_type);
        names[count++] = line;
    }
    qsort(names, count, sizeof *names, by_name);
    for (int i = 0; i < count; i++)
        say(" %s", names[i]);
}

static void show_argument(struct argument *argument, long result)
{
    switch (argument->kind) {
    case 'o':
    case 'q':
    case 'G':
        show(argument->at, argument->size);
        break;
    case 'r':
    case 'e':
        if ((size_t)result <= argument->size)
            show(argument->at, result);
        break;
    case 'd':
        show_entries(argument->at, result);
        break;
    case 'S': {
        struct stat *s = (void *)argument->at;
        say(" mode %o nlink %d uid %d gid %d rdev %lx", s->st_mode, (int)s->st_nlink, s->st_uid, s->st_gid,
            (long)s->st_rdev);
        if (!S_ISDIR(s->st_mode))
            say(" size %ld blksize %ld", (long)s->st_size, (long)s->st_blksize);
        if (s->st_mtime == 1100000000)
            say(" mtime %ld.%09ld", (long)s->st_mtime, (long)s->st_mtim.tv_nsec);
        break;
    }
    case 'X': {
        struct statx *s = (void *)argument->at;
        say(" mask %x mode %o nlink %d uid %d gid %d attr %lx", s->stx_mask & 0x73f, /* times only if asked for: ext4's fine-grained ones */
            s->stx_mode, (int)s->stx_nlink,
            s->stx_uid, s->stx_gid, (long)s->stx_attributes & 0x2000 ? 1L : 0L);
        if (!S_ISDIR(s->stx_mode))
            say(" size %ld", (long)s->stx_size);
        break;
    }
    case 'V': {
        struct iovec *vector = (void *)argument->at;
        for (int i = 0; i < argument->count && result > 0; i++) {
            long part = result < (long)vector[i].iov_len ? result : (long)vector[i].iov_len;
            show(vector[i].iov_base, part);
            result -= part;
        }
        break;
    }
    case 'p': {
        struct pollfd *fds = (void *)argument->at;
        for (int i = 0; i < argument->count; i++)
            say(" %d:%x", fds[i].fd, fds[i].revents);
        break;
    }
    }
}

static sigjmp_buf probe;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    say(" signal %d code %d at %lx", signal, info->si_code, (unsigned long)info->si_addr - WINDOW);
    siglongjmp(probe, 1);
}

static void show_maps(void)
{
    static char maps[1 << 16];
    size_t length = 0;
    unsigned long last_end = 0, last_start = 0, last_offset = 0;
    char last_perms[8] = "", last_name[256] = "";
    int fd = open("/proc/self/maps", O_RDONLY);
    for (long n; (n = read(fd, maps + length, sizeof maps - 1 - length)) > 0;)
        length += n;
    maps[length] = 0;
    close(fd);
    for (char *line = strtok(maps, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long start, end, offset, inode;
        char perms[8], device[16], name[256] = "";
        sscanf(line, "%lx-%lx %7s %lx %15s %lu %255[^\n]", &start, &end, perms, &offset, device, &inode, name);
        if (end <= WINDOW || start >= WINDOW + WINDOW_SIZE)
            continue;
        char *base = strrchr(name, '/');
        base = base ? base + 1 : name;
        if (start == last_end && !strcmp(perms, last_perms) && !strcmp(base, last_name) &&
            (!inode || !strcmp(name, "/dev/zero (deleted)") || offset == last_offset + (start - last_start))) {
            last_end = end; /* whether neighbours merge is the kernel's affair */
            continue;
        }
        if (last_end)
            say(" %lx-%lx %s %lx %s;", last_start - WINDOW, last_end - WINDOW, last_perms, last_offset, last_name);
        last_start = start, last_end = end, last_offset = offset;
        strcpy(last_perms, perms);
        strcpy(last_name, base);
    }
    if (last_end)
        say(" %lx-%lx %s %lx %s;", last_start - WINDOW, last_end - WINDOW, last_perms, last_offset, last_name);
}

/* What file systems do each in their own way, and what lbw is known to do otherwise. */
static int differs_by_design(long nr, const long *values, const struct argument *arguments)
{
    struct stat about;
    switch (nr) {
    case SYS_lseek: /* ext4 has holes in directories */
        return values[2] >= SEEK_DATA && !fstat(values[0], &about) && S_ISDIR(about.st_mode);
    case SYS_mremap: /* since 6.17 several mappings may move at once */
        return values[3] & MREMAP_FIXED && (values[1] + 4095) / 4096 == (values[2] + 4095) / 4096;
    case SYS_read: /* Linux fills pipes by pages, and a page by halves not at all */
    case SYS_write:
        return arguments[1].kind == 'e' && values[2] > (long)arguments[1].size && !fstat(values[0], &about) &&
               S_ISFIFO(about.st_mode);
    }
    return 0;
}

static void run(char *line, int number);

static void system_call(char **save, int number, int pointer)
{
    struct argument arguments[6];
    long values[6] = {0};
    int count = 0;
    char *word = strtok_r(NULL, " ", save);
    long nr = atol(word);
    arena_used = 0;
    while (count < 6 && (word = strtok_r(NULL, " ", save)))
        values[count] = parse(word, &arguments[count], number), count++;
    if (differs_by_design(nr, values, arguments)) {
        say(" skipped");
        return;
    }
    errno = 0;
    long result = syscall(nr, values[0], values[1], values[2], values[3], values[4], values[5]);
    if (result == -1 && errno) {
        say(" error %d", errno);
        return;
    }
    if (pointer) {
        if ((unsigned long)result >= WINDOW && (unsigned long)result < WINDOW + WINDOW_SIZE)
            say(" w%lx", result - WINDOW);
        else
            say(" elsewhere");
        return;
    }
    int slot = -1;
    for (int i = 0; i <= SERVANTS; i++)
        if (result > 40 && result == servants[i])
            slot = i;
    if (slot >= 0)
        say(" process %d", slot);
    else
        say(" %ld", result);
    for (int i = 0; i < count; i++)
        show_argument(&arguments[i], result);
}

#include "servants.h"

static void run(char *line, int number)
{
    char *save, *word = strtok_r(line, " ", &save);
    volatile unsigned char *at;
    switch (*word) {
    case 'N':
    case 'P':
        system_call(&save, number, *word == 'P');
        break;
    case 'R':
        at = (unsigned char *)WINDOW + strtol(strtok_r(NULL, " ", &save), NULL, 0);
        if (!sigsetjmp(probe, 1))
            say(" byte %02x", *at);
        break;
    case 'W':
        at = (unsigned char *)WINDOW + strtol(strtok_r(NULL, " ", &save), NULL, 0);
        if (!sigsetjmp(probe, 1)) {
            *at = strtol(strtok_r(NULL, " ", &save), NULL, 0);
            say(" done");
        }
        break;
    case 'M':
        show_maps();
        break;
    case 'B': {
        long end = syscall(SYS_brk, first_brk + strtol(strtok_r(NULL, " ", &save), NULL, 0));
        say(" %lx", end - first_brk);
        break;
    }
    default:
        servant_operation(word, &save);
    }
}

static void run_line(char *line, int number)
{
    say("%d:", number);
    run(line, number);
    say("\n");
}

int main(int argc, char **argv)
{
    int length = 0, count = 0;
    static char *lines[4096];
    for (long n; (n = read(0, text + length, sizeof text - 1 - length)) > 0;)
        length += n;
    if (argc > 2 && !strcmp(argv[2], "chroot") && (chroot(argv[1]) || chdir("/")))
        return 97;
    if (argc > 1 && chdir(argc > 2 ? "/" : argv[1]))
        return 96;
    servants = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    umask(022);
    alarm(10);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    unsigned char *memory = mmap(NULL, (1 << 20) + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guard = memory + (1 << 20);
    munmap(guard, 4096);
    mmap(guard, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    first_brk = (syscall(SYS_brk, 0) + 4095) & ~4095L;
    for (char *line = strtok(text, "\n"); line && count < 4096; line = strtok(NULL, "\n"))
        lines[count++] = line;
    for (int i = 0; i < count; i++) {
        if (*lines[i] == 'F') {
            int n = atoi(lines[i] + 1), end = i + 1 + n < count ? i + 1 + n : count, status;
            flush(1);
            pid_t child = fork();
            if (!child) {
                for (int j = i + 1; j < end; j++)
                    run_line(lines[j], j);
                flush(1);
                _exit(0);
            }
            waitpid(child, &status, 0);
            say("child %x\n", status);
            i = end - 1;
            continue;
        }
        run_line(lines[i], i);
    }
    servants_end();
    flush(1);
    return 0;
}
