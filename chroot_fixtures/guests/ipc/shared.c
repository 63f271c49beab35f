/* IPC between processes and threads: locks in shared memory, undo lists, the order of waiting, exec, death. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
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

struct board {
    pthread_mutex_t mutex, robust;
    pthread_cond_t cond;
    pthread_barrier_t barrier;
    sem_t semaphore;
    int turn, count;
};
static int shm, sem;
static struct board *board;

static int op(int number, int change, int flags) {
    struct sembuf buffer = {number, change, flags};
    return semop(sem, &buffer, 1);
}
static int get(int number) {
    return semctl(sem, number, GETVAL);
}
static void until(int number, int command, int count) {
    while (semctl(sem, number, command) != count)
        usleep(1000);
}
static unsigned attached(void) {
    struct shmid_ds ds;
    return shmctl(shm, IPC_STAT, &ds) ? 9999 : ds.shm_nattch;
}
static pid_t child(void (*body)(long), long argument) {
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        body(argument);
        fflush(stdout);
        _exit(0);
    }
    return pid;
}
static int finish(pid_t pid) {
    int status;
    waitpid(pid, &status, 0);
    return status;
}

/* Each at its own address. */
static void player(long me) {
    struct board *mine = shmat(shm, NULL, 0);
    shmdt(board);
    pthread_barrier_wait(&mine->barrier);
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&mine->mutex);
        while (mine->turn != me)
            pthread_cond_wait(&mine->cond, &mine->mutex);
        mine->count++;
        mine->turn = !me;
        pthread_cond_broadcast(&mine->cond);
        pthread_mutex_unlock(&mine->mutex);
        sem_post(&mine->semaphore);
    }
}
static void die_holding(long unused) {
    pthread_mutex_lock(&board->robust);
    kill(getpid(), SIGKILL);
}
static void take_and_die(long unused) {
    op(0, 7, SEM_UNDO);
    op(1, -2, SEM_UNDO);
    raise(SIGKILL);
}
static void *add_with_undo(void *number) {
    op((long)number, 3, SEM_UNDO);
    return NULL;
}
static void threads(long unused) {
    pthread_t one;
    pthread_create(&one, NULL, add_with_undo, (void *)0);
    pthread_join(one, NULL);
    SHOW(get(0)); /* it has ended, but shares its list with us */
    op(0, 1, SEM_UNDO);
    if (!fork()) { /* has no part in it */
        op(1, 1, SEM_UNDO);
        SHOW(get(0));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    SHOW(get(1));
    fflush(stdout);
}
static int alone(void *unused) {
    return op(0, 2, SEM_UNDO);
}
static void waiter(long wanted) {
    op(0, -wanted, 0);
    op(2, 1, 0); /* in which order we got through */
    op(3, wanted == 3 ? 100 : wanted == 1 ? 10 : 1, 0);
}
static void overdraw(long unused) {
    op(0, 5, SEM_UNDO);
}
static void receiver(long type) {
    struct { long type; char text[20]; } m;
    SHOW(msgrcv(sem, &m, 20, type, 0));
    printf("%ld %s\n", m.type, m.text);
}

int main(int argc, char **argv) {
    if (argc == 3) { /* after exec: nothing is attached, the undo list is kept */
        shm = atoi(argv[1]), sem = atoi(argv[2]);
        printf("after exec %u attached, value %d\n", attached(), get(0));
        return 0;
    }
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    shm = shmget(IPC_PRIVATE, sizeof *board, 0600);
    sem = semget(IPC_PRIVATE, 4, 0600);
    board = shmat(shm, NULL, 0);
    pthread_mutexattr_t mutex;
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&board->mutex, &mutex);
    pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&board->robust, &mutex);
    pthread_condattr_t cond;
    pthread_condattr_init(&cond);
    pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&board->cond, &cond);
    pthread_barrierattr_t barrier;
    pthread_barrierattr_init(&barrier);
    pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&board->barrier, &barrier, 2);
    sem_init(&board->semaphore, 1, 0);
    pid_t one = child(player, 0), two = child(player, 1);
    for (int i = 0; i < 400; i++)
        sem_wait(&board->semaphore);
    finish(one), finish(two);
    printf("count %d turn %d attached %u\n", board->count, board->turn, attached());
    finish(child(die_holding, 0));
    int result = pthread_mutex_lock(&board->robust);
    printf("%s\n", strerrorname_np(result));
    pthread_mutex_consistent(&board->robust);
    SHOW(pthread_mutex_unlock(&board->robust));
    /* undo */
    semctl(sem, 0, SETVAL, 1), semctl(sem, 1, SETVAL, 2);
    finish(child(take_and_die, 0));
    SHOW(get(0));
    SHOW(get(1));
    finish(child(threads, 0));
    SHOW(get(0));
    SHOW(get(1));
    static char stack[65536];
    pid_t pid = clone(alone, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    finish(pid);
    SHOW(get(0));
    pid = clone(alone, stack + sizeof stack, CLONE_VM | CLONE_SYSVSEM | SIGCHLD, NULL);
    finish(pid);
    SHOW(get(0)); /* kept in ours */
    fflush(stdout);
    /* what is undone is kept within bounds */
    semctl(sem, 0, SETVAL, 0);
    pid = child(overdraw, 0);
    finish(pid);
    SHOW(get(0));
    /* order: who fits goes first, the others keep their places */
    semctl(sem, 0, SETVAL, 0), semctl(sem, 2, SETVAL, 0), semctl(sem, 3, SETVAL, 0);
    pid_t waiting[3];
    for (int i = 0; i < 3; i++) {
        waiting[i] = child(waiter, 3 - i); /* 3, 2, 1 */
        until(0, GETNCNT, i + 1);
    }
    op(0, 1, 0);
    until(2, GETVAL, 1);
    until(3, GETVAL, 10);
    printf("waiting %d\n", semctl(sem, 0, GETNCNT));
    op(0, 3, 0); /* the oldest */
    until(2, GETVAL, 2);
    until(3, GETVAL, 110);
    printf("waiting %d\n", semctl(sem, 0, GETNCNT));
    op(0, 2, 0);
    for (int i = 0; i < 3; i++)
        finish(waiting[i]);
    printf("order %d, rest %d\n", get(3), get(0));
    /* exec */
    fflush(stdout);
    if (!(pid = fork())) {
        char a[20], b[20];
        sprintf(a, "%d", shm), sprintf(b, "%d", sem);
        op(0, 5, SEM_UNDO);
        execl("/proc/self/exe", argv[0], a, b, NULL);
        _exit(1);
    }
    finish(pid);
    printf("%u attached, value %d\n", attached(), get(0));
    SHOW(shmctl(shm, IPC_RMID, NULL));
    SHOW(semctl(sem, 0, IPC_RMID));
    SHOW(shmdt(board));
    /* receivers, each for its own */
    sem = msgget(IPC_PRIVATE, 0600);
    for (int i = 0; i < 3; i++) {
        waiting[i] = child(receiver, i == 0 ? -2 : i == 1 ? 5 : 0);
        usleep(20000);
    }
    struct { long type; char text[20]; } m = {4, "four"};
    msgsnd(sem, &m, 5, 0); /* for the last: any */
    finish(waiting[2]);
    m.type = 5, strcpy(m.text, "five");
    msgsnd(sem, &m, 5, 0);
    finish(waiting[1]);
    m.type = 2, strcpy(m.text, "two");
    msgsnd(sem, &m, 4, 0);
    finish(waiting[0]);
    SHOW(msgctl(sem, IPC_RMID, NULL));
    return 0;
}
