/* One loop with every form of segment access. GS: a block of 64 kB; what addresses it are the canaries below.
 * `places` lists where each instruction begins; loose ones change registers that otherwise never change. */
#include <asm/prctl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct place {
    uint64_t address, loose;
};
extern struct place places[], places_end[];
extern char forms_begin[], forms_end[];
void forms(long rounds);

#define CANARY(number) (0x4000 + 0x100 * (number))

static char block[0xd000] __attribute__((aligned(4096)));
extern char forms_target[], forms_landing[];

static void fill_block(void) {
    for (int i = 0; i < sizeof block; i++) block[i] = i * 7 + (i >> 8);
    *(uint64_t *)(block + 0x88) = (uint64_t)forms_target;
    *(uint64_t *)(block + 0x90) = (uint64_t)forms_landing;
}

static void set_gs(void *base) {
    syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}

asm(R"(
.intel_syntax noprefix
.macro _ instruction:vararg
    .pushsection places_table, "a"
    .quad 9f, 0
    .popsection
9:  \instruction
.endm
.macro loose instruction:vararg
    .pushsection places_table, "a"
    .quad 9f, 1
    .popsection
9:  \instruction
.endm
.pushsection places_table, "a"
.balign 16
.global places
places:
.popsection
.text
.global forms, forms_begin, forms_end, forms_target, forms_landing
.balign 4096
forms:
    push rbp; push rbx; push r12; push r13; push r14; push r15
    mov [rip + rounds], rdi
    lea rdi, [rsp - 160]
    movabs rax, 0x5a5a5a5a5a5a5a5a
    mov ecx, 20
    rep stosq
    xor eax, eax
    mov ecx, 0x4100; mov edx, 0x4200; mov ebx, 0x4300; mov ebp, 0x4500; mov esi, 0x4600; mov edi, 0x4700
    mov r8d, 0x4800; mov r9d, 0x4900; mov r10d, 0x4a00; mov r11d, 0x4b00
    mov r12d, 0x4c00; mov r13d, 0x4d00; mov r14d, 0x4e00; mov r15d, 0x4f00
forms_begin:
    _ mov rax, gs:[0x40]
    _ mov gs:[0x48], rcx
    _ mov gs:[0x49], al
    _ mov eax, gs:[rbx]
    _ mov gs:[rbx + 8], r8
    _ mov rax, gs:[rbx + rcx * 2 + 0x10]
    _ mov gs:[r12 + r13], r14
    _ mov rax, gs:[r13]
    _ mov rax, gs:[rbp]
    _ movabs rax, gs:[0x50]
    _ mov al, gs:[rdx + 1]
    _ movzx eax, word ptr gs:[rsi]
    _ mov eax, gs:[r8d + r9d * 2 - 0x1200]
    _ add gs:[0x58], rdx
    _ adc byte ptr gs:[r15 + 3], 0x55
    _ lock add gs:[0x58], rdx
    _ lock xadd gs:[0x60], rax
    _ lock cmpxchg gs:[0x68], rdi
    _ xchg gs:[0x70], rax
    _ push qword ptr gs:[0x78]
    _ pop qword ptr gs:[0x80]
    _ push rdx
    _ pop gs:[rbp + 0x80]
    _ call gs:[0x88]
    _ jmp gs:[0x90]
    _ ud2
forms_target:
    _ ret
forms_landing:
    _ movups xmm0, gs:[rbx]
    _ movups gs:[rbx + 16], xmm0
    _ fild qword ptr gs:[0x98]
    _ fistp qword ptr gs:[0xa0]
    _ cmp byte ptr gs:[0], 0
    _ sete gs:[rdi + 0x33]
    _ inc dword ptr gs:[0xa8]
    _ imul rax, gs:[r9], 77
    _ cmovb rax, gs:[r10 + 0x20]
    _ test gs:[r11], eax
    _ nop dword ptr gs:[rax + rax]
    _ xlat byte ptr gs:[rbx]
    _ lods rax, qword ptr gs:[rsi]
    loose mov esi, 0x4600
    loose lea rdi, [rip + copy]
    loose mov ecx, 24
    loose rep movsb es:[rdi], byte ptr gs:[rsi]
    loose mov esi, 0x4600
    loose mov edi, 0x4700
    loose mov ecx, 0x4100
    _ cmpxchg16b gs:[rbx + 0x100]
    loose mov edx, 0x4200
    _ mov rax, fs:[0]
    _ mov rax, fs:[0x28]
    _ xor rax, fs:[0x28]
    _ dec qword ptr [rip + rounds]
    _ jnz forms_begin
forms_end:
    pop r15; pop r14; pop r13; pop r12; pop rbx; pop rbp
    ret
.pushsection places_table, "a"
.global places_end
places_end:
.popsection
.att_syntax
.lcomm rounds, 8
.lcomm copy, 64
)");
