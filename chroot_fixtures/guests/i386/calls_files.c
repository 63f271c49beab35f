/* Files: the three stats, offsets in register pairs, files above 2 GB with and without O_LARGEFILE, directories. */
#include "calls.h"

#define BIG (5LL << 30)

static unsigned char buffer[4096];

static uint32_t word(int offset) { return *(uint32_t *)(buffer + offset); }
static uint16_t half(int offset) { return *(uint16_t *)(buffer + offset); }
static uint64_t quad(int offset) { return *(uint64_t *)(buffer + offset); }

static void show_stat(const char *text, long result)
{
    shown(text, result);
    if (result == 0)
        printf("  mode %o links %u uid %u gid %u size %u times %u %u %u\n", half(8), half(10), half(12), half(14),
               word(20), word(32), word(40), word(36));
}

static void show_stat64(const char *text, long result)
{
    shown(text, result);
    if (result == 0)
        printf("  mode %o links %u uid %u gid %u size %llu blocks %s times %u %u %u ino %d\n", word(16), word(20),
               word(24), word(28), (long long)quad(44), quad(56) < 1 << 20 ? "few" : "many", word(64), word(72),
               word(68), word(12) == (uint32_t)quad(88));
}

static void stats(void)
{
    struct { int32_t s[4]; } times = {{1000, 5, 2000, 6}};
    int fd = S("open", 5, "small", O_RDWR | O_CREAT, 0640);
    S("write", 4, fd, "hello world", 11);
    S("utimensat", 320, -100, "small", &times, 0);
    memset(buffer, 0xEE, sizeof buffer);
    show_stat("stat", CALL(106, "small", buffer));
    bytes("  tail", buffer + 56, 12);
    show_stat("fstat", CALL(108, fd, buffer));
    show_stat("lstat", CALL(107, "nothing", buffer));
    memset(buffer, 0xEE, sizeof buffer);
    show_stat64("stat64", CALL(195, "small", buffer));
    bytes("  behind", buffer + 96, 4);
    show_stat64("fstat64", CALL(197, fd, buffer));
    show_stat64("lstat64", CALL(196, "small", buffer));
    show_stat64("fstatat64", CALL(300, -100, "small", buffer, 0));
    S("fstatat64 flags", 300, -100, "small", buffer, 0x80000000);
    memset(buffer, 0xEE, sizeof buffer);
    S("statx", 383, -100, "small", 0, 0x7ff, buffer);
    printf("  mode %o size %llu atime %lld %u\n", half(28), (long long)quad(40), (long long)quad(64), word(72));
    S("stat EFAULT", 106, "small", 8);
    S("oldstat /dev/null", 18, "/dev/null", buffer);
    printf("  mode %o rdev %x\n", half(4), half(12));
    S("statfs", 99, "/proc", buffer);
    printf("  type %x bsize %u namelen %u\n", word(0), word(4), word(36));
    S("statfs64", 268, "/proc", 84, buffer);
    printf("  type %x bsize %u blocks %llu namelen %u\n", word(0), word(4), (long long)quad(8), word(56));
    S("statfs64 size", 268, "/proc", 88, buffer);
    S("fstatfs64 size", 269, fd, 80, buffer);
    S("utimes", 271, "small", I32(7, 8, 9, 10));
    show_stat("stat", CALL(106, "small", buffer));
    S("utime", 30, "small", I32(70, 80));
    show_stat("stat", CALL(106, "small", buffer));
    S("utimensat_time64", 412, -100, "small", I64(5000000000, 0x700000001, -5, 9), 0);
    S("statx", 383, -100, "small", 0, 0x7ff, buffer);
    printf("  times %lld %u %lld %u\n", (long long)quad(64), word(72), (long long)quad(112), word(120));
    show_stat("stat cuts", CALL(106, "small", buffer));
    show_stat64("stat64 cuts", CALL(195, "small", buffer));
    S("utimensat_time64 ns", 412, -100, "small", I64(5, 1000000000, 5, 0), 0);
    S("futimesat", 299, -100, "small", I32(3, 4, 5, 1000000));
    S("close", 6, fd);
}

static void offsets(void)
{
    int64_t position = -1;
    int fd = S("open large", 5, "big", O_RDWR | O_CREAT | 0100000, 0600);
    S("ftruncate64", 194, fd, PAIR(BIG));
    S("_llseek", 140, fd, 1, 5, &position, 0);
    printf("  at %llx\n", (long long)position);
    S("_llseek end", 140, fd, -1, -16, &position, 2);
    printf("  at %llx\n", (long long)position);
    S("_llseek whence", 140, fd, 0, 0, &position, 9);
    S("_llseek EFAULT", 140, fd, 0, 0, 8, 0);
    S("lseek end, cut", 19, fd, 0, 2);
    S("lseek negative", 19, fd, -1, 0);
    S("lseek cur", 19, fd, -5, 1);
    S("pwrite64", 181, fd, "far", 3, PAIR(BIG - 100));
    memset(buffer, 0, 8);
    S("pread64", 180, fd, buffer, 3, PAIR(BIG - 100));
    printf("  %s\n", buffer);
    S("pread64 negative", 180, fd, buffer, 3, -1, -1);
    S("preadv", 333, fd, POINTERS(buffer, (void *)2, buffer + 2, (void *)1), 2, PAIR(BIG - 100));
    S("pwritev", 334, fd, POINTERS("ab", (void *)2, "c", (void *)1), 2, PAIR(BIG - 50));
    S("preadv2", 378, fd, POINTERS(buffer, (void *)3), 1, PAIR(BIG - 50), 0);
    printf("  %.3s\n", buffer);
    S("preadv2 -1", 378, fd, POINTERS(buffer, (void *)3), 1, -1, -1, 0);
    S("readv negative", 145, fd, POINTERS(buffer, (void *)-3), 1);
    S("fallocate", 324, fd, 3, PAIR(BIG / 2), PAIR(4096));
    S("fallocate negative", 324, fd, 0, -1, -1, 1, 0);
    S("sync_file_range", 314, fd, PAIR(BIG / 2), PAIR(BIG / 4), 2);
    S("sync_file_range negative", 314, fd, PAIR(BIG / 2), -1, -1, 2);
    S("readahead", 225, fd, PAIR(BIG / 2), 4096);
    S("fadvise64", 250, fd, PAIR(BIG / 2), 4096, 3);
    S("fadvise64_64", 272, fd, PAIR(BIG / 2), PAIR(BIG / 4), 3);
    S("fadvise64_64 advice", 272, fd, 0, 0, 0, 0, 77);
    S("truncate64", 193, "big", PAIR(BIG + 1));
    S("truncate64 negative", 193, "big", -1, -1);
    S("truncate negative", 92, "big", -1);

    S("stat", 106, "big", buffer);
    S("oldstat", 18, "big", buffer);
    S("fstat", 108, fd, buffer);
    S("stat64", 195, "big", buffer);
    printf("  size %llx\n", (long long)quad(44));
    S("open small", 5, "big", O_RDONLY);
    S("open small, truncating", 5, "big", O_RDWR | O_TRUNC);
    S("openat small", 295, -100, "big", O_RDONLY);
    S("open path", 5, "big", O_PATH);
    S("openat2", 437, -100, "big", I64(O_RDONLY, 0, 0), 24);
    S("creat", 8, "created", 0600);
    S("F_GETFL of creat", 55, 6, F_GETFL);
    S("F_GETFL of open", 55, S("open", 5, "created", O_RDWR), F_GETFL);

    int out = S("open", 5, "copy", O_RDWR | O_CREAT, 0600);
    int32_t from = 3;
    S("sendfile", 187, out, fd, &from, 5);
    printf("  at %d\n", from);
    position = BIG - 100;
    S("sendfile64", 239, out, fd, &position, 5);
    printf("  at %llx\n", (long long)position);
    from = 0x7fffffff;
    S("sendfile EOVERFLOW", 187, out, fd, &from, 5);
    from = -1;
    S("sendfile negative", 187, out, fd, &from, 5);
    S("_llseek", 140, fd, PAIR(0), &position, 0);
    S("sendfile without offset", 187, out, fd, 0, 5);
    S("copy_file_range", 377, fd, I64(BIG - 100), out, I64(1), 3, 0);

    S("lseek", 19, out, 0x7ffffff8, 0);
    S("write up to 2 GB", 4, out, buffer, 64);
    S("write beyond", 4, out, buffer, 64);
    S("writev beyond", 146, out, POINTERS(buffer, (void *)3), 1);
    S("pwrite64 beyond", 181, out, buffer, 3, PAIR(1LL << 31));
    S("ftruncate64 beyond", 194, out, PAIR(1LL << 31));
    S("ftruncate", 93, out, 100);
    S("unlink", 10, "big");
}

static int by_name(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

static void directories(void)
{
    char *names[20];
    int count = 0, fd;
    S("mkdir", 39, "d", 0755);
    S("creat", 8, "d/one", 0600);
    S("creat", 8, "d/a-longer-name", 0600);
    for (int kind = 0; kind < 3; kind++) {
        long length, number[] = {141, 220, 89};
        count = 0;
        fd = CALL(5, "d", O_RDONLY | O_DIRECTORY);
        while ((length = CALL(number[kind], fd, buffer, kind == 2 ? 1 : (long)sizeof buffer)) > 0)
            for (long at = 0; at < (kind == 2 ? 1 : length);) {
                int size = kind == 1 ? half(at + 16) : half(at + 8), head = kind == 1 ? 19 : 10;
                char *text = names[count++] = malloc(64);
                int type = kind == 0 ? buffer[at + size - 1] : kind == 1 ? buffer[at + 18] : 0;
                if (kind == 2) {
                    type = size == (int)strlen((char *)buffer + head);
                    size = 4;
                }
                snprintf(text, 64, "%s: %d, %d", buffer + at + head, type, size % 4);
                at += size;
            }
        printf("ends with %ld\n", length);
        qsort(names, count, sizeof *names, by_name);
        for (int i = 0; i < count; i++)
            printf("  %s\n", names[i]);
        CALL(6, fd);
    }
    fd = CALL(5, "d", O_RDONLY | O_DIRECTORY);
    S("getdents, too small", 141, fd, buffer, 8);
    S("readdir of a file", 89, CALL(5, "d/one", O_RDONLY), buffer, 1);
    S("getcwd", 183, buffer, 2);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    stats();
    offsets();
    directories();
    return 0;
}
