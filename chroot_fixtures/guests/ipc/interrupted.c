/* Signals while IPC waits: what ends with EINTR, what goes on (SA_RESTART), what a stop and its end do. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SEMOP, MSGRCV, MQ_RECEIVE, MQ_TIMEDRECEIVE, SPLICE, TEE, SEMTIMEDOP, CALLS };
enum { HANDLER, RESTART, STOP, WAYS };

static int sem, msg, p[2], q[2], ready[2];
static mqd_t mq;
static struct { long type; char text[64]; } message = {1, "x"};

static void handler(int signo) {
    (void)signo;
}

static void wait_in(int call, int way) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = way == RESTART ? SA_RESTART : 0};
    sigaction(SIGUSR1, &action, NULL);
    struct sembuf take = {0, -1, 0};
    struct timespec far = {2000000000, 0};
    char text[10];
    long result = 0;
    write(ready[1], "r", 1);
    switch (call) {
    case SEMOP:
        result = semop(sem, &take, 1);
        break;
    case MSGRCV:
        result = msgrcv(msg, &message, 10, 0, 0);
        break;
    case MQ_RECEIVE:
        result = mq_receive(mq, text, 10, NULL);
        break;
    case MQ_TIMEDRECEIVE:
        result = mq_timedreceive(mq, text, 10, NULL, &far);
        break;
    case SPLICE:
        result = splice(p[0], NULL, q[1], NULL, 5, 0);
        break;
    case TEE:
        result = tee(p[0], q[1], 5, 0);
        break;
    case SEMTIMEDOP:
        result = semtimedop(sem, &take, 1, &far);
        break;
    }
    printf("way %d call %d: ", way, call);
    if (result < 0)
        puts(strerrorname_np(errno));
    else
        printf("%ld\n", result);
    fflush(stdout);
}

static void interrupt(int call, int way) {
    char byte, name[40];
    sem = semget(IPC_PRIVATE, 1, 0600), msg = msgget(IPC_PRIVATE, 0600);
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 10};
    sprintf(name, "/lbw-interrupted-%d", getpid());
    mq = mq_open(name, O_CREAT | O_RDWR, 0600, &attributes);
    mq_unlink(name);
    pipe(p), pipe(q), pipe(ready);
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        wait_in(call, way);
        _exit(0);
    }
    read(ready[0], &byte, 1);
    usleep(10000);
    if (way == STOP)
        kill(pid, SIGSTOP), usleep(2000), kill(pid, SIGCONT);
    else
        kill(pid, SIGUSR1);
    usleep(5000);
    struct sembuf give = {0, 1, 0};
    semop(sem, &give, 1), msgsnd(msg, &message, 1, 0), mq_send(mq, "x", 1, 0), write(p[1], "x", 1);
    waitpid(pid, NULL, 0);
    semctl(sem, 0, IPC_RMID), msgctl(msg, IPC_RMID, NULL), mq_close(mq);
    for (int i = 0; i < 2; i++)
        close(p[i]), close(q[i]), close(ready[i]);
}

int main(void) {
    for (int way = 0; way < WAYS; way++)
        for (int call = 0; call < CALLS; call++)
            interrupt(call, way);
    return 0;
}
