// Takes all it can get of one thing, named by its argument. See tests/cli/test_limits.py.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L
#define SPARSE (1L << 46)

static void say(void) { printf("%s\n", strerror(errno)); }

static char *reserve(long size, int flags) {
    char *start = mmap(0, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    if (start == MAP_FAILED) { say(); exit(2); }
    return start;
}

static void touch(char *start, long size, long step, int write) {
    for (long at = 0; at < size; at += step) {
        if (write) start[at] = 1; else (void)*(volatile char *)(start + at);
    }
}

static __attribute__((noinline)) long recurse(long depth) {
    volatile char block[PAGE];
    block[0] = (char)depth;
    return recurse(depth + 1) + block[0];
}

static char *const none[] = {0};

static void arguments(const char *what, int count, int length) {
    char **words = calloc(count + 1, sizeof *words), *word = malloc(length + 1);
    memset(word, 'a', length);
    word[length] = 0;
    for (int i = 0; i < count; i++) words[i] = word;
    execve("/bin/greedy", words, none);
    printf("%s: ", what);
    say();
}

int main(int count, char **words) {
    const char *what = count > 1 ? words[1] : "";
    setvbuf(stdout, 0, _IOLBF, 0);
    if (!strcmp(what, "malloc")) {
        for (;;) memset(malloc(1 << 20), 1, 1 << 20);
    } else if (!strcmp(what, "dense")) {
        touch(reserve(1L << 40, MAP_PRIVATE | MAP_NORESERVE), 1L << 40, PAGE, 1);
    } else if (!strcmp(what, "sparse-write")) {
        touch(reserve(SPARSE, MAP_PRIVATE | MAP_NORESERVE), SPARSE, 1L << 21, 1);
    } else if (!strcmp(what, "sparse-read")) {
        touch(reserve(SPARSE, MAP_PRIVATE | MAP_NORESERVE), SPARSE, 1L << 21, 0);
    } else if (!strcmp(what, "children")) {
        if (!fork()) for (;;) memset(malloc(1 << 20), 1, 1 << 20);
        int status;
        wait(&status);
        printf("a child was killed by %d\n", WTERMSIG(status));
        memset(malloc(20 << 20), 1, 20 << 20);
        printf("the parent lives\n");
    } else if (!strcmp(what, "recursion")) {
        return (int)recurse(0);
    } else if (!strcmp(what, "tmpfs")) {
        static char block[1 << 16];
        int file = open("/tmp/file", O_CREAT | O_WRONLY, 0600);
        while (write(file, block, sizeof block) > 0) {}
        say();
        unlink("/tmp/file");
    } else if (!strcmp(what, "mappings")) {
        for (int i = 0; mmap(0, PAGE, i & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED; i++) {}
        say();
    } else if (!strcmp(what, "pipes")) {
        static char block[1 << 16];
        int ends[2];
        while (!pipe2(ends, O_NONBLOCK)) while (write(ends[1], block, sizeof block) > 0) {}
        say();
    } else if (!strcmp(what, "pipe-memory")) {
        static char block[1 << 16];
        int ends[2], last = 0, pipes = 0, large = 0;
        long held = 0, count;
        while (!pipe2(ends, O_NONBLOCK)) {
            last = ends[1];
            pipes++;
            large += fcntl(last, F_GETPIPE_SZ) == sizeof block;
            while ((count = write(last, block, sizeof block)) > 0) held += count;
        }
        printf("%d pipes, %d of them large, hold %ld kB\n", pipes, large, held >> 10);
        if (fcntl(last, F_SETPIPE_SZ, 2 * PAGE) < 0) say();
        for (int fd = 3; fd <= last; fd++) close(fd);
        if (!pipe(ends)) printf("%d bytes again\n", fcntl(ends[1], F_GETPIPE_SZ));
    } else if (!strcmp(what, "too-much")) {
        if (mmap(0, 1L << 33, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) say();
        if (mmap(0, 1L << 33, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) say();
        if (!malloc(1L << 33)) say();
    } else if (!strcmp(what, "children-without-end")) {
        int children = 0;
        pid_t child;
        while (children < 10000 && (child = fork()) > 0) children++;
        if (!child) { pause(); _exit(0); }
        say();
        signal(SIGTERM, SIG_IGN);
        kill(0, SIGTERM);
        while (wait(0) > 0) {}
        printf("all have gone\n");
    } else if (!strcmp(what, "bomb")) {
        while (fork() >= 0) {}
        say();
        for (;;) fork();
    } else if (!strcmp(what, "arguments")) {
        arguments("one of 128 kB", 1, 1 << 17);
        arguments("all of 2 MB", 20, 120000);
    }
    return 0;
}
