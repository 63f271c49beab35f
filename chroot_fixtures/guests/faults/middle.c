/* Sites that are jumped into, that lie close together, at ends of pages and of mappings, before data. */
#include "code.h"

asm(R"(
.intel_syntax noprefix
.balign 4096
.global page
page:
skip_segment:           # rdi: whether; rsi: where
    test edi, edi
    jne 1f
    .byte 0x65
1:  mov rax, [rsi]
    ret
skip_lock:
    test edi, edi
    jne 1f
    lock
1:  inc qword ptr gs:[rsi]
    mov rax, gs:[rsi]
    ret
skip_both:
    cmp edi, 1
    je 1f
    ja 2f
    lock
1:  .byte 0x65
2:  add qword ptr [rsi], 3
    mov rax, [rsi]
    ret
by_loop:                # into a long one, behind its prefix, from behind
    xor eax, eax
    jmp 3f
    .byte 0x65
1:  add rax, [rsi + 0x100]
    dec edi
    ret
3:  test edi, edi
    jne 1b
    add rax, gs:[rsi]
    ret
by_call:
    call 1f
    jmp 2f
    .byte 0x65
1:  mov rax, [rsi]
    ret
2:  mov rcx, gs:[rsi]
    add rax, rcx
    ret
inside:                 # the bytes of a constant are an instruction: 65 48 c7 04 25 imm32 imm32
    test edi, edi
    jne inner
    mov qword ptr gs:[0x800], 0x00c3c031
    mov rax, gs:[0x800]
    ret
.set inner, inside + 4 + 9
computed:               # the documented limit does not hold for what one byte before the jump allows
    mov rax, gs:[rsi]
    ret
far_in:
    jne 1f
    .fill 200, 1, 0x90
    .byte 0x65
1:  mov rax, [rsi + 8]
    ret
from_afar:
    test edi, edi
    jmp far_in

row3:                   # three and more in a row, 3 and 4 and 5 bytes
    mov eax, gs:[rsi]
    mov ecx, gs:[rsi]
    add eax, gs:[rsi]
    add eax, ecx
    mov ecx, gs:[rsi + 8]
    add eax, ecx
    mov rcx, gs:[rsi]
    mov rdx, gs:[rsi + 16]
    add rax, gs:[rsi + 24]
    add rax, rcx
    add rax, rdx
    inc dword ptr gs:[rsi]
    dec dword ptr gs:[rsi]
    push rbx
    push qword ptr gs:[rsi]
    pop rbx
    mov gs:[rsi], rbx
    lea rax, [rax + rbx]
    pop rbx
    ret
before_data:
    mov eax, gs:[rsi]
    jmp 1f
    .quad -1, -1
1:  add eax, gs:[rsi]
    ret
    .byte 0xff
tail:
    mov eax, gs:[rsi]
    .byte 0xc3, 0xff, 0xff, 0xff, 0x7f
tail2:
    mov eax, gs:[rsi]
    .byte 0xc3, 0, 0, 0, 0
tail3:
    mov eax, gs:[rsi]
    .byte 0xc3, 0, 0, 0, 0x80

/* int3 beside sites */
beside:
    int3
    mov eax, gs:[rsi]
    int3
    add eax, gs:[rsi]
    ret
.balign 4096
.fill 4096 - 3, 1, 0x90
crossing3:
    mov eax, gs:[rsi]   # ends with the page
    ret
.fill 4096 - 3, 1, 0x90
crossing:
    mov rax, gs:[rsi]   # 4 bytes, one before the page
    add rax, gs:[rsi + 8]
    ret
.balign 4096
.fill 4096 - 4, 1, 0x90
crossing9:
    mov rax, qword ptr gs:[0x40]
    ret
.att_syntax
)");
#include <signal.h>

#define NAMES(f) f(skip_segment) f(skip_lock) f(skip_both) f(by_loop) f(by_call) f(inside) f(computed) f(from_afar) f(row3) \
    f(before_data) f(tail) f(tail2) f(tail3) f(crossing3) f(crossing) f(crossing9) f(beside)
#define DECLARE(name) extern uint64_t name(long, void *);
NAMES(DECLARE)

static volatile int traps;

static void on_trap(int signo) {
    traps++;
}

int main(void) {
    static uint64_t plain[512];
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGTRAP, on_trap);
    prepare();
    uint64_t *at = (uint64_t *)0x200000;
    mmap(at, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (int i = 0; i < 512; i++) at[i] = i * 3;
    memcpy(plain, block, sizeof block);
    for (int order = 0; order < 2; order++)
        for (int round = 0; round < 6; round++) {
            int how = (round + order) % 3;
            /* With GS the address is in `block`, without it is a real one. */
#define RUN(name) \
    { \
        int always = !strncmp(#name, "skip_s", 6) || !strncmp(#name, "skip_b", 6) || !strncmp(#name, "by", 2) || !strncmp(#name, "from", 4); \
        if (strcmp(#name, "by_call") && strcmp(#name, "inside") && strcmp(#name, "computed") || !how) { \
            syscall(SYS_arch_prctl, ARCH_SET_GS, always ? (char *)block - 0x200000 : (char *)block); \
            uint64_t value = name(how, always ? (void *)(at + 5) : (void *)0x28); \
            printf(#name " %d: %lu\n", how, value); \
        } \
    }
            NAMES(RUN)
        }
    printf("%d\n", traps);
    for (int i = 0; i < 512; i++)
        if (block[i] != plain[i] && i != 500) printf("%d: %lu\n", i, block[i]);
    return 0;
}
