/* sites [STATUS]: one access to thread-local memory of each kind, 10 times; print what was read, exit with STATUS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SITE(name, code) \
    __asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name ": " code "; ret\n.size " #name ", . - " #name "\n"); \
    extern long name(long offset)

SITE(long_site, "mov %fs:0x10, %rax");                         /* 9 bytes */
SITE(short_site, "mov %fs:(%rdi), %rax; movq %rax, %rdx");      /* 4 bytes */
SITE(call_site, "call *%fs:(%rdi)");                            /* pushes */
SITE(stepped_site, "mov %edi, %esi; .byte 0x67, 0x64, 0x48, 0xad"); /* addr32 lods: is not translated */
__asm__("answer: mov $42, %eax; ret\n");
extern long answer(void);

static __thread long variable = 7;
static __thread long (*function)(void);

int main(int argc, char **argv)
{
    static const unsigned char code[] = {0x64, 0x48, 0x8b, 0x07, 0xc3}; /* mov rax, fs:[rdi]; ret */
    long self, offset, call_offset, sum = 0;
    long (*jit)(long) = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(jit, code, sizeof code);
    function = answer;
    self = long_site(0);
    offset = (char *)&variable - (char *)self;
    call_offset = (char *)&function - (char *)self;
    for (int i = 0; i < 10; i++) {
        if (long_site(0) != self || short_site(0x10) != self || stepped_site(0x10) != self)
            return 1;
        sum += short_site(offset) + jit(offset) + call_site(call_offset);
    }
    printf("%ld\n", sum);
    return argc > 1 ? atoi(argv[1]) : 0;
}
