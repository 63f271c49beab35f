/* POSIX shared memory, System V segments, /dev/zero and anonymous shared memory: the same pages everywhere. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define SHOW(e) do { errno = 0; long r_ = (long)(e); \
    printf("%s: %ld %s\n", #e, r_, r_ == -1 ? strerrorname_np(errno) : ""); } while (0)

static sigjmp_buf back;
static char shm_name[64], sem_name[64], mutex_name[64], sparse_name[64]; /* the guest runs beside itself */

static void on_fault(int signo, siginfo_t *info, void *context) {
    siglongjmp(back, signo * 100 + info->si_code);
}

static int reads(volatile char *address) {
    int fault = sigsetjmp(back, 1);
    return fault ? -fault : *address;
}

static int ended(pid_t child) {
    int status;
    waitpid(child, &status, 0);
    return status;
}

static void posix(void) {
    shm_unlink(shm_name);
    int fd = shm_open(shm_name, O_RDWR | O_CREAT | O_EXCL, 0600);
    SHOW(shm_open(shm_name, O_RDWR | O_CREAT | O_EXCL, 0600));
    SHOW(ftruncate(fd, 3 * PAGE));
    char *mine = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pid_t child = fork();
    if (!child) {
        int other = shm_open(shm_name, O_RDWR, 0);
        char *its = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, other, PAGE);
        its[1] = 'c';
        mine[2 * PAGE] = 'd';
        _exit(its[PAGE]);
    }
    SHOW(ended(child));
    SHOW(mine[PAGE + 1]);
    int reader = shm_open(shm_name, O_RDONLY, 0);
    SHOW(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0));
    char *look = mmap(0, 3 * PAGE, PROT_READ, MAP_SHARED, reader, 0);
    SHOW(look[2 * PAGE]);
    SHOW(mprotect(look, PAGE, PROT_READ | PROT_WRITE));
    SHOW(madvise(look, PAGE, MADV_REMOVE));
    SHOW(shm_unlink(shm_name));
    SHOW(shm_open(shm_name, O_RDWR, 0));
    SHOW(ftruncate(fd, PAGE));
    SHOW(reads(look + PAGE));
    munmap(mine, 3 * PAGE);
    munmap(look, 3 * PAGE);
    close(fd);
    close(reader);
}

/* Locks in files that processes share by name. */
static void locks(void) {
    sem_unlink(sem_name);
    sem_t *sem = sem_open(sem_name, O_CREAT | O_EXCL, 0600, 0), *done;
    SHOW(sem != SEM_FAILED);
    SHOW(sem_open("/lbw-none", 0) == SEM_FAILED ? -1 : 0);
    done = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sem_init(done, 1, 0);
    pid_t child = fork();
    if (!child) {
        sem_t *its = sem_open(sem_name, 0);
        for (int i = 0; i < 100; i++) {
            sem_wait(its);
            sem_post(done);
        }
        _exit(0);
    }
    for (int i = 0; i < 100; i++) {
        sem_post(sem);
        sem_wait(done);
    }
    SHOW(ended(child));
    int value;
    sem_getvalue(sem, &value);
    SHOW(value);
    SHOW(sem_unlink(sem_name));

    int fd = open(mutex_name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, PAGE);
    struct { pthread_mutex_t mutex; pthread_cond_t cond; int count; } *shared;
    shared = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->mutex, &kind);
    pthread_condattr_t waiting;
    pthread_condattr_init(&waiting);
    pthread_condattr_setpshared(&waiting, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&shared->cond, &waiting);
    child = fork();
    if (!child) {
        char *other = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        shared = (void *)other;
        pthread_mutex_lock(&shared->mutex);
        while (shared->count < 5)
            pthread_cond_wait(&shared->cond, &shared->mutex);
        shared->count = 100;
        _exit(0);
    }
    for (int i = 0; i < 5; i++) {
        pthread_mutex_lock(&shared->mutex);
        shared->count++;
        pthread_mutex_unlock(&shared->mutex);
        pthread_cond_signal(&shared->cond);
    }
    SHOW(ended(child));
    SHOW(pthread_mutex_lock(&shared->mutex) == EOWNERDEAD);
    SHOW(pthread_mutex_consistent(&shared->mutex));
    SHOW(shared->count);
    munmap(shared, PAGE);
    close(fd);
    unlink(mutex_name);
}

static long resident(int id) {
    FILE *file = fopen("/proc/sysvipc/shm", "r");
    char line[400];
    long found = -1;
    while (fgets(line, sizeof line, file)) {
        long one, rss;
        if (sscanf(line, "%*d %ld %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %ld", &one, &rss) == 2 && one == id)
            found = rss;
    }
    fclose(file);
    return found;
}

static void segments(void) {
    int id = shmget(IPC_PRIVATE, 5 * PAGE + 1, 0600);
    SHOW(resident(id));
    char *mine = shmat(id, 0, 0), *again = shmat(id, 0, SHM_RDONLY);
    struct shmid_ds status;
    mine[0] = 'a';
    mine[5 * PAGE] = 'b';
    SHOW(again[0] * 1000 + again[5 * PAGE]);
    SHOW(resident(id));
    SHOW(reads(again + 2 * PAGE));
    SHOW(resident(id));
    SHOW(madvise(mine + PAGE, 5 * PAGE, MADV_REMOVE));
    SHOW(again[5 * PAGE]);
    SHOW(resident(id));
    SHOW(mprotect(again, PAGE, PROT_READ | PROT_WRITE));
    pid_t child = fork();
    if (!child) {
        mine[1] = 'c';
        shmctl(id, IPC_STAT, &status);
        _exit(status.shm_nattch);
    }
    SHOW(ended(child));
    SHOW(again[1]);
    shmctl(id, IPC_STAT, &status);
    SHOW(status.shm_nattch);
    SHOW(munmap(again + PAGE, PAGE));
    shmctl(id, IPC_STAT, &status);
    SHOW(status.shm_nattch);
    SHOW(shmctl(id, IPC_RMID, 0));
    char *late = shmat(id, 0, 0);
    SHOW(late[1]);
    SHOW(shmdt(late));
    SHOW(shmdt(mine));
    SHOW(again[1]);
    SHOW(shmdt(again));
    SHOW(shmat(id, 0, 0));
}

static void nameless(int zero) {
    char *shared = zero ? mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, open("/dev/zero", O_RDWR), 0)
                        : mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (!child) {
        shared[PAGE] = 'n';
        shared[2 * PAGE] = 'm';
        _exit(0);
    }
    SHOW(ended(child));
    SHOW(shared[PAGE]);
    SHOW(madvise(shared + PAGE, PAGE, MADV_REMOVE));
    SHOW(shared[PAGE] * 1000 + shared[2 * PAGE]);
    SHOW(madvise(shared, 4 * PAGE, MADV_DONTNEED));
    SHOW(shared[2 * PAGE]);
    char *twice = mremap(shared + 2 * PAGE, 0, PAGE, MREMAP_MAYMOVE);
    twice[1] = 't';
    SHOW(shared[2 * PAGE + 1]);
    char *grown = mremap(shared, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
    SHOW(reads(grown + 4 * PAGE));
    munmap(grown, 5 * PAGE);
    SHOW(twice[0]);
    munmap(twice, PAGE);
    char *own = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, open("/dev/zero", O_RDONLY), 0);
    own[0] = 'o';
    child = fork();
    if (!child) {
        own[0] = 'p';
        _exit(0);
    }
    ended(child);
    SHOW(own[0]);
    SHOW(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, open("/dev/zero", O_RDONLY), 0));
    SHOW(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, open("/dev/null", O_RDONLY), 0));
    char *look = mmap(0, PAGE, PROT_READ, MAP_SHARED, open("/dev/zero", O_RDONLY), 0);
    SHOW(mprotect(look, PAGE, PROT_READ | PROT_WRITE));
    SHOW(reads(look));
}

/* A file system has a size: a write beyond it is ENOSPC, an access by a mapping SIGBUS. */
static void full(void) {
    struct stat status;
    int fd = open(sparse_name, O_RDWR | O_CREAT | O_TRUNC | O_LARGEFILE, 0600);
    SHOW(fallocate64(fd, 0, 0, 1LL << 50));
    fstat(fd, &status);
    SHOW(status.st_size);
    SHOW(status.st_blocks);
    SHOW(ftruncate64(fd, 1LL << 50));
    SHOW(pwrite64(fd, "x", 1, (1LL << 49) + 5));
    char byte;
    SHOW(pread64(fd, &byte, 1, (1LL << 49) + 5) == 1 && byte == 'x');
    SHOW(lseek64(fd, 0, SEEK_DATA) == 1LL << 49);
    fstat(fd, &status);
    SHOW(status.st_blocks);
    close(fd);
    unlink(sparse_name);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, 0);
    sigaction(SIGSEGV, &action, 0);
    sprintf(shm_name, "/lbw-shm-%d", getpid());
    sprintf(sem_name, "/lbw-sem-%d", getpid());
    sprintf(mutex_name, "/dev/shm/lbw-mutex-%d", getpid());
    sprintf(sparse_name, "/dev/shm/lbw-sparse-%d", getpid());
    posix();
    locks();
    segments();
    nameless(0);
    nameless(1);
    full();
    return 0;
}
