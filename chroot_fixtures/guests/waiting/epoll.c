/* epoll: level, edge, one-shot, exclusive, nested, copies of descriptors, many files, masks, errors. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What epoll_pwait2 takes, in every ABI. */
struct time {
    long long seconds, nanoseconds;
};

static void result(const char *what, long value) {
    if (value < 0) printf("%s: %s\n", what, strerror(errno));
    else printf("%s: %ld\n", what, value);
}

static int control(int set, int operation, int fd, unsigned events, int data) {
    struct epoll_event event = {events, {.u64 = 0x100000000ull * data + data}};
    return epoll_ctl(set, operation, fd, &event);
}

static int add(int set, int fd, unsigned events, int data) { return control(set, EPOLL_CTL_ADD, fd, events, data); }

/* What epoll_wait gives now: "events:data" of each, sorted as they come. */
static void now(const char *what, int set, int most) {
    struct epoll_event got[64];
    int count = epoll_wait(set, got, most, 0);
    printf("%s: %d", what, count);
    for (int i = 0; i < count; i++) {
        printf(" %x:%u", got[i].events, got[i].data.u32);
        if (got[i].data.u64 >> 32 != got[i].data.u32) printf("(!)");
    }
    printf("\n");
}

static void fill(int fd) {
    static char block[4096];
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, block, sizeof block) > 0) {}
}

static void empty(int fd) {
    static char block[65536];
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (read(fd, block, sizeof block) > 0) {}
}

static void put(int fd) { if (write(fd, "x", 1) != 1) printf("write: %s\n", strerror(errno)); }
static void take(int fd) { char byte; if (read(fd, &byte, 1) != 1) printf("read: %s\n", strerror(errno)); }

static void errors(void) {
    int p[2], set = epoll_create1(EPOLL_CLOEXEC), other = epoll_create(1);
    struct epoll_event event = {EPOLLIN, {0}};
    if (pipe(p)) return;
    result("create 0", epoll_create(0));
    result("create -1", epoll_create(-1));
    result("create1 flags", epoll_create1(1));
    printf("cloexec %d\n", fcntl(set, F_GETFD));
    result("flags", fcntl(set, F_GETFL));
    result("bad epfd", add(99, p[0], EPOLLIN, 1));
    result("bad fd", add(set, 99, EPOLLIN, 1));
    result("both bad", add(99, 98, EPOLLIN, 1));
    result("not an epoll", add(p[0], p[1], EPOLLIN, 1));
    result("itself", add(set, set, EPOLLIN, 1));
    result("regular file", add(set, open("/proc/self/exe", O_RDONLY), EPOLLIN, 1));
    result("directory", add(set, open("/", O_RDONLY), EPOLLIN, 1));
    result("null", add(set, open("/dev/null", O_RDONLY), EPOLLIN, 1));
    result("path", add(set, open("/", O_PATH), EPOLLIN, 1));
    result("operation", control(set, 9, p[0], EPOLLIN, 1));
    result("operation 0", control(set, 0, p[0], EPOLLIN, 1));
    result("bad event", epoll_ctl(set, EPOLL_CTL_ADD, p[0], (void *)8));
    result("bad event of a bad operation", epoll_ctl(set, 9, p[0], (void *)8));
    result("mod missing", control(set, EPOLL_CTL_MOD, p[0], EPOLLIN, 1));
    result("del missing", control(set, EPOLL_CTL_DEL, p[0], 0, 1));
    result("add", add(set, p[0], EPOLLIN, 1));
    result("add again", add(set, p[0], EPOLLIN, 1));
    result("add a copy", add(set, dup(p[0]), EPOLLIN, 2));
    result("del with a bad event", epoll_ctl(set, EPOLL_CTL_DEL, p[0], (void *)8));
    result("add nothing", add(set, p[0], 0, 1));
    result("wakeup", add(set, p[1], EPOLLOUT | EPOLLWAKEUP, 1));
    result("max 0", epoll_wait(set, &event, 0, 0));
    result("max -1", epoll_wait(set, &event, -1, 0));
    result("max too large", epoll_wait(set, &event, 0x7fffffff / sizeof event + 1, 0));
    result("wait on a pipe", epoll_wait(p[0], &event, 1, 0));
    result("wait on nothing", epoll_wait(97, &event, 1, 0));
    result("bad address", epoll_wait(set, (void *)8, 1, 0));
    result("kernel address", epoll_wait(set, (void *)-4096l, 1, 0));
    result("mask size", syscall(SYS_epoll_pwait, set, &event, 1, 0, &event, 4));
    result("bad mask", syscall(SYS_epoll_pwait, set, &event, 1, 0, 8, 8));
    result("read", read(set, &event, 8));
    result("write", write(set, &event, 8));
    result("exclusive mod", control(set, EPOLL_CTL_MOD, p[1], EPOLLOUT | EPOLLEXCLUSIVE, 1));
    result("exclusive oneshot", add(other, p[1], EPOLLOUT | EPOLLEXCLUSIVE | EPOLLONESHOT, 1));
    result("exclusive rdhup", add(other, p[1], EPOLLOUT | EPOLLEXCLUSIVE | EPOLLRDHUP, 1));
    result("exclusive epoll", add(other, set, EPOLLIN | EPOLLEXCLUSIVE, 1));
    result("exclusive", add(other, p[1], EPOLLOUT | EPOLLEXCLUSIVE | EPOLLET, 1));
    result("mod of exclusive", control(other, EPOLL_CTL_MOD, p[1], EPOLLOUT, 1));
    result("del of exclusive", control(other, EPOLL_CTL_DEL, p[1], 0, 1));
    struct time bad = {0, 1000000000}, negative = {-1, 0}, zero = {0, 0};
    result("pwait2 not normal", syscall(SYS_epoll_pwait2, set, &event, 1, &bad, 0, 0));
    result("pwait2 negative", syscall(SYS_epoll_pwait2, set, &event, 1, &negative, 0, 0));
    result("pwait2 bad", syscall(SYS_epoll_pwait2, set, &event, 1, 8, 0, 0));
    control(set, EPOLL_CTL_DEL, p[1], 0, 0);
    result("pwait2", syscall(SYS_epoll_pwait2, set, &event, 1, &zero, 0, 0));
}

static void triggers(void) {
    int p[2], level = epoll_create1(0), edge = epoll_create1(0), once = epoll_create1(0);
    if (pipe(p)) return;
    add(level, p[0], EPOLLIN, 1);
    add(edge, p[0], EPOLLIN | EPOLLET, 2);
    add(once, p[0], EPOLLIN | EPOLLONESHOT, 3);
    now("level, empty", level, 8);
    now("edge, empty", edge, 8);
    put(p[1]);
    now("level", level, 8);
    now("level", level, 8);
    now("edge", edge, 8);
    now("edge", edge, 8);
    now("once", once, 8);
    now("once", once, 8);
    put(p[1]);
    now("edge, more", edge, 8);
    now("edge, more", edge, 8);
    now("once, more", once, 8);
    result("rearm", control(once, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 4));
    now("once, rearmed", once, 8);
    now("once, rearmed", once, 8);
    result("rearm edge", control(edge, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 5));
    now("edge, modified", edge, 8);
    now("edge, modified", edge, 8);
    take(p[0]);
    now("edge, one left", edge, 8);
    take(p[0]);
    now("level, empty", level, 8);
    now("edge, empty", edge, 8);
    close(p[1]);
    now("level, hung up", level, 8);
    now("edge, hung up", edge, 8);
    now("edge, hung up", edge, 8);
    now("once, hung up", once, 8);
    control(once, EPOLL_CTL_MOD, p[0], EPOLLONESHOT, 6);
    now("once, only HUP", once, 8);
    now("once, only HUP", once, 8);
    close(p[0]);
    now("level, closed", level, 8);
    result("del after close", control(level, EPOLL_CTL_DEL, p[0], 0, 1));
    /* the writing end */
    if (pipe(p)) return;
    add(level, p[1], EPOLLOUT, 7);
    add(edge, p[1], EPOLLOUT | EPOLLET, 8);
    now("writable", level, 8);
    now("writable, edge", edge, 8);
    now("writable, edge", edge, 8);
    fill(p[1]);
    now("full", level, 8);
    now("full, edge", edge, 8);
    empty(p[0]);
    now("room", level, 8);
    now("room, edge", edge, 8);
    now("room, edge", edge, 8);
    close(p[0]);
    now("broken", level, 8);
    now("broken, edge", edge, 8);
    close(p[1]);
    /* one queue for both directions */
    int e = eventfd(0, EFD_NONBLOCK);
    unsigned long long value = 1;
    add(edge, e, EPOLLOUT | EPOLLET, 9);
    now("eventfd", edge, 8);
    result("write", write(e, &value, 8));
    now("eventfd, written", edge, 8);
    control(edge, EPOLL_CTL_MOD, e, EPOLLIN | EPOLLOUT | EPOLLET, 10);
    now("eventfd, both", edge, 8);
    result("write", write(e, &value, 8));
    now("eventfd, both", edge, 8);
    result("read", read(e, &value, 8));
    now("eventfd, both", edge, 8);
    close(e);
    close(level), close(edge), close(once);
}

static void copies(void) {
    int p[2], set = epoll_create1(0);
    if (pipe(p)) return;
    int copy = dup(p[0]);
    add(set, p[0], EPOLLIN, 1);
    put(p[1]);
    now("before", set, 8);
    close(p[0]);
    now("closed, but for a copy", set, 8);
    result("del by the copy", control(set, EPOLL_CTL_DEL, copy, 0, 0));
    result("add of the copy", add(set, copy, EPOLLIN, 2));
    now("twice", set, 8);
    close(copy);
    now("closed", set, 8);
    /* the same number, another file */
    int q[2];
    if (pipe(q)) return;
    result("same number", add(set, q[0], EPOLLIN, 3));
    int keep = dup(q[0]);
    close(q[0]);
    int again = dup(p[1]);
    printf("reused %d\n", again == q[0]);
    result("same number again", add(set, again, EPOLLOUT, 4));
    put(q[1]);
    now("the old one lives", set, 8);
    close(again);
    close(keep);
    now("gone", set, 8);
    close(q[1]);
    /* a child shares the set */
    int r[2];
    if (pipe(r)) return;
    add(set, r[0], EPOLLIN, 5);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        put(r[1]);
        now("child", set, 8);
        add(set, r[1], EPOLLOUT, 6);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, 0, 0);
    now("parent", set, 8);
    result("del of what the child added", control(set, EPOLL_CTL_DEL, r[1], 0, 0));
    now("parent", set, 8);
    close(r[0]);
    now("closed", set, 8);
    close(r[1]);
    close(p[1]);
    close(set);
}

static void nested(void) {
    int p[2], inner = epoll_create1(0), outer = epoll_create1(0);
    if (pipe(p)) return;
    add(inner, p[0], EPOLLIN, 1);
    result("nest", add(outer, inner, EPOLLIN, 2));
    now("outer", outer, 8);
    struct pollfd both[2] = {{inner, POLLIN | POLLOUT, 0}, {outer, POLLIN, 0}};
    result("poll", poll(both, 2, 0));
    put(p[1]);
    now("outer", outer, 8);
    now("outer", outer, 8);
    result("poll", poll(both, 2, 0));
    printf("%x %x\n", both[0].revents, both[1].revents);
    take(p[0]);
    now("outer", outer, 8);
    put(p[1]);
    now("inner", inner, 8);
    now("outer", outer, 8);
    result("edge", control(outer, EPOLL_CTL_MOD, inner, EPOLLIN | EPOLLET, 3));
    now("outer edge", outer, 8);
    now("outer edge", outer, 8);
    put(p[1]);
    now("outer edge", outer, 8);
    result("circle", add(inner, outer, EPOLLIN, 1));
    int chain[8];
    for (int i = 0; i < 8; i++) chain[i] = epoll_create1(0);
    for (int i = 0; i < 7; i++) {
        char text[32];
        sprintf(text, "chain up %d", i);
        result(text, add(chain[i + 1], chain[i], EPOLLIN, i));
    }
    for (int i = 0; i < 8; i++) close(chain[i]);
    for (int i = 0; i < 8; i++) chain[i] = epoll_create1(0);
    for (int i = 0; i < 7; i++) {
        char text[32];
        sprintf(text, "chain down %d", i);
        result(text, add(chain[i], chain[i + 1], EPOLLIN, i));
    }
    result("long circle", add(chain[4], chain[0], EPOLLIN, 9));
    result("three steps", add(chain[2], chain[0], EPOLLIN, 9));
    add(chain[4], p[0], EPOLLIN, 10);
    now("four deep", chain[0], 8);
    close(p[1]), close(p[0]);
    now("nothing left", chain[0], 8);
    for (int i = 0; i < 8; i++) close(chain[i]);
    close(inner);
    now("no inner", outer, 8);
    close(outer);
}

/* How many epolls a file may wake through others. */
static void paths(void) {
    int p[2], inner = epoll_create1(0), middle = epoll_create1(0), outer[600], made = 0, kept = 0;
    if (pipe(p)) return;
    add(inner, p[0], EPOLLIN, 1);
    for (; made < 600; made++) {
        outer[made] = epoll_create1(0);
        if (add(outer[made], inner, EPOLLIN, 2)) break;
    }
    result("ways of one link", made);
    result("one more", add(outer[made], inner, EPOLLIN, 2));
    put(p[1]);
    now("the first", outer[0], 4);
    now("the last", outer[made - 1], 4);
    now("not added", outer[made], 4);
    result("another file below", add(inner, p[1], EPOLLOUT, 3));
    for (int i = 0; i < made; i++) control(outer[i], EPOLL_CTL_DEL, inner, 0, 0);
    result("in the middle", add(middle, inner, EPOLLIN, 4));
    for (; kept < made; kept++) if (add(outer[kept], middle, EPOLLIN, 5)) break;
    result("ways of two links", kept);
    printf("%s\n", strerror(errno));
    now("the first", outer[0], 4);
    int other = epoll_create1(0);
    result("a file of its own", add(other, p[0], EPOLLIN, 6));
    result("that is not below", add(outer[0], other, EPOLLIN, 6));
    result("but more are", add(outer[made], middle, EPOLLIN, 6));
    for (int i = 0; i <= made; i++) close(outer[i]);
    close(p[0]), close(p[1]), close(inner), close(middle), close(other);
}

static void fairness(void) {
    int set = epoll_create1(0), p[5][2];
    for (int i = 0; i < 5; i++) {
        if (pipe(p[i])) return;
        add(set, p[i][0], EPOLLIN, i);
        put(p[i][1]);
    }
    now("two at a time", set, 2);
    now("two at a time", set, 2);
    now("two at a time", set, 2);
    now("all", set, 8);
    take(p[1][0]);
    now("without 1", set, 2);
    now("without 1", set, 2);
    put(p[1][1]);
    now("all again", set, 8);
    now("all again", set, 8);
    /* a buffer that ends too early: what was not stored comes again, first */
    char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    struct epoll_event *short_one = (void *)(page + 4096 - 2 * sizeof(struct epoll_event));
    result("two fit", epoll_wait(set, short_one, 5, 0));
    printf("%u %u\n", short_one[0].data.u32, short_one[1].data.u32);
    result("none fits", epoll_wait(set, short_one + 2, 5, 0));
    now("all", set, 8);
    for (int i = 0; i < 5; i++) control(set, EPOLL_CTL_MOD, p[i][0], EPOLLIN | EPOLLET | (i & 1 ? EPOLLONESHOT : 0), i);
    result("two fit", epoll_wait(set, short_one, 5, 0));
    now("the rest", set, 8);
    now("nothing", set, 8);
    for (int i = 0; i < 5; i++) close(p[i][0]), close(p[i][1]);
    close(set);
}

#define MANY 3000
static void many(void) {
    struct rlimit limit = {MANY + 50, MANY + 50};
    static int fds[MANY];
    static struct epoll_event got[MANY];
    int set = epoll_create1(0);
    result("limit", setrlimit(RLIMIT_NOFILE, &limit));
    for (int i = 0; i < MANY; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK);
        if (fds[i] < 0 || add(set, fds[i], EPOLLIN | (i % 3 ? 0 : EPOLLET), i)) return perror("many");
    }
    unsigned long long one = 1;
    long sum = 0, total = 0;
    for (int i = 0; i < MANY; i += 7) if (write(fds[i], &one, 8) != 8) perror("write");
    int count = epoll_wait(set, got, MANY, -1);
    for (int i = 0; i < count; i++) sum += got[i].data.u32;
    printf("ready %d sum %ld\n", count, sum);
    count = epoll_wait(set, got, MANY, -1);
    printf("level only %d\n", count);
    for (int i = 0; i < 300; i++) {
        int at = i * 41 % MANY;
        if (write(fds[at], &one, 8) != 8) perror("write");
        count = epoll_wait(set, got, 3, 0);
        total += count;
        if (read(fds[at], &one, 8) != 8) perror("read");
        one = 1;
    }
    printf("in small bits %ld\n", total);
    for (int i = 0; i < MANY; i++) close(fds[i]);
    now("none", set, 8);
    close(set);
}

static int shared, woken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int started;

static void *sleeper(void *argument) {
    struct epoll_event event;
    int set = (int)(long)argument;
    pthread_mutex_lock(&lock);
    started++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    int count = epoll_wait(set, &event, 1, 2000);
    pthread_mutex_lock(&lock);
    woken += count;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return 0;
}

/* Let four threads wait, make something happen, tell how many came back with an event. */
static void herd(const char *what, int sets[4], int writer, int times) {
    pthread_t threads[4];
    woken = started = 0;
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, sleeper, (void *)(long)sets[i]);
    pthread_mutex_lock(&lock);
    while (started < 4) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    usleep(200000); /* all asleep, on a busy machine too */
    for (int i = 0; i < times; i++) {
        put(writer);
        usleep(80000);
    }
    pthread_mutex_lock(&lock);
    printf("%s: %d\n", what, woken);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 4; i++) pthread_kill(threads[i], SIGUSR1);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
}

static void nothing(int number) {}

static void herds(void) {
    struct sigaction action = {.sa_handler = nothing};
    sigaction(SIGUSR1, &action, 0);
    int p[2], sets[4];
    if (pipe(p)) return;
    int set = epoll_create1(0);
    add(set, p[0], EPOLLIN | EPOLLET, 1);
    for (int i = 0; i < 4; i++) sets[i] = set;
    herd("edge, one set, one event", sets, p[1], 1);
    herd("edge, one set, three events", sets, p[1], 3);
    control(set, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 1);
    empty(p[0]);
    now("drained", set, 1);
    herd("oneshot, one set", sets, p[1], 1);
    empty(p[0]);
    close(set);
    for (int i = 0; i < 4; i++) {
        sets[i] = epoll_create1(0);
        add(sets[i], p[0], EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1);
    }
    herd("exclusive, four sets", sets, p[1], 1);
    empty(p[0]);
    for (int i = 0; i < 4; i++) {
        control(sets[i], EPOLL_CTL_DEL, p[0], 0, 0);
        add(sets[i], p[0], EPOLLIN | EPOLLET, 1);
    }
    herd("not exclusive, four sets", sets, p[1], 1);
    for (int i = 0; i < 4; i++) close(sets[i]);
    close(p[0]), close(p[1]);
}

static int handled, rang;
static void count(int number) { number == SIGALRM ? rang++ : handled++; }

/* A call that an alarm ends; the alarm comes again, should it come before the call. */
#define INTERRUPTED(what, call)         \
    do {                                \
        rang = 0;                       \
        ualarm(5000, 30000);            \
        long value_ = call;             \
        int error_ = errno;             \
        ualarm(0, 0);                   \
        errno = error_;                 \
        result(what, value_);           \
        printf("rang %d\n", rang > 0);  \
    } while (0)

static void signals(void) {
    struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};
    sigset_t none, blocked, old;
    struct epoll_event event;
    int p[2], set = epoll_create1(0);
    if (pipe(p)) return;
    add(set, p[0], EPOLLIN, 1);
    sigaction(SIGUSR2, &action, 0);
    sigaction(SIGALRM, &action, 0);
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    raise(SIGUSR2);
    result("pending, blocked", epoll_wait(set, &event, 1, 1));
    result("pending, unblocked by the mask", epoll_pwait(set, &event, 1, -1, &none));
    printf("handled %d\n", handled);
    raise(SIGUSR2);
    result("no wait", epoll_pwait(set, &event, 1, 0, &none));
    printf("handled %d\n", handled);
    put(p[1]);
    result("ready", epoll_pwait(set, &event, 1, -1, &none));
    printf("handled %d\n", handled);
    take(p[0]);
    sigset_t now_blocked;
    sigprocmask(SIG_SETMASK, 0, &now_blocked);
    printf("mask is back %d\n", sigismember(&now_blocked, SIGUSR2));
    sigprocmask(SIG_SETMASK, &old, 0);
    printf("handled %d\n", handled);
    INTERRUPTED("SA_RESTART does not matter", epoll_wait(set, &event, 1, -1));
    sigaddset(&blocked, SIGALRM);
    rang = 0;
    ualarm(2000, 0);
    result("blocked by the mask", epoll_pwait(set, &event, 1, 20, &blocked));
    printf("handled %d rang %d\n", handled, rang);
    struct time short_time = {0, 3000000};
    result("pwait2 timeout", syscall(SYS_epoll_pwait2, set, &event, 1, &short_time, &none, 8));
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        usleep(3000);
        put(p[1]);
        _exit(0);
    }
    result("wait for the child", epoll_wait(set, &event, 1, -1));
    waitpid(child, 0, 0);
    close(p[0]), close(p[1]), close(set);
}

static void shown(void) {
    int p[2], set = epoll_create1(0);
    if (pipe(p)) return;
    struct epoll_event event = {EPOLLIN | EPOLLET | EPOLLONESHOT, {.u64 = 0x123456789abcdef}};
    epoll_ctl(set, EPOLL_CTL_ADD, p[0], &event);
    char path[64], text[512];
    sprintf(path, "/proc/self/fdinfo/%d", set);
    int info = open(path, O_RDONLY);
    int length = read(info, text, sizeof text - 1);
    text[length > 0 ? length : 0] = 0;
    char *line = strstr(text, "tfd:"), *rest = line ? strstr(line, " pos:") : 0;
    if (!rest) return (void)printf("no tfd in %s\n", text);
    *rest = 0;
    int number = atoi(line + 4);
    printf("tfd right %d, %s\n", number == p[0], strstr(line, "events"));
    sprintf(path, "/proc/self/fd/%d", set);
    length = readlink(path, text, sizeof text);
    printf("%.*s\n", length, text);
    info = open("/proc/sys/fs/epoll/max_user_watches", O_RDONLY);
    length = read(info, text, 16);
    printf("limit %d\n", length > 1 && atoi(text) > 1000);
}

int main(void) {
    setvbuf(stdout, 0, _IOFBF, 1 << 16);
    errors();
    triggers();
    copies();
    nested();
    paths();
    fairness();
    signals();
    herds();
    shown();
    many();
    return 0;
}
