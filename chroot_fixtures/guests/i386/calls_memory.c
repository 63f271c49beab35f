/* Memory: mmap with its block of arguments, mmap2 with pages, and what surrounds them. */
#include "calls.h"

static int differs(unsigned char *a, int value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i] != value)
            return 1;
    return 0;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    unsigned char page[4096];
    for (int i = 0; i < 4; i++) {
        memset(page, '0' + i, sizeof page);
        if (write(fd, page, sizeof page) < 0)
            return 1;
    }
    uint32_t block[6] = {0, 8192, PROT_READ, MAP_PRIVATE, fd, 4096};
    unsigned char *old = (unsigned char *)Q("mmap", 90, block);
    printf("  %c %c\n", old[0], old[4096]);
    block[5] = 100;
    S("mmap offset", 90, block);
    S("mmap EFAULT", 90, 8);
    block[4] = 99, block[5] = 0;
    S("mmap EBADF", 90, block);
    unsigned char *new = (unsigned char *)Q("mmap2", 192, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 3);
    printf("  %c\n", new[0]);
    S("mmap2 length", 192, 0, 0, PROT_READ, MAP_PRIVATE, fd, 0);
    S("mmap2 too much", 192, 0, 0xFFFFF000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    S("mmap2 fixed above", 192, 0xFFFFF000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    unsigned char *some = (unsigned char *)Q("mmap2", 192, 0, 1 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(some, 7, 1 << 20);
    S("mprotect", 125, some, 4096, PROT_READ);
    S("mprotect EINVAL", 125, some + 1, 4096, PROT_READ);
    S("mprotect ENOMEM", 125, some - (64 << 20), 256 << 20, PROT_READ);
    unsigned char *moved = (unsigned char *)Q("mremap", 163, some + 8192, 65536, 2 << 20, 1, 0);
    printf("  %d %d\n", differs(moved, 7, 65536), differs(moved + 65536, 0, 4096));
    S("mremap EFAULT", 163, 0x10000, 4096, 8192, 1, 0);
    unsigned char present[2];
    S("mincore", 218, moved, 8192, present);
    printf("  %d\n", present[0] & 1);
    S("madvise", 219, moved, 4096, 4);
    printf("  %d\n", moved[0]);
    S("madvise EINVAL", 219, moved, 4096, 99);
    S("msync", 144, moved, 4096, MS_SYNC);
    S("mlock", 150, moved, 4096);
    S("munlock", 151, moved, 4096);
    S("munmap", 91, moved, 2 << 20);
    S("munmap EINVAL", 91, moved + 1, 4096);
    long end = CALL(45, 0);
    printf("%d %d\n", CALL(45, end + 8192) == end + 8192, CALL(45, end) == end);
    printf("%d\n", CALL(45, 0xF0000000) == end);
    S("read EFAULT", 3, fd, 0xFFFFFFF0, 4);
    S("write EFAULT", 4, fd, 0xFFFFE000, 4);
    S("lseek", 19, fd, 0, 0);
    return 0;
}
