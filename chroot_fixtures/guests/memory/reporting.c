/* What is said about memory: maps, smaps, pagemap, mincore, status, numa_maps and mem, of the same mappings, agreeing.
   Only what does not depend on the machine is printed: pages relative to a mapping, sums, differences. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define RW (PROT_READ | PROT_WRITE)

static const char *error(void) { return strerrorname_np(errno); }

static char text[1 << 20];

static char *slurp(const char *path) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        printf("%s: %s\n", path, error());
        exit(1);
    }
    size_t length = 0;
    for (ssize_t n; (n = read(fd, text + length, sizeof text - 1 - length)) > 0;) length += n;
    text[length] = 0;
    close(fd);
    return text;
}

/* The record of smaps for the mapping that contains `address`, cut out. */
static char *record(pid_t pid, void *address) {
    char path[40];
    sprintf(path, "/proc/%d/smaps", pid);
    for (char *line = slurp(path); *line;) {
        unsigned long start, end;
        char *next = strstr(line, "VmFlags");
        next = strchr(next, '\n') + 1;
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start <= (unsigned long)address && (unsigned long)address < end) {
            *next = 0;
            return line;
        }
        line = next;
    }
    return "";
}

static long number(char *where, const char *label) {
    char wanted[40];
    sprintf(wanted, "\n%s:", label);
    char *line = strstr(where, wanted);
    return line ? atol(line + strlen(wanted)) : -1;
}

static void smaps(const char *what, pid_t pid, void *address) {
    char *at = record(pid, address);
    printf("%s: size %ld rss %ld pss %ld shared %ld private %ld anonymous %ld locked %ld,", what, number(at, "Size"),
           number(at, "Rss"), number(at, "Pss"), number(at, "Shared_Clean") + number(at, "Shared_Dirty"),
           number(at, "Private_Clean") + number(at, "Private_Dirty"), number(at, "Anonymous"), number(at, "Locked"));
    char *flags = strstr(at, "VmFlags:");
    for (char *flag = strtok(flags ? flags + 8 : "", " \n"); flag; flag = strtok(NULL, " \n"))
        if (strcmp(flag, "sd")) printf(" %s", flag);
    printf("\n");
}

/* A letter for each page: what pagemap says, then what mincore says. */
static void pages(const char *what, char *address, int count) {
    uint64_t words[64];
    unsigned char vector[64];
    int fd = open("/proc/self/pagemap", O_RDONLY);
    ssize_t n = pread(fd, words, count * 8, (uintptr_t)address / PAGE * 8);
    close(fd);
    printf("%s: %zd ", what, n);
    for (int i = 0; i < count; i++) {
        int present = words[i] >> 63 & 1, file = words[i] >> 61 & 1, alone = words[i] >> 56 & 1;
        putchar(!present ? '-' : file ? (alone ? 'F' : 'f') : alone ? 'A' : 'a');
    }
    putchar(' ');
    if (mincore(address, count * PAGE, vector))
        printf("%s", error());
    else
        for (int i = 0; i < count; i++) putchar(vector[i] & 1 ? '1' : '0');
    putchar('\n');
}

/* The lines of maps that lie in a range. */
static void maps(const char *what, char *base, int count) {
    printf("%s:\n", what);
    for (char *line = strtok(slurp("/proc/self/maps"), "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long start, end, offset, inode, low = (unsigned long)base;
        char rights[8], device[16];
        int at = 0;
        sscanf(line, "%lx-%lx %7s %lx %15s %lu %n", &start, &end, rights, &offset, device, &inode, &at);
        if (start < low || end > low + count * PAGE) continue;
        char *name = line + at, *slash = strrchr(name, '/');
        int column = *name ? at : 0;
        if (slash && strncmp(name, "/dev", 4) && strncmp(name, "/memfd", 6)) name = slash;
        printf("  %lu-%lu %s %lx %s %s column %d '%s'\n", (start - low) / PAGE, (end - low) / PAGE, rights, offset,
               strcmp(device, "00:00") ? "device" : "none", inode || strstr(name, "SYSV") ? "inode" : "0", column, name);
    }
}

static long status(const char *label) {
    return number(slurp("/proc/self/status"), label);
}

static void anonymous(void) {
    char *area = mmap(0, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(area - PAGE, 0, RW);
    smaps("untouched", getpid(), area);
    area[0] = area[3 * PAGE] = 1;
    volatile char seen = area[5 * PAGE];
    (void)seen;
    smaps("two written, one read", getpid(), area);
    pages("two written, one read", area, 8);
    mprotect(area + 3 * PAGE, PAGE, PROT_NONE);
    mprotect(area + 4 * PAGE, PAGE, PROT_READ);
    maps("protected", area, 8);
    smaps("protected", getpid(), area + 3 * PAGE);
    pages("protected", area, 8);
    mprotect(area, 8 * PAGE, RW);
    maps("joined", area, 8);
    madvise(area, PAGE, MADV_DONTNEED);
    pages("forgotten", area, 8);
    munmap(area + 6 * PAGE, PAGE);
    pages("with a hole", area, 8);
    maps("with a hole", area, 8);
    mlock(area + PAGE, 2 * PAGE);
    smaps("locked", getpid(), area + PAGE);
    printf("VmLck %ld\n", status("VmLck"));
    munlock(area + PAGE, 2 * PAGE);
    printf("VmLck %ld\n", status("VmLck"));
    munmap(area, 8 * PAGE);
    area = mmap(0, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    madvise(area, PAGE, MADV_DONTFORK);
    madvise(area + PAGE, PAGE, MADV_WIPEONFORK);
    madvise(area + 2 * PAGE, PAGE, MADV_DONTDUMP);
    madvise(area + 3 * PAGE, PAGE, MADV_SEQUENTIAL);
    for (int i = 0; i < 4; i++) smaps("advised", getpid(), area + i * PAGE);
    munmap(area, 4 * PAGE);
}

static void forked(void) {
    char *area = mmap(0, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *shared = mmap(0, 8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(area, 1, 4 * PAGE);
    memset(shared, 1, 2 * PAGE);
    int go[2], done[2];
    char c;
    pipe(go);
    pipe(done);
    smaps("before fork", getpid(), area);
    smaps("shared before fork", getpid(), shared);
    pages("shared before fork", shared, 8);
    pid_t pid = fork();
    if (!pid) {
        write(done[1], "c", 1);
        read(go[0], &c, 1);
        area[0] = 2;
        area[5 * PAGE] = 2;
        shared[0] = shared[PAGE] = 2; /* or not: whether a child begins with its parent's pages of files is its affair */
        shared[4 * PAGE] = 2;
        write(done[1], "c", 1);
        read(go[0], &c, 1);
        _exit(0);
    }
    read(done[0], &c, 1);
    smaps("after fork", getpid(), area);
    smaps("child", pid, area);
    pages("after fork", area, 8);
    write(go[1], "c", 1);
    read(done[0], &c, 1);
    smaps("child has written", getpid(), area);
    smaps("child", pid, area);
    pages("child has written", area, 8);
    smaps("shared", getpid(), shared);
    smaps("child, shared", pid, shared);
    pages("shared", shared, 8);
    area[1 * PAGE] = 3;
    pages("parent too", area, 8);
    write(go[1], "c", 1);
    waitpid(pid, 0, 0);
    smaps("alone again", getpid(), area);
    pages("alone again", area, 8);
    smaps("shared, alone again", getpid(), shared);
    maps("shared", shared, 8);
    mprotect(shared, PAGE, PROT_READ);
    volatile char seen = *shared;
    (void)seen;
    smaps("shared, read-only", getpid(), shared);
    munmap(area, 8 * PAGE);
    munmap(shared, 8 * PAGE);
}

static void files(void) {
    int fd = open("mapped file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char block[4 * PAGE];
    memset(block, 7, sizeof block);
    write(fd, block, sizeof block);
    fsync(fd);
    char *base = mmap(0, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *private = mmap(base, 4 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
    char *shared = mmap(base + 5 * PAGE, 3 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, PAGE);
    int reader = open("mapped file", O_RDONLY);
    char *seen = mmap(base + 9 * PAGE, 6 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, reader, 0);
    volatile char sum = 0;
    for (int i = 0; i < 4; i++) sum += private[i * PAGE] + seen[i * PAGE];
    smaps("private file", getpid(), private);
    smaps("read-only file", getpid(), seen);
    for (int i = 0; i < 3; i++) sum += shared[i * PAGE];
    private[PAGE] = 1;
    shared[PAGE] = 1;
    smaps("private file, written", getpid(), private);
    smaps("shared file, written", getpid(), shared);
    pages("private file, written", private, 4);
    pages("shared file, written", shared, 3);
    pages("read-only file", seen, 6);
    maps("files", base, 16);
    char name[100], link[200];
    sprintf(name, "/proc/self/map_files/%lx-%lx", (long)seen, (long)seen + 6 * PAGE);
    ssize_t n = readlink(name, link, sizeof link - 1);
    link[n > 0 ? n : 0] = 0;
    printf("map_files %s\n", n > 0 ? strrchr(link, '/') : error());
    munmap(private, 4 * PAGE);
    smaps("one mapping less", getpid(), shared);
    unlink("mapped file");
    int memory = memfd_create("a name", 0);
    ftruncate(memory, 2 * PAGE);
    mmap(base, PAGE, RW, MAP_SHARED | MAP_FIXED, memory, PAGE);
    mmap(base + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, memory, 0);
    int zero = open("/dev/zero", O_RDWR);
    mmap(base + 2 * PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, zero, 0);
    int id = shmget(IPC_PRIVATE, PAGE, 0600);
    shmat(id, base + 4 * PAGE, SHM_REMAP);
    shmctl(id, IPC_RMID, 0);
    maps("names", base, 16);
    base[0] = 1;
    sum += base[PAGE];
    pages("names", base, 4);
    munmap(base, 16 * PAGE);
}

__attribute__((noinline, aligned(64))) static int answer(void) {
    __asm__ volatile("");
    return 42424242;
}

static void force(int fd, const char *what, void *address) {
    char got[4] = "", put[4] = "put";
    ssize_t r = pread64(fd, got, 3, (off64_t)(uintptr_t)address);
    const char *reading = r < 0 ? error() : "";
    ssize_t w = pwrite64(fd, put, 3, (off64_t)(uintptr_t)address);
    const char *writing = w < 0 ? error() : "";
    printf("%s: read %zd %s%d, written %zd %s\n", what, r, reading, got[0], w, writing);
}

static void memory(void) {
    int fd = open("/proc/self/mem", O_RDWR), file = open("contents", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(file, PAGE);
    char *area = mmap(0, 16 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 5, 2 * PAGE);
    mprotect(area, PAGE, PROT_NONE);
    mprotect(area + PAGE, PAGE, PROT_READ);
    mprotect(area + 2 * PAGE, PAGE, PROT_NONE);
    mprotect(area + 3 * PAGE, PAGE, PROT_WRITE);
    mprotect(area + 4 * PAGE, PAGE, PROT_EXEC);
    mmap(area + 5 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);
    mmap(area + 6 * PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
    mmap(area + 8 * PAGE, PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    munmap(area + 9 * PAGE, PAGE);
    static const char *names[] = {"no access", "read-only", "no access, untouched", "write-only", "exec-only",
                                  "shared file, read-only", "private file, read-only", "behind the end",
                                  "shared, no access", "unmapped", "plain"};
    for (int i = 0; i < 11; i++) force(fd, names[i], area + i * PAGE);
    for (int i = 0; i < 11; i++)
        if (i != 9) {
            char *at = record(getpid(), area + i * PAGE);
            printf("%s: anonymous %ld, %.4s\n", names[i], number(at, "Anonymous"), *at ? strchr(at, ' ') + 1 : "");
        }
    pid_t pid = fork();
    if (!pid) {
        area[PAGE] = 1;
        _exit(0);
    }
    int how;
    waitpid(pid, &how, 0);
    printf("a store to what was written by force: signal %d\n", WTERMSIG(how));
    pread(file, text, 3, 0);
    printf("the file has %d, the mapping %.3s\n", text[0], area + 6 * PAGE);
    char buffer[3 * PAGE];
    printf("up to the hole: %zd\n", pread64(fd, buffer, sizeof buffer, (off64_t)(uintptr_t)(area + 8 * PAGE - 10 + PAGE)));
    printf("nothing: %zd\n", pread64(fd, buffer, 0, 0));
    mprotect(area, 16 * PAGE, RW);
    printf("written by force: %.3s %.3s %.3s\n", area, area + PAGE, area + 2 * PAGE);
    int old = 42424242, value = 43434343, before = answer();
    unsigned char *code = (unsigned char *)(uintptr_t)answer;
    for (int i = 0; i < 32; i++)
        if (!memcmp(code + i, &old, 4)) printf("patched: %zd\n", pwrite64(fd, &value, 4, (off64_t)(uintptr_t)(code + i)));
    printf("%d, then %d\n", before, answer());
    unsigned long low = 0, now;
    for (int i = 0; i < 2; i++)
        for (char *line = strtok(slurp("/proc/self/maps"), "\n"); line; line = strtok(NULL, "\n"))
            if (strstr(line, "[stack]")) {
                sscanf(line, "%lx", &now);
                if (i) printf("the stack has grown by %lu pages\n", (low - now) / PAGE);
                else printf("below the stack: %zd\n", pread64(fd, buffer, 8, (off64_t)(low = now) - 5 * PAGE));
            }
    printf("seek: %d", lseek(fd, 0, SEEK_END) == -1 ? errno : 0);
    printf(" %d\n", lseek(fd, 4096, SEEK_SET) == 4096 && lseek(fd, 1, SEEK_CUR) == 4097);
    munmap(area, 16 * PAGE);
    close(fd);
    unlink("contents");
}

static char first[1 << 16];

/* Whether all that tells the size of the address space, and all that tells what of it is resident, agrees. */
static void sums(const char *what, int print) {
    long size = 0, rss = 0, total, resident, shared, code, data;
    strcpy(first, slurp("/proc/self/statm"));
    char *now = slurp("/proc/self/status");
    long kilobytes = number(now, "VmSize"), held = number(now, "VmRSS");
    long parts = number(now, "RssAnon") + number(now, "RssFile") + number(now, "RssShmem");
    long peak = number(now, "VmPeak"), most = number(now, "VmHWM"), own = number(now, "VmData") + number(now, "VmStk");
    sscanf(first, "%ld %ld %ld %ld 0 %ld", &total, &resident, &shared, &code, &data);
    char *all = slurp("/proc/self/smaps");
    for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n")) {
        long value;
        if (strstr(line, "[vsyscall]")) break;
        if (sscanf(line, "Size: %ld", &value) == 1) size += value;
        if (sscanf(line, "Rss: %ld", &value) == 1) rss += value;
    }
    long vsize = 0;
    char *field = strrchr(slurp("/proc/self/stat"), ')');
    for (int i = 3; i <= 23; i++) field = strchr(field, ' ') + 1;
    vsize = atol(field);
    char *rollup = slurp("/proc/self/smaps_rollup"), *rest = strchr(rollup, '\n');
    if (print)
        printf("%s: sizes %d%d%d, resident %d%d%d%d, peaks %d%d, data %d, %.*s\n", what, size == kilobytes,
               size == total * 4, size == vsize / 1024, rss == held, rss == resident * 4, rss == parts,
               rss == number(rollup, "Rss"), peak >= size, most >= rss, data * 4 == own,
               (int)(rest - strchr(rollup, ' ')), strchr(rollup, ' '));
    else
        sums(what, 1); /* what reading touches is touched now */
}

static void changes(void) {
    long rss = status("RssAnon"), shmem = status("RssShmem"), size = status("VmSize"), data = status("VmData");
    char *area = mmap(0, 64 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *shared = mmap(0, 64 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    printf("mapped: VmSize %ld VmData %ld RssAnon %ld\n", status("VmSize") - size, status("VmData") - data,
           status("RssAnon") - rss);
    for (int i = 0; i < 64; i += 4) area[i * PAGE] = shared[i * PAGE / 2] = 1;
    printf("touched: RssAnon %ld RssShmem %ld\n", status("RssAnon") - rss, status("RssShmem") - shmem);
    mprotect(area, 32 * PAGE, PROT_READ);
    printf("read-only: VmData %ld RssAnon %ld\n", status("VmData") - data, status("RssAnon") - rss);
    munmap(area, 32 * PAGE);
    printf("unmapped: VmSize %ld RssAnon %ld\n", status("VmSize") - size, status("RssAnon") - rss);
    area = mremap(area + 32 * PAGE, 32 * PAGE, 128 * PAGE, MREMAP_MAYMOVE);
    printf("grown: VmSize %ld RssAnon %ld\n", status("VmSize") - size, status("RssAnon") - rss);
    munmap(area, 128 * PAGE);
    munmap(shared, 64 * PAGE);
    printf("gone: VmSize %ld RssAnon %ld RssShmem %ld\n", status("VmSize") - size, status("RssAnon") - rss,
           status("RssShmem") - shmem);
    area = mmap(0, 512 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 1, 512 * PAGE);
    munmap(area, 512 * PAGE);
    printf("peaks: %d %d\n", status("VmPeak") - status("VmSize") >= 2048, status("VmHWM") - status("VmRSS") >= 1024);
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    write(fd, "5", 1);
    close(fd);
    printf("after clear_refs: %d\n", status("VmHWM") - status("VmRSS") < 512);
    for (int kind = 1; kind <= 4; kind++) {
        char *old = mmap(0, 16 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        char *kept = mmap(0, 16 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        for (int i = 15; i >= 0; i--) old[i * PAGE] = kept[i * PAGE] = 1;
        fd = open("/proc/self/clear_refs", O_WRONLY);
        char digit = '0' + kind;
        write(fd, &digit, 1);
        close(fd);
        char *much = mmap(0, 512 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(much, 1, 512 * PAGE);
        munmap(much, 512 * PAGE); /* now the processor's TLB knows nothing any more */
        long before = number(record(getpid(), old), "Referenced"), also = number(record(getpid(), kept), "Referenced");
        volatile char seen = old[PAGE] + kept[3 * PAGE];
        old[5 * PAGE] = 2;
        fd = open("/proc/self/statm", O_RDONLY);
        read(fd, old + 7 * PAGE, 8); /* an access by the kernel */
        close(fd);
        long later = number(record(getpid(), old), "Referenced"), too = number(record(getpid(), kept), "Referenced");
        /* a processor that guesses what comes next sets a bit more */
        printf("clear_refs %d: referenced %s and %s, then %s%s and %s%s\n", kind, before < 32 ? "few" : "all",
               also < 32 ? "few" : "all", later < 40 ? "few" : "all", later >= 12 ? "" : "?", too < 40 ? "few" : "all",
               too >= 4 ? "" : "?");
        munmap(old, 16 * PAGE);
        munmap(kept, 16 * PAGE);
    }
    char *locked = mmap(0, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    smaps("MAP_LOCKED", getpid(), locked);
    printf("VmLck %ld\n", status("VmLck"));
    munmap(locked, 4 * PAGE);
    printf("VmLck %ld\n", status("VmLck"));
}

static void places(void) {
    unsigned long fields[60] = {0};
    char *field = strrchr(slurp("/proc/self/stat"), ')');
    for (int i = 3; i <= 51; i++) {
        field = strchr(field, ' ') + 1;
        fields[i] = strtoul(field, NULL, 10);
    }
    static int initialised = 1;
    unsigned long code = (unsigned long)(uintptr_t)answer, data = (unsigned long)&initialised, local = (unsigned long)&code;
    printf("code %d, data %d, stack %d, arguments %d\n", fields[26] <= code && code < fields[27],
           fields[45] <= data && data < fields[46], local < fields[28] && fields[28] - local < 1 << 20,
           fields[28] < fields[48] && fields[48] < fields[49] && fields[49] <= fields[50] && fields[50] <= fields[51]);
    sbrk(3 * PAGE);
    char *heap = sbrk(0);
    for (char *line = strtok(slurp("/proc/self/maps"), "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long start, end;
        sscanf(line, "%lx-%lx", &start, &end);
        if (strstr(line, "[heap]")) printf("heap: ends at the break %d\n", end == (((unsigned long)heap + PAGE - 1) & -PAGE));
        if (strstr(line, "[stack]")) printf("stack: %d %.4s\n", start <= local && local < end, strchr(line, ' ') + 1);
        if (strstr(line, "[vdso]")) printf("vdso: %.4s\n", strchr(line, ' ') + 1);
    }
    struct sysinfo info;
    sysinfo(&info);
    char *memory = slurp("/proc/meminfo");
    long total = atol(strchr(memory, ':') + 1), kilobytes = info.mem_unit;
    printf("meminfo: total %d, free %d, available %d\n", total == (long)((unsigned long long)info.totalram * kilobytes / 1024),
           labs(number(memory, "MemFree") - (long)((unsigned long long)info.freeram * kilobytes / 1024)) < 262144,
           number(memory, "MemAvailable") <= total && number(memory, "MemAvailable") > 0);
}

static void refused(void) {
    unsigned char vector[8];
    char *area = mmap(0, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    area[0] = 1;
    munmap(area + 2 * PAGE, PAGE);
    memset(vector, 9, 8);
    int r = mincore(area, 4 * PAGE, vector);
    printf("mincore: hole %d %s, stored %d %d %d\n", r, error(), vector[0], vector[1], vector[2]);
    r = mincore(area + 1, PAGE, vector);
    printf("mincore: unaligned %s\n", r ? error() : "works");
    r = mincore(area, PAGE, (void *)16);
    printf("mincore: bad vector %s\n", r ? error() : "works");
    r = mincore(area, 0, vector);
    printf("mincore: nothing %s\n", r ? error() : "works");
    r = mincore((void *)-PAGE, PAGE, vector);
    printf("mincore: no user memory %s\n", r ? error() : "works");
    r = mincore(area, 1, vector);
    printf("mincore: a byte %s %d\n", r ? error() : "works", vector[0]);
    int fd = open("/proc/self/pagemap", O_RDONLY);
    char words[24];
    printf("pagemap: %zd", pread(fd, words, 12, 0));
    printf(" %s", error());
    printf(" %zd %zd\n", pread(fd, words, 8, 4), pread(fd, words, 0, 0));
    pid_t pid = fork(), parent = getppid();
    (void)parent;
    if (!pid) {
        parent = getppid();
        setgid(1000);
        setuid(1000);
        static const char *names[] = {"maps", "smaps", "smaps_rollup", "numa_maps", "pagemap", "mem", "map_files", "statm", "status", "oom_score"};
        for (int i = 0; i < 10; i++) {
            char path[40];
            sprintf(path, "/proc/%d/%s", parent, names[i]);
            int opened = open(path, O_RDONLY);
            printf("%s: %s\n", names[i], opened < 0 ? error() : "opened");
        }
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, 0, 0);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    anonymous();
    forked();
    files();
    memory();
    sums("at first", 0);
    changes();
    char *big = mmap(0, 1024 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(big, 1, 600 * PAGE);
    char *other = mmap(0, 100 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(other, 1, 50 * PAGE);
    sums("more", 0);
    pid_t pid = fork();
    if (!pid) {
        memset(big, 2, 100 * PAGE);
        sums("child", 0);
        _exit(0);
    }
    waitpid(pid, 0, 0);
    madvise(big, 300 * PAGE, MADV_DONTNEED);
    sums("less", 0);
    places();
    refused();
    return 0;
}
