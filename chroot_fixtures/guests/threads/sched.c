/* Scheduling: policies, parameters, priorities, affinity, I/O priorities, barriers; who may, and what is refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t least, most;
    uint64_t more;
};

#define SHOW(call) \
    do { \
        errno = 0; \
        long result = (long)(call); \
        printf("%s = %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : ""); \
        fflush(stdout); \
    } while (0)

static int bad = 8;
#define BAD ((void *)(long)bad)

static int policy(int pid, int policy, int priority) { return syscall(SYS_sched_setscheduler, pid, policy, &priority); }
static int param(int pid, int priority) { return syscall(SYS_sched_setparam, pid, &priority); }
static int priority_of(int pid) {
    int priority = -1;
    return syscall(SYS_sched_getparam, pid, &priority) ? -1 : priority;
}

static struct attributes a;
static long set(uint32_t policy, uint64_t flags, int nice, unsigned priority, uint64_t runtime, uint64_t deadline, uint64_t period) {
    a = (struct attributes){48, policy, flags, nice, priority, runtime, deadline, period};
    return syscall(SYS_sched_setattr, 0, &a, 0);
}
static void show_attributes(unsigned size) {
    memset(&a, 0x77, sizeof a);
    errno = 0;
    long result = syscall(SYS_sched_getattr, 0, &a, size, 0);
    printf("getattr %ld size %u policy %u flags %llx nice %d priority %u %llu %llu\n", result, a.size, a.policy,
           (long long)a.flags, a.nice, a.priority, (long long)a.deadline, (long long)a.period);
}

static void policies(void) {
    SHOW(syscall(SYS_sched_getscheduler, 0));
    SHOW(syscall(SYS_sched_getscheduler, 1 << 22));
    SHOW(policy(0, 17, 0));
    SHOW(policy(0, -1, 0));
    SHOW(policy(-1, 0, 0));
    SHOW(policy(1 << 22, 0, 0));
    SHOW(syscall(SYS_sched_setscheduler, 0, 0, NULL));
    SHOW(syscall(SYS_sched_setscheduler, 0, 0, BAD));
    SHOW(syscall(SYS_sched_getparam, 0, NULL));
    SHOW(syscall(SYS_sched_getparam, 0, BAD));
    SHOW(syscall(SYS_sched_setparam, 0, BAD));
    SHOW(policy(0, SCHED_OTHER, 1));
    SHOW(policy(0, SCHED_FIFO, 0));
    SHOW(policy(0, SCHED_FIFO, 100));
    SHOW(policy(0, SCHED_FIFO, -1));
    SHOW(policy(0, 6, 0));
    SHOW(policy(0, SCHED_BATCH | SCHED_RESET_ON_FORK, 0));
    SHOW(syscall(SYS_sched_getscheduler, 0));
    SHOW(param(0, 0));
    SHOW(param(0, 3));
    SHOW(syscall(SYS_sched_getscheduler, 0));
    SHOW(policy(0, SCHED_OTHER, 0));
    for (int p = -1; p < 7; p++)
        printf("%d: %ld %ld\n", p, syscall(SYS_sched_get_priority_min, p), syscall(SYS_sched_get_priority_max, p));
}

static void attributes(void) {
    show_attributes(48);
    show_attributes(64);
    SHOW(syscall(SYS_sched_getattr, 0, &a, 47, 0));
    SHOW(syscall(SYS_sched_getattr, 0, &a, 4097, 0));
    SHOW(syscall(SYS_sched_getattr, 0, &a, 48, 1));
    SHOW(syscall(SYS_sched_getattr, 0, NULL, 48, 0));
    SHOW(syscall(SYS_sched_getattr, 0, BAD, 48, 0));
    SHOW(syscall(SYS_sched_getattr, -1, &a, 48, 0));
    SHOW(syscall(SYS_sched_getattr, 1 << 22, &a, 48, 0));
    SHOW(set(0, 0, 5, 0, 0, 0, 0));
    show_attributes(48);
    SHOW(set(0, 0, 500, 0, 0, 0, 0));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(set(0, 0, 5, 0, 0, 0, 0));
    SHOW(set(0, 1 << 10, 5, 0, 0, 0, 0));
    SHOW(set(0, 0, 5, 4, 0, 0, 0));
    SHOW(set(9, 0, 5, 0, 0, 0, 0));
    SHOW(set(-1, 0, 5, 0, 0, 0, 0));
    SHOW(set(3, 8, 6, 0, 0, 0, 0));
    show_attributes(48);
    SHOW(set(3, 16, 19, 0, 0, 0, 0));
    show_attributes(48);
    SHOW(set(3, 32, 6, 0, 0, 0, 0));
    a.size = 20;
    SHOW(syscall(SYS_sched_setattr, 0, &a, 0));
    printf("size %d\n", a.size >= 56);
    a.size = 0;
    SHOW(syscall(SYS_sched_setattr, 0, &a, 0));
    a = (struct attributes){.size = sizeof a, .more = 1};
    SHOW(syscall(SYS_sched_setattr, 0, &a, 0));
    a = (struct attributes){.size = sizeof a, .nice = 7};
    SHOW(syscall(SYS_sched_setattr, 0, &a, 0));
    SHOW(syscall(SYS_sched_setattr, 0, &a, 1));
    SHOW(syscall(SYS_sched_setattr, -1, &a, 0));
    SHOW(syscall(SYS_sched_setattr, 1 << 22, &a, 0));
    SHOW(syscall(SYS_sched_setattr, 0, NULL, 0));
    SHOW(syscall(SYS_sched_setattr, 0, BAD, 0));
    /* Deadlines: runtime, deadline, period */
    SHOW(set(6, 0, 0, 0, 0, 0, 0));
    SHOW(set(6, 0, 0, 0, 1000, 10000000, 10000000));
    SHOW(set(6, 0, 0, 0, 1000000, 900000, 10000000));
    SHOW(set(6, 0, 0, 0, 1000000, 10000000, 9000000));
    SHOW(set(6, 0, 0, 0, 2000, 50000, 50000));
    SHOW(set(6, 0, 0, 0, 1000000, 10000000, 5000000000));
    SHOW(set(6, 0, 0, 0, 1000000, 1ULL << 63, 0));
    SHOW(set(6, 0, 0, 1, 1000000, 10000000, 0));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 0));
}

static void nice_values(void) {
    SHOW(setpriority(PRIO_PROCESS, 0, 100));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, -100));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(syscall(SYS_getpriority, PRIO_PROCESS, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 3));
    SHOW(getpriority(PRIO_PGRP, 0));
    SHOW(getpriority(PRIO_PROCESS, 1 << 22));
    SHOW(getpriority(PRIO_PGRP, 1 << 22));
    SHOW(getpriority(PRIO_USER, 12345));
    SHOW(getpriority(4, 0));
    SHOW(setpriority(-1, 0, 0));
    SHOW(syscall(SYS_ioprio_get, 1, 0));
    SHOW(syscall(SYS_ioprio_get, 2, 0));
    SHOW(syscall(SYS_ioprio_get, 0, 0));
    SHOW(syscall(SYS_ioprio_get, 4, 0));
    SHOW(syscall(SYS_ioprio_get, 1, 1 << 22));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6));
    SHOW(syscall(SYS_ioprio_get, 1, 0));
    SHOW(syscall(SYS_ioprio_get, 2, 0));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 5 << 13));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 1));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 3 << 13 | 5));
    SHOW(syscall(SYS_ioprio_get, 1, 0));
    SHOW(syscall(SYS_ioprio_set, 9, 0, 0));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 0));
    fflush(stdout);
    if (!fork()) {
        SHOW(getpriority(PRIO_PROCESS, 0));
        SHOW(policy(0, SCHED_IDLE, 0));
        SHOW(syscall(SYS_ioprio_get, 2, 0) >> 13);
        _exit(0);
    }
    wait(NULL);
    SHOW(set(0, 1, -5, 0, 0, 0, 0));
    fflush(stdout);
    if (!fork()) {
        SHOW(getpriority(PRIO_PROCESS, 0));
        SHOW(syscall(SYS_sched_getscheduler, 0));
        _exit(0);
    }
    wait(NULL);
    SHOW(set(0, 0, 0, 0, 0, 0, 0));
}

static void as_a_user(void) {
    fflush(stdout);
    pid_t root = fork();
    if (!root) pause();
    if (fork()) {
        wait(NULL);
        kill(root, SIGKILL);
        wait(NULL);
        return;
    }
    SHOW(policy(0, SCHED_OTHER | SCHED_RESET_ON_FORK, 0));
    syscall(SYS_setresuid, 65534, 65534, 65534);
    SHOW(policy(0, SCHED_OTHER, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 15));
    SHOW(setpriority(PRIO_PROCESS, 0, 8));
    SHOW(setpriority(PRIO_PROCESS, 0, 7));
    SHOW(setpriority(PRIO_PROCESS, root, 15));
    SHOW(set(0, 1, 8, 0, 0, 0, 0));
    SHOW(set(0, 1, 7, 0, 0, 0, 0));
    SHOW(set(6, 1, 0, 0, 10000000, 100000000, 0));
    SHOW(policy(0, SCHED_FIFO | SCHED_RESET_ON_FORK, 1));
    SHOW(policy(0, SCHED_IDLE | SCHED_RESET_ON_FORK, 0));
    SHOW(policy(0, SCHED_OTHER | SCHED_RESET_ON_FORK, 0));
    SHOW(policy(root, SCHED_BATCH, 0));
    SHOW(param(root, 0));
    SHOW(syscall(SYS_sched_getscheduler, root));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 1 << 13));
    SHOW(syscall(SYS_ioprio_set, 1, root, 2 << 13));
    unsigned long one = 1;
    SHOW(syscall(SYS_sched_setaffinity, root, sizeof one, &one));
    SHOW(syscall(SYS_kcmp, getpid(), root, 1, 0, 0));
    _exit(0);
}

static void processors(void) {
    unsigned char mask[256];
    unsigned cpu, node;
    memset(mask, 0x55, sizeof mask);
    SHOW(syscall(SYS_sched_getaffinity, 0, sizeof(long) - 1, mask));
    SHOW(syscall(SYS_sched_getaffinity, 0, 0, mask));
    SHOW(syscall(SYS_sched_getaffinity, 0, 128, BAD));
    SHOW(syscall(SYS_sched_getaffinity, 1 << 22, 128, mask));
    SHOW(syscall(SYS_sched_getaffinity, 0, 128, mask) > 0);
    printf("%d %x\n", mask[0] & 1, mask[250]);
    memset(mask, 0, sizeof mask);
    SHOW(syscall(SYS_sched_setaffinity, 0, 128, mask));
    SHOW(syscall(SYS_sched_setaffinity, 0, 0, mask));
    mask[0] = 1;
    SHOW(syscall(SYS_sched_setaffinity, 0, 128, BAD));
    SHOW(syscall(SYS_sched_setaffinity, 1 << 22, 128, mask));
    SHOW(syscall(SYS_sched_setaffinity, 0, 1, mask));
    SHOW(syscall(SYS_sched_setaffinity, 0, 256, mask));
    SHOW(syscall(SYS_getcpu, &cpu, &node, NULL));
    printf("%u %u\n", cpu, node);
    SHOW(syscall(SYS_getcpu, NULL, NULL, BAD));
    SHOW(syscall(SYS_getcpu, BAD, NULL, NULL));
    SHOW(syscall(SYS_getcpu, NULL, BAD, NULL));
    long interval[2] = {99, 99};
    SHOW(syscall(SYS_sched_rr_get_interval, -1, interval));
    SHOW(syscall(SYS_sched_rr_get_interval, 1 << 22, interval));
    SHOW(syscall(SYS_sched_rr_get_interval, 0, BAD));
    SHOW(syscall(SYS_sched_rr_get_interval, 0, interval));
    printf("%d\n", interval[0] == 0 && interval[1] < 1000000000);
    SHOW(sched_yield());
}

static long barrier(int command, unsigned flags) { return syscall(SYS_membarrier, command, flags, 0); }

static void barriers(void) {
    SHOW(barrier(0, 0) & 511);
    SHOW(barrier(0, 1));
    SHOW(barrier(1, 0));
    SHOW(barrier(2, 0));
    for (int command = 8; command <= 128; command *= 4) {
        SHOW(barrier(command, 0));
        SHOW(barrier(command * 2, 1));
        SHOW(barrier(command * 2, 0));
        SHOW(barrier(command, 0));
        SHOW(barrier(command, 1));
        SHOW(barrier(command, 2));
    }
    SHOW(barrier(4, 0));
    SHOW(barrier(3, 0));
    SHOW(barrier(1 << 20, 0));
    fflush(stdout);
    if (!fork()) {
        SHOW(barrier(8, 0));
        execl("/proc/self/exe", "sched", "executed", NULL);
    }
    wait(NULL);
}

static void comparisons(void) {
    pid_t me = getpid();
    fflush(stdout);
    pid_t child = fork();
    if (!child) pause();
    for (int kind = 1; kind < 5; kind++)
        printf("kcmp %d: %ld %d\n", kind, syscall(SYS_kcmp, me, me, kind, 0, 0),
               syscall(SYS_kcmp, me, child, kind, 0, 0) > 0);
    SHOW(syscall(SYS_kcmp, me, child, 0, 1, 1));
    SHOW(syscall(SYS_kcmp, me, me, 0, 0, 1) > 0);
    SHOW(syscall(SYS_kcmp, me, me, 0, 0, 99));
    SHOW(syscall(SYS_kcmp, me, 1 << 22, 0, 0, 0));
    SHOW(syscall(SYS_kcmp, me, me, 8, 0, 0));
    SHOW(syscall(SYS_unshare, 0));
    SHOW(syscall(SYS_unshare, 0x200 | 0x400 | 0x40000));
    SHOW(syscall(SYS_unshare, 0x100 | 0x800 | 0x10000));
    SHOW(syscall(SYS_unshare, 0x1000));
    SHOW(syscall(SYS_unshare, 0x11));
    SHOW(syscall(SYS_setns, 999, 0));
    SHOW(syscall(SYS_setns, 0, 0));
    kill(child, SIGKILL);
    wait(NULL);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        SHOW(barrier(8, 0));
        return 0;
    }
    bad = 8;
    policies();
    attributes();
    nice_values();
    as_a_user();
    processors();
    barriers();
    comparisons();
    return 0;
}
