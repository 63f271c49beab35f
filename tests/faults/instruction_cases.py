"""What programs must not do, or seldom do: one case in a line, `what [@ options of the probe]`, in Intel's syntax.

`!` begins the bytes of what the assembler does not write. The names of cases are the lines themselves.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

#: Both in 64- and 32-bit code; {a}, {b}, {s}: rax, rbx, rsi or eax, ebx, esi.
BOTH = """
int3
!cd03
int 4
int 0x29
int 0x81
int 0
int 1
int 6
int 0xd
int 0xe
int 0xff
hlt
cli
sti
in al, dx
in eax, 0x10
out dx, al
outsb
rep outsd
rdmsr
wrmsr
rdpmc
vmlaunch
invd
wbinvd
invlpg [{s}]
lgdt [{s}]
lidt [{s}]
lldt ax
ltr ax
lmsw ax
clts
mov {a}, cr0
mov cr3, {a}
mov {a}, dr0
mov dr7, {a}
rsm
clac
ud2
ud1 eax, ecx
ud1 eax, [{s}]
ud0 eax, ecx
!0f04
!0f0a
!0f0c
!0f24
!0f36
!0fff
!f090
!f001c0
!f00fc7c8
!f0833e01
!8dc0
!8ec8
!fef8
!fff8
!ffd8
!ffe8
!0fc7c8
!ff28
!ff18
!cf
!cb
!9b
!0f00e0
!8ed8
!8ec0
!8ed0
!2e2e2e2e2e2e2e2e2e2e2e2e2e2e90
!2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e90
mov eax, 0x33; mov ds, eax
mov eax, 0x10; mov ds, eax
mov eax, 0; mov ss, eax
mov eax, 0x2b; mov ds, eax
xor ecx, ecx; div ecx
xor ecx, ecx; div cl
mov eax, 0; mov edx, 5; mov ecx, 2; div ecx
mov eax, 0x80000000; cdq; mov ecx, -1; idiv ecx
mov ax, 0x8000; cwd; mov cx, -1; idiv cx
jmp {a} @ {a}=0x20000000
call {a} @ {a}=0x20000000
jmp {a} @ {a}=0x1234
call {a} @ {a}=0x5678000
mov eax, [{a}] @ {a}=0x1234
add [{a}], ecx @ {a}=0x1234
cmp [{a}], ecx @ {a}=0x1234
lock cmpxchg [{a}], ecx @ {a}=0x1234
bts dword ptr [{a}], 5 @ {a}=0x1234
inc byte ptr [{a}] @ {a}=0x1234
neg dword ptr [{a}] @ {a}=0x1234
test dword ptr [{a}], 1 @ {a}=0x1234
cmpxchg8b [{a}] @ {a}=0x1234
mov [{a}], eax @ {a}=0x1234
mov byte ptr [{a}], 0 @ {a}=0x10000000
mov {sp}, {b}; push {a} @ {b}=0x20000000
mov {sp}, {b}; pop {a} @ {b}=0x1234
mov {sp}, {b}; call {a} @ {b}=0x1000
mov {sp}, {b}; ret @ {b}=0x1000
pushf; or dword ptr [{sp}], 0x3000; popf; cli
mov {a}, -1; push {a}; popf; pushf; pop {a}
nop; nop; nop @ step flags=0x302
pushf; pop {a} @ step flags=0x302
pushf; and dword ptr [{sp}], ~0x100; popf; nop; nop @ step flags=0x302
pushf; or dword ptr [{sp}], 0x100; popf; nop; nop @ step
mov ecx, 3; rep movsb; nop @ step flags=0x302
mov ecx, 0; rep movsb; nop @ step flags=0x302
mov ecx, 2; repe cmpsb; nop @ step flags=0x302
mov ecx, 2; 1: loop 1b; nop @ step flags=0x302
call 1f; nop; jmp 2f; 1: ret; 2: nop @ step flags=0x302
mov eax, ss; mov ss, eax; nop; nop @ step flags=0x302
xor ecx, ecx; div ecx; nop @ step flags=0x302
mov eax, [0x1234]; nop @ step flags=0x302
int3; nop @ step flags=0x302
ud2 @ step flags=0x302
hlt @ step flags=0x302
cpuid; nop @ step quiet flags=0x302
"""

#: In 64-bit code.
LONG = """
mov rax, cr8
!06
!0e
!1e
!27
!37
!60
!61
!62
!82c001
!ce
!d40a
!d6
!ea
!c4c0
iretq
sysretq
swapgs
vmxoff
sysenter
xor ecx, ecx; idiv rcx
mov qword ptr [rsi], 0; div qword ptr [rsi]
cmpxchg16b [rsi+8]
lddqu xmm0, [rsi+3]
movups xmm0, [rsi+1]
mov al, [rax] @ rax=0x8000000000000000
!48f70424ff000000
lock xadd [r8], r9 @ r8=0x1234
mov [rax], al @ rax=0x8000000000000000
push [rax] @ rax=0x8000000000000000
pop [rax] @ rax=0x8000000000000000
mov rsp, rax; push rax @ rax=0x8000000000000000
mov rsp, rax; pop rax @ rax=0x8000000000000000
mov rsp, rax; call rbx @ rax=0x8000000000000000
mov rsp, rax; ret @ rax=0x8000000000000000
mov rsp, rax; mov al, [rsp] @ rax=0x8000000000000000
mov rsp, rax; mov al, [rsi] @ rax=0x8000000000000000
mov al, [rbp] @ rbp=0x8000000000000000
mov rbp, [rbp+8] @ rbp=0x8000000000000000
leave @ rbp=0x8000000000000000
mov rsp, rax; enter 8, 0 @ rax=0x8000000000000000
mov eax, [rax] @ rax=0xffffffff80000000
mov [rax], eax @ rax=0xffffffffff600000
jmp rax @ rax=0xffffffff80000000
mov eax, [rax] @ rax=0x7ffffffff000
!66666666666666666666666666666690
!4040404048b80102030405060708
mov eax, 8; mov edi, -1; syscall; nop; nop @ step flags=0x302
pushf; or dword ptr [rsp], 0x100; popf; mov eax, 8; mov edi, -1; syscall; nop; nop @ step
mov rax, fs:[0]; mov rbx, fs:[0]; nop @ step quiet flags=0x302
mov eax, fs:[0x10]; div ecx @ step quiet rcx=0 flags=0x302
andn eax, ecx, edx; nop @ step flags=0x302
"""

#: In 32-bit code.
SHORT = """
!06
!16
!1e
!60
!61
!27
!2f
!d40a
!d400
!d6
!ce
!ce @ flags=0xa02
!c506
!c406
bound eax, [esi] @ eax=5
bound eax, [esi] @ eax=0
bound eax, ds:[esi+1] @ eax=5
arpl ax, cx
iretd
sysenter
mov eax, [eax] @ eax=0xf8000000
mov eax, [eax] @ eax=0xf5000000
jmp eax @ eax=0xffffe000
mov [eax], eax @ eax=0xffffe000
rdfsbase eax
!f90f82f9ffff3f @ at=0xe0000000
!f90f8200000080 @ at=0x20000000
mov eax, 19; mov ebx, -1; int 0x80; nop; nop @ step flags=0x302
mov eax, gs:[0]; mov ebx, gs:[0]; nop @ step quiet flags=0x302
"""

#: Where the processor is known to be different (docs/limits.md): what it does instead.
DIFFERENT = {
    "movaps xmm0, [rsi+8]": "done xmm+0=0807060504030201100e0c0a08060402",
    "addps xmm0, [rsi+8]": "done",
    "pushf; or dword ptr [rsp], 0x40000; popf; mov eax, [rsi+1]": "done rax=0x34414e5b flags=0x40200 ...",
    "!f0488b06": "done rax=0xd1a2734414e5b68",
    "!c7f804000000": "done rax=0x4",
    "jmp rax @ rax=0x8000000000000000": "signal=11 code=128 addr=0 trapno=13 err=0 rip=0x8000000000000000",
    "mov eax, [rax] @ rax=0x7fffffffffff": "signal=11 code=1 addr=0x7fffffffffff trapno=14 err=5 rip=code+0",
    "xorps xmm1, xmm1; divps xmm0, xmm1 @ mxcsr=0": "done xmm+0=...",
    "fld1; fchs; fsqrt; fwait @ fcw=0x340": "done fcw=0340 ...",
    "sidt [rsi]": "done data+0x200=00000000000000000000060504030201",
    "insb": "signal=11 code=128 addr=0 trapno=13 err=0 rip=code+0 data+0x300=002a241e18120c0638312a231c150e07",
}

#: Hardware that was tried disagrees with itself here; this is what the manuals say.
BY_THE_BOOK = {
    "!f1": "signal=5 code=1 addr=code+1 trapno=1 err=0 rip=code+1",
    "!6648f1": "signal=5 code=1 addr=code+3 trapno=1 err=0 rip=code+3",
    "rdpid rax": "done rax=0",
    "mov ecx, 0; xgetbv": "done rax=0x3 rcx=0 rdx=0",
    "mov ecx, 1; xgetbv": "signal=11 code=128 addr=0 trapno=13 err=0 rip=code+5 rcx=0x1",
    "vmcall": "signal=4 code=2 addr=code+0 trapno=6 err=0 rip=code+0",
}

#: Instructions that are emulated, with operands of every kind; processors that have them agree.
EMULATED = """
andn eax, ecx, edx
andn rax, rcx, [rsi]
andn rax, rcx, [rip+0x10]
andn r9, r10, [rsi+8]
andn rax, rcx, [rsi+rdi*2-0x300] @ rdi=0x100
andn eax, ecx, [esi] @ rsi=0xff20000200
andn rax, rcx, [rsi] @ rsi=0x20000ffc
andn rax, rcx, [rsi] @ rsi=0x20003ffc
andn eax, ecx, [rsi] @ rsi=0x1234000
andn eax, ecx, [rsi] @ rsi=0x8234000000000000
andn rax, rcx, gs:[rsi]
andn rax, rcx, fs:[0] @ quiet
bextr eax, ecx, edx
bextr rax, [rsi], rcx
bextr rax, [rsi], rcx @ rcx=0xff08
blsi eax, ecx
blsi rax, [rsi]
blsmsk eax, ecx
blsmsk r15, [rsi]
blsr rax, rcx
blsr eax, [rsi]
bzhi eax, ecx, edx
bzhi rax, [rsi], rcx
mulx rax, rdx, rcx
mulx eax, edx, [rsi]
mulx rax, rax, rcx
pdep rax, rcx, rdx
pdep eax, ecx, [rsi]
pext rax, rcx, [rsi]
pext eax, ecx, edx
rorx rax, rcx, 7
rorx eax, [rsi], 3
rorx eax, ecx, 0
sarx rax, rcx, rdx
sarx eax, ecx, edx
shlx eax, [rsi], edx
shlx rax, rcx, rdx
shrx rax, rcx, rdx
shrx eax, ecx, edx
mov ecx, 3; 1: andn rax, rcx, rdx; loop 1b
!f6c801 @ flags=0xad7
!f60e80
!f7c800000080
!48f7c800000080
!66f70e0100
!48f7490800000080 @ rcx=0x20000200
"""


def lines(table: str) -> list[str]:
    """Return the cases of a table."""
    return [line for line in table.strip().splitlines() if line]


def for_bits(bits: int) -> list[str]:
    """Return the cases that Linux and lbw answer alike, in 64- or 32-bit code."""
    prefix = "r" if bits == 64 else "e"
    names = {"a": prefix + "ax", "b": prefix + "bx", "s": prefix + "si", "sp": prefix + "sp"}
    return [line.format(**names) for line in lines(BOTH)] + lines(LONG if bits == 64 else SHORT)


def assemble(cases: list[str], bits: int, folder: Path) -> str:
    """Return the probe's input for `cases`; they are numbered."""
    source = [".intel_syntax noprefix"]
    for number, case in enumerate(cases):
        what = case.partition(" @ ")[0]
        text = ".byte " + ", ".join(map(str, bytes.fromhex(what[1:]))) if what[0] == "!" else what
        source.append(f'.section .case{number}, "ax"\n{text}')
    (folder / "cases.s").write_text("\n".join(source) + "\n")
    subprocess.run(["as", f"--{bits}", "-o", folder / "cases.o", folder / "cases.s"], check=True)
    from elftools.elf.elffile import ELFFile

    with open(folder / "cases.o", "rb") as file:
        elf = ELFFile(file)
        codes = [elf.get_section_by_name(f".case{number}").data().hex() for number in range(len(cases))]
    options = [case.partition(" @ ")[2] for case in cases]
    return "".join(f"{n} {code} {option}\n" for n, (code, option) in enumerate(zip(codes, options, strict=True)))
