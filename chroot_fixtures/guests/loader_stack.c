/* Writes the initial stack to standard output, as Linux made it: the stack pointer (8 bytes), then everything from there
   to the top of the stack. Without a C library, so that nothing was pushed before we look.

   gcc -O1 -static -nostdlib -o loader_stack loader_stack.c */

#define TOP 0x7ffffffff000UL /* without address randomisation: setarch -R */

static long call3(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

void dump(unsigned long stack)
{
    unsigned long at = stack;
    call3(1, 1, (long)&at, 8);
    while (at < TOP) {
        long written = call3(1, 1, at, TOP - at);
        if (written <= 0)
            call3(60, 1, 0, 0);
        at += written;
    }
    call3(60, 0, 0, 0);
}

__asm__(".globl _start\n"
        "_start:\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call dump\n");
