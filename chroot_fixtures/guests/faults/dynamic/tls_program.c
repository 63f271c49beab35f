/* Libraries with thread-local memory come and go, in several threads. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*function)(int);

static const char *names[] = {"general_dynamic", "local_dynamic", "initial_exec"};
static void *handles[3];
static function functions[3];
static pthread_barrier_t barrier;

static void *thread(void *argument) {
    long sum = 0;
    for (int i = 0; i < 3; i++) sum = sum * 31 + functions[i](*(int *)argument);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 300; i++) sum = sum * 31 + functions[i % 3](i);
    return (void *)sum;
}

static char *directory;

static void load(int i) {
    char name[512];
    snprintf(name, sizeof name, "%s/%s.so", directory, names[i]);
    handles[i] = dlopen(name, RTLD_NOW);
    if (!handles[i]) printf("%s\n", dlerror()), exit(1);
    functions[i] = (function)dlsym(handles[i], names[i]);
}

int main(int argc, char **argv) {
    directory = argv[1];
    long total = 0;
    for (int round = 0; round < 300; round++) {
        int i = round % 3;
        load(i);
        for (int j = 0; j < 3; j++) total = total * 31 + functions[i](j);
        if (round % 50 == 0) printf("%s %lx\n", names[i], total);
        dlclose(handles[i]);
    }
    for (int i = 0; i < 3; i++) load(i);
    pthread_barrier_init(&barrier, NULL, 4);
    pthread_t threads[4];
    int numbers[4];
    for (int i = 0; i < 4; i++) numbers[i] = i, pthread_create(&threads[i], NULL, thread, &numbers[i]);
    for (int i = 0; i < 4; i++) {
        void *sum;
        pthread_join(threads[i], &sum);
        printf("%lx\n", (long)sum);
    }
    errno = 0;
    close(-1);
    printf("%s %lx\n", strerror(errno), total);
    return 0;
}
