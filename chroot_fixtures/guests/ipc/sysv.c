/* System V IPC: what each call returns and tells, and its errors. Prints nothing that depends on ids or time. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *name(void) {
    return strerrorname_np(errno);
}
#define SHOW(call)                                                   \
    do {                                                             \
        errno = 0;                                                   \
        long result_ = (long)(call);                                 \
        if (result_ == -1)                                           \
            printf("%d %s: %s\n", __LINE__, #call, name());          \
        else                                                         \
            printf("%d %s: %ld\n", __LINE__, #call, result_);        \
    } while (0)
/* Only whether it worked. */
#define DONE(call)                                                                        \
    do {                                                                                  \
        errno = 0;                                                                        \
        printf("%d %s: %s\n", __LINE__, #call, (long)(call) == -1 ? name() : "done");     \
    } while (0)

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
    struct seminfo *info;
};

static key_t key;
static char *const BAD = (char *)8;

static void perm(const char *what, const struct ipc_perm *p) {
    printf("%s: %d uid %d gid %d cuid %d cgid %d mode %o\n", what, p->__key == key, p->uid, p->gid, p->cuid, p->cgid,
           p->mode);
}

static void in_child(void (*body)(void)) {
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        body();
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    printf("child %x\n", status);
}

static int shm;
static char *shared;

static unsigned attached(void) {
    struct shmid_ds ds;
    return shmctl(shm, IPC_STAT, &ds) ? 9999 : ds.shm_nattch;
}

static void use_segment(void) {
    printf("child sees %s, %u attached\n", shared, attached());
    strcpy(shared, "from the child");
    SHOW(munmap(shared + 4096, 4096)); /* of three pages: cuts the mapping in two */
    printf("%u attached\n", attached());
    SHOW(shmdt(shared));
    printf("%u attached\n", attached());
}

static void as_nobody(void) {
    struct shmid_ds ds;
    struct semid_ds sds;
    struct msqid_ds mds;
    union semun arg = {.buf = &sds};
    setgroups(0, NULL), setgid(65534), setuid(65534);
    SHOW(shmctl(shm, IPC_STAT, &ds));
    DONE(shmat(shm, NULL, 0));
    DONE(shmat(shm, NULL, SHM_RDONLY));
    SHOW(shmget(key, 0, 0600));
    SHOW(shmctl(shm, IPC_RMID, NULL));
    SHOW(shmctl(shm, SHM_LOCK, NULL));
    int sem = semget(key, 0, 0);
    SHOW(semctl(sem, 0, IPC_STAT, arg));
    SHOW(semctl(sem, 0, IPC_RMID));
    SHOW(semctl(sem, 0, GETVAL));
    SHOW(semctl(sem, 0, SETVAL, 1));
    struct sembuf op = {0, 1, 0};
    SHOW(semop(sem, &op, 1));
    int msg = msgget(key, 0);
    SHOW(msgctl(msg, IPC_STAT, &mds));
    SHOW(msgctl(msg, IPC_RMID, NULL));
    struct { long type; char text[8]; } m = {1, "x"};
    SHOW(msgsnd(msg, &m, 1, 0));
    SHOW(msgrcv(msg, &m, 8, 0, IPC_NOWAIT));
}

static void test_shm(void) {
    struct shmid_ds ds;
    SHOW(shmget(key, 4096, 0));
    SHOW(shmget(key, 0, IPC_CREAT | 0600));
#ifdef __x86_64__
    SHOW(shmget(key, (size_t)-4096, IPC_CREAT | 0600));
#endif
    shm = shmget(key, 9000, IPC_CREAT | IPC_EXCL | 0640);
    DONE(shm);
    SHOW(shmget(key, 9000, IPC_CREAT | IPC_EXCL | 0640));
    SHOW(shmget(key, 9001, 0640));
    SHOW(shmget(key, 9000, 0640) == shm);
    SHOW(shmget(key, 0, 0) == shm);
    SHOW(shmget(IPC_PRIVATE, 4096, SHM_HUGETLB | 0600));
    shared = shmat(shm, NULL, 0);
    DONE(shared);
    strcpy(shared, "from the parent");
    in_child(use_segment);
    printf("parent sees %s, %u attached\n", shared, attached());
    SHOW(shmctl(shm, IPC_STAT, &ds));
    perm("shm", &ds.shm_perm);
    printf("size %zu, cpid %d, times %d %d %d\n", ds.shm_segsz, ds.shm_cpid == getpid(), ds.shm_atime > 0,
           ds.shm_dtime > 0, ds.shm_ctime > 0);
    char *second = shmat(shm, NULL, SHM_RDONLY);
    printf("second %d %s %u\n", second != shared, second, attached());
    SHOW(mprotect(second, 4096, PROT_READ | PROT_WRITE));
    SHOW(shmdt(second + 4096));
    SHOW(shmdt(second + 1));
    SHOW(shmdt(second));
    SHOW(shmdt(second));
    /* at an address */
    char *area = mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(shmat(shm, area, 0));
    SHOW(shmat(shm, area + 5, 0));
    SHOW(shmat(shm, NULL, SHM_REMAP));
    SHOW((char *)shmat(shm, area + 5, SHM_RND | SHM_REMAP) - area);
    printf("%u attached\n", attached());
    area[4096 * 2] = 7;
    printf("%d\n", shared[4096 * 2]);
    SHOW((char *)shmat(shm, area, SHM_REMAP) - area); /* over itself */
    printf("%u attached\n", attached());
    SHOW(munmap(area, 4096));
    SHOW(shmdt(area)); /* the rest begins elsewhere, but belongs to it */
    printf("%u attached\n", attached());
    SHOW(munmap(area, 16 * 4096));
    SHOW((char *)shmat(shm, area + 4096, 0) - area);
    SHOW(shmdt(area + 4096));
    /* control */
    SHOW(shmctl(shm, 99, &ds));
    SHOW(shmctl(shm, -1, &ds));
    SHOW(shmctl(-1, IPC_STAT, &ds));
    SHOW(shmctl(shm + (1 << 15), IPC_STAT, &ds));
    SHOW(syscall(SYS_shmctl, shm, IPC_STAT, BAD));
    SHOW(syscall(SYS_shmctl, shm, IPC_SET, BAD));
    SHOW(shmctl(shm, SHM_LOCK, NULL));
    shmctl(shm, IPC_STAT, &ds);
    printf("mode %o\n", ds.shm_perm.mode);
    SHOW(shmctl(shm, SHM_UNLOCK, NULL));
    ds.shm_perm.mode = 0777604;
    ds.shm_perm.uid = 77;
    SHOW(shmctl(shm, IPC_SET, &ds));
    SHOW(shmctl(shm, IPC_STAT, &ds));
    perm("shm", &ds.shm_perm);
    ds.shm_perm.uid = -1;
    SHOW(shmctl(shm, IPC_SET, &ds));
    in_child(as_nobody);
    DONE(shmctl(shm & 32767, SHM_STAT, &ds));
    perm("shm", &ds.shm_perm);
    DONE(shmctl(shm & 32767, SHM_STAT_ANY, &ds));
    SHOW(shmctl(20000, SHM_STAT, &ds));
    struct shminfo info;
    DONE(shmctl(0, IPC_INFO, (void *)&info));
    printf("%lx %lu %lu %lu %lx\n", info.shmmax, info.shmmin, info.shmmni, info.shmseg, info.shmall);
    struct shm_info used;
    DONE(shmctl(0, SHM_INFO, (void *)&used));
    printf("%d %d %d\n", used.used_ids > 0, used.shm_tot >= 3, used.shm_rss >= 2);
    /* removed, but attached */
    SHOW(shmctl(shm, IPC_RMID, NULL));
    SHOW(shmget(key, 0, 0));
    SHOW(shmctl(shm, IPC_STAT, &ds));
    printf("mode %o key %x attached %lu\n", ds.shm_perm.mode, ds.shm_perm.__key, (unsigned long)ds.shm_nattch);
    second = shmat(shm, NULL, 0);
    printf("%s\n", second);
    SHOW(shmdt(second));
    SHOW(shmdt(shared));
    SHOW(shmctl(shm, IPC_STAT, &ds));
    SHOW(shmat(shm, NULL, 0));
    /* beyond the end */
    shm = shmget(IPC_PRIVATE, 100, 0600);
    shared = shmat(shm, NULL, 0);
    printf("%d %d\n", shared[4095], attached());
    shmctl(shm, IPC_RMID, NULL);
    execl("/proc/self/fd/nosuch", "x", NULL);
    shmdt(shared);
    printf("%u\n", attached());
}

static int sem;
static int get(int number) {
    return semctl(sem, number, GETVAL);
}
static int op(int number, int change, int flags) {
    struct sembuf buffer = {number, change, flags};
    return semop(sem, &buffer, 1);
}
static void undo_some(void) {
    SHOW(op(0, 5, SEM_UNDO));
    SHOW(op(1, -1, SEM_UNDO));
    SHOW(op(2, 3, SEM_UNDO));
    SHOW(semctl(sem, 2, SETVAL, 9));
}
static void wait_and_report(void) {
    struct sembuf two[2] = {{0, -2, 0}, {1, 0, 0}};
    SHOW(semop(sem, two, 2));
}
static void ignore(int signo) {
    (void)signo;
}
static void until(int number, int command, int count) {
    while (semctl(sem, number, command) != count)
        usleep(1000);
}

static void test_sem(void) {
    struct semid_ds ds;
    struct seminfo info;
    unsigned short values[4] = {1, 2, 3, 4};
    union semun arg = {.buf = &ds}, array = {.array = values}, about = {.info = &info};
    SHOW(semget(key, 0, IPC_CREAT | 0600));
    SHOW(semget(key, -1, IPC_CREAT | 0600));
    SHOW(semget(key, 32001, IPC_CREAT | 0600));
    sem = semget(key, 4, IPC_CREAT | 0600);
    DONE(sem);
    SHOW(semget(key, 5, 0600));
    SHOW(semget(key, 3, 0600) == sem);
    SHOW(semctl(sem, 0, SETALL, array));
    memset(values, 0, sizeof values);
    SHOW(semctl(sem, 0, GETALL, array));
    printf("%d %d %d %d\n", values[0], values[1], values[2], values[3]);
    SHOW(get(3));
    SHOW(get(4));
    SHOW(get(-1));
    SHOW(semctl(sem, 1, SETVAL, 32767));
    SHOW(semctl(sem, 1, SETVAL, 32768));
    SHOW(semctl(sem, 1, SETVAL, -1));
    SHOW(semctl(sem, 9, SETVAL, 1));
    values[1] = 40000;
    SHOW(semctl(sem, 0, SETALL, array));
    SHOW(syscall(SYS_semctl, sem, 0, SETALL, BAD));
    SHOW(syscall(SYS_semctl, sem, 0, GETALL, BAD));
    SHOW(op(1, 1, 0));
    SHOW(op(1, -32767, 0));
    SHOW(op(1, -1, IPC_NOWAIT));
    SHOW(op(0, 0, IPC_NOWAIT));
    SHOW(op(1, 0, IPC_NOWAIT));
    SHOW(op(4, 1, 0));
    SHOW(semctl(sem, 1, GETPID) == getpid());
    struct sembuf ops[3] = {{0, 3, 0}, {1, 1, 0}, {2, -100, IPC_NOWAIT}};
    SHOW(semop(sem, ops, 3));
    printf("%d %d %d\n", get(0), get(1), get(2));
    ops[2].sem_op = -3;
    SHOW(semop(sem, ops, 3));
    printf("%d %d %d\n", get(0), get(1), get(2));
    struct sembuf twice[2] = {{1, -1, IPC_NOWAIT}, {1, 0, IPC_NOWAIT}};
    SHOW(semop(sem, twice, 2));
    SHOW(semop(sem, twice, 0));
    SHOW(semop(sem, ops, 501));
    SHOW(semop(sem, (void *)BAD, 2));
    SHOW(semop(-1, ops, 1));
    SHOW(semop(sem + (1 << 15), ops, 1));
    struct timespec no = {0, 1000000}, wrong = {0, 1000000000}, negative = {-1, 0};
    struct sembuf wait = {1, -1, 0};
    SHOW(semtimedop(sem, &wait, 1, &no));
    SHOW(semtimedop(sem, &wait, 1, &wrong));
    SHOW(semtimedop(sem, &wait, 1, &negative));
#ifdef SYS_semtimedop
    SHOW(syscall(SYS_semtimedop, sem, &wait, 1, BAD));
#else
    SHOW(syscall(SYS_semtimedop_time64, sem, &wait, 1, BAD));
#endif
    /* undo */
    semctl(sem, 1, SETVAL, 4);
    in_child(undo_some);
    printf("%d %d %d\n", get(0), get(1), get(2));
    SHOW(op(3, 32760, 0));
    SHOW(op(0, 100, SEM_UNDO));
    SHOW(op(0, -100, SEM_UNDO));
    /* waiting */
    semctl(sem, 0, SETVAL, 1), semctl(sem, 1, SETVAL, 1);
    fflush(stdout);
    if (!fork()) {
        wait_and_report();
        fflush(stdout);
        _exit(0);
    }
    until(0, GETNCNT, 1);
    printf("n %d z %d; n %d z %d\n", semctl(sem, 0, GETNCNT), semctl(sem, 0, GETZCNT), semctl(sem, 1, GETNCNT),
           semctl(sem, 1, GETZCNT));
    op(0, 1, 0);
    until(1, GETZCNT, 1);
    printf("n %d z %d; value %d\n", semctl(sem, 0, GETNCNT), semctl(sem, 1, GETZCNT), get(0));
    fflush(stdout);
    op(1, -1, 0);
    wait4(-1, NULL, 0, NULL);
    printf("value %d\n", get(0));
    /* a signal: never restarted */
    struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    ualarm(20000, 0);
    SHOW(op(0, -1, 0));
    /* removal */
    SHOW(semctl(sem, 0, IPC_STAT, arg));
    perm("sem", &ds.sem_perm);
    printf("%lu %d %d\n", (unsigned long)ds.sem_nsems, ds.sem_otime > 0, ds.sem_ctime > 0);
    ds.sem_perm.mode = 0640, ds.sem_perm.gid = 5;
    SHOW(semctl(sem, 0, IPC_SET, arg));
    SHOW(semctl(sem, 0, IPC_STAT, arg));
    perm("sem", &ds.sem_perm);
    SHOW(syscall(SYS_semctl, sem, 0, IPC_STAT, BAD));
    SHOW(semctl(sem, 0, 77, arg));
    DONE(semctl(sem & 32767, 0, SEM_STAT, arg));
    DONE(semctl(0, 0, IPC_INFO, about));
    printf("%d %d %d %d %d %d %d %d %d %d\n", info.semmap, info.semmni, info.semmns, info.semmnu, info.semmsl,
           info.semopm, info.semume, info.semusz, info.semvmx, info.semaem);
    DONE(semctl(0, 0, SEM_INFO, about));
    printf("%d %d\n", info.semusz > 0, info.semaem >= 4);
    fflush(stdout);
    if (!fork()) {
        SHOW(op(0, -1, 0));
        fflush(stdout);
        _exit(0);
    }
    until(0, GETNCNT, 1);
    SHOW(semctl(sem, 0, IPC_RMID)); /* told after what the child says */
    wait4(-1, NULL, 0, NULL);
    SHOW(semctl(sem, 0, IPC_RMID));
    SHOW(op(0, 1, 0));
}

static struct { long type; char text[9000]; } message;
static int msg;
static long receive(size_t size, long type, int flags) {
    message.type = 0;
    memset(message.text, 0, 16);
    long count = msgrcv(msg, &message, size, type, flags);
    if (count >= 0)
        printf("[%ld %.10s] ", message.type, message.text);
    return count;
}
static int send(long type, const char *text, int flags) {
    message.type = type;
    strcpy(message.text, text);
    return msgsnd(msg, &message, strlen(text), flags);
}
static void blocked(unsigned long used) {
    struct msqid_ds ds;
    do {
        usleep(20000);
        msgctl(msg, IPC_STAT, &ds);
    } while (ds.__msg_cbytes != used);
}

static void test_msg(void) {
    struct msqid_ds ds;
    SHOW(msgget(key, 0));
    msg = msgget(key, IPC_CREAT | 0600);
    DONE(msg);
    SHOW(msgget(key, IPC_CREAT | IPC_EXCL | 0600));
    SHOW(send(3, "three", 0));
    SHOW(send(1, "one", 0));
    SHOW(send(2, "two", 0));
    SHOW(send(1, "uno", 0));
    SHOW(send(0, "zero", 0));
    SHOW(send(-1, "minus", 0));
    SHOW(msgsnd(msg, &message, 8193, 0));
    SHOW(msgsnd(msg, &message, -1, 0));
    SHOW(msgsnd(msg, BAD, 1, 0));
    SHOW(msgctl(msg, IPC_STAT, &ds));
    perm("msg", &ds.msg_perm);
    printf("%lu in %lu bytes of %lu, pids %d %d, times %d %d %d\n", (unsigned long)ds.msg_qnum,
           (unsigned long)ds.__msg_cbytes, (unsigned long)ds.msg_qbytes, ds.msg_lspid == getpid(), ds.msg_lrpid,
           ds.msg_stime > 0, (int)ds.msg_rtime, ds.msg_ctime > 0);
    SHOW(receive(100, 0, IPC_NOWAIT | MSG_COPY));
    SHOW(receive(100, 2, IPC_NOWAIT | MSG_COPY));
    SHOW(receive(100, 4, IPC_NOWAIT | MSG_COPY));
    SHOW(receive(100, -1, IPC_NOWAIT | MSG_COPY));
    SHOW(receive(100, 0, MSG_COPY));
    SHOW(receive(100, 0, IPC_NOWAIT | MSG_COPY | MSG_EXCEPT));
    SHOW(receive(2, 0, IPC_NOWAIT | MSG_COPY));
    SHOW(receive(2, 0, IPC_NOWAIT | MSG_COPY | MSG_NOERROR));
    SHOW(receive(2, 2, 0));
    SHOW(receive(2, 2, MSG_NOERROR));
    SHOW(receive(100, 7, IPC_NOWAIT));
    SHOW(receive(100, -2, 0));
    SHOW(receive(100, 3, MSG_EXCEPT));
    SHOW(receive(100, LONG_MIN, 0));
    SHOW(receive(100, 0, IPC_NOWAIT));
    SHOW(receive(-1, 0, IPC_NOWAIT));
    SHOW(msgrcv(-1, &message, 1, 0, 0));
    send(5, "lost", 0);
    SHOW(msgrcv(msg, BAD, 100, 0, 0));
    SHOW(receive(100, 0, IPC_NOWAIT));
    SHOW(send(4, "", 0));
    SHOW(receive(0, 4, 0));
    /* full */
    memset(message.text, 'x', 8192);
    message.type = 6;
    SHOW(msgsnd(msg, &message, 8192, 0));
    SHOW(msgsnd(msg, &message, 8192, 0));
    SHOW(msgsnd(msg, &message, 1, IPC_NOWAIT));
    fflush(stdout);
    if (!fork()) {
        message.type = 8;
        SHOW(msgsnd(msg, &message, 5000, 0));
        fflush(stdout);
        _exit(0);
    }
    usleep(20000);
    SHOW(receive(9000, 0, 0));
    wait4(-1, NULL, 0, NULL);
    SHOW(receive(9000, 0, 0));
    SHOW(receive(9000, 0, 0));
    /* a receiver that waits gets it at once */
    fflush(stdout);
    if (!fork()) {
        SHOW(receive(100, -3, 0));
        SHOW(receive(2, 9, 0)); /* too small for what comes */
        fflush(stdout);
        _exit(0);
    }
    usleep(20000);
    send(7, "seven", 0);
    send(3, "three", 0);
    usleep(20000);
    send(9, "nine", 0);
    wait4(-1, NULL, 0, NULL);
    SHOW(receive(100, 0, IPC_NOWAIT));
    SHOW(receive(100, 0, IPC_NOWAIT));
    ualarm(20000, 0);
    SHOW(receive(100, 0, 0));
    /* control */
    ds.msg_qbytes = 30;
    ds.msg_perm.mode = 0600;
    SHOW(msgctl(msg, IPC_SET, &ds));
    SHOW(send(1, "0123456789", IPC_NOWAIT));
    SHOW(send(1, "0123456789", IPC_NOWAIT));
    SHOW(send(1, "0123456789a", IPC_NOWAIT));
    SHOW(send(1, "0123456789", IPC_NOWAIT));
    SHOW(send(1, "", IPC_NOWAIT));
    SHOW(msgctl(msg, 50, &ds));
    SHOW(syscall(SYS_msgctl, msg, IPC_STAT, BAD));
    SHOW(syscall(SYS_msgctl, msg, IPC_SET, BAD));
    struct msginfo info;
    DONE(msgctl(0, IPC_INFO, (void *)&info));
    printf("%d %d %d %d %d %d %d %d\n", info.msgpool, info.msgmap, info.msgmax, info.msgmnb, info.msgmni, info.msgssz,
           info.msgtql, info.msgseg);
    DONE(msgctl(0, MSG_INFO, (void *)&info));
    printf("%d %d %d\n", info.msgpool > 0, info.msgmap > 0, info.msgtql > 0);
    DONE(msgctl(msg & 32767, MSG_STAT, &ds));
    fflush(stdout);
    if (!fork()) {
        SHOW(receive(100, 77, 0));
        fflush(stdout);
        _exit(0);
    }
    blocked(30);
    SHOW(msgctl(msg, IPC_RMID, NULL));
    wait4(-1, NULL, 0, NULL);
    SHOW(msgctl(msg, IPC_RMID, NULL));
}

int main(void) {
    key = 0x4c420000 | (getpid() & 0xffff);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    sem = semget(key, 1, IPC_CREAT | 0640);
    msg = msgget(key, IPC_CREAT | 0640);
    test_shm();
    semctl(sem, 0, IPC_RMID), msgctl(msg, IPC_RMID, NULL);
    test_sem();
    test_msg();
    return 0;
}
