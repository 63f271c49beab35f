"""Generated functions full of segment accesses among all that may stand around them, as assembly text.

Operations whose flags the manuals leave undefined are followed by one that defines them. Not drawn: `setcc`, `rcl` and
`rcr` of memory, which Unicorn makes from wrong flags when their access faults.
"""

from __future__ import annotations

from random import Random

FREE = ("rax", "rcx", "rdx", "rbp", "r8", "r9", "r10", "r11", "r12", "r13")
NARROW = {
    "rax": ("eax", "ax", "al"), "rcx": ("ecx", "cx", "cl"), "rdx": ("edx", "dx", "dl"), "rbp": ("ebp", "bp", "bpl"),
}  # fmt: skip
CONDITIONS = ("e", "ne", "c", "nc", "s", "ns", "o", "no", "p", "np", "a", "be", "l", "ge", "g", "le")
WORDS = {8: "qword", 4: "dword", 2: "word", 1: "byte"}

HEAD = """
.intel_syntax noprefix
.section .blocks, "ax"
.balign 4096
.global flags, blocks_begin, blocks_end, functions, functions_end, enter, leave
.text
enter:
    push rbx; push rbp; push r12; push r13; push r14; push r15; push rsi
    mov [rip + kept], rsp
    mov rax, rdi
    mov r15, rdx
    mov edi, 0x30002000
    mov esi, 0x30004000
    lea rsp, [rip + stack_top]
    mov r14d, 5
    mov rcx, -3; mov edx, 0x1234; mov ebx, 7; mov rbp, 0x7fffffffffffffff; mov r8, 0x80; mov r9, -1
    mov r10d, 1; mov r11, 99
    mov r12, 0x8000000000000000; pxor xmm0, xmm0; pxor xmm1, xmm1; xor r13d, r13d
    push [rip + flags]
    popf
    call rax
    jmp 1f
leave:
    cmp eax, eax
1:  mov [rip + result], rax
    pushf
    pop rax
    push 0x202
    popf
    mov rsp, [rip + kept]
    xchg rax, [rsp]
    mov [rax + 8], rcx; mov [rax + 16], rdx; mov [rax + 24], rbx; mov [rax + 32], rbp; mov [rax + 40], rsi
    mov [rax + 48], rdi
    mov [rax + 56], r8; mov [rax + 64], r9; mov [rax + 72], r10; mov [rax + 80], r11; mov [rax + 88], r12
    mov [rax + 96], r13
    mov [rax + 104], r14; mov [rax + 112], r15
    movq rcx, xmm0
    mov [rax + 120], rcx
    movq rcx, xmm1
    mov [rax + 128], rcx
    pop rcx
    mov [rax + 136], rcx
    mov rcx, [rip + result]
    mov [rax], rcx
    pop r15; pop r14; pop r13; pop r12; pop rbp; pop rbx
    ret
.lcomm kept, 8
.lcomm result, 8
.data
flags: .quad 0x202
.text
.lcomm stack, 65536
.set stack_top, stack + 65280
.section .blocks
blocks_begin:
"""


class Generator:
    """Functions of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.lines: list[str] = []
        self.labels = 0

    def program(self, functions: int) -> str:
        """Return the whole assembly file."""
        for number in range(functions):
            self.lines.append(f"function_{number}:")
            self.function()
            if self.random.random() < 0.3:
                self.lines.append(f"    .fill {self.random.randrange(300)}, 1, 0x90")
        table = "\n".join(f"    .quad function_{number}" for number in range(functions))
        self.lines.append("helper:")
        self.emit("add rax, gs:[0x40]\ninc r8\nret")
        self.lines.append("blocks_end:")
        body = "\n".join(self.lines)
        return f"{HEAD}{body}\n.data\n.balign 8\nfunctions:\n{table}\nfunctions_end:\n.section .note.GNU-stack\n"

    def function(self) -> None:
        waiting: list[tuple[int, str]] = []
        position, count = 0, self.random.randrange(10, 50)
        while position < count:
            for due, label in [*waiting]:
                if due <= position:
                    self.lines.append(f"{label}:")
                    waiting.remove((due, label))
            kind = self.random.random()
            if kind < 0.10:
                label = self.label()
                waiting.append((position + self.random.randrange(1, 9), label))
                self.emit(f"j{self.random.choice(CONDITIONS)} {label}")
            elif kind < 0.12:
                label = self.label()
                waiting.append((position + self.random.randrange(1, 4), label))
                self.emit(self.random.choice((f"jmp {label}", f"jrcxz {label}")))
            elif kind < 0.17:
                label = self.label()
                self.emit(f"mov ebx, {self.random.randrange(1, 6)}")
                self.lines.append(f"{label}:")
                for _ in range(self.random.randrange(1, 6)):
                    self.operation()
                self.emit("dec ebx")
                self.emit(f"jnz {label}")
            else:
                self.operation()
            position += 1
        for _, label in waiting:
            self.lines.append(f"{label}:")
        self.emit("xor ebx, ebx")
        self.emit("ret")

    def label(self) -> str:
        self.labels += 1
        return f".L{self.labels}"

    def emit(self, text: str) -> None:
        """Append instructions, and where they begin."""
        for line in text.split("\n"):
            self.lines.append("    .pushsection places, \"a\"\n    .quad 9f\n    .popsection")
            self.lines.append("9:  " + line.strip())

    def register(self, size: int = 8) -> str:
        register = self.random.choice(FREE)
        if size == 8:
            return register
        if register in NARROW:
            return NARROW[register][{4: 0, 2: 1, 1: 2}[size]]
        return register + {4: "d", 2: "w", 1: "b"}[size]

    def segment(self) -> str:
        at = self.random.randrange(0, 1000)
        choices = f"[{at}]", f"[{at}]", f"[r14 + {at}]", f"[r14 * 8 + {at}]", f"[r14 + r14 * 2 + {at * 4}]"
        return "gs:" + self.random.choice(choices)

    def plain(self) -> str:
        at = self.random.randrange(-1000, 1000)
        return self.random.choice((
            f"[rdi + {at}]", f"[rsi + {at}]", f"[rsi + r14 * 8 + {at}]", f"[rdi + r14 + {at * 7}]",
            f"[rip + variables + {at % 120}]", "[r15]" if self.random.random() < 0.1 else f"[rdi + {at}]",
        ))  # fmt: skip

    def memory(self) -> str:
        return self.segment() if self.random.random() < 0.5 else self.plain()

    def operation(self) -> None:
        """Append one operation, of one or a few instructions."""
        random, emit = self.random, self.emit
        size = random.choice((8, 8, 4, 4, 2, 1))
        word, register, memory = WORDS[size], self.register(size), self.memory()
        arithmetic = random.choice(("add", "sub", "adc", "sbb", "and", "or", "xor", "cmp"))
        number = random.randrange(-128, 128)
        wide = self.register(4)
        choices = (
            lambda: emit(f"mov {register}, {word} ptr {memory}"),
            lambda: emit(f"mov {word} ptr {memory}, {register}"),
            lambda: emit(f"mov {register}, {word} ptr {self.segment()}"),
            lambda: emit(f"mov {word} ptr {self.segment()}, {register}"),
            lambda: emit(f"{arithmetic} {register}, {word} ptr {memory}"),
            lambda: emit(f"{arithmetic} {word} ptr {memory}, {register}"),
            lambda: emit(f"{arithmetic} {word} ptr {memory}, {number}"),
            lambda: emit(f"{arithmetic} {register}, {self.register(size)}"),
            lambda: emit(f"lea {self.register()}, {self.plain()}"),
            lambda: emit(f"lea {wide}, [{self.register()} + {self.register()} * 4 + {number}]"),
            lambda: emit(f"{random.choice(('inc', 'dec', 'neg', 'not'))} {word} ptr {memory}"),
            lambda: emit(f"lock {random.choice(('inc', 'dec', 'not'))} {word} ptr {memory}"),
            lambda: emit(
                f"{random.choice(('shl', 'shr', 'sar', 'rol', 'ror'))} {word} ptr {memory}, 1\n"
                f"    test eax, ecx"
            ),
            lambda: emit(f"set{random.choice(CONDITIONS)} {self.register(1)}"),
            lambda: emit(f"cmov{random.choice(CONDITIONS)} {wide}, dword ptr {memory}"),
            lambda: emit(f"movzx {wide}, byte ptr {memory}"),
            lambda: emit(f"movsx {self.register()}, word ptr {memory}"),
            lambda: emit(f"movsxd {self.register()}, dword ptr {memory}"),
            lambda: emit(f"imul {wide}, dword ptr {memory}, {number}\n    test {wide}, {wide}"),
            lambda: emit(f"mul qword ptr {memory}\n    or r9, r9"),
            lambda: emit(f"xchg {word} ptr {memory}, {register}"),
            lambda: emit(f"lock xadd {word} ptr {memory}, {register}"),
            lambda: emit(f"lock cmpxchg {word} ptr {memory}, {register}"),
            lambda: emit(
                f"push {self.register()}\n    push qword ptr {memory}\n"
                f"    pop {self.register()}\n    pop qword ptr {self.segment()}"
            ),
            lambda: emit(f"push {number}\n    pop qword ptr {memory}"),
            lambda: emit("call helper"),
            lambda: emit(f"test {word} ptr {memory}, {number & 127}"),
            lambda: emit(f"movups xmm0, {memory}\n    paddq xmm0, xmm1"),
            lambda: emit(f"movq xmm1, qword ptr {memory}"),
            lambda: emit(f"movups {memory}, xmm0"),
            lambda: emit(f"movd xmm0, {wide}\n    punpcklqdq xmm0, xmm1"),
            lambda: emit(random.choice(("stosb", "stosd", "lodsb", "lodsq", "movsb", "movsq"))),
            lambda: emit(f"mov ecx, {random.randrange(0, 9)}\n    rep stosd"),
            lambda: emit(f"mov ecx, {random.randrange(0, 9)}\n    rep movsb es:[rdi], byte ptr [rsi]"),
            lambda: emit(
                "mov rdx, rsi\n    lea rsi, [r14 + 64]\n    movsb es:[rdi], byte ptr gs:[rsi]\n"
                "    mov rsi, rdx"
            ),
            lambda: emit(f"bt dword ptr {self.segment()}, {random.randrange(32)}\n    test edx, edx"),
            lambda: emit(f"bswap {self.register()}\n    cdq"),
            lambda: emit(f"movbe {wide}, dword ptr {memory}" if random.random() < 0 else "cqo"),
            lambda: emit(f"mov rax, gs:[{number & 127}]\n    mov rcx, gs:[{number & 63}]\n    add rax, rcx"),
            lambda: emit(f"nop word ptr {self.segment()}"),
            lambda: emit(f"shld {self.register()}, {self.register()}, 9\n    cmp r9, r8"),
            lambda: emit(f"mov {random.choice(('ah', 'ch', 'dh'))}, byte ptr {random.choice(('gs:[0x123]', '[rdi]'))}"),
        )  # fmt: skip
        random.choice(choices)()
