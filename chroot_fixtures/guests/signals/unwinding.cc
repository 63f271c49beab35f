/* Ways out of a signal handler that are not its end: exceptions through the frame, siglongjmp from several handlers deep,
 * setcontext; and what an unwinder sees through the frame, with and without SA_SIGINFO and an alternate stack. */
#pragma GCC optimize("non-call-exceptions")
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

static void set(int signo, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(signo, &action, nullptr);
}

struct Counted {
    static int alive;
    std::string text;
    explicit Counted(const char *what) : text(what) { alive++; }
    ~Counted() { alive--; }
};
int Counted::alive;

static void throws(int signo)
{
    Counted here("in the handler, long enough for the heap");
    throw std::runtime_error("signal " + std::to_string(signo));
}

static char *nowhere;
static int (*volatile send)(int) = (int (*)(int))raise; /* which is declared not to throw */

__attribute__((noinline)) static int touches(int depth)
{
    Counted here("on the way, long enough for the heap");
    if (depth)
        return touches(depth - 1) + 1;
    volatile char *at = nowhere;
    return *at; /* the exception comes out of this access */
}

__attribute__((noinline)) static int divides(volatile int by)
{
    Counted here("dividing, and long enough for the heap");
    return 77 / by;
}

/* The frames between the handler and the function that was interrupted, by function. */
static int frames, signal_frames, found;
static void *wanted;

static _Unwind_Reason_Code look(_Unwind_Context *context, void *)
{
    int before = 0;
    _Unwind_GetIPInfo(context, &before);
    frames++;
    signal_frames += before != 0;
    if (_Unwind_FindEnclosingFunction((void *)_Unwind_GetIP(context)) == wanted)
        found = frames;
    return frames > 60 ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static void looks(int)
{
    frames = signal_frames = found = 0;
    _Unwind_Backtrace(look, nullptr);
}

__attribute__((noinline)) static int interrupted(int signo)
{
    wanted = (void *)interrupted;
    if (signo == SIGSEGV)
        return *(volatile char *)nowhere;
    raise(signo);
    return frames;
}

static sigjmp_buf back;
static int depth;
static void jumps(int signo)
{
    if (++depth < 4)
        raise(signo);
    siglongjmp(back, depth);
}
static void mends(int, siginfo_t *, void *)
{
    looks(0);
    mprotect(nowhere, 4096, PROT_READ);
}
static ucontext_t saved;
static volatile int resumed;
static void resumes(int)
{
    resumed++;
    setcontext(&saved);
}

int main()
{
    sigset_t mask;
    nowhere = (char *)mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    set(SIGSEGV, throws, SA_NODEFER);
    set(SIGFPE, throws, SA_NODEFER | SA_SIGINFO);
    set(SIGUSR1, throws, 0);
    for (int i = 0; i < 20; i++)
        try {
            touches(i);
        } catch (const std::runtime_error &error) {
            if (i % 10 == 0)
                printf("%s, alive %d\n", error.what(), Counted::alive);
        }
    try {
        divides(0);
    } catch (const std::runtime_error &error) {
        printf("%s, alive %d\n", error.what(), Counted::alive);
    }
    try {
        send(SIGUSR1);
    } catch (const std::runtime_error &error) {
        sigprocmask(SIG_BLOCK, nullptr, &mask);
        printf("%s, alive %d, still blocked %d\n", error.what(), Counted::alive, sigismember(&mask, SIGUSR1));
    }
    sigemptyset(&mask);
    sigprocmask(SIG_SETMASK, &mask, nullptr);

    static char stack[65536];
    stack_t other = {};
    other.ss_sp = stack;
    other.ss_size = sizeof stack;
    sigaltstack(&other, nullptr);
    for (int flags : {0, SA_SIGINFO, SA_ONSTACK, SA_SIGINFO | SA_ONSTACK}) {
        set(SIGUSR2, looks, flags);
        interrupted(SIGUSR2);
        printf("flags %#x: a signal frame %d, found %d\n", flags, signal_frames, found > 0);
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_sigaction = mends;
        action.sa_flags = flags;
        sigaction(SIGSEGV, &action, nullptr);
        mprotect(nowhere, 4096, PROT_NONE);
        interrupted(SIGSEGV);
        printf("   of a fault: a signal frame %d, found %d\n", signal_frames, found > 0);
    }

    for (int flags : {SA_NODEFER, SA_NODEFER | SA_ONSTACK}) {
        set(SIGUSR1, jumps, flags);
        for (int i = 0; i < 3; i++) {
            depth = 0;
            int value = sigsetjmp(back, 1);
            if (!value)
                raise(SIGUSR1);
            sigaltstack(nullptr, &other);
            printf("jumped %d, on the stack %d\n", value, other.ss_flags);
        }
    }
    set(SIGUSR1, resumes, 0);
    if (!getcontext(&saved) && resumed < 3)
        raise(SIGUSR1);
    sigprocmask(SIG_BLOCK, nullptr, &mask);
    printf("resumed %d, blocked %d\n", resumed, sigismember(&mask, SIGUSR1));
    return 0;
}
