"""The opcode maps, as far as a memory operand goes: who has a ModRM byte, how long the immediate is, what is implied.

One byte of properties for each opcode of the four maps (Intel SDM vol. 2, appendix A): one-byte opcodes, 0F, 0F 38,
0F 3A. Zero: the opcode has no memory operand that a segment override applies to, or none that a program may use, or
it is one that we leave alone (far pointers, loads of segment registers, EVEX, gathers); it is then single-stepped.
"""

from __future__ import annotations

#: The opcode is followed by ModRM, whose memory form reads or writes memory.
MODRM = 1
#: An immediate of one byte follows; one of operand size, at most four bytes; one only where ModRM.reg is 0 or 1.
IMM8, IMMZ, IMM_TEST = 2, 4, 8
#: ModRM.reg names a byte register: without REX 4-7 are AH CH DH BH, and no REX may be added.
BYTE = 16
#: Overwrites all of the general register ModRM.reg at 32 or 64 bits, and does not read it.
LOAD = 32
#: Reads or writes at RSI, RBX or RDI, which no byte names.
IMPLIED = 64
#: The address is part of the instruction (MOV with a moffs operand).
MOFFS = 128


def _one_byte() -> bytes:
    table = bytearray(256)
    for row in range(0, 0x40, 8):  # add or adc sbb and sub xor cmp
        table[row : row + 4] = bytes((MODRM | BYTE, MODRM, MODRM | BYTE, MODRM))
    table[0x62], table[0x63] = MODRM, MODRM | LOAD  # bound; movsxd, which is arpl in 32-bit mode
    table[0x69], table[0x6B] = MODRM | IMMZ | LOAD, MODRM | IMM8 | LOAD  # imul
    table[0x80:0x84] = bytes((MODRM | IMM8, MODRM | IMMZ, MODRM | IMM8, MODRM | IMM8))
    for opcode in (0x84, 0x86, 0x88, 0x8A):  # test xchg mov mov
        table[opcode], table[opcode + 1] = MODRM | BYTE, MODRM
    table[0x8B] |= LOAD
    table[0x8C] = table[0x8F] = MODRM  # mov from a segment register; pop
    table[0xA0:0xA4] = bytes((MOFFS | BYTE, MOFFS | LOAD, MOFFS | BYTE, MOFFS))
    for opcode in (0xA4, 0xA5, 0xA6, 0xA7, 0xAC, 0xAD, 0xD7):  # movs cmps lods xlat
        table[opcode] = IMPLIED
    table[0xC0] = table[0xC1] = MODRM | IMM8
    table[0xC6], table[0xC7] = MODRM | IMM8, MODRM | IMMZ
    for opcode in (*range(0xD0, 0xD4), *range(0xD8, 0xE0), 0xFE, 0xFF):
        table[opcode] = MODRM
    table[0xF6], table[0xF7] = MODRM | IMM_TEST | IMM8, MODRM | IMM_TEST | IMMZ
    return bytes(table)


def _two_bytes() -> bytes:
    table = bytearray(256)
    ranges = (
        (0x00, 0x04), (0x10, 0x18), (0x28, 0x30), (0x40, 0x50), (0x51, 0x70), (0x74, 0x77), (0x7C, 0x80),
        (0x90, 0xA0), (0xAB, 0xAC), (0xAE, 0xB2), (0xB6, 0xB9), (0xBB, 0xC2), (0xD0, 0xD7), (0xD8, 0xFF),
    )  # fmt: skip
    for first, end in ranges:
        table[first:end] = bytes((MODRM,)) * (end - first)
    for opcode in (0xA3, 0xA5, 0xAD, 0xB3, 0xC3, 0xC7):
        table[opcode] = MODRM
    for opcode in (0x70, 0xA4, 0xAC, 0xBA, 0xC2, 0xC4, 0xC6):
        table[opcode] = MODRM | IMM8
    for opcode in (0xB0, 0xC0):  # cmpxchg, xadd
        table[opcode] = MODRM | BYTE
    for opcode in (0x2C, 0x2D, 0xB6, 0xB7, 0xB8, 0xBE, 0xBF):  # cvt*2si, movzx, popcnt, movsx
        table[opcode] = MODRM | LOAD
    table[0xF7] = IMPLIED  # maskmovq, maskmovdqu
    return bytes(table)


def _three_bytes_38() -> bytes:
    table = bytearray((MODRM,)) * 256
    table[0xF0] |= LOAD  # movbe
    for opcode in (0x80, 0x81, 0x82, *range(0x90, 0x94), 0xC6, 0xC7, 0xF8):  # invept.., gathers, scatters, movdir64b
        table[opcode] = 0
    return bytes(table)


#: Properties by map (0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A) and opcode.
MAPS = (_one_byte(), _two_bytes(), _three_bytes_38(), bytes((MODRM | IMM8,)) * 256)

#: Which values of ModRM.reg (a bit each) an opcode has memory forms for that we translate; not listed: all.
GROUPS = {
    (0, 0x8C): 0b00111111,  # mov from es cs ss ds fs gs
    (0, 0x8F): 0b00000001,  # pop
    (0, 0xC6): 0b00000001,  # mov
    (0, 0xC7): 0b00000001,
    (0, 0xFE): 0b00000011,  # inc dec
    (0, 0xFF): 0b01010111,  # inc dec call jmp push, without the far forms
    (1, 0x00): 0b00110011,  # sldt str verr verw
    (1, 0x01): 0b00010011,  # sgdt sidt smsw
    (1, 0xAE): 0b11111111,  # fxsave fxrstor ldmxcsr stmxcsr xsave xrstor xsaveopt clflush
    (1, 0xBA): 0b11110000,  # bt bts btr btc
    (1, 0xC7): 0b00010010,  # cmpxchg8b cmpxchg16b xsavec
}

#: LOAD of map 1 that holds only with a prefix F2 or F3 (without, the destination is no general register).
LOAD_WITH_REPEAT = frozenset((0x2C, 0x2D, 0xB8))

#: Bit instructions that move their address by a register.
BIT_STRINGS = frozenset((0xA3, 0xAB, 0xB3, 0xBB))
