"""A program without a library that executes given instructions with FS or GS operands and writes what they did.

For each case, twice: set the base so that the operand lies in the middle of WINDOW; fill registers, flags, vector
registers, the x87, the window and the top of the stack; execute; write all of them to standard output.
"""

from __future__ import annotations

import struct
from random import Random

from lbw.cpu.contracts import RAX, RBX, RCX, RDI, RDX, RSI, RSP

TEXT = 0x40_0000
LOW = 0x1000_0000  # constants and results
WINDOWS = {64: 0x70_0000_0000, 32: 0x3000_0000}
#: In LOW: patterns, vectors, the FXSAVE image, registers and flags, counter, descriptor, stacks.
PATTERN, VECTORS, IMAGE = LOW, LOW + 0x800, LOW + 0xA00
REGISTERS, COUNTER, DESCRIPTOR = LOW + 0xC00, LOW + 0xE00, LOW + 0xE10
STACK, SCRATCH = LOW + 0x1800, LOW + 0x1F00
WINDOW_SIZE, MIDDLE, STACK_SIZE = 0x800, 0x400, 0x80
#: Bytes that each execution writes.
RECORD = 512 + 17 * 8 + WINDOW_SIZE + STACK_SIZE
ARCH_SET_GS, ARCH_SET_FS = 0x1001, 0x1002


class Case:
    """An instruction, the registers and flags that it finds, and where its operand lies."""

    def __init__(self, bits: int, segment: int, code: bytes, registers: list[int], flags: int, lands: bool) -> None:
        self.bits, self.segment, self.code, self.registers, self.flags = bits, segment, code, registers, flags
        self.lands = lands  # the operand is a pointer to the code behind
        self.offset: int | None = None  # of the operand; None: relative to the next instruction by `displacement`
        self.displacement = 0
        self.name, self.x87 = "", False


class Assembler:
    """The few instructions that the program consists of."""

    def __init__(self, bits: int) -> None:
        self.bits, self.code = bits, bytearray()

    def put(self, *parts: str | bytes | int) -> None:
        """Append hexadecimal, bytes, or a 32-bit number."""
        for part in parts:
            if isinstance(part, int):
                self.code += struct.pack("<I", part & 0xFFFF_FFFF)
            else:
                self.code += bytes.fromhex(part) if isinstance(part, str) else part

    def absolute(self, opcode: str, field: int, address: int, wide: bool = False) -> None:
        """Append an instruction with an absolute memory operand; the opcode's prefixes go before REX."""
        code = bytes.fromhex(opcode)
        prefix = code[:1] if code[0] in (0x66, 0xF2, 0xF3) else b""
        rex = 0x48 * wide | (0x40 | field >> 1 & 4 if field > 7 else 0)
        modrm = bytes(((field & 7) << 3 | 4, 0x25)) if self.bits == 64 else bytes((field << 3 | 5,))
        self.put(prefix, bytes((rex,)) if rex else b"", code[len(prefix) :], modrm, address)

    def constant(self, register: int, value: int) -> None:
        """Append `mov register, value`."""
        if self.bits == 64:
            self.put(bytes((0x48 | register >> 3, 0xB8 | register & 7)), struct.pack("<Q", value))
        else:
            self.put(bytes((0xB8 | register,)), value)

    def copy(self, source: int, target: int, size: int) -> None:
        self.constant(RSI, source)
        self.constant(RDI, target)
        self.constant(RCX, size)
        self.put("fcf3a4")  # cld; rep movsb

    def write(self, address: int, size: int) -> None:
        self.constant(RAX, 1 if self.bits == 64 else 4)
        self.constant(RDI if self.bits == 64 else RBX, 1)
        self.constant(RSI if self.bits == 64 else RCX, address)
        self.constant(RDX, size)
        self.put("0f05" if self.bits == 64 else "cd80")


def _case(case: Case, start: int) -> bytes:
    bits, window = case.bits, WINDOWS[case.bits]
    count = 16 if bits == 64 else 8
    out = Assembler(bits)
    out.absolute("c7", 0, COUNTER)  # mov dword [COUNTER], 2
    out.put(2)
    loop = len(out.code)
    base_at = 0
    if bits == 64:
        out.constant(RAX, 158)  # arch_prctl
        out.constant(RDI, ARCH_SET_FS if case.segment == 4 else ARCH_SET_GS)
        base_at = len(out.code) + 2
        out.constant(RSI, 0)
        out.put("0f05")
    else:
        for offset, value in enumerate((12 + case.segment - 4, 0, 0xFFFFF, 0x51)):
            out.absolute("c7", 0, DESCRIPTOR + 4 * offset)
            if offset == 1:
                base_at = len(out.code)
            out.put(value)
        out.constant(RAX, 243)  # set_thread_area
        out.constant(RBX, DESCRIPTOR)
        out.put("cd80")
        out.constant(RAX, (12 + case.segment - 4) * 8 + 3)
        out.put("8ee0" if case.segment == 4 else "8ee8")
    out.copy(PATTERN, window, WINDOW_SIZE)
    out.copy(PATTERN + 0x100, STACK - STACK_SIZE, STACK_SIZE)
    lands_at = 0
    if case.lands:
        out.constant(RAX, window + MIDDLE)
        out.put("c700")  # mov dword [rax], the code behind
        lands_at = len(out.code)
        out.put(0)
        out.put("c74004", 0)
    out.put("dbe3d9e8d9ebd9ee")  # fninit; fld1; fldpi; fldz
    for number in range(count):
        out.absolute("660f6f", number, VECTORS + 16 * number)
    out.constant(RSP, SCRATCH)
    out.put("68", case.flags, "9d")
    for number in range(count):
        out.constant(number, case.registers[number])
    out.put(case.code)
    behind = len(out.code)
    for number in range(count):
        out.absolute("89", number, REGISTERS + 8 * number, bits == 64)
    out.constant(RSP, SCRATCH)
    out.put("9c")  # pushf
    out.absolute("8f", 0, REGISTERS + 128)
    out.absolute("0fae", 0, IMAGE)
    out.write(IMAGE, 512)
    out.write(REGISTERS, 17 * 8)
    out.write(window, WINDOW_SIZE)
    out.write(STACK - STACK_SIZE // 2, STACK_SIZE)
    out.absolute("ff", 1, COUNTER)  # dec dword
    out.put("0f85", loop - len(out.code) - 6)
    offset = case.offset if case.offset is not None else start + behind + case.displacement
    if bits == 64:
        struct.pack_into("<Q", out.code, base_at, (window + MIDDLE - offset) % (1 << 64))
    else:
        struct.pack_into("<I", out.code, base_at, (window + MIDDLE - offset) % (1 << 32))
    if lands_at:
        struct.pack_into("<I", out.code, lands_at, start + behind)
    return bytes(out.code)


def program(cases: list[Case], seed: int) -> bytes:
    """Return an ELF file that executes the cases."""
    bits = cases[0].bits
    header = 0x1000
    text = bytearray()
    for case in cases:
        text += _case(case, TEXT + header + len(text))
    out = Assembler(bits)
    out.constant(RAX, 231 if bits == 64 else 252)
    out.constant(RDI if bits == 64 else RBX, 0)
    out.put("0f05" if bits == 64 else "cd80")
    text += out.code
    low = Random(seed).randbytes(0xA00)
    file = bytearray(header) + text
    low_at = len(file) + 0xFFF & -0x1000
    file += bytes(low_at - len(file)) + low
    rows = (
        (5, 0, TEXT, header + len(text), header + len(text)),
        (6, low_at, LOW, len(low), 0x2000),
        (6, 0, WINDOWS[bits], 0, 0x2000),
    )
    if bits == 64:
        ident, machine, word, size, entry = 2, 62, "Q", 56, 64
    else:
        ident, machine, word, size, entry = 1, 3, "I", 32, 52
    struct.pack_into(
        f"<4s5B7xHHI{word}{word}{word}IHHHHHH", file, 0, b"\x7fELF", ident, 1, 1, 0, 0, 2, machine, 1,
        TEXT + header, entry, 0, 0, entry, size, len(rows), 0, 0, 0,
    )  # fmt: skip
    for number, (flags, offset, address, in_file, in_memory) in enumerate(rows):
        at = entry + size * number
        if bits == 64:
            struct.pack_into("<IIQQQQQQ", file, at, 1, flags, offset, address, address, in_file, in_memory, 0x1000)
        else:
            struct.pack_into("<8I", file, at, 1, offset, address, address, in_file, in_memory, flags, 0x1000)
    return bytes(file)
