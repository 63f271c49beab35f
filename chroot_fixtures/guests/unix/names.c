/* Names and connections: bind, listen, connect, accept, addresses, backlog, permissions. */
#include "checks.h"

static struct sockaddr_un a;
static socklen_t len;
#define AT(path, length) (struct sockaddr *)&a, (len = name(&a, path, length))

/* Abstract names that no other process has; each 15 bytes long. */
static char one[17], none[17], client[17];

static void show(const char *what, int fd, int peer) {
    char raw[140];
    struct sockaddr_un *u = (struct sockaddr_un *)raw;
    socklen_t n = sizeof raw;
    memset(raw, '#', sizeof raw);
    int r = peer ? getpeername(fd, (struct sockaddr *)raw, &n) : getsockname(fd, (struct sockaddr *)raw, &n);
    if (r) { printf("%s: %s\n", what, strerrorname_np(errno)); return; }
    printf("%s: family %d length %d ", what, u->sun_family, (int)n);
    int shown = u->sun_path[0] ? 30 : 2 + 9;  /* behind it is the pid */
    for (int i = 2; i < (int)n && i < shown; i++) printf(u->sun_path[i - 2] ? "%c" : "\\0", u->sun_path[i - 2]);
    printf("%s\n", raw[n] == '#' ? "" : " overrun");
}

static void binding(void) {
    int s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0), i;
    struct stat st;
    show("nameless", s, 0);
    R(bind(s, AT("x", -1) - 2)); R(bind(s, (struct sockaddr *)&a, 1)); R(bind(s, (struct sockaddr *)&a, 111));
    R(bind(s, (struct sockaddr *)&a, 129)); R(bind(s, (struct sockaddr *)&a, -1)); R(bind(s, (struct sockaddr *)16, 20));
    close(s);
    s = socket(AF_UNIX, SOCK_STREAM, 0);
    a.sun_family = AF_INET; R(bind(s, (struct sockaddr *)&a, len));
    R(bind(s, AT("", -1))); show("one NUL", s, 0);
    close(s);
    s = socket(AF_UNIX, SOCK_STREAM, 0);
    R(bind(s, AT("no/such", -1))); R(bind(s, AT("/proc/x", -1)) < 0);
    umask(027);
    R(fchmod(s, 0666));
    R(bind(s, AT("name", -1)));
    umask(022);
    show("named", s, 0);
    R(stat("name", &st)); printf("%o nlink %d\n", st.st_mode, (int)st.st_nlink);
    R(bind(t, AT("name", -1))); R(bind(s, AT("other", -1))); R(stat("other", &st));
    R(open("name", O_RDWR)); R(open("name", O_RDONLY)); R((i = open("name", O_PATH)) >= 0); close(i);
    R(rename("name", "moved")); R(listen(s, 5)); R(connect(t, AT("name", -1))); R(connect(t, AT("moved", -1)));
    show("client", t, 0); show("its peer", t, 1);
    close(t); t = socket(AF_UNIX, SOCK_STREAM, 0);
    R(link("moved", "linked")); R(connect(t, AT("linked", -1)));
    close(t); t = socket(AF_UNIX, SOCK_STREAM, 0);
    R(symlink("moved", "symbolic")); R(connect(t, AT("symbolic", -1)));
    close(t); t = socket(AF_UNIX, SOCK_STREAM, 0);
    R(bind(t, AT("symbolic", -1)));
    R(unlink("moved")); R(unlink("linked")); R(unlink("symbolic")); R(connect(t, AT("moved", -1)));
    R(bind(t, AT("moved", -1)));
    close(s); close(t);
    t = socket(AF_UNIX, SOCK_STREAM, 0);
    R(connect(t, AT("moved", -1)));
    R(unlink("moved"));
    R(mknod("made", S_IFSOCK | 0600, 0)); R(connect(t, AT("made", -1))); R(unlink("made"));
    i = creat("plain", 0600); close(i);
    R(connect(t, AT("plain", -1))); R(bind(t, AT("plain", -1))); R(unlink("plain"));
    R(connect(t, AT("/", -1)));
    char longest[108];
    memset(longest, 'n', sizeof longest);
    memcpy(longest, "./", 2);
    R(bind(t, AT(longest, 108)));
    show("longest", t, 0);
    longest[107] = 0;
    R(unlink(longest));
    strcpy(longest + 100, "nnnnnnn");
    char whole[120]; memset(whole, 0, sizeof whole); memset(whole, 'n', 108); memcpy(whole, "./", 2);
    R(unlink(whole));
    socklen_t small = 5; char b[8] = "########";
    R(getsockname(t, (struct sockaddr *)b, &small)); printf("%d %.3s\n", (int)small, b + 5);
    small = -1; R(getsockname(t, (struct sockaddr *)b, &small)); R(getsockname(t, (struct sockaddr *)b, (void *)16));
    small = 50; R(getsockname(t, (struct sockaddr *)16, &small));
    close(t);
}

static void abstract(void) {
    int s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0);
    R(bind(s, AT(one, 15))); show("abstract", s, 0);
    R(bind(t, AT(one, 15))); R(bind(d, AT(one, 15))); R(bind(t, AT(one, 16)));
    show("longer", t, 0);
    R(listen(s, 1));
    close(t); t = socket(AF_UNIX, SOCK_STREAM, 0);
    R(connect(t, AT(one, 15))); R(connect(t, AT(one, 15)));
    show("peer", t, 1);
    close(t); t = socket(AF_UNIX, SOCK_STREAM, 0);
    R(connect(t, AT(none, 15))); R(connect(d, AT(none, 15)));
    close(s);
    R(connect(t, AT(one, 15)));
    close(d);
    a.sun_family = AF_UNIX;
    R(bind(t, (struct sockaddr *)&a, 2));
    struct sockaddr_un b; len = sizeof b;
    R(getsockname(t, (struct sockaddr *)&b, &len)); printf("%d %s\n", (int)len, b.sun_path[0] ? "path" : "abstract");
    R(bind(t, (struct sockaddr *)&a, 2)); R(bind(t, AT(none, 15)));
    close(t);
}

static void connecting(void) {
    int s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0), c[8], i;
    R(listen(s, 1)); R(accept(s, NULL, NULL)); R(connect(t, AT("srv", -1))); R(bind(s, AT("srv", -1)));
    R(connect(t, AT("srv", -1)));
    R(listen(s, 1)); R(listen(s, 1)); R(option(s, SO_ACCEPTCONN)); R(option(t, SO_ACCEPTCONN));
    ready("idle listener", s);
    R(accept4(s, NULL, NULL, SOCK_NONBLOCK | 1)); R(inq(s)); R(send(s, "x", 1, 0)); R(recv(s, &i, 1, 0));
    R(connect(s, AT("srv", -1)));
    int d = socket(AF_UNIX, SOCK_DGRAM, 0), p = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    R(connect(d, AT("srv", -1))); R(connect(p, AT("srv", -1))); R(listen(d, 1)); R(accept(d, NULL, NULL));
    R(connect(p, (struct sockaddr *)&a, 2)); a.sun_family = AF_UNSPEC; R(connect(t, (struct sockaddr *)&a, len));
    R(connect(t, (struct sockaddr *)&a, 0));
    close(d); close(p);
    for (i = 0; i < 4; i++) {
        c[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        R(connect(c[i], AT("srv", -1)));
    }
    ready("listener", s); ready("client", c[0]); ready("refused", c[3]);
    R(send(c[0], "early", 5, 0)); show("early", c[0], 1);
    struct timeval tv = {0, 10000};
    setsockopt(t, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    R(connect(t, AT("srv", -1)));
    tv.tv_usec = 0; setsockopt(t, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    if (!fork()) {
        usleep(30000);
        struct sockaddr_un b; socklen_t n = sizeof b;
        int e = accept(s, (struct sockaddr *)&b, &n);
        char text[8] = "";
        recv(e, text, 5, 0);
        printf("accepted, address of %d, text %s\n", (int)n, text);
        fflush(stdout);
        send(e, "welcome", 7, 0);
        _exit(0);
    }
    int r = connect(t, AT("srv", -1));  /* waits for room */
    wait(NULL);
    printf("waited: %d\n", r);
    char b[8] = "";
    R(recv(c[0], b, 7, 0)); printf("%s\n", b);
    R(recv(c[0], b, 7, 0));
    close(c[1]);
    i = R(accept4(s, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;
    close(c[3]);
    R(listen(s, 5));
    close(t);
    t = socket(AF_UNIX, SOCK_STREAM, 0);
    R(connect(t, AT("srv", -1)));
    R(connect(t, AT("srv", -1)));
    R(send(t, "lost", 4, 0));
    R(shutdown(s, SHUT_RD));
    ready("listener that was shut down", s);
    c[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    R(connect(c[0], AT("srv", -1)));
    close(s);
    ready("not accepted", t);
    R(send(t, "x", 1, MSG_NOSIGNAL)); R(recv(t, b, 1, 0)); R(recv(t, b, 1, 0));
    unlink("srv");
}

static void waiting(void) {
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), t, u;
    bind(s, AT("srv", -1)); listen(s, 3);
    R(accept(s, NULL, NULL));
    fcntl(s, F_SETFL, 0);
    struct timeval tv = {0, 10000};
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    R(accept(s, NULL, NULL));
    tv.tv_usec = 0; setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    if (!fork()) {
        usleep(20000);
        t = socket(AF_UNIX, SOCK_STREAM, 0);
        bind(t, AT(client, 15));
        connect(t, AT("srv", -1));
        char c; read(t, &c, 1);
        _exit(0);
    }
    struct sockaddr_un b; socklen_t n = 5;
    memset(&b, '#', sizeof b);
    u = accept(s, (struct sockaddr *)&b, &n);
    printf("accepted %d: %d %.2s%s\n", u >= 0, (int)n, b.sun_path + 1, b.sun_path[3] == '#' ? "" : " overrun");
    show("accepted", u, 0);
    show("its client", u, 1);
    close(u); wait(NULL);
    t = socket(AF_UNIX, SOCK_STREAM, 0); connect(t, AT("srv", -1));
    R(accept(s, (struct sockaddr *)16, &n));
    ready("dropped", t);
    close(t);
    /* permissions */
    int status;
    chmod("srv", 0755);
    if (!fork()) {
        if (setgid(1000) || setuid(1000)) _exit(1);
        t = socket(AF_UNIX, SOCK_STREAM, 0);
        R(connect(t, AT("srv", -1)));
        R(bind(t, AT("mine", -1)));
        mkdir("/tmp/lbw-names", 0700);
        _exit(0);
    }
    wait(&status);
    chmod("srv", 0777);
    if (!fork()) {
        if (setgid(1000) || setuid(1000)) _exit(1);
        t = socket(AF_UNIX, SOCK_STREAM, 0);
        R(connect(t, AT("srv", -1)));
        struct ucred c; socklen_t n = sizeof c;
        R(getsockopt(t, SOL_SOCKET, SO_PEERCRED, &c, &n)); printf("%d %d %d\n", c.pid == getppid(), c.uid, c.gid);
        _exit(0);
    }
    wait(&status);
    u = accept(s, NULL, NULL);
    struct ucred c; n = sizeof c;
    R(getsockopt(u, SOL_SOCKET, SO_PEERCRED, &c, &n)); printf("%d %d\n", c.uid, c.gid);
    gid_t g[9]; n = 1;
    R(getsockopt(s, SOL_SOCKET, SO_PEERNAME, &b, &n));
    n = sizeof g; t = socket(AF_UNIX, SOCK_STREAM, 0);
    R(getsockopt(t, SOL_SOCKET, SO_PEERGROUPS, g, &n));
    n = sizeof c; R(getsockopt(t, SOL_SOCKET, SO_PEERCRED, &c, &n)); printf("%d %d %d\n", c.pid, c.uid, c.gid);
    unlink("srv");
    rmdir("/tmp/lbw-names");
}

int main(void) {
    begin();
    snprintf(one + 1, 16, "lbw-test%06d", getpid());
    snprintf(none + 1, 16, "lbw-none%06d", getpid());
    snprintf(client + 1, 16, "client--%06d", getpid());
    binding(); abstract(); connecting(); waiting();
    return 0;
}
