/* Who gets through a set of semaphores when many wait: made-up operations of many processes, each step settled. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 3
#define MOST 200
static int sem, started, told;
static volatile int *results; /* of each process: 0 none yet, 1 done, else errno + 1 */
static unsigned seed;

static int some(int below) {
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % below;
}
static int blocked(void) {
    int count = 0;
    for (int i = 0; i < SIZE; i++)
        count += semctl(sem, i, GETNCNT) + semctl(sem, i, GETZCNT);
    return count;
}
static int finished(void) {
    int count = 0;
    for (int i = 0; i < started; i++)
        count += results[i] != 0;
    return count;
}
/* Wait until everybody waits or is through; tell who came through. */
static void settle(int removed) {
    while (finished() + (removed ? 0 : blocked()) != started)
        usleep(300);
    static char seen[MOST];
    if (!started)
        memset(seen, 0, sizeof seen);
    for (int i = 0; i < started; i++)
        if (results[i] && !seen[i]) {
            seen[i] = 1;
            printf(" %d:%s", i, results[i] == 1 ? "ok" : strerrorname_np(results[i] - 1));
            wait(NULL);
            told++;
        }
    if (!removed)
        printf(" | %d %d %d\n", semctl(sem, 0, GETVAL), semctl(sem, 1, GETVAL), semctl(sem, 2, GETVAL));
}
static void start(void) {
    struct sembuf operations[3];
    int count = 1 + some(3);
    for (int i = 0; i < count; i++) {
        operations[i].sem_num = some(SIZE);
        operations[i].sem_op = some(3) ? some(7) - 3 : -1;
        operations[i].sem_flg = some(8) ? 0 : IPC_NOWAIT;
        printf("%d%+d%s ", operations[i].sem_num, operations[i].sem_op, operations[i].sem_flg ? "!" : "");
    }
    fflush(stdout);
    int me = started++;
    if (!fork()) {
        int result = semop(sem, operations, count);
        results[me] = result ? errno + 1 : 1;
        _exit(0);
    }
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    results = mmap(NULL, MOST * sizeof *results, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int round = 0; round < 4; round++) {
        seed = 77 + round;
        sem = semget(IPC_PRIVATE, SIZE, 0600);
        started = 0;
        settle(0);
        memset((void *)results, 0, MOST * sizeof *results);
        for (int step = 0; step < 22; step++) {
            if (blocked() > 7 || !some(6)) {
                int number = some(SIZE), value = some(5);
                printf("%d=%d ", number, value);
                semctl(sem, number, SETVAL, value);
            } else
                start();
            settle(0);
        }
        semctl(sem, 0, IPC_RMID);
        settle(1);
        printf("\n");
    }
    return 0;
}
