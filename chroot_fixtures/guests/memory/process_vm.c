/* Memory of other processes: process_vm_readv and writev, process_madvise, process_mrelease. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/syscall.h>

#define PAGE 4096

static void result(const char *what, long r) {
    if (r < 0) printf("%s: %s\n", what, strerror(errno));
    else printf("%s: %ld\n", what, r);
}

/* A child of user 1000, which says when it has become that. */
static pid_t user(int dumpable, char *into, char *from, pid_t of) {
    int done[2];
    char c;
    pipe(done);
    pid_t pid = fork();
    if (!pid) {
        setgid(1000);
        setuid(1000);
        if (dumpable) prctl(PR_SET_DUMPABLE, 1);
        if (of) {
            struct iovec here = {into, 10}, there = {from, 10};
            result(" reads", process_vm_readv(of, &here, 1, &there, 1, 0));
            result(" writes", process_vm_writev(of, &here, 1, &there, 1, 0));
            int fd = syscall(SYS_pidfd_open, of, 0);
            result(" advises", syscall(SYS_process_madvise, fd, &there, 1, MADV_COLD, 0));
        }
        write(done[1], "x", 1);
        if (!of) pause();
        _exit(0);
    }
    read(done[0], &c, 1);
    close(done[0]);
    close(done[1]);
    if (of) waitpid(pid, 0, 0);
    return pid;
}

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    char *area = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 8; i++) memset(area + i * PAGE, 'a' + i, PAGE);
    pid_t pid = fork();
    if (!pid) { pause(); _exit(0); }
    char *mine = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec l[2] = {{mine, 100}, {mine + 200, 5 * PAGE}}, r[2] = {{area + 10, PAGE}, {area + 2 * PAGE - 5, 2 * PAGE}};
    result("readv", process_vm_readv(pid, l, 2, r, 2, 0));
    printf("%c%c%c%c\n", mine[0], mine[200], mine[200 + PAGE - 100 + 4], mine[200 + PAGE - 100 + 5]);
    result("self", process_vm_readv(getpid(), l, 1, r, 1, 0));
    munmap(mine + 6 * PAGE, PAGE);
    l[0].iov_base = mine + 5 * PAGE; l[0].iov_len = 2 * PAGE;
    result("local hole", process_vm_readv(pid, l, 1, (struct iovec[]){{area, 3 * PAGE}}, 1, 0));
    result("local bad", process_vm_readv(pid, (struct iovec[]){{mine + 6 * PAGE, 10}}, 1, r, 1, 0));
    result("flags", process_vm_readv(pid, l, 1, r, 1, 1));
    result("no such", process_vm_readv(999999, l, 1, r, 1, 0));
    result("no such, nothing", process_vm_readv(999999, l, 1, r, 0, 0));
    result("no local", process_vm_readv(999999, l, 0, r, 1, 0));
    result("too many", process_vm_readv(pid, l, 1025, r, 1, 0));
    result("too many remote", process_vm_readv(pid, l, 1, r, 1025, 0));
    result("negative", process_vm_readv(pid, (struct iovec[]){{mine, -1}}, 1, r, 1, 0));
    result("negative remote", process_vm_readv(pid, l, 1, (struct iovec[]){{area, -1}}, 1, 0));
    result("bad vector", process_vm_readv(pid, (void *)8, 1, r, 1, 0));
    result("bad remote vector", process_vm_readv(pid, l, 1, (void *)8, 1, 0));
    mine[0] = 'X';
    result("writev", process_vm_writev(pid, (struct iovec[]){{mine, 3 * PAGE}}, 1, (struct iovec[]){{area + PAGE, 3 * PAGE}}, 1, 0));
    printf("%c\n", area[PAGE]);
    process_vm_readv(pid, (struct iovec[]){{mine + PAGE, 1}}, 1, (struct iovec[]){{area + PAGE, 1}}, 1, 0);
    printf("%c\n", mine[PAGE]);
    kill(pid, SIGKILL);
    siginfo_t si; waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
    result("zombie", process_vm_readv(pid, l, 1, r, 1, 0));
    waitpid(pid, 0, 0);
    result("gone", process_vm_readv(pid, l, 1, r, 1, 0));
    int fd = syscall(SYS_pidfd_open, getpid(), 0);
    struct iovec v[2] = {{area, PAGE}, {area + 2 * PAGE, 2 * PAGE}};
    result("madvise cold", syscall(SYS_process_madvise, fd, v, 2, MADV_COLD, 0));
    result("madvise dontneed", syscall(SYS_process_madvise, fd, v, 2, MADV_DONTNEED, 0));
    printf("%d %d %d\n", area[0], area[PAGE], area[2 * PAGE]);
    result("madvise flags", syscall(SYS_process_madvise, fd, v, 2, MADV_COLD, 1));
    result("madvise bad fd", syscall(SYS_process_madvise, 99, v, 2, MADV_COLD, 0));
    result("madvise no pidfd", syscall(SYS_process_madvise, 1, v, 2, MADV_COLD, 0));
    result("madvise advice", syscall(SYS_process_madvise, fd, v, 2, 999, 0));
    result("madvise none", syscall(SYS_process_madvise, fd, v, 0, MADV_COLD, 0));
    v[1].iov_base = mine + 6 * PAGE; v[1].iov_len = PAGE;
    result("madvise hole", syscall(SYS_process_madvise, fd, v, 2, MADV_COLD, 0));
    result("madvise hole first", syscall(SYS_process_madvise, fd, v + 1, 1, MADV_COLD, 0));
    result("mrelease", syscall(SYS_process_mrelease, fd, 0));
    result("mrelease flags", syscall(SYS_process_mrelease, fd, 1));
    pid = fork();
    if (!pid) { pause(); _exit(0); }
    int other = syscall(SYS_pidfd_open, pid, 0);
    v[1].iov_base = area;
    result("other cold", syscall(SYS_process_madvise, other, v, 2, MADV_COLD, 0));
    result("other dontneed", syscall(SYS_process_madvise, other, v, 2, MADV_DONTNEED, 0));
    result("other 999", syscall(SYS_process_madvise, other, v, 2, 999, 0));
    kill(pid, SIGKILL);
    waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
    result("other zombie", syscall(SYS_process_madvise, other, v, 2, MADV_COLD, 0));
    result("mrelease zombie", syscall(SYS_process_mrelease, other, 0));
    waitpid(pid, 0, 0);
    result("other gone", syscall(SYS_process_madvise, other, v, 2, MADV_COLD, 0));
    result("mrelease gone", syscall(SYS_process_mrelease, other, 0));
    // protections
    mprotect(area, PAGE, PROT_NONE); mprotect(area + PAGE, PAGE, PROT_READ); mprotect(area + 2 * PAGE, PAGE, PROT_WRITE); mprotect(area + 3 * PAGE, PAGE, PROT_EXEC);
    for (int i = 0; i < 4; i++) {
        struct iovec there = {area + i * PAGE, 3}, here = {mine, 3};
        result("prot read", process_vm_readv(getpid(), &here, 1, &there, 1, 0));
        result("prot write", process_vm_writev(getpid(), &here, 1, &there, 1, 0));
    }
    area = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("a user and root\n");
    user(1, mine, area, getpid());
    pid_t open_to_others = user(1, mine, area, 0), closed = user(0, mine, area, 0);
    printf("a user and himself\n");
    user(1, mine, area, open_to_others);
    printf("a user and what is not dumpable\n");
    user(1, mine, area, closed);
    kill(open_to_others, SIGKILL);
    kill(closed, SIGKILL);
    return 0;
}
