/* The vDSO of i386: linux-gate.so.1.  The page layout is that of lbw/abi/vvar.py; docs/time.md has the arithmetic.
 *
 * `python -m lbw.loader.vdso.build` makes i386.so of it.
 */
#include "vvar.h"

        .intel_syntax noprefix
        .text

#define NR_time 13
#define NR_gettimeofday 78
#define NR_sigreturn 119
#define NR_rt_sigreturn 173
#define NR_clock_gettime 265
#define NR_clock_getres 266
#define NR_clock_gettime64 403

        .macro function name
        .balign 16
        .globl \name
        .type \name, @function
\name:
        .cfi_startproc
        .endm

        .macro end name
        .cfi_endproc
        .size \name, . - \name
        .endm

/* The way into the kernel (AT_SYSINFO). `sysenter` does not work in the emulated processor. */
        function __kernel_vsyscall
        int 0x80
        ret
        end __kernel_vsyscall

/* Where handlers without a restorer return to. The unwinder finds the registers of the interrupted code in the
 * sigcontext, \context bytes above ESP. It looks for the address before the one a function returns to, so the
 * description begins one byte early. */
#define SC_EDI 16
#define SC_ESI 20
#define SC_EBP 24
#define SC_ESP 28
#define SC_EBX 32
#define SC_EDX 36
#define SC_ECX 40
#define SC_EAX 44
#define SC_EIP 56

        .macro saved register, offset           /* DW_CFA_expression: DW_OP_breg4 \offset */
        .cfi_escape 0x10, \register, 3, 0x74, ((\offset) & 0x7f) | 0x80, (\offset) >> 7
        .endm

        .macro sigcontext_at offset             /* DW_CFA_def_cfa_expression: DW_OP_breg4 ESP, DW_OP_deref */
        .cfi_escape 0x0f, 4, 0x74, ((\offset + SC_ESP) & 0x7f) | 0x80, (\offset + SC_ESP) >> 7, 0x06
        saved 0, \offset + SC_EAX
        saved 1, \offset + SC_ECX
        saved 2, \offset + SC_EDX
        saved 3, \offset + SC_EBX
        saved 5, \offset + SC_EBP
        saved 6, \offset + SC_ESI
        saved 7, \offset + SC_EDI
        saved 8, \offset + SC_EIP
        .endm

        .balign 16
        .cfi_startproc simple
        .cfi_signal_frame
        .cfi_return_column 8
        sigcontext_at 4                         /* behind the signal number */
        nop
        .globl __kernel_sigreturn
        .type __kernel_sigreturn, @function
__kernel_sigreturn:
        pop eax
        sigcontext_at 0
        mov eax, NR_sigreturn
        int 0x80
        end __kernel_sigreturn

        .balign 16
        .cfi_startproc simple
        .cfi_signal_frame
        .cfi_return_column 8
        sigcontext_at 160                       /* number, two addresses, siginfo (128), ucontext up to it (20) */
        nop
        .globl __kernel_rt_sigreturn
        .type __kernel_rt_sigreturn, @function
__kernel_rt_sigreturn:
        mov eax, NR_rt_sigreturn
        int 0x80
        end __kernel_rt_sigreturn

/* Save what belongs to the caller, and find the page: esi. Arguments are at ESP + 20 and ESP + 24 then. */
        .macro enter
        push ebx
        .cfi_adjust_cfa_offset 4
        .cfi_rel_offset ebx, 0
        push esi
        .cfi_adjust_cfa_offset 4
        .cfi_rel_offset esi, 0
        push edi
        .cfi_adjust_cfa_offset 4
        .cfi_rel_offset edi, 0
        push ebp
        .cfi_adjust_cfa_offset 4
        .cfi_rel_offset ebp, 0
        call 0f
        .cfi_adjust_cfa_offset 4
0:      pop esi
        .cfi_adjust_cfa_offset -4
        and esi, -4096                          /* the image has one page */
        sub esi, 4096
        .endm

        .macro leave_to_caller
        .cfi_remember_state
        pop ebp
        .cfi_adjust_cfa_offset -4
        .cfi_restore ebp
        pop edi
        .cfi_adjust_cfa_offset -4
        .cfi_restore edi
        pop esi
        .cfi_adjust_cfa_offset -4
        .cfi_restore esi
        pop ebx
        .cfi_adjust_cfa_offset -4
        .cfi_restore ebx
        ret
        .cfi_restore_state
        .endm

/* Make the system call with the function's two arguments. */
        .macro ask_kernel number
        mov ebx, [esp + 20]
        mov ecx, [esp + 24]
        mov eax, \number
        int 0x80
        .endm

/* Read the clock whose entry is at edi: seconds in ecx:eax, nanoseconds in edx.  Changes ebp. */
        .macro read_clock otherwise
1:      mov ebp, [esi + SEQUENCE]
        cmp dword ptr [esi + ACTIVE], 0         /* before rdtsc, which may be forbidden */
        je \otherwise
        rdtsc
        sub eax, [esi + BASE_TICKS]
        sbb edx, [esi + BASE_TICKS + 4]
        test edx, edx
        jnz \otherwise
        cmp eax, [esi + LIMIT]
        jae \otherwise
        mov ecx, [edi + MULTIPLIER]
        test ecx, ecx
        jz \otherwise
        mul ecx                                 /* edx: the upper half, nanoseconds */
        add edx, [edi + NANOSECONDS]
        mov eax, [edi + SECONDS]
        mov ecx, [edi + SECONDS + 4]
        cmp ebp, [esi + SEQUENCE]
        jne 1b
2:      cmp edx, BILLION
        jb 3f
        sub edx, BILLION
        add eax, 1
        adc ecx, 0
        jmp 2b
3:
        .endm

        .macro find_entry otherwise
        mov eax, [esp + 20]
        cmp eax, CLOCKS - 1
        ja \otherwise
        shl eax, ENTRY_SHIFT
        lea edi, [esi + eax + ENTRIES]
        .endm

/* int clock_gettime(clockid_t, struct timespec32 *) */
        function __vdso_clock_gettime
        enter
        find_entry 9f
        read_clock 9f
        mov ebx, [esp + 24]
        mov [ebx], eax
        mov [ebx + 4], edx
        xor eax, eax
8:      leave_to_caller
9:      ask_kernel NR_clock_gettime
        jmp 8b
        end __vdso_clock_gettime

/* int clock_gettime64(clockid_t, struct timespec64 *) */
        function __vdso_clock_gettime64
        enter
        find_entry 9f
        read_clock 9f
        mov ebx, [esp + 24]
        mov [ebx], eax
        mov [ebx + 4], ecx
        mov [ebx + 8], edx
        mov dword ptr [ebx + 12], 0
        xor eax, eax
8:      leave_to_caller
9:      ask_kernel NR_clock_gettime64
        jmp 8b
        end __vdso_clock_gettime64

/* int gettimeofday(struct timeval32 *, struct timezone *); the zone is UTC */
        function __vdso_gettimeofday
        enter
        mov ebx, [esp + 20]
        test ebx, ebx
        jz 7f
        lea edi, [esi + ENTRIES]                /* CLOCK_REALTIME */
        read_clock 9f
        mov [ebx], eax
        mov eax, 274877907                      /* 2^38 / 1000, right for all below 10^9 */
        mul edx
        shr edx, 6
        mov [ebx + 4], edx
7:      mov ebx, [esp + 24]
        test ebx, ebx
        jz 6f
        mov dword ptr [ebx], 0
        mov dword ptr [ebx + 4], 0
6:      xor eax, eax
8:      leave_to_caller
9:      ask_kernel NR_gettimeofday
        jmp 8b
        end __vdso_gettimeofday

/* time_t time(time_t *) */
        function __vdso_time
        enter
        lea edi, [esi + ENTRIES]
        read_clock 9f
        mov ebx, [esp + 20]
        test ebx, ebx
        jz 8f
        mov [ebx], eax
8:      leave_to_caller
9:      ask_kernel NR_time
        jmp 8b
        end __vdso_time

/* int clock_getres(clockid_t, struct timespec32 *) */
        function __vdso_clock_getres
        enter
        mov ecx, [esp + 20]
        cmp ecx, CLOCKS - 1
        ja 9f
        mov edx, 1
        mov eax, FINE_CLOCKS
        bt eax, ecx
        jc 7f
        mov edx, COARSE_RESOLUTION
        mov eax, COARSE_CLOCKS
        bt eax, ecx
        jnc 9f
7:      mov ebx, [esp + 24]
        test ebx, ebx
        jz 6f
        mov dword ptr [ebx], 0
        mov [ebx + 4], edx
6:      xor eax, eax
8:      leave_to_caller
9:      ask_kernel NR_clock_getres
        jmp 8b
        end __vdso_clock_getres

/* long getcpu(unsigned *, unsigned *, void *): there is one processor */
        function __vdso_getcpu
        mov eax, [esp + 4]
        test eax, eax
        jz 8f
        mov dword ptr [eax], 0
8:      mov eax, [esp + 8]
        test eax, eax
        jz 7f
        mov dword ptr [eax], 0
7:      xor eax, eax
        ret
        end __vdso_getcpu

        .section .note.GNU-stack, "", @progbits
