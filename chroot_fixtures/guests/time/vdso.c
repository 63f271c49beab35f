/* The vDSO: an ELF image that the auxiliary vector names and /proc/self/maps shows; its functions, by symbol and version;
 * both sides of a system call agree on the time; fork, mprotect, munmap. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static ElfW(Ehdr) *image;
static ElfW(Sym) *symbols;
static const char *strings;
static ElfW(Half) *versions;
static ElfW(Verdef) *definitions;
static ElfW(Word) *hash, *gnu_hash;

static const char *version_name(int index)
{
    ElfW(Verdef) *d = definitions;
    for (;;) {
        if ((d->vd_ndx & 0x7fff) == index)
            return strings + ((ElfW(Verdaux) *)((char *)d + d->vd_aux))->vda_name;
        if (!d->vd_next)
            return "none";
        d = (ElfW(Verdef) *)((char *)d + d->vd_next);
    }
}

/* By DT_HASH, as programs without GNU_HASH do. */
static void *look(const char *name)
{
    unsigned long h = 0;
    for (const char *c = name; *c; c++) {
        h = (h << 4) + *c;
        h = (h ^ (h >> 24 & 0xf0)) & 0x0fffffff;
    }
    for (ElfW(Word) i = hash[2 + h % hash[0]]; i; i = hash[2 + hash[0] + i])
        if (!strcmp(strings + symbols[i].st_name, name) && symbols[i].st_shndx != SHN_UNDEF) {
            printf("%s: %s, type %d\n", name, versions ? version_name(versions[i] & 0x7fff) : "-",
                   ELF32_ST_TYPE(symbols[i].st_info));
            return (char *)image + symbols[i].st_value;
        }
    printf("%s: missing\n", name);
    return NULL;
}

typedef int (*clock_function)(int, struct timespec *);
typedef int (*day_function)(struct timeval *, struct timezone *);
typedef time_t (*time_function)(time_t *);
typedef long (*cpu_function)(unsigned *, unsigned *, void *);

static long long ns(const struct timespec *t)
{
    return t->tv_sec * 1000000000LL + t->tv_nsec;
}

/* Never back, whoever is asked; returns how many times it was. */
static int back(clock_function vdso, int clock, int rounds)
{
    struct timespec t;
    long long last = 0;
    int found = 0;
    for (int i = 0; i < rounds; i++) {
        for (int j = 0; j < 20; j++) {
            vdso(clock, &t);
            found += ns(&t) < last || t.tv_nsec < 0 || t.tv_nsec >= 1000000000;
            last = ns(&t);
        }
        syscall(SYS_clock_gettime, clock, &t);
        found += ns(&t) < last;
        last = ns(&t);
    }
    return found;
}

static void use(clock_function gettime, day_function day, time_function seconds)
{
    struct timespec t, u;
    struct timeval v;
    struct timezone z = {5, 5};
    time_t s, stored;
    static const int clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_TAI,
                                 CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE};
    for (unsigned i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        int result = gettime(clocks[i], &t);
        syscall(SYS_clock_gettime, clocks[i], &u);
        printf("clock %d: %d, near %d\n", clocks[i], result, llabs(ns(&u) - ns(&t)) < 100000000);
    }
    for (int clock = 0; clock < 5; clock++)
        printf("back %d: %d\n", clock,
               clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID ? 0 : back(gettime, clock, 3000));
    printf("cpu %d %d\n", gettime(CLOCK_PROCESS_CPUTIME_ID, &t), gettime(CLOCK_THREAD_CPUTIME_ID, &t));
    int result = gettime(99, &t);
    printf("no clock %d %d\n", result == -1 || result == -EINVAL, gettime(-1, &t) < 0);
    result = day(&v, &z);
    gettime(CLOCK_REALTIME, &t);
    printf("day %d near %d valid %d zone %d\n", result,
           llabs(ns(&t) / 1000 - (v.tv_sec * 1000000LL + v.tv_usec)) < 100000, v.tv_usec >= 0 && v.tv_usec < 1000000,
           z.tz_minuteswest);
    printf("day %d %d\n", day(NULL, &z), day(&v, NULL));
    s = seconds(&stored);
    printf("time %d %d %d\n", s == stored, llabs(s - t.tv_sec) < 2, llabs(seconds(NULL) - s) < 2);
}

int main(void)
{
    char line[512];
    unsigned long start, end;
    struct timespec t;
    int status;
    unsigned cpu = 77, node = 77;

    image = (ElfW(Ehdr) *)getauxval(AT_SYSINFO_EHDR);
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "[vdso]")) {
            char rights[8];
            sscanf(line, "%lx-%lx %7s", &start, &end, rights);
            printf("[vdso] %s, where it should be %d\n", rights, start == (unsigned long)image);
        } else if (strstr(line, "[vvar]"))
            printf("[vvar] %.4s\n", strchr(line, ' ') + 1);
    fclose(maps);
    printf("magic %d type %d machine %d\n", !memcmp(image->e_ident, ELFMAG, SELFMAG), image->e_type,
           image->e_machine == (sizeof(long) == 8 ? EM_X86_64 : EM_386));
    ElfW(Phdr) *headers = (ElfW(Phdr) *)((char *)image + image->e_phoff);
    ElfW(Dyn) *dynamic = NULL;
    const char *soname = NULL;
    int load = 0, unwind = 0;
    for (int i = 0; i < image->e_phnum; i++) {
        if (headers[i].p_type == PT_LOAD)
            load += headers[i].p_vaddr == 0 && headers[i].p_flags == (PF_R | PF_X);
        if (headers[i].p_type == PT_DYNAMIC)
            dynamic = (ElfW(Dyn) *)((char *)image + headers[i].p_vaddr);
        if (headers[i].p_type == PT_GNU_EH_FRAME)
            unwind = *((char *)image + headers[i].p_vaddr); /* version of .eh_frame_hdr */
    }
    printf("load %d unwind %d\n", load, unwind);
    unsigned long name = 0;
    for (; dynamic->d_tag; dynamic++) {
        void *at = (char *)image + dynamic->d_un.d_ptr;
        switch (dynamic->d_tag) {
        case DT_SYMTAB: symbols = at; break;
        case DT_STRTAB: strings = at; break;
        case DT_VERSYM: versions = at; break;
        case DT_VERDEF: definitions = at; break;
        case DT_HASH: hash = at; break;
        case DT_GNU_HASH: gnu_hash = at; break;
        case DT_SONAME: name = dynamic->d_un.d_val; break;
        }
    }
    soname = strings + name;
    printf("%s\n", soname);
    if (!hash) /* distributions differ */
        return 0;
#ifdef __x86_64__
    clock_function gettime = look("__vdso_clock_gettime"), getres = look("__vdso_clock_getres");
    printf("weak %d\n", look("clock_gettime") == gettime && look("clock_getres") == getres);
    day_function day = look("__vdso_gettimeofday");
    time_function seconds = look("__vdso_time");
    cpu_function getcpu = look("__vdso_getcpu");
    look("gettimeofday"), look("time"), look("getcpu");
#else
    clock_function gettime = look("__vdso_clock_gettime"), getres = look("__vdso_clock_getres");
    int (*wide)(int, long long *) = look("__vdso_clock_gettime64");
    day_function day = look("__vdso_gettimeofday");
    time_function seconds = look("__vdso_time");
    cpu_function getcpu = NULL;
    void *entry = look("__kernel_vsyscall");
    printf("AT_SYSINFO %d\n", entry == (void *)getauxval(AT_SYSINFO));
    look("__kernel_sigreturn"), look("__kernel_rt_sigreturn");
    long pid;
    __asm__ volatile("call *%1" : "=a"(pid) : "r"(entry), "0"(SYS_getpid) : "memory");
    printf("called %d\n", pid == getpid());
    long long both[2] = {1, -1};
    int result = wide(CLOCK_REALTIME, both);
    printf("wide %d %d %d\n", result, both[0] > 1600000000, both[1] >= 0 && both[1] < 1000000000);
    printf("wide cpu %d\n", wide(CLOCK_PROCESS_CPUTIME_ID, both));
#endif
    use(gettime, day, seconds);
    for (int clock = 0; clock < 12; clock++) {
        t.tv_sec = 9;
        if (clock != CLOCK_REALTIME_ALARM && clock != CLOCK_BOOTTIME_ALARM) {
            int result = getres(clock, &t);
            printf("res %d: %d %d", clock, result < 0, getres(clock, NULL) < 0);
            printf(" %ld %d\n", result < 0 ? 0 : (long)t.tv_sec, result < 0 ? 0 : t.tv_nsec > 1);
        }
    }
    if (getcpu)
        printf("cpu %ld %d %d %ld\n", getcpu(&cpu, &node, NULL), cpu < 4096, node < 64, getcpu(NULL, NULL, NULL));
    fflush(stdout);
    if (!fork()) {
        use(gettime, day, seconds);
        fflush(stdout);
        if (!fork()) {
            for (int i = 0; i < 1000; i++) { /* SIGSEGV, not EFAULT; but now and then the kernel is asked */
                gettime(CLOCK_MONOTONIC, &t);
                gettime(CLOCK_MONOTONIC, (struct timespec *)16);
            }
            _exit(0);
        }
        wait(&status);
        printf("bad pointer: signal %d\n", WTERMSIG(status));
        fflush(stdout);
        _exit(0);
    }
    wait(&status);
    size_t length = end - start;
    printf("write %d", mprotect(image, length, PROT_READ | PROT_WRITE | PROT_EXEC));
    *(volatile char *)image = *(char *)image;
    printf(" %d\n", gettime(CLOCK_MONOTONIC, &t));
    fflush(stdout);
    if (!fork()) {
        int result = munmap(image, length); /* i386 would come back through it */
        printf("munmap %d\n", result);
        printf("the call %ld\n", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t));
        fflush(stdout);
        gettime(CLOCK_MONOTONIC, &t);
    }
    wait(&status);
    printf("gone: signal %d\n", WTERMSIG(status));
    return 0;
}
