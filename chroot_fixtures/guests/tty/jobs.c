/* Controlling terminals: sessions, foreground groups, background jobs, hang-ups, window size. */
#include "pair.h"

static int channel[2];

/* Fork a child that does not outlive a failure. */
static pid_t child_of(void) {
    pid_t pid = fork();
    if (!pid)
        alarm(20);
    return pid;
}

/* Tell the parent, who prints; a child may have lost its standard output's order. */
static void tell(const char *what, int value) {
    char line[100];
    int length = value < 0 ? snprintf(line, 100, "%s: %s\n", what, strerror(errno)) : snprintf(line, 100, "%s: %d\n", what, value);
    if (write(channel[1], line, length) != length)
        _exit(99);
}

/* Run `body` as the leader of a new session; print what it tells and how it ended. */
static int leader(const char *title, void (*body)(void)) {
    printf("%s\n", title);
    fflush(stdout);
    if (pipe(channel))
        return 1;
    pid_t pid = child_of();
    if (!pid) {
        close(channel[0]);
        setsid();
        alarm(20);
        body();
        _exit(0);
    }
    close(channel[1]);
    char line[1000];
    int count, status;
    while ((count = read(channel[0], line, sizeof line)) > 0)
        fwrite(line, 1, count, stdout);
    close(channel[0]);
    waitpid(pid, &status, 0);
    printf("  ended %x\n", status);
    return 0;
}

static volatile int signals[65];
static void note(int number) { signals[number]++; }
static void catch(int number, int flags) {
    struct sigaction action = {.sa_handler = note, .sa_flags = flags};
    sigaction(number, &action, NULL);
}
static void until(int number) {
    for (int i = 0; i < 2000 && !signals[number]; i++)
        usleep(1000);
}

static int stopped(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, WUNTRACED);
    return WIFSTOPPED(status) ? WSTOPSIG(status) : WIFSIGNALED(status) ? 100 + WTERMSIG(status) : 1000 + WEXITSTATUS(status);
}

static void stat_fields(const char *what) {
    char text[1000], *at;
    int fd = open("/proc/self/stat", O_RDONLY), tty, group;
    text[read(fd, text, 999)] = 0;
    close(fd);
    at = strrchr(text, ')');
    sscanf(at + 1, " %*c %*d %*d %*d %d %d", &tty, &group);
    tell(what, tty ? 1 : 0);
    tell("  tpgid", group == getpgrp() ? 1 : group == -1 ? 2 : 3);
}

static void acquiring(void) {
    tell("  no terminal", open("/dev/tty", O_RDWR));
    stat_fields("  tty_nr");
    open_pair();
    tell("  O_NOCTTY", open("/dev/tty", O_RDWR));
    int wronly = open(slave_name, O_WRONLY);
    tell("  write only", open("/dev/tty", O_RDWR));
    close(wronly);
    tell("  master", ioctl(master, TIOCGSID, &wronly));
    close(open(slave_name, O_RDWR));
    int fd = open("/dev/tty", O_RDWR);
    tell("  opened", fd >= 0);
    tell("  isatty", isatty(fd));
    tell("  name", strcmp(ttyname(fd), "/dev/tty"));
    tell("  sid", tcgetsid(slave) == getpid());
    tell("  sid at the master", tcgetsid(master) == getpid());
    tell("  group", tcgetpgrp(slave) == getpgrp());
    tell("  group at the master", tcgetpgrp(master) == getpgrp());
    stat_fields("  tty_nr");
    tell("  again", ioctl(slave, TIOCSCTTY, 0));
    int other_master = posix_openpt(O_RDWR | O_NOCTTY);
    unlockpt(other_master);
    int other = open(ptsname(other_master), O_RDWR);
    tell("  one is enough", ioctl(other, TIOCSCTTY, 0));
    tell("  not mine", tcgetpgrp(other));
    if (!child_of()) {
        tell("  child", open("/dev/tty", O_RDWR) >= 0);
        tell("  child TIOCSCTTY", ioctl(slave, TIOCSCTTY, 0));
        tell("  child TIOCNOTTY", ioctl(slave, TIOCNOTTY));
        tell("  child without", open("/dev/tty", O_RDWR));
        setsid();
        tell("  steal without asking", ioctl(slave, TIOCSCTTY, 0));
        tell("  other's", tcgetpgrp(slave));
        tell("  free one", ioctl(other, TIOCSCTTY, 0));
        _exit(0);
    }
    wait(NULL);
    tell("  still there", open("/dev/tty", O_RDWR) >= 0);
    tell("  no such group", tcsetpgrp(slave, 4000000));
    tell("  negative", tcsetpgrp(slave, -1));
    tell("  foreign group", tcsetpgrp(slave, getppid()));
    tell("  bad pointer", ioctl(slave, TIOCSPGRP, 8));
    signal(SIGHUP, SIG_IGN);
    tell("  given up", ioctl(fd, TIOCNOTTY));
    tell("  gone", open("/dev/tty", O_RDWR));
    tell("  gone", tcgetpgrp(slave));
    tell("  taken", ioctl(slave, TIOCSCTTY, 0));
}

static void background(void) {
    char byte;
    open_pair();
    ioctl(slave, TIOCSCTTY, 0);
    pid_t child = child_of();
    if (!child) {
        setpgid(0, 0);
        tell("  read", read(slave, &byte, 1));
        tell("  write", write(slave, "x", 1));
        attributes(ICRNL, OPOST, ICANON | TOSTOP);
        write(slave, "x", 1);
        tell("  written", 1);
        tcflush(slave, TCOFLUSH);
        tell("  flushed", 1);
        tcsetpgrp(slave, getpgrp());
        tell("  foreground", tcgetpgrp(slave) == getpgrp());
        tell("  read", read(slave, &byte, 1));
        _exit(7);
    }
    tell("  stopped", stopped(child));
    type("a\n");
    kill(child, SIGCONT);
    tell("  again", stopped(child));
    tcsetpgrp(slave, child);
    kill(child, SIGCONT);
    for (int i = 0; i < 1000 && tcgetpgrp(master) == child; i++) {
        int state;
        if (waitpid(child, &state, WNOHANG | WUNTRACED))
            break;
        usleep(1000);
    }
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(slave, getpgrp());
    child = child_of();
    if (!child) {
        setpgid(0, 0);
        signal(SIGTTOU, SIG_DFL);
        attributes(ICRNL, OPOST, ICANON | TOSTOP);
        tell("  attributes", 1);
        write(slave, "x", 1);
        tell("  written", 1);
        tcsetpgrp(slave, getpgrp());
        tell("  foreground", tcgetpgrp(slave) == getpgrp());
        _exit(8);
    }
    tell("  changes", stopped(child));
    tcsetpgrp(slave, child);
    kill(child, SIGCONT);
    tell("  end", stopped(child));
    tcsetpgrp(slave, getpgrp());
    attributes(ICRNL, OPOST, ICANON | TOSTOP);
    child = child_of();
    if (!child) {
        setpgid(0, 0);
        signal(SIGTTIN, SIG_IGN);
        tell("  ignored SIGTTIN", read(slave, &byte, 1));
        tell("  ignored SIGTTOU", write(slave, "y", 1));
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTTIN);
        signal(SIGTTIN, SIG_DFL);
        sigprocmask(SIG_BLOCK, &set, NULL);
        tell("  blocked SIGTTIN", read(slave, &byte, 1));
        catch(SIGTTOU, 0);
        tell("  caught SIGTTOU", write(slave, "z", 1));
        tell("  signals", signals[SIGTTOU]);
        _exit(9);
    }
    tell("  end", stopped(child));
    child = child_of();
    if (!child) {
        setpgid(0, 0);
        int ready[2];
        pid_t parent = getpid();
        pipe(ready);
        if (!child_of()) {
            setpgid(0, 0);
            read(ready[0], &byte, 1);
            while (getppid() == parent)
                usleep(1000);
            usleep(20000);
            signal(SIGTTOU, SIG_DFL);
            tell("  orphan reads", read(slave, &byte, 1));
            tell("  orphan writes", write(slave, "o", 1));
            tell("  orphan changes", tcflush(slave, TCIFLUSH));
            tell("  orphan tcsetpgrp", tcsetpgrp(slave, getpgrp()));
            _exit(0);
        }
        write(ready[1], "x", 1);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    close(channel[1]);
    usleep(100000);
}

static void keyboard(void) {
    open_pair();
    ioctl(slave, TIOCSCTTY, 0);
    int ready[2];
    pipe(ready);
    pid_t child = child_of();
    if (!child) {
        setpgid(0, 0);
        for (int i = 0; i < 6; i++)
            catch((int[]){SIGINT, SIGQUIT, SIGTSTP, SIGWINCH, SIGHUP, SIGCONT}[i], SA_RESTART);
        write(ready[1], "x", 1);
        until(SIGINT);
        write(ready[1], "x", 1);
        until(SIGQUIT);
        write(ready[1], "x", 1);
        until(SIGTSTP);
        write(ready[1], "x", 1);
        until(SIGWINCH);
        tell("  signals", signals[SIGINT] * 1000 + signals[SIGQUIT] * 100 + signals[SIGTSTP] * 10 + signals[SIGWINCH]);
        signal(SIGTSTP, SIG_DFL);
        write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    char byte;
    setpgid(child, child);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(slave, child);
    read(ready[0], &byte, 1);
    type("\003");
    read(ready[0], &byte, 1);
    type("\034");
    read(ready[0], &byte, 1);
    ioctl(master, TIOCSIG, SIGTSTP);
    read(ready[0], &byte, 1);
    struct winsize size = {10, 20, 0, 0};
    ioctl(master, TIOCSWINSZ, &size);
    ioctl(master, TIOCSWINSZ, &size);
    read(ready[0], &byte, 1);
    type("\032");
    tell("  stopped", stopped(child));
    take(master, "", 0);
    signal(SIGHUP, SIG_IGN);
    kill(child, SIGKILL);
    tell("  killed", stopped(child));
}

static void hung_up(void) {
    open_pair();
    ioctl(slave, TIOCSCTTY, 0);
    catch(SIGHUP, 0);
    catch(SIGCONT, 0);
    pid_t child = child_of();
    if (!child) {
        setpgid(0, 0);
        close(master);
        for (;;)
            pause();
    }
    setpgid(child, child);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(slave, child);
    usleep(20000);
    close(master);
    until(SIGHUP);
    until(SIGCONT);
    tell("  SIGHUP", signals[SIGHUP]);
    tell("  SIGCONT", signals[SIGCONT]);
    tell("  terminal", open("/dev/tty", O_RDWR));
    tell("  child lives", kill(child, SIGKILL));
    tell("  read", read(slave, &child, 1));
}

static void leader_dies(void) {
    open_pair();
    int ready[2], done[2];
    char byte;
    pipe(ready);
    pipe(done);
    pid_t shell = child_of();
    if (!shell) {
        close(done[0]);
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
        pid_t job = child_of();
        if (!job) {
            setpgid(0, 0);
            catch(SIGHUP, 0);
            catch(SIGCONT, 0);
            write(ready[1], "x", 1);
            until(SIGHUP);
            tell("  job SIGHUP", signals[SIGHUP]);
            tell("  job SIGCONT", signals[SIGCONT]);
            tell("  job terminal", open("/dev/tty", O_RDWR));
            tell("  job reads", fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK) == 0 && read(slave, &job, 1) < 0 && errno == EAGAIN);
            tell("  job writes", write(slave, "x", 1));
            _exit(0);
        }
        setpgid(job, job);
        signal(SIGTTOU, SIG_IGN);
        tcsetpgrp(slave, job);
        read(ready[0], &byte, 1);
        usleep(20000);
        _exit(0);
    }
    close(done[1]);
    while (read(done[0], &byte, 1) > 0)
        ;
    waitpid(shell, NULL, 0);
    tell("  free", tcgetsid(master));
    tell("  mine", ioctl(slave, TIOCSCTTY, 0));
    tell("  sid", tcgetsid(slave) == getpid());
    if (!child_of()) {
        setsid();
        tell("  stolen", geteuid() ? 0 : ioctl(slave, TIOCSCTTY, 1));
        tell("  sid", geteuid() ? 1 : tcgetsid(slave) == getpid());
        _exit(0);
    }
    wait(NULL);
    tell("  lost", geteuid() ? open("/nonexistent", 0) - 0 : open("/dev/tty", O_RDWR));
}

static void vhung_up(void) {
    open_pair();
    ioctl(slave, TIOCSCTTY, 0);
    catch(SIGHUP, 0);
    tell("  vhangup", vhangup());
    tell("  SIGHUP", signals[SIGHUP]);
    tell("  terminal", open("/dev/tty", O_RDWR));
    tell("  read", read(slave, channel, 0));
    slave = open(slave_name, O_RDWR);
    tell("  anew", tcgetsid(slave) == getpid());
    type("fresh\n");
    char line[10];
    tell("  read", read(slave, line, 10));
    tell("  interrupted hang-up", signals[SIGHUP]);
}

int main(void) {
    leader("acquiring", acquiring);
    leader("background", background);
    leader("keyboard", keyboard);
    leader("hung up", hung_up);
    leader("leader dies", leader_dies);
    leader("vhangup", vhung_up);
    return 0;
}
