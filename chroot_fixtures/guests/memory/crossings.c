/* mremap between places whose pages lie in the same page tables, or in tables of each other, and that cross them at
 * all offsets: nothing is lost, nothing appears. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

enum { PAGE = 4096, SPAN = 2 << 20, RW = PROT_READ | PROT_WRITE, PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS };

static char *arena;

/* Tell how many pages of `size` bytes at `memory` do not hold what they should; every `gap`-th was never touched. */
static int wrong(const char *memory, size_t size, size_t gap, uint32_t seed)
{
    int count = 0;
    for (size_t page = 0; page < size / PAGE; page++)
        count += *(const uint32_t *)(memory + page * PAGE) != (page % gap ? seed + page : 0);
    return count;
}

static void try(const char *what, long from, long to, size_t size, size_t gap)
{
    static uint32_t seed = 1;
    char *source = mmap(arena + from, size, RW, PRIVATE | MAP_FIXED, -1, 0);
    for (size_t page = 0; page < size / PAGE; page++)
        if (page % gap)
            *(uint32_t *)(source + page * PAGE) = seed + page;
    char *target = mremap(source, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, arena + to);
    if (target == MAP_FAILED) {
        printf("%s: failed\n", what);
        return;
    }
    printf("%s: at %+ld kB, wrong %d", what, (long)(target - source) / 1024, wrong(target, size, gap, seed));
    char *back = mremap(target, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, source);
    printf(", and back %d", back == source ? wrong(back, size, gap, seed) : -1);
    printf(", unmapped %d\n", munmap(back, size));
    seed += 100000;
}

int main(void)
{
    arena = mmap(0, 32 * SPAN, PROT_NONE, PRIVATE | MAP_NORESERVE, -1, 0);
    arena += -(uintptr_t)arena & (SPAN - 1); /* in 31 tables */
    try("within a table", 0, SPAN / 2, SPAN / 2, 1 << 30);
    try("one table, all but a page of each half", PAGE, SPAN / 2, SPAN / 2 - PAGE, 3);
    try("down by a page more than its size", 4 * SPAN - 56 * PAGE, 2 * SPAN - 57 * PAGE, 2 * SPAN, 1 << 30);
    try("up by its size", SPAN - PAGE, 3 * SPAN - PAGE, 2 * SPAN, 7);
    try("table by table", 2 * SPAN, 8 * SPAN, 3 * SPAN, 1 << 30);
    try("from whole tables into halves", 4 * SPAN, 10 * SPAN + SPAN / 2, 2 * SPAN, 5);
    try("few pages of many tables", PAGE, 16 * SPAN + 5 * PAGE, 8 * SPAN, 1);
    try("across a table's end", SPAN - PAGE, 2 * SPAN - PAGE, 2 * PAGE, 1 << 30);
    for (long shift = 1; shift < 4; shift++)
        try("three tables, shifted", 8 * SPAN, (5 * SPAN) - shift * PAGE, 3 * SPAN, 2);
    return 0;
}
