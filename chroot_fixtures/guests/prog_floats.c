// Numbers and jumps: long double, SSE and x87 results, rounding, state across fork, signals and longjmp.
#define _GNU_SOURCE
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static jmp_buf jump;
static sigjmp_buf signal_jump;
static volatile double clobber;

static void on_signal(int number) {
    long double x = 1;
    for (int i = 1; i < 30; i++) x = x * i + sqrtl(x);
    fesetround(FE_UPWARD);
    clobber = (double)x + number;
}
static void on_jump(int number) { siglongjmp(signal_jump, number); }

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    long double third = 1.0L / 3;
    printf("%.21Lf %La %Lg %.3Le\n", third, third, LDBL_MAX, LDBL_MIN);
    printf("%.17g %a %g %g %g %d\n", 0.1, 0.1, 1e308 * 10, -1.0 / INFINITY, 5e-324, isnan(NAN * 0));
    double sum = 0;
    float single = 0;
    for (int i = 1; i < 2000; i++) {
        sum += sin(i) * exp(-i / 500.0) + atan2(i, 3) - log1p(i) + cbrt(i) + fmod(i * 1.7, 3.3);
        single += 1.0f / i;
    }
    printf("%a %a\n", sum, (double)single);
    printf("%a %a %a %a\n", pow(1.0001, 12345.6), tgamma(5.5), erf(0.3), hypot(3e200, 4e200));
    printf("%La %La %La\n", sinl(1e10L), expl(1.5L), powl(2, 0.5L));
    for (int mode = 0; mode < 4; mode++) {
        fesetround((int[]){FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO}[mode]);
        volatile double one = 1, three = 3;
        volatile long double minus = -2.5L;
        printf("%d: %a %.0Lf %ld %ld\n", mode, one / three, rintl(minus), lrint(2.5), lrint(-1.5));
    }
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    volatile long double zero = 0;  // Unicorn keeps no other flag, and none of SSE
    volatile long double result = 1 / zero;
    printf("%Lg, division by zero %d\n", result, !!fetestexcept(FE_DIVBYZERO));

    signal(SIGUSR1, on_signal);
    double kept = 1.5;
    long double extended = 2.25L;
    for (int i = 0; i < 50; i++) {
        kept = kept * 1.0625 + 0.5;
        extended = extended * 1.03125L - 0.25L;
        if (i % 10 == 3) raise(SIGUSR1);
    }
    printf("across signals %a %La %d\n", kept, extended, fegetround() == FE_TONEAREST);
    fesetround(FE_DOWNWARD);
    if (!fork()) {
        volatile double one = 1, ten = 10;
        printf("in a child %a %d\n", one / ten, fegetround() == FE_DOWNWARD);
        fesetround(FE_UPWARD);
        _exit(0);
    }
    wait(0);
    printf("in the parent %d\n", fegetround() == FE_DOWNWARD);
    fesetround(FE_TONEAREST);

    volatile int count = 0;
    int value = setjmp(jump);
    count++;
    if (value < 5) longjmp(jump, value + 1);
    printf("setjmp %d times, last %d\n", count, value);
    signal(SIGSEGV, on_jump);
    signal(SIGFPE, on_jump);
    volatile int nothing = 0;
    int number = sigsetjmp(signal_jump, 1);
    if (!number) *(volatile int *)1 = 0;
    printf("%s\n", strsignal(number));
    number = sigsetjmp(signal_jump, 1);
    if (!number) nothing = 1 / nothing;
    printf("%s\n", strsignal(number));
    sigset_t mask;
    sigprocmask(SIG_BLOCK, 0, &mask);
    printf("masks are back %d %d\n", sigismember(&mask, SIGSEGV), sigismember(&mask, SIGFPE));
    unsigned long a = 0x123456789abcdef, b = 0xfedcba987654321;
    unsigned __int128 product = (unsigned __int128)a * b;
    printf("%lx %lx %lx %ld %d %d\n", (long)(product >> 64), (long)product, (long)(product % 1000003),
           -7L / 2, __builtin_popcountl(a), __builtin_clzl(b));
    return 0;
}
