/* The old call `ipc`: the numbers behind it, the oldest structures, and where it finds its arguments. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHOW(call)                                                                \
    do {                                                                          \
        errno = 0;                                                                \
        long result_ = (long)(call);                                              \
        if (result_ == -1)                                                        \
            printf("%d %s: %s\n", __LINE__, #call, strerrorname_np(errno));       \
        else                                                                      \
            printf("%d %s: %ld\n", __LINE__, #call, result_);                     \
    } while (0)
#define ipc(...) syscall(117, __VA_ARGS__)

enum { SEMOP = 1, SEMGET, SEMCTL, SEMTIMEDOP, MSGSND = 11, MSGRCV, MSGGET, MSGCTL, SHMAT = 21, SHMDT, SHMGET, SHMCTL };
struct old_perm {
    int key;
    unsigned short uid, gid, cuid, cgid, mode, seq;
};
struct old_shmid {
    struct old_perm perm;
    int size, atime, dtime, ctime;
    unsigned short cpid, lpid, nattch, unused;
    unsigned pad[2];
};
struct old_semid {
    struct old_perm perm;
    int otime, ctime;
    unsigned pad[4];
    unsigned short nsems;
};
struct old_msqid {
    struct old_perm perm;
    unsigned pad[2];
    int stime, rtime, ctime;
    unsigned lcbytes, lqbytes;
    unsigned short cbytes, qnum, qbytes, lspid, lrpid;
};

int main(void) {
    void *bad = (void *)8;
    char *address = NULL;
    struct old_shmid shmid;
    struct old_semid semid;
    struct old_msqid msqid;
    unsigned words[40];
    int shm = ipc(SHMGET, IPC_PRIVATE, 5000, 0640, 0, 0);
    SHOW(ipc(SHMAT, shm, 0, &address, 0, 0));
    SHOW(ipc(SHMAT | 1 << 16, shm, 0, &address, 0, 0));
    SHOW(ipc(SHMAT, shm, 0, bad, 0, 0));
    strcpy(address, "attached");
    SHOW(ipc(SHMCTL, shm, IPC_STAT, 0, &shmid, 0));
    printf("%o %d %d %d %s\n", shmid.perm.mode, shmid.size, shmid.nattch, shmid.cpid == (getpid() & 0xffff), address);
    shmid.perm.mode = 0600, shmid.perm.uid = 9;
    SHOW(ipc(SHMCTL, shm, IPC_SET, 0, &shmid, 0));
    SHOW(ipc(SHMCTL, shm, IPC_STAT | 0x100, 0, words, 0));
    printf("%o %u %u\n", words[5], words[1], words[9]);
    SHOW(ipc(SHMCTL, shm, IPC_INFO, 0, words, 0) >= 0);
    printf("%u %u %u %u %u\n", words[0], words[1], words[2], words[3], words[4]);
    SHOW(ipc(SHMCTL, shm, 0x100 | 77, 0, words, 0));
    SHOW(ipc(SHMDT, 0, 0, 0, address, 0));
    SHOW(ipc(SHMCTL, shm, IPC_RMID, 0, 0, 0));
    /* semaphores */
    int sem = ipc(SEMGET, IPC_PRIVATE, 3, 0600, 0, 0), argument = 7;
    SHOW(ipc(SEMCTL, sem, 1, 16 /* SETVAL */, &argument, 0));
    SHOW(ipc(SEMCTL, sem, 1, 12 | 0x100 /* GETVAL */, &argument, 0));
    SHOW(ipc(SEMCTL, sem, 1, 12, 0, 0));
    SHOW(ipc(SEMCTL, sem, 1, 12, bad, 0));
    short operations[6] = {1, -2, 0, 0, 1, 0};
    SHOW(ipc(SEMOP, sem, 2, 0, operations, 0));
    int timeout[2] = {0, 1000};
    operations[1] = -20;
    SHOW(ipc(SEMTIMEDOP, sem, 1, 0, operations, timeout));
    timeout[1] = -1;
    SHOW(ipc(SEMTIMEDOP, sem, 1, 0, operations, timeout));
    void *pointer = &semid;
    SHOW(ipc(SEMCTL, sem, 0, IPC_STAT, &pointer, 0));
    printf("%o %d %d\n", semid.perm.mode, semid.nsems, semid.otime > 0);
    pointer = words;
    SHOW(ipc(SEMCTL, sem, 0, IPC_STAT | 0x100, &pointer, 0));
    printf("%o %u\n", words[5], words[13]);
    SHOW(ipc(SEMCTL, sem, 0, IPC_RMID, &pointer, 0));
    /* messages */
    int msg = ipc(MSGGET, IPC_PRIVATE, 0600, 0, 0, 0);
    struct { long type; char text[20]; } m = {5, "five"};
    SHOW(ipc(MSGSND, msg, 5, 0, &m, 0));
    m.type = 6;
    SHOW(ipc(MSGSND, msg, 5, 0, &m, 0));
    SHOW(ipc(MSGCTL, msg, IPC_STAT, 0, &msqid, 0));
    printf("%o %d %d %u %u %d\n", msqid.perm.mode, msqid.cbytes, msqid.qnum, msqid.lqbytes, msqid.lcbytes, msqid.qbytes);
    struct { void *message; long type; } kludge = {&m, 6};
    SHOW(ipc(MSGRCV, msg, 20, 0, &kludge, 0));
    printf("%ld %s\n", m.type, m.text);
    SHOW(ipc(MSGRCV, msg, 20, 0, 0, 0));
    SHOW(ipc(MSGRCV, msg, 20, 0, bad, 0));
    SHOW(ipc(MSGRCV | 1 << 16, msg, 20, IPC_NOWAIT, &m, 5));
    SHOW(ipc(MSGRCV | 1 << 16, msg, 20, IPC_NOWAIT, &m, 5));
    SHOW(ipc(MSGCTL, msg, IPC_RMID, 0, 0, 0));
    SHOW(ipc(9, 0, 0, 0, 0, 0));
    SHOW(ipc(99, 0, 0, 0, 0, 0));
    return 0;
}
