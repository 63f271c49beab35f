/* Text that is patched, and everything that may happen to its mapping. */
#include "code.h"

#define R PROT_READ
#define RX (PROT_READ | PROT_EXEC)
#define RW (PROT_READ | PROT_WRITE)

static unsigned char *map(int fd, void *at, int prot, long offset, long length) {
    unsigned char *result = mmap(at, length, prot, MAP_PRIVATE | (at ? MAP_FIXED : 0), fd, offset);
    if (result == MAP_FAILED) printf("mmap: %m\n");
    return result;
}

int main(void) {
    static unsigned char changed[sizeof code];
    int status, fd;
    prepare();
    fd = code_file("code");
    unsigned char *text = map(fd, NULL, RX, 0, sizeof code);
    run("mapped", text);
    look("mapped", text, code);

    /* A second mapping, as data, shows the file. */
    unsigned char *data = map(fd, NULL, R, 0, sizeof code);
    printf("data: %d\n", memcmp(data, code, sizeof code));
    mprotect(data, sizeof code, RX);
    run("second", data);
    run("first", text);
    mprotect(data, sizeof code, R);
    printf("data again: %d\n", memcmp(data, code, sizeof code));
    mprotect(data, sizeof code, RW);
    printf("writable: %d\n", memcmp(data, code, sizeof code));

    /* RX, RW, RX, with other bytes. */
    memcpy(changed, code, sizeof code);
    mprotect(text, sizeof code, RW);
    printf("unprotected: %d\n", memcmp(text, code, sizeof code));
    changed[4096 + 5] += 8, text[4096 + 5] += 8; /* in a displacement */
    mprotect(text, sizeof code, RX);
    run("another displacement", text);
    mprotect(text, sizeof code, RW);
    changed[0x2100] = text[0x2100] = 0x3e;                                    /* ds: no site any more */
    changed[0x2102] = text[0x2102] = 0xc7;                                    /* mov eax, edi */
    mprotect(text, sizeof code, RX);
    run("no site", text);
    look("changed", text, changed);
    mprotect(text + 4096, 4096, RX | PROT_WRITE);
    text[4096 + 5] += 8;
    run("writable and executable", text);
    text[4096 + 5] -= 16;
    mprotect(text + 4096, 4096, RX);
    run("as before", text);

    /* Only one page of many. */
    unsigned char *other = map(fd, NULL, RX, 0, sizeof code);
    run("third", other);
    mprotect(other + 8192, 4096, RW);
    other[8192 + 5] += 16;
    mprotect(other + 8192, 4096, RX);
    run("one page", other);

    mprotect(text + 4096, 4096, RW); /* what stands behind the last site of the first page */
    put(text + 4096, "ff c0 90 90 90 90 90 90 90 c3");
    mprotect(text + 4096, 4096, RX);
    run("behind the end", text);

    /* Moved. */
    for (size_t at = 0; at < sizeof code; at += 4096) /* not at once: it is several mappings, which old kernels refuse */
        mremap(other + at, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, data + at);
    unsigned char *moved = data;
    run("moved", moved);
    unsigned char *fresh = map(fd, other, RX, 0, sizeof code);
    run("mapped where it was", fresh);
    moved = mremap(fresh, sizeof code, sizeof code, MREMAP_MAYMOVE | MREMAP_FIXED, data);
    run("moved unchanged", moved);
    look("moved", moved, code);

    /* Something else over it: other pages of the file, anonymous memory, half of it. */
    run("before", text = map(fd, text, RX, 0, sizeof code));
    map(fd, text + 4096, RX, 8192, 8192);
    run("shifted", text);
    mmap(text + 4096, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memcpy(text + 4096, code, 4096);
    mprotect(text + 4096, 4096, RX);
    run("anonymous", text);
    munmap(text, sizeof code);
    run("mapped again", map(fd, text, RX, 0, sizeof code));
    for (int i = 0; i < 20; i++) {
        munmap(text, sizeof code);
        map(fd, text, RX, 0, sizeof code);
        if (i % 7 == 0) run("and again", text);
    }

    /* Another file at the same place. */
    int second;
    code[5] += 8;
    second = code_file("second");
    map(second, text, RX, 0, sizeof code);
    run("second file", text);
    map(fd, text, RX, 0, sizeof code);
    run("first file", text);
    code[5] -= 8;

    /* Processes. */
    if (!fork()) {
        run("child", text);
        mprotect(text, 4096, RW);
        text[5] += 24;
        mprotect(text, 4096, RX);
        run("child's own", text);
        if (!vfork()) _exit(0);
        if (!fork()) {
            run("grandchild's", text);
            _exit(0);
        }
        wait(&status);
        wait(&status);
        _exit(3);
    }
    wait(&status);
    run("parent", text);
    printf("%x\n", status);
    close(fd);
    unlink("code");
    run("unlinked", text);
    look("unlinked", text, code);

    /* A larger block before it is known where things are. */
    madvise(text, sizeof code, MADV_DONTNEED);
    run("not needed", text);
    return 0;
}
