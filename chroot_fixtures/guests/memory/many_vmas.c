// As many mappings as vm.max_map_count allows, and what is refused then.
#include "maps.h"

static char *at(long page) { return base + page * PAGE; }

// How many mappings there are; the vsyscall page is none.
static long count(void)
{
    char line[512];
    long lines = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, file))
        lines += !strstr(line, "[vsyscall]");
    fclose(file);
    return lines;
}

int main(void)
{
    char number[32] = {0};
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY);
    read(fd, number, sizeof number);
    long most = atol(number), made = 0, before;
    printf("vm.max_map_count: %ld\n", most);
    find_area(3 * most * PAGE);
    count(), before = count(); // the first made memory for the file
    while (made < 2 * most && mmap(at(made), PAGE, made & 1 ? PROT_READ : RW, PRIVATE | MAP_FIXED, -1, 0) != MAP_FAILED)
        made++;
    printf("made until there is one more: %d, %s\n", made + before == most + 1, error_name());
    SHOW(mmap(NULL, PAGE, PROT_EXEC, PRIVATE, -1, 0)), SHOW(mmap(at(made), PAGE, RW, PRIVATE | MAP_FIXED, -1, 0));
    SHOW((long)sbrk(16 * PAGE)), SHOW(mremap(at(7), PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    SHOW(mremap(at(7), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(2 * most)));
    SHOW(mprotect(at(9), PAGE, PROT_READ)), SHOW(mprotect(at(9), PAGE, RW)), SHOW(munmap(at(100), 9 * PAGE));
    SHOW(mmap(at(100), 8 * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0)), SHOW(munmap(at(103), PAGE));
    printf("%ld of them left\n", made + before - 9 + 2 - (most + 1));
    for (long each = 110; each < 120; each++)
        munmap(at(each), PAGE);
    SHOW(mprotect(at(101), PAGE, PROT_READ)), SHOW(madvise(at(106), PAGE, MADV_DONTFORK)), SHOW(mlock(at(106), PAGE));
    SHOW(mmap(at(110), PAGE, RW, PRIVATE | MAP_FIXED, -1, 0));
    *at(2000) = 'p', *at(40000) = 'q';
    fflush(stdout);
    if (!fork()) {
        printf("child: %c %c\n", *at(2000), *at(40000));
        fflush(stdout), _exit(0);
    }
    wait(NULL);
    SHOW(munmap(base, area));
    printf("as before: %ld\n", count() - before);
    return 0;
}
