/* Servants: child processes that do one operation at a time, so that a program about several processes is one line of
 * events. After each operation everybody settles: whoever has an order answers it, or is stopped, or is dead.
 *
 * @0 op is done by the parent of all, @1.. by a servant, made by `K i`. Operations: those of a single process, and
 *   X status          exit            G signo            die or not of a signal to itself
 *   A signo what flags  sigaction: d default, i ignore, h handler
 *   C how,signo,..    sigprocmask: 0 block, 1 unblock, 2 set; tells what was blocked
 *   S                 pending signals, and those that handlers have seen
 *   T signo,..        sigtimedwait without waiting
 *   Q i signo value   sigqueue        L i signo          kill (i: a servant; -i: its group)
 *   E i options       wait4           I what i options   waitid: what 0 all, 1 process, 2 group
 *   Z i               its state, parent's slot, group's and session's slots, as /proc/PID/stat has them
 *   J i j             setpgid         Y                  setsid
 */

static int orders[SERVANTS + 1], answers[SERVANTS + 1];
static int outstanding[SERVANTS + 1];
static struct {
    volatile int signal, code, value;
} seen[64];
static volatile int seen_count;

static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)context;
    if (seen_count < 64) {
        seen[seen_count].signal = signal;
        seen[seen_count].code = info->si_code;
        seen[seen_count++].value = info->si_code == SI_QUEUE ? info->si_value.sival_int : 0;
    }
}

static int slot_of(pid_t pid)
{
    for (int i = 0; i <= SERVANTS; i++)
        if (pid && servants[i] == pid)
            return i;
    return pid > 0 ? 9 : pid;
}

static void say_result(long result)
{
    if (result < 0)
        say(" error %d", errno);
    else
        say(" %ld", result);
}

static void say_mask(const sigset_t *set)
{
    for (int i = 1; i < 65; i++)
        if (sigismember(set, i) == 1)
            say(" s%d", i);
}

static void read_mask(const char *list, sigset_t *set)
{
    sigemptyset(set);
    for (; *list; list += *list == ',')
        sigaddset(set, strtol(list, (char **)&list, 10));
}

static void say_stat(int slot)
{
    char path[64], line[512] = "", state = '?';
    int parent = 0, group = 0, session = 0;
    sprintf(path, "/proc/%d/stat", servants[slot]);
    int fd = servants[slot] ? open(path, O_RDONLY) : -1;
    if (fd < 0 || read(fd, line, sizeof line - 1) <= 0) {
        say(" gone");
    } else {
        sscanf(strrchr(line, ')') + 2, "%c %d %d %d", &state, &parent, &group, &session);
        say(" %c parent %d group %d session %d", state == 'R' ? 'S' : state, slot_of(parent), slot_of(group),
            slot_of(session));
    }
    if (fd >= 0)
        close(fd);
}

static char state_of(int slot)
{
    char path[64], line[512] = "";
    sprintf(path, "/proc/%d/stat", servants[slot]);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return 'X';
    long n = read(fd, line, sizeof line - 1);
    close(fd);
    return n > 0 ? strrchr(line, ')')[2] : 'X';
}

static void serve(int slot, int in, int out)
{
    char line[512];
    static char answer[4096];
    for (;;) {
        size_t length = 0;
        while (length < sizeof line - 1) {
            long n = read(in, line + length, 1);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                _exit(0);
            if (!line[length])
                break;
            length++;
        }
        used = 0;
        if (line[0])
            run(line, slot);
        memcpy(answer, output, used);
        answer[used] = 0;
        for (size_t done = 0; done <= used;) {
            long n = write(out, answer + done, used + 1 - done);
            if (n > 0)
                done += n;
            else if (errno != EINTR)
                _exit(0);
        }
    }
}

static void make_servant(int slot)
{
    int down[2], up[2];
    if (slot < 1 || slot > SERVANTS || servants[slot]) {
        say(" no");
        return;
    }
    if (!servants[0])
        servants[0] = getpid();
    if (pipe(down) || pipe(up))
        _exit(94);
    flush(1);
    pid_t pid = fork();
    if (!pid) {
        while (!servants[slot])
            sched_yield();
        alarm(10);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* stopped or not */
        for (int i = 1; i <= SERVANTS; i++)
            if (orders[i])
                close(orders[i]), close(answers[i]);
        close(down[1]), close(up[0]);
        serve(slot, down[0], up[1]);
    }
    close(down[0]), close(up[1]);
    servants[slot] = pid;
    orders[slot] = down[1];
    answers[slot] = up[0];
    outstanding[slot] = 0;
    say(" made");
}

/* Wait until `slot` has answered everything, is stopped or is dead; keep the answer of its last order. */
static void settle(int slot, char *answer, size_t size)
{
    while (outstanding[slot]) {
        struct pollfd ready = {answers[slot], POLLIN, 0};
        if (poll(&ready, 1, 0) > 0) {
            size_t length = 0;
            char byte;
            long n;
            while ((n = read(answers[slot], &byte, 1)) == 1 && byte)
                if (length < size - 1)
                    answer[length++] = byte;
            answer[length] = 0;
            outstanding[slot] = n == 1 ? outstanding[slot] - 1 : 0;
            continue;
        }
        char state = state_of(slot);
        if (state == 'T' || state == 'Z' || state == 'X') {
            snprintf(answer, size, " %s", state == 'T' ? "stopped" : "dead");
            return;
        }
        sched_yield();
    }
}

static void order(int slot, const char *line)
{
    if (write(orders[slot], line, strlen(line) + 1) > 0)
        outstanding[slot]++;
}

static void say_wait(pid_t pid, int status)
{
    say(" process %d", slot_of(pid));
    if (pid > 0)
        say(" status %x", status);
}

static void servant_operation(char *word, char **save)
{
    int argument[3] = {0};
    char *words[3] = {"", "", ""};
    static char answer[4096], ignored[4096];
    if (*word == '@') {
        int slot = atoi(word + 1);
        if (!slot) {
            word = strtok_r(NULL, " ", save);
        } else if (!servants[slot]) {
            say(" nobody");
            return;
        } else {
            strcpy(answer, " silent");
            order(slot, *save);
            settle(slot, answer, sizeof answer);
            say("%s", answer);
            word = NULL;
        }
    }
    char *next;
    for (int i = 0; word && i < 3 && (next = strtok_r(NULL, " ", save)); i++)
        argument[i] = atoi(words[i] = next);
    sigset_t set, old;
    switch (word ? *word : 0) {
    case 'K':
        make_servant(argument[0]);
        break;
    case 'X':
        _exit(argument[0]);
    case 'G':
        say_result(raise(argument[0]));
        break;
    case 'A': {
        struct sigaction action = {.sa_flags = argument[2] & ~SA_SIGINFO};
        sigemptyset(&action.sa_mask);
        action.sa_handler = *words[1] == 'i' ? SIG_IGN : SIG_DFL;
        if (*words[1] == 'h') {
            action.sa_sigaction = on_signal;
            action.sa_flags |= SA_SIGINFO;
        }
        say_result(sigaction(argument[0], &action, NULL));
        break;
    }
    case 'C':
        read_mask(strchr(words[0], ',') ? strchr(words[0], ',') + 1 : "", &set);
        say_result(sigprocmask(argument[0], &set, &old));
        say_mask(&old);
        break;
    case 'S':
        sigpending(&set);
        say(" pending");
        say_mask(&set);
        say(" seen");
        for (int i = 0; i < seen_count; i++)
            say(" %d/%d/%d", seen[i].signal, seen[i].code, seen[i].value);
        seen_count = 0;
        break;
    case 'T': {
        siginfo_t info = {0};
        struct timespec none = {0, 0};
        read_mask(words[0], &set);
        say_result(sigtimedwait(&set, &info, &none));
        if (info.si_signo)
            say(" code %d from %d", info.si_code, slot_of(info.si_pid));
        break;
    }
    case 'Q':
        say_result(servants[argument[0]] ? sigqueue(servants[argument[0]], argument[1], (union sigval){argument[2]}) : 0);
        break;
    case 'L': {
        pid_t target = servants[abs(argument[0])];
        if (target)
            say_result(kill(*words[0] == '-' ? -target : target, argument[1]));
        break;
    }
    case 'E': {
        int status = 0;
        pid_t target = *words[0] == 'a' ? -1 : *words[0] == '-' ? -servants[abs(argument[0])] : servants[argument[0]];
        pid_t pid = target ? wait4(target, &status, argument[1] | WNOHANG, NULL) : 0;
        if (pid < 0)
            say(" error %d", errno);
        else
            say_wait(pid, status);
        break;
    }
    case 'I': {
        siginfo_t info = {0};
        if (argument[0] && !servants[argument[1]])
            break;
        long result = waitid(argument[0], argument[0] ? servants[argument[1]] : 0, &info, argument[2] | WNOHANG);
        say_result(result);
        say(" process %d signal %d code %d status %d", slot_of(info.si_pid), info.si_signo, info.si_code,
            info.si_status);
        break;
    }
    case 'Z':
        say_stat(argument[0]);
        break;
    case 'J':
        if (servants[argument[0]])
            say_result(setpgid(servants[argument[0]], argument[1] ? servants[argument[1]] : 0));
        break;
    case 'Y': {
        pid_t session = setsid();
        if (session < 0)
            say(" error %d", errno);
        else
            say(" session %d", slot_of(session));
        break;
    }
    case 0:
        break;
    default:
        fprintf(stderr, "bad operation %s\n", word);
        _exit(95);
    }
    if (getpid() != servants[0])
        return;
    for (int slot = 1; slot <= SERVANTS; slot++) /* signals arrive: everybody takes an empty order */
        if (servants[slot]) {
            if (!outstanding[slot] && state_of(slot) != 'Z' && state_of(slot) != 'X')
                order(slot, "");
            settle(slot, ignored, sizeof ignored);
            if (state_of(slot) == 'X') {
                servants[slot] = 0;
                close(orders[slot]), close(answers[slot]);
                orders[slot] = outstanding[slot] = 0;
            }
        }
}

static void servants_end(void)
{
    for (int slot = 1; slot <= SERVANTS; slot++)
        if (servants[slot])
            kill(servants[slot], SIGKILL);
}
