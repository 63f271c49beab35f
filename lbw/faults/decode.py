"""The decoder of the fault path: prefixes, opcode, ModRM, SIB, displacement and immediate of one instruction.

Only what can reach memory through FS or GS is decoded; everything else is None at once. A disassembler would tell the
operands, but a translator must take the encoding apart byte by byte and put it together again, and what the processor
does with odd prefixes is not what disassemblers print. Checked on hardware:

- 64-bit mode ignores overrides of CS, DS, ES and SS, also behind one of FS: `64 2e` is FS. Of FS and GS the last wins.
- 32-bit mode knows all six, and the last wins.
- REX counts only directly before the opcode; one that is followed by another prefix is ignored.

What this module says is checked once more by a disassembler (`disassembler.py`) before anybody relies on it.
"""

from __future__ import annotations

from lbw.abi.x86 import LONGEST
from lbw.faults.opcodes import (
    BYTE,
    GROUPS,
    IMM8,
    IMM_TEST,
    IMMZ,
    IMPLIED,
    LOAD,
    LOAD_WITH_REPEAT,
    MAPS,
    MODRM,
    MOFFS,
)

#: Instruction.addressing: by ModRM at the mode's own address size, relative to RIP, at a smaller address size,
#: an absolute address in the instruction, or an implied register.
PLAIN, RELATIVE, NARROW, ABSOLUTE, IMPLICIT = range(5)

#: Registers that 16-bit addresses are made of, by ModRM.rm: BX BP SI DI.
_NARROW_REGISTERS = ((3, 6), (3, 7), (5, 6), (5, 7), (6, None), (7, None), (5, None), (3, None))


class Instruction:
    """One instruction that accesses memory through FS or GS."""

    __slots__ = (
        "address_size", "addressing", "base", "bits", "displacement", "high_bytes", "immediate", "index", "length",
        "lock", "map", "opcode", "operand16", "operand_bytes", "properties", "register", "repeat", "rex", "scale",
        "segment", "vex", "vvvv",
    )  # fmt: skip

    def __init__(self) -> None:
        self.bits = 64
        self.length = 0
        self.segment = 0  # FS 4, GS 5
        self.rex = 0  # as it is, or 0; of VEX: W R X B in the same places
        self.operand16 = False  # prefix 66
        self.address_size = 64
        self.lock = False
        self.repeat = 0  # 0xF2, 0xF3 or 0
        self.vex = b""  # all VEX bytes
        self.vvvv: int | None = None
        self.map = 0
        self.opcode = 0
        self.properties = 0
        self.register = 0  # ModRM.reg with REX.R
        self.high_bytes = False  # byte registers 4-7 are AH CH DH BH
        self.addressing = PLAIN
        self.base: int | None = None
        self.index: int | None = None
        self.scale = 0  # as SIB has it: a shift count
        self.displacement = 0  # signed; ABSOLUTE: unsigned
        self.operand_bytes = b""  # ModRM, SIB and displacement
        self.immediate = b""

    def load(self) -> bool:
        """Tell whether the register `register` is a destination that is overwritten as a whole and not read."""
        if not self.properties & LOAD or self.vex or self.operand16:
            return False
        if self.map == 1 and self.opcode in LOAD_WITH_REPEAT:
            return self.repeat != 0
        if self.map == 2:
            return not self.repeat  # crc32 reads it
        return self.bits == 64 or self.opcode != 0x63  # arpl


def decode(code: bytes, bits: int) -> Instruction | None:
    """Return the instruction at the start of `code`.

    None: it has no memory operand that goes through FS or GS, is cut off, or is one that we leave alone.
    """
    try:
        return _decode(code[:LONGEST], bits)
    except IndexError:
        return None


def _decode(code: bytes, bits: int) -> Instruction | None:
    position = segment = rex = repeat = 0
    operand16 = address = lock = False
    while True:
        byte = code[position]
        position += 1
        if bits == 64 and byte & 0xF0 == 0x40:
            rex = byte
            continue
        if byte == 0x64 or byte == 0x65:
            segment = byte - 0x60
        elif byte in (0x26, 0x2E, 0x36, 0x3E):
            if bits == 32:
                segment = 0
        elif byte == 0x66:
            operand16 = True
        elif byte == 0x67:
            address = True
        elif byte == 0xF0:
            lock = True
        elif byte == 0xF2 or byte == 0xF3:
            if repeat not in (0, byte):
                return None  # processors differ
            repeat = byte
        else:
            break
        rex = 0
    if not segment:
        return None
    i = Instruction()
    i.bits, i.segment, i.operand16, i.lock, i.repeat, i.rex = bits, segment, operand16, lock, repeat, rex
    i.address_size = bits >> address
    if byte in (0xC4, 0xC5) and (bits == 64 or code[position] >= 0xC0):
        if rex or operand16 or lock or repeat:
            return None
        position = _vex(i, code, position - 1)
        byte = code[position - 1]
    elif byte == 0x0F:
        i.map = 1
        byte = code[position]
        position += 1
        if byte == 0x38 or byte == 0x3A:
            i.map = 2 if byte == 0x38 else 3
            byte = code[position]
            position += 1
    if not 0 <= i.map < 4:
        return None
    i.opcode = byte
    i.properties = properties = MAPS[i.map][byte]
    if properties & MODRM:
        position = _modrm(i, code, position)
    elif properties & MOFFS:
        position = _moffs(i, code, position)
    elif properties & IMPLIED:
        i.addressing = IMPLICIT
        if byte == 0xF7 and i.map == 1:  # maskmov: two registers
            if code[position] < 0xC0:
                return None
            i.operand_bytes = code[position : position + 1]
            position += 1
        elif i.map or i.vex:
            return None
    else:
        return None
    if not position:
        return None
    if properties & (IMM8 | IMMZ) and not (properties & IMM_TEST and i.register & 6):
        size = 1 if properties & IMM8 else 4 if rex & 8 or not operand16 else 2
        i.immediate = code[position : position + size]
        position += size
    if position > len(code):
        return None
    i.length = position
    return i


def _vex(i: Instruction, code: bytes, start: int) -> int:
    """Read the VEX prefix at `start`; return the position behind the opcode."""
    if code[start] == 0xC5:
        second, i.map, size = code[start + 1], 1, 2
        i.rex = 0x40 | (~second >> 5 & 4)
    else:
        second, size = code[start + 2], 3
        i.map = code[start + 1] & 31 or -1
        i.rex = 0x40 | (~code[start + 1] >> 5 & 7) | (second >> 4 & 8)
    i.vvvv = ~second >> 3 & 15
    i.vex = code[start : start + size]
    if i.bits == 32:
        i.rex &= 0x48
        i.vvvv &= 7
    return start + size + 1


def _moffs(i: Instruction, code: bytes, position: int) -> int:
    size = i.address_size >> 3
    i.displacement = int.from_bytes(code[position : position + size], "little")
    i.addressing = ABSOLUTE
    i.rex &= 0x48  # the register is always the accumulator
    return position + size


def _modrm(i: Instruction, code: bytes, start: int) -> int:
    """Read ModRM and what belongs to it; return the position behind, 0: not a memory operand that we translate."""
    modrm = code[start]
    mod, field, rm = modrm >> 6, modrm >> 3 & 7, modrm & 7
    if mod == 3 or not GROUPS.get((i.map, i.opcode), 255) >> field & 1:
        return 0
    if not i.map and i.opcode in (0x62, 0x82) and i.bits == 64:  # EVEX; invalid
        return 0
    rex = i.rex
    i.register = field | (rex & 4) << 1
    i.high_bytes = bool(i.properties & BYTE) and not rex and field > 3
    position = start + 1
    size = (0, 1, 4)[mod]
    if i.address_size == 16:
        i.addressing = NARROW
        i.base, i.index = _NARROW_REGISTERS[rm]
        size = mod
        if mod == 0 and rm == 6:
            i.base, size = None, 2
    else:
        if i.address_size != i.bits:
            i.addressing = NARROW
        if rm == 4:
            sib = code[position]
            position += 1
            rm = sib & 7
            i.scale = sib >> 6
            index = sib >> 3 & 7 | (rex & 2) << 2
            if index != 4:
                i.index = index
            if mod == 0 and rm == 5:
                size = 4
            else:
                i.base = rm | (rex & 1) << 3
        elif mod == 0 and rm == 5:
            size = 4
            if i.bits == 64:
                i.addressing = RELATIVE
        else:
            i.base = rm | (rex & 1) << 3
    i.displacement = int.from_bytes(code[position : position + size], "little", signed=True)
    position += size
    i.operand_bytes = code[start:position]
    return position
