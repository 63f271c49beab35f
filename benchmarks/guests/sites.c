/* sites: execute thousands of different instructions that reach thread-local memory, each once; print nanoseconds per
 * instruction, beyond what it takes the second time.
 *
 * Half of them are long enough for a jump, half have four bytes; each is in a function of its own.  One line on stdout: the number, and how many. */
#include <stdio.h>
#include <time.h>

enum { LONG = 1500, SHORT = 1500 };

static __thread char area[32768];

/* The area lies right below the thread pointer.  Every site is a function of 16 bytes. */
__asm__(".macro site instruction:vararg\n"
        "  \\instruction\n"
        "  mov %rax, %rax\n"
        "  ret\n"
        "  .balign 16\n"
        ".endm\n"
        ".text\n"
        ".balign 16\n"
        "sites:\n"
        ".set place, -32000\n"
        ".rept 1500\n"
        "  site mov %fs:place, %rax\n"
        "  .set place, place + 8\n"
        ".endr\n"
        ".set place, -128\n"
        ".rept 250\n"
        "  site mov %fs:place(%rdi), %eax\n"
        "  site mov %fs:place(%rdi), %ecx\n"
        "  site mov %fs:place(%rdi), %edx\n"
        "  site mov %fs:place(%rdi), %esi\n"
        "  site mov %eax, %fs:place(%rdi)\n"
        "  site mov %ecx, %fs:place(%rdi)\n"
        "  .set place, place + 1\n"
        ".endr\n"
        "one_site:\n"
        "  mov %fs:-32760, %rax\n"
        "  ret\n");

extern const char sites[];
extern void one_site(void);

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void all_sites(void)
{
    for (int i = 0; i < LONG + SHORT; i++)
        ((void (*)(long))(sites + 16 * i))(-16384); /* inside of the area */
}

int main(void)
{
    *(volatile char *)area = 1;
    one_site(); /* whatever is loaded for the first one */
    double start = now();
    all_sites();
    double first = now() - start;
    start = now();
    all_sites();
    double second = now() - start;
    printf("%.3f %d\n", (first - second) / (LONG + SHORT), LONG + SHORT);
    return 0;
}
