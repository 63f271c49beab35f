/* Both sides of pseudo-terminals: opening, locking, hanging up, packet mode, window size, ioctls, readiness. */
#include "pair.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

static int number_of(int fd) {
    int number = -1;
    if (ioctl(fd, TIOCGPTN, &number))
        printf("TIOCGPTN: %s\n", strerror(errno));
    return number;
}

static void opening(void) {
    printf("opening\n");
    int one = open("/dev/ptmx", O_RDWR | O_NOCTTY), value = -1;
    char name[64];
    struct stat st;
    sprintf(name, "/dev/pts/%d", number_of(one));
    result("  stat", stat(name, &st));
    printf("  node %d:%d %o\n", major(st.st_rdev), (int)minor(st.st_rdev) == number_of(one), st.st_mode & S_IFMT);
    printf("  uid %d nlink %d ino %d\n", st.st_uid == geteuid(), (int)st.st_nlink, (int)(st.st_ino == number_of(one) + 3u));
    fstat(one, &st);
    printf("  master %d:%d\n", major(st.st_rdev), minor(st.st_rdev));
    ioctl(one, TIOCGPTLCK, &value);
    printf("  lock %d\n", value);
    result("  locked", open(name, O_RDWR | O_NOCTTY));
    result("  locked peer", ioctl(one, TIOCGPTPEER, O_RDWR | O_NOCTTY));
    result("  unlock", unlockpt(one));
    int peer = ioctl(one, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    printf("  peer %d cloexec %d tty %d name %d\n", peer >= 0, fcntl(peer, F_GETFD), isatty(peer), !strcmp(ttyname(peer), name));
    printf("  flags %o\n", fcntl(peer, F_GETFL));
    result("  slave has no number", ioctl(peer, TIOCGPTN, &value));
    result("  slave has no peer", ioctl(peer, TIOCGPTPEER, O_RDWR));
    result("  bad pointer", ioctl(one, TIOCGPTN, 8));
    result("  ptsname", strcmp(ptsname(one), name));
    result("  grantpt", grantpt(one));
    result("  seek", lseek(peer, 0, SEEK_SET));
    result("  seek master", lseek(one, 0, SEEK_SET));
    int two = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    printf("  other %d\n", number_of(two) != number_of(one));
    int old = number_of(two);
    close(two);
    two = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    printf("  reused %d\n", number_of(two) == old);
    close(two);
    result("  mkdir", mkdir("/dev/pts/x", 0755));
    result("  create", open("/dev/pts/x", O_CREAT | O_RDWR, 0600));
    result("  unlink", unlink(name));
    result("  chmod", chmod(name, 0622));
    stat(name, &st);
    printf("  mode %o\n", st.st_mode & 07777);
    result("  gone", open("/dev/pts/999", O_RDWR));
    struct statfs fs;
    statfs("/dev/pts", &fs);
    printf("  fs %lx %ld\n", (long)fs.f_type, (long)fs.f_namelen);
    char path[64], target[64] = "";
    sprintf(path, "/proc/self/fd/%d", peer);
    readlink(path, target, 63);
    printf("  link %d\n", !strcmp(target, name));
    sprintf(path, "/proc/self/fd/%d", one);
    memset(target, 0, 64);
    readlink(path, target, 63);
    printf("  link %s\n", target);
    close(one);
    result("  name", access(name, F_OK));
    fstat(peer, &st);
    printf("  nlink %d\n", (int)st.st_nlink);
    sprintf(path, "/proc/self/fd/%d", peer);
    memset(target, 0, 64);
    readlink(path, target, 63);
    printf("  deleted %d\n", !!strstr(target, " (deleted)"));
    result("  again", open(path, O_RDWR | O_NOCTTY));
    close(peer);
}

static void hanging_up(void) {
    printf("hanging up\n");
    char byte;
    open_pair();
    readiness("  master", master);
    type("early");
    close(slave);
    readiness("  no slave", master);
    result("  write", write(master, "\n", 1));
    settle();
    result("  read", read(master, &byte, 1) > 0 ? 1 : -1);
    static char rest[100];
    fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    while (read(master, rest, 100) > 0)
        ;
    printf("  end: %s\n", strerror(errno));
    slave = open(slave_name, O_RDWR | O_NOCTTY);
    readiness("  reopened", master);
    result("  read", read(master, &byte, 1));
    settle();
    take(slave, "  kept", 100);
    put("last words");
    close(slave);
    readiness("  closed", master);
    take(master, "  kept", 100);
    take(master, "  end", 100);
    slave = open(slave_name, O_RDWR | O_NOCTTY);
    type("unread\n");
    close(master);
    readiness("  no master", slave);
    result("  read", read(slave, &byte, 1));
    result("  write", write(slave, "x", 1));
    struct termios t;
    result("  TCGETS", tcgetattr(slave, &t));
    int pgrp = 1;
    result("  TIOCSPGRP", ioctl(slave, TIOCSPGRP, &pgrp));
    result("  FIONREAD", ioctl(slave, FIONREAD, &pgrp));
    result("  O_NONBLOCK", ioctl(slave, FIONBIO, &pgrp));
    close(slave);

    open_pair();
    fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    t.c_lflag = 0;
    tcgetattr(slave, &t);
    t.c_lflag &= ~ECHO;
    tcsetattr(slave, TCSANOW, &t);
    type("lost\n");
    if (ioctl(slave, TIOCVHANGUP) == 0 || geteuid()) {
        result("  hung up", read(slave, &byte, 1));
        result("  hung up", write(slave, "x", 1));
        int fresh = open(slave_name, O_RDWR | O_NOCTTY);
        result("  fresh", fresh >= 0 ? 0 : -1);
        tcgetattr(fresh, &t);
        printf("  echo %d\n", !!(t.c_lflag & ECHO));
        take(fresh, "  empty", 100);
        result("  write", write(fresh, "x", 1));
        result("  old", write(slave, "x", 1));
        close(fresh);
    }
    close_pair();
}

static void packets(void) {
    printf("packets\n");
    open_pair();
    int on = 1, off = 0, value = -1;
    ioctl(master, TIOCGPKT, &value);
    printf("  mode %d\n", value);
    result("  slave", ioctl(slave, TIOCPKT, &on));
    result("  on", ioctl(master, TIOCPKT, &on));
    ioctl(master, TIOCGPKT, &value);
    printf("  mode %d\n", value);
    put("data\n");
    readiness("  data", master);
    take(master, "  data", 100);
    put("more");
    take(master, "  small", 1);
    take(master, "  small", 3);
    take(master, "  small", 100);
    tcflush(slave, TCIFLUSH);
    readiness("  flush", master);
    take(master, "  flush", 100);
    tcflush(slave, TCOFLUSH);
    take(master, "  flush", 100);
    tcflush(slave, TCIOFLUSH);
    take(master, "  flush", 100);
    tcflow(slave, TCOOFF);
    take(master, "  stop", 100);
    tcflow(slave, TCOON);
    take(master, "  start", 100);
    tcflow(slave, TCOOFF);
    tcflow(slave, TCOON);
    take(master, "  last", 100);
    type("\023");
    take(master, "  stop", 100);
    type("\021");
    take(master, "  start", 100);
    type("\003");
    take(master, "  signal", 100);
    take(master, "  echo", 100);
    attributes(ICRNL, OPOST, ICANON);
    take(master, "  nostop", 100);
    attributes(ICRNL | IXON, OPOST, ICANON);
    take(master, "  dostop", 100);
    attributes(ICRNL | IXON, OPOST, ICANON | ECHO);
    take(master, "  nothing", 100);
    attributes(ICRNL | IXON, OPOST, ICANON | EXTPROC);
    take(master, "  ioctl", 100);
    attributes(ICRNL | IXON, OPOST, ICANON);
    take(master, "  ioctl", 100);
    struct termios t;
    tcgetattr(slave, &t);
    tcsetattr(slave, TCSAFLUSH, &t);
    take(master, "  tcsaflush", 100);
    tcflush(slave, TCIFLUSH);
    result("  off", ioctl(master, TIOCPKT, &off));
    readiness("  off", master);
    put("plain");
    take(master, "  plain", 100);
    tcflush(slave, TCIFLUSH);
    ioctl(master, TIOCPKT, &on);
    take(master, "  forgotten", 100);
    close_pair();
}

static void requests(void) {
    printf("requests\n");
    open_pair();
    struct winsize size = {0, 0, 0, 0};
    ioctl(slave, TIOCGWINSZ, &size);
    printf("  size %d %d\n", size.ws_row, size.ws_col);
    size.ws_row = 33;
    size.ws_col = 99;
    result("  set", ioctl(master, TIOCSWINSZ, &size));
    memset(&size, 0, sizeof size);
    ioctl(slave, TIOCGWINSZ, &size);
    printf("  size %d %d\n", size.ws_row, size.ws_col);
    result("  bad", ioctl(slave, TIOCGWINSZ, 8));
    static const struct { const char *name; unsigned long request; } all[] = {
        {"TIOCOUTQ", TIOCOUTQ}, {"FIONREAD", FIONREAD}, {"TIOCGETD", TIOCGETD}, {"TIOCGSID", TIOCGSID},
        {"TIOCGPGRP", TIOCGPGRP}, {"TIOCMGET", TIOCMGET}, {"TIOCGICOUNT", TIOCGICOUNT}, {"TIOCGSERIAL", TIOCGSERIAL},
        {"TIOCGSOFTCAR", TIOCGSOFTCAR}, {"TIOCGEXCL", TIOCGEXCL}, {"TIOCGPTLCK", TIOCGPTLCK}, {"TIOCGPKT", TIOCGPKT},
        {"FIOQSIZE", FIOQSIZE}, {"unknown", 0x54ee}, {"TIOCSBRK", TIOCSBRK}, {"TIOCCBRK", TIOCCBRK},
    };
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        for (int side = 0; side < 2; side++) {
            int buffer[64] = {0};
            int status = ioctl(side ? slave : master, all[i].request, buffer);
            printf("  %s %s: %d %s %d\n", side ? "slave" : "master", all[i].name, status, status ? strerror(errno) : "",
                   buffer[0]);
        }
    int value = 0;
    ioctl(master, TIOCGDEV, &value);
    printf("  TIOCGDEV %d\n", value >> 8);
    result("  TIOCSIG", ioctl(master, TIOCSIG, SIGINT));
    result("  TIOCSIG", ioctl(master, TIOCSIG, SIGHUP));
    result("  TIOCSIG", ioctl(slave, TIOCSIG, SIGINT));
    value = 5;
    result("  TIOCSETD", ioctl(slave, TIOCSETD, &(int){0}));
    result("  TCSBRK", ioctl(slave, TCSBRK, 0));
    result("  TCSBRKP", ioctl(slave, TCSBRKP, 0));
    result("  tcdrain", tcdrain(slave));
    result("  tcdrain", tcdrain(master));
    result("  tcsendbreak", tcsendbreak(slave, 0));
    result("  TIOCEXCL", ioctl(slave, TIOCEXCL));
    ioctl(slave, TIOCGEXCL, &value);
    printf("  exclusive %d\n", value);
    result("  TIOCNXCL", ioctl(slave, TIOCNXCL));
    result("  TIOCNOTTY", ioctl(slave, TIOCNOTTY));
    result("  tcgetpgrp", tcgetpgrp(slave));
    result("  tcsetpgrp", tcsetpgrp(slave, getpgrp()));
    if (!geteuid()) {
        ioctl(slave, TIOCSTI, "s");
        ioctl(slave, TIOCSTI, "t");
        ioctl(slave, TIOCSTI, "\n");
        settle();
        take(slave, "  TIOCSTI", 10);
        take(master, "  echo", 10);
    }
    struct termios t, locked;
    tcgetattr(master, &t);
    printf("  attributes %x %x %x %x\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
    for (int i = 0; i < 17; i++)
        printf(" %d", t.c_cc[i]);
    printf("\n");
    t.c_cflag = B9600 | CS5 | PARENB | CLOCAL;
    t.c_lflag &= ~ECHO;
    tcsetattr(master, TCSANOW, &t);
    tcgetattr(slave, &t);
    printf("  attributes %x %x %d\n", t.c_cflag, t.c_lflag, cfgetospeed(&t) == B9600);
    if (!geteuid()) {
        memset(&locked, 0, sizeof locked);
        locked.c_lflag = ECHO;
        locked.c_cc[VINTR] = 1;
        result("  lock", ioctl(slave, TIOCSLCKTRMIOS, &locked));
        t.c_lflag |= ECHO | ECHONL;
        t.c_cc[VINTR] = 'x';
        t.c_cc[VQUIT] = 'y';
        tcsetattr(slave, TCSANOW, &t);
        tcgetattr(slave, &t);
        printf("  kept %x %d %d\n", t.c_lflag, t.c_cc[VINTR], t.c_cc[VQUIT]);
        memset(&locked, 0, sizeof locked);
        ioctl(slave, TIOCGLCKTRMIOS, &locked);
        printf("  locked %x\n", locked.c_lflag);
    }
    result("  bad attributes", ioctl(slave, TCSETS, 8));
    result("  master bad attributes", ioctl(master, TCGETS, 8));
    type("gone");
    tcflush(master, TCIFLUSH);
    take(master, "  flushed", 10);
    tcflow(master, TCOOFF);
    readiness("  stopped", master);
    tcflow(master, TCOON);
    readiness("  started", master);
    attributes(0, 0, 0);
    tcflush(slave, TCIOFLUSH);
    tcflow(master, TCIOFF);
    tcflow(master, TCION);
    settle();
    take(slave, "  characters", 10);
    close_pair();
}

int main(void) {
    signal(SIGHUP, SIG_IGN);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    opening();
    hanging_up();
    packets();
    requests();
    return 0;
}
