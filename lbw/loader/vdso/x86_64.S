/* The vDSO of x86-64: linux-vdso.so.1.  The page layout is that of lbw/abi/vvar.py; docs/time.md has the arithmetic.
 *
 * `python -m lbw.loader.vdso.build` makes x86_64.so of it.  Functions keep no stack frame, so one line of unwind
 * information is true everywhere.
 */
#include "vvar.h"

        .intel_syntax noprefix
        .text
        .hidden vvar_page

#define NR_gettimeofday 96
#define NR_time 201
#define NR_clock_gettime 228
#define NR_clock_getres 229

        .macro function name
        .balign 16
        .globl __vdso_\name
        .type __vdso_\name, @function
        .weak \name
        .set \name, __vdso_\name
__vdso_\name:
        .cfi_startproc
        .endm

        .macro end name
        .cfi_endproc
        .size __vdso_\name, . - __vdso_\name
        .endm

/* Read the clock whose entry is at r9 of the page at r8: seconds in rcx, nanoseconds in rax.
 * Changes rdx and r10.  Jumps to \otherwise when only the kernel can tell. */
        .macro read_clock otherwise
1:      mov r10d, [r8 + SEQUENCE]
        cmp dword ptr [r8 + ACTIVE], 0  /* before rdtsc, which may be forbidden */
        je \otherwise
        rdtsc
        shl rdx, 32
        or rax, rdx
        sub rax, [r8 + BASE_TICKS]
        mov edx, [r8 + LIMIT]
        cmp rax, rdx                    /* unsigned: a counter that went back is too far ahead as well */
        jae \otherwise
        mov edx, [r9 + MULTIPLIER]
        test edx, edx
        jz \otherwise
        imul rax, rdx                   /* both below 2^32 */
        shr rax, 32
        mov edx, [r9 + NANOSECONDS]
        add rax, rdx
        mov rcx, [r9 + SECONDS]
        cmp r10d, [r8 + SEQUENCE]
        jne 1b
2:      cmp rax, BILLION
        jb 3f
        sub rax, BILLION
        inc rcx
        jmp 2b
3:
        .endm

/* int clock_gettime(clockid_t edi, struct timespec *rsi) */
        function clock_gettime
        cmp edi, CLOCKS - 1
        ja 9f
        lea r8, [rip + vvar_page]
        mov eax, edi
        shl eax, ENTRY_SHIFT
        lea r9, [r8 + rax + ENTRIES]
        read_clock 9f
        mov [rsi], rcx
        mov [rsi + 8], rax
        xor eax, eax
        ret
9:      mov eax, NR_clock_gettime
        syscall
        ret
        end clock_gettime

/* int gettimeofday(struct timeval *rdi, struct timezone *rsi); the zone is UTC */
        function gettimeofday
        test rdi, rdi
        jz 8f
        lea r8, [rip + vvar_page]
        lea r9, [r8 + ENTRIES]          /* CLOCK_REALTIME */
        read_clock 9f
        mov [rdi], rcx
        imul rax, rax, 274877907        /* 2^38 / 1000, right for all below 10^9 */
        shr rax, 38
        mov [rdi + 8], rax
8:      test rsi, rsi
        jz 7f
        mov qword ptr [rsi], 0
7:      xor eax, eax
        ret
9:      mov eax, NR_gettimeofday
        syscall
        ret
        end gettimeofday

/* time_t time(time_t *rdi) */
        function time
        lea r8, [rip + vvar_page]
        lea r9, [r8 + ENTRIES]
        read_clock 9f
        test rdi, rdi
        jz 8f
        mov [rdi], rcx
8:      mov rax, rcx
        ret
9:      mov eax, NR_time
        syscall
        ret
        end time

/* int clock_getres(clockid_t edi, struct timespec *rsi) */
        function clock_getres
        cmp edi, CLOCKS - 1
        ja 9f
        mov edx, 1
        mov eax, FINE_CLOCKS
        bt eax, edi
        jc 8f
        mov edx, COARSE_RESOLUTION
        mov eax, COARSE_CLOCKS
        bt eax, edi
        jnc 9f
8:      test rsi, rsi
        jz 7f
        mov qword ptr [rsi], 0
        mov [rsi + 8], rdx
7:      xor eax, eax
        ret
9:      mov eax, NR_clock_getres
        syscall
        ret
        end clock_getres

/* long getcpu(unsigned *rdi, unsigned *rsi, void *unused): there is one processor */
        function getcpu
        test rdi, rdi
        jz 8f
        mov dword ptr [rdi], 0
8:      test rsi, rsi
        jz 7f
        mov dword ptr [rsi], 0
7:      xor eax, eax
        ret
        end getcpu

        .section .note.GNU-stack, "", @progbits
