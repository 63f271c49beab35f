/* The worked example of lbw/mm/README.md: one page of a file, mapped shared and privately, through its life. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Print what smaps tells about the mappings of the file, without device and inode. */
static void show(const char *what)
{
    char line[512];
    int shown = 0, private_dirty = 0, rss = 0, anonymous;
    FILE *smaps = fopen("/proc/self/smaps", "r");

    printf("%s\n", what);
    while (fgets(line, sizeof line, smaps)) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
            shown = start >> 16 == 0x7000;
            if (shown)
                printf("  %.*s", 31, line);
        } else if (shown) {
            sscanf(line, "Rss: %d", &rss);
            sscanf(line, "Private_Dirty: %d", &private_dirty);
            if (sscanf(line, "Anonymous: %d", &anonymous) == 1)
                printf("  Rss %d kB, Private_Dirty %d kB, Anonymous %d kB\n", rss, private_dirty, anonymous);
        }
    }
    fclose(smaps);
}

int main(void)
{
    char bytes[20000];
    int fd = open("notes", O_RDWR | O_CREAT, 0644);

    setvbuf(stdout, 0, _IONBF, 0);
    memset(bytes, 'a', sizeof bytes);
    write(fd, bytes, sizeof bytes);
    char *shared = mmap((void *)0x70000000, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0x3000);
    char *own = mmap((void *)0x70003000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0x3000);
    show("1. mapped");
    shared[5] = 'B';
    printf("2. a store to the shared page; the private mapping shows %.8s\n", own);
    own[6] = 'C';
    show("3. a store to the private page");
    pwrite(fd, "D", 1, 0x3007);
    printf("4. a pwrite: shared %.8s, private %.8s\n", shared, own);
    if (!fork()) {
        shared[0] = 'E';
        own[0] = 'F';
        _exit(0);
    }
    wait(0);
    printf("5. stores of a child: shared %.8s, private %.8s\n", shared, own);
    msync(shared, 8192, MS_SYNC);
    show("6. msync");
    ftruncate(fd, 0x3000);
    printf("7. truncated\n");
    return shared[0];
}
