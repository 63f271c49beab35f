"""The encoder of the fault path: the few instructions that fragments consist of, and originals with another address.

Registers are numbers as in `lbw.cpu.contracts`; a memory operand is base + (index << scale) + displacement, in the
mode's own address size and without a segment override. Nothing here changes flags (LEA and MOV do not).
"""

from __future__ import annotations

from lbw.abi.thread_cell import CELL_DISPLACEMENT
from lbw.faults.decode import Instruction
from lbw.faults.opcodes import MOFFS

_CELL_64 = [b"\x25" + (CELL_DISPLACEMENT + word).to_bytes(4, "little") for word in range(0, 64, 8)]
_CELL_32 = [(CELL_DISPLACEMENT + word).to_bytes(4, "little") for word in range(0, 64, 8)]


def memory(field: int, base: int | None, index: int | None, scale: int, displacement: int) -> tuple[bytes, int]:
    """Return ModRM with `field` in its middle, SIB and displacement in the shortest form; and the bits REX.X and REX.B.

    Without a base, a 64-bit displacement that does not fit 32 signed bits raises OverflowError. RSP is no index.
    """
    field = (field & 7) << 3
    if displacement & 0x8000_0000 and displacement > 0:
        displacement -= 1 << 32  # 32-bit mode: addresses wrap
    if base is None:
        rex = 0 if index is None else index >> 2 & 2
        sib = 0x25 if index is None else scale << 6 | (index & 7) << 3 | 5
        return bytes((field | 4, sib)) + displacement.to_bytes(4, "little", signed=True), rex
    low = base & 7
    if displacement == 0 and low != 5:
        mod, tail = 0, b""
    elif -128 <= displacement < 128:
        mod, tail = 0x40, bytes((displacement & 255,))
    else:
        mod, tail = 0x80, displacement.to_bytes(4, "little", signed=True)
    rex = base >> 3
    if index is not None:
        return bytes((mod | field | 4, scale << 6 | (index & 7) << 3 | low)) + tail, rex | index >> 2 & 2
    if low == 4:
        return bytes((mod | field | 4, 0x24)) + tail, rex
    return bytes((mod | field | low,)) + tail, rex


def cell(opcode: int, field: int, word: int, bits: int, wide: bool = True) -> bytes:
    """Encode `opcode` with ModRM.reg `field` and a word of the thread cell as operand; `wide`: REX.W in 64-bit mode."""
    if bits == 64:
        rex = 0x40 | (field >> 1 & 4) | wide << 3
        body = bytes((opcode, (field & 7) << 3 | 4)) + _CELL_64[word >> 3]
        return body if rex == 0x40 else bytes((rex,)) + body
    return bytes((opcode, field << 3 | 5)) + _CELL_32[word >> 3]


def save(register: int, word: int, bits: int) -> bytes:
    """Encode `mov [cell.word], register`."""
    return cell(0x89, register, word, bits)


def fetch(register: int, word: int, bits: int) -> bytes:
    """Encode `mov register, [cell.word]`."""
    return cell(0x8B, register, word, bits)


def add(register: int, addend: int, bits: int, scale: int = 0, base: bool = False) -> bytes:
    """Encode `lea register, [register + (addend << scale)]`, in full width.  `addend` is not RSP."""
    return general(0x8D, register, register, addend, scale, 0, bits)


def general(
    opcode: int, register: int, base: int | None, index: int | None, scale: int, displacement: int, bits: int
) -> bytes:
    """Encode a one-byte opcode with a register of full width and a memory operand."""
    operand, rex = memory(register, base, index, scale, displacement)
    if bits == 64:
        return bytes((0x48 | (register >> 1 & 4) | rex, opcode)) + operand
    return bytes((opcode,)) + operand


def narrow_address(i: Instruction, register: int) -> bytes:
    """Encode LEA that puts the effective address of `i`, narrower than the mode's, zero-extended into a register.

    A 32-bit result of a 64-bit sum is the sum modulo 2^32; the sum modulo 2^16 needs the prefix.
    """
    operand = bytes((i.operand_bytes[0] & 0xC7 | (register & 7) << 3,)) + i.operand_bytes[1:]
    if i.bits == 32:
        return b"\x67\x8d" + operand
    rex = 0x40 | (register >> 1 & 4) | i.rex & 3
    return (b"" if rex == 0x40 else bytes((rex,))) + b"\x8d" + operand


def constant(register: int, value: int, bits: int, narrow: bool = False) -> bytes:
    """Encode `mov register, value`, with all bytes of the constant at the end; `narrow`: 32 bits, zero-extended."""
    low = bytes((0xB8 | register & 7,))
    if bits == 32:
        return low + value.to_bytes(4, "little")
    rex = register >> 3 | (0x40 if narrow else 0x48)
    return (b"" if rex == 0x40 else bytes((rex,))) + low + value.to_bytes(4 if narrow else 8, "little")


def original(i: Instruction, base: int | None, index: int | None, scale: int, displacement: int) -> bytes:
    """Encode instruction `i` with another memory operand, without overrides of segment and address size."""
    field, opcode = i.register, i.opcode
    if i.properties & MOFFS:  # A0-A3 become 8A 8B 88 89
        opcode = (0x8A, 0x8B, 0x88, 0x89)[opcode & 3]
    operand, rex = memory(field, base, index, scale, displacement)
    if i.rex or rex:
        return _prefixes(i, 0x40 | i.rex & 0x4C | rex) + _opcode(i, opcode, rex) + operand + i.immediate
    return _prefixes(i, 0) + _opcode(i, opcode, 0) + operand + i.immediate


def unchanged(i: Instruction) -> bytes:
    """Encode instruction `i`, whose address is implied, without the override."""
    return _prefixes(i, i.rex) + _opcode(i, i.opcode, i.rex & 3) + i.operand_bytes + i.immediate


def _prefixes(i: Instruction, rex: int) -> bytes:
    if i.vex:
        return b""
    prefixes = bytearray()
    if i.operand16:
        prefixes.append(0x66)
    if i.lock:
        prefixes.append(0xF0)
    if i.repeat:
        prefixes.append(i.repeat)
    if rex:
        prefixes.append(rex)
    return bytes(prefixes)


def _opcode(i: Instruction, opcode: int, rex: int) -> bytes:
    if i.vex:
        first, second, *rest = i.vex
        if first == 0xC4:
            second = second & 0x9F | (~rex & 3) << 5
        return bytes((first, second, *rest, opcode))
    return (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a")[i.map] + bytes((opcode,))
