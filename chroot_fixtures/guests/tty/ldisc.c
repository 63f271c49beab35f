/* The line discipline: both sides of a pseudo-terminal are ours, so every key can be typed and every echo seen. */
#include "pair.h"

#define USUAL (ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN)

static void set(int index, int value) {
    struct termios t;
    tcgetattr(slave, &t);
    t.c_cc[index] = value;
    tcsetattr(slave, TCSANOW, &t);
}

static void usual(void) { attributes(ICRNL | IXON, OPOST | ONLCR, USUAL); }

static void editing(void) {
    printf("editing\n");
    keys("plain\n");
    keys("erase\177\177s\r");
    keys("two words\027three\n");
    keys("gone\025kept\n");
    keys("tab\tx\177\177y\n");
    keys("\001\002\177c\n");
    keys("lit\026\003eral\026\n\n");
    keys("shown\022 again\n");
    keys("end\004");
    keys("\004");
    keys("half\n\004");
    keys("a.b_c-d\027\027e\n");
    keys("\017discard\n");
    set(VEOL, ';');
    set(VEOL2, '!');
    keys("one;two!three\n");
    take(slave, "  next", 1000);
    take(slave, "  next", 1000);
    set(VEOL, 0);
    set(VEOL2, 0);
    type("long line\n");
    take(slave, "  part", 4);
    result("  FIONREAD", ({ int n = -1; ioctl(slave, FIONREAD, &n); n; }));
    take(slave, "  rest", 100);
    take(master, "  echo", 100);
    type("abc\004\004");
    take(slave, "  three", 3);
    take(slave, "  then", 3);
    take(slave, "  then", 3);
    take(master, "  echo", 100);
    set(VERASE, '#');
    set(VKILL, '@');
    keys("er#x@kill#\n");
    set(VERASE, 127);
    set(VKILL, 21);
    set(VEOF, 0);
    keys("no\004eof\n");
    set(VEOF, 4);
}

static void echoes(void) {
    static const struct { const char *name; tcflag_t local; } kinds[] = {
        {"none", ISIG | ICANON | IEXTEN}, {"newline", ISIG | ICANON | ECHONL}, {"plain", ICANON | ECHO},
        {"ECHOE", ICANON | ECHO | ECHOE | IEXTEN}, {"ECHOK", ICANON | ECHO | ECHOK | ECHOCTL},
        {"ECHOKE", ICANON | ECHO | ECHOE | ECHOK | ECHOKE}, {"ECHOPRT", ICANON | ECHO | ECHOE | ECHOPRT | IEXTEN},
        {"ECHOCTL", ICANON | ECHO | ECHOE | ECHOCTL | IEXTEN}, {"raw", ECHO | ECHOCTL}, {"raw ISIG", ECHO | ISIG},
    };
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        printf("echo %s\n", kinds[i].name);
        attributes(ICRNL | IXON, OPOST | ONLCR, kinds[i].local);
        keys("ab\tc\177\177\177d\001e\027f\n");
        keys("kill\025ed\r");
        keys("x\033[A\177\177\177\177\n");
    }
    printf("echo utf8\n");
    attributes(ICRNL | IXON | IUTF8, OPOST | ONLCR, USUAL);
    keys("a\303\244\342\202\254\177\177b\n");
    keys("\303\244\303\266 \303\274\027x\n");
    keys("\244\177\177y\n");
    printf("echo bytes\n");
    usual();
    keys("a\303\244\177b\n");
}

static void input_flags(void) {
    static const struct { const char *name; tcflag_t input, local; } kinds[] = {
        {"none", 0, 0}, {"ICRNL", ICRNL, 0}, {"INLCR", INLCR, 0}, {"IGNCR", IGNCR | ICRNL, 0}, {"both", ICRNL | INLCR, 0},
        {"ISTRIP", ISTRIP, 0}, {"IUCLC", IUCLC, IEXTEN}, {"IUCLC alone", IUCLC, 0}, {"PARMRK", PARMRK, 0},
        {"PARMRK ISTRIP", PARMRK | ISTRIP, 0}, {"IGNBRK", IGNBRK, 0}, {"BRKINT", BRKINT, ISIG},
    };
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        printf("input %s\n", kinds[i].name);
        attributes(kinds[i].input, 0, kinds[i].local);
        keys("aB\r\nC\377\241\n");
    }
}

static void output_flags(void) {
    static const struct { const char *name; tcflag_t output; } kinds[] = {
        {"none", 0}, {"OPOST", OPOST}, {"ONLCR", OPOST | ONLCR}, {"OCRNL", OPOST | OCRNL}, {"ONOCR", OPOST | ONOCR},
        {"ONLRET", OPOST | ONLRET | ONOCR}, {"XTABS", OPOST | XTABS}, {"OLCUC", OPOST | OLCUC},
        {"all", OPOST | ONLCR | OCRNL | XTABS | OLCUC}, {"off", ONLCR | OCRNL | XTABS},
    };
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        printf("output %s\n", kinds[i].name);
        attributes(0, kinds[i].output, ICANON);
        put("\rab\tc\n\r\bd\te\r\n\r\rxyz\t.\377\n");
        take(master, "  seen", 1000);
    }
}

static void flow(void) {
    printf("flow\n");
    usual();
    type("\023");
    readiness("  stopped", slave);
    fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
    put("lost");
    take(master, "  seen", 100);
    type("typed");
    take(master, "  echo", 100);
    type("\021");
    readiness("  started", slave);
    take(master, "  echo", 100);
    put("back");
    take(master, "  seen", 100);
    type("\n");
    take(slave, "  line", 100);
    take(master, "  echo", 100);
    attributes(ICRNL | IXON | IXANY, OPOST | ONLCR, USUAL);
    type("\023");
    type("x");
    readiness("  any", slave);
    take(master, "  echo", 100);
    type("\n");
    take(slave, "  line", 100);
    take(master, "  echo", 100);
    type("\023");
    usual();
    attributes(ICRNL, OPOST | ONLCR, USUAL);
    readiness("  IXON off", slave);
    keys("\023\021\n");
    result("  TCOOFF", tcflow(slave, TCOOFF));
    type("\021");
    readiness("  held", slave);
    result("  TCOON", tcflow(slave, TCOON));
    readiness("  free", slave);
    result("  TCIOFF", tcflow(slave, TCIOFF));
    result("  TCION", tcflow(slave, TCION));
    settle();
    take(master, "  sent", 100);
    result("  bad", tcflow(slave, 9));
    attributes(ICRNL | IXOFF, OPOST | ONLCR, ICANON);
    char many[3000];
    memset(many, 'x', sizeof many);
    many[sizeof many - 1] = '\n';
    for (int i = 0; i < 2; i++)
        if (write(master, many, sizeof many) != sizeof many)
            printf("short\n");
    settle();
    take(master, "  IXOFF", 100);
    result("  flush", tcflush(slave, TCIFLUSH));
    settle();
    take(master, "  IXOFF", 100);
    fcntl(slave, F_SETFL, O_RDWR);
}

static void modes(void) {
    printf("modes\n");
    usual();
    type("line\npart");
    attributes(ICRNL | IXON, OPOST | ONLCR, ISIG);
    take(slave, "  raw", 6);
    usual();
    take(slave, "  cooked", 100);
    take(slave, "  cooked", 100);
    type("rest\n");
    take(slave, "  line", 100);
    take(master, "  echo", 100);
    type("one\ntwo\n");
    attributes(0, 0, 0);
    take(slave, "  both", 100);
    usual();
    type("kept");
    struct termios t;
    tcgetattr(slave, &t);
    t.c_lflag &= ~ICANON;
    tcsetattr(slave, TCSAFLUSH, &t);
    take(slave, "  flushed", 100);
    usual();
    take(master, "  echo", 100);
    attributes(0, 0, ICANON | EXTPROC);
    type("ext\003\004\177\n");
    take(slave, "  EXTPROC", 100);
    usual();
    type("a\nb\n");
    result("  TCIFLUSH", tcflush(slave, TCIFLUSH));
    take(slave, "  empty", 100);
    result("  TCOFLUSH", tcflush(slave, TCOFLUSH));
    result("  TCIOFLUSH", tcflush(slave, TCIOFLUSH));
    result("  bad", tcflush(slave, 9));
    take(master, "  echo", 100);
    char line[5000];
    memset(line, 'y', sizeof line);
    attributes(ICRNL, OPOST | ONLCR, ICANON);
    for (int i = 0; i < 5000; i += 500) {
        if (write(master, line + i, 500) != 500)
            printf("short\n");
        settle();
    }
    type("z\nnext\n");
    int count = read(slave, line, sizeof line);
    printf("  limit %d %c%c\n", count, line[0], line[count - 2]);
    take(slave, "  next", 100);
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    open_pair();
    editing();
    echoes();
    input_flags();
    output_flags();
    flow();
    modes();
    close_pair();
    return 0;
}
