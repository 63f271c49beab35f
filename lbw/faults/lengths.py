"""How long an x86 instruction is: enough of a decoder to walk through code from one instruction to the next.

Tables of what follows each opcode (Intel SDM vol. 2, appendix A); a hundred times faster to have than a disassembler is
to load. Opcodes that are not defined have length 0, as has an instruction that is cut off by the end of the bytes.
"""

from __future__ import annotations

from lbw.abi.x86 import LONGEST

#: What follows an opcode: ModRM, immediates of 1, 2 and operand-size bytes, and things of their own.
_MODRM, _BYTE, _WORD, _FULL, _QUAD, _MOFFS, _REL, _PREFIX, _BAD = 1, 2, 4, 8, 16, 32, 64, 128, 256


def _table(spec: dict[int, str]) -> list[int]:
    """Return the 256 entries described by flag -> opcodes in hex, ranges as `a0-a3`."""
    table = [0] * 256
    for flag, text in spec.items():
        for word in text.split():
            first, _, last = word.partition("-")
            for opcode in range(int(first, 16), int(last or first, 16) + 1):
                table[opcode] |= flag
    return table


_ARITHMETIC = {
    _MODRM: "00-03 08-0b 10-13 18-1b 20-23 28-2b 30-33 38-3b 63 69 6b 80 81 83-8f c0 c1 c4-c7 d0-d3 d8-df f6 f7 fe ff",
    _BYTE: "04 0c 14 1c 24 2c 34 3c 6a 6b 70-7f 80 83 a8 b0-b7 c0 c1 c6 c8 cd d4 d5 e0-e7 eb",
    _WORD: "c2 c8 ca 9a ea",
    _FULL: "05 0d 15 1d 25 2d 35 3d 68 69 81 9a a9 c7 ea",
    _QUAD: "b8-bf",
    _MOFFS: "a0-a3",
    _REL: "e8 e9",
    _PREFIX: "26 2e 36 3e 64-67 f0 f2 f3",
}
_ONE_32 = _table({**_ARITHMETIC, _MODRM: _ARITHMETIC[_MODRM] + " 62 82", _BYTE: _ARITHMETIC[_BYTE] + " 82"})
_ONE_64 = _table({**_ARITHMETIC, _BAD: "06 07 0e 16 17 1e 1f 27 2f 37 3f 60-62 82 9a c4 c5 ce d4-d6 ea"})
_TWO = _table({
    _MODRM: "00-03 0d 0f-23 28-2f 40-76 78 79 7c-7f 90-9f a3-a5 ab-af b0-b8 ba-c7 d0-ff b9",
    _BYTE: "0f 70-73 a4 ac ba c2 c4-c6",
    _REL: "80-8f",
    _BAD: "04 0a 0c 24-27 36 39 3b-3f 7a 7b a6 a7",
})  # fmt: skip
_NO_MODRM_VEX = 0x77  # vzeroupper


def instruction_length(code: bytes, start: int, bits: int) -> int:
    """Return the length of the instruction at code[start], 0 if there is none or not all of it."""
    try:
        length = _length(code, start, bits)
    except IndexError:
        return 0
    return length if length <= LONGEST and start + length <= len(code) else 0


def _length(code: bytes, start: int, bits: int) -> int:
    wide = bits == 64
    one = _ONE_64 if wide else _ONE_32
    at = start
    operand = 4
    address = bits // 8
    rex_w = False
    opcode = code[at]
    while True:
        if one[opcode] & _PREFIX:
            if opcode == 0x66:
                operand = 2
            elif opcode == 0x67:
                address = bits // 16
            rex_w = False  # one that is not next to the opcode does not count
        elif wide and opcode >> 4 == 4:
            rex_w = bool(opcode & 8)
        else:
            break
        at += 1
        opcode = code[at]
    at += 1
    if opcode == 0x0F:
        opcode = code[at]
        at += 1
        if opcode == 0x38 or opcode == 0x3A:
            at += 1  # whatever the opcode is
            kind = _MODRM if opcode == 0x38 else _MODRM | _BYTE
        elif opcode & 0xFC == 0x20:  # mov to and from control and debug registers: always registers
            return at + 1 - start
        else:
            kind = _TWO[opcode]
    elif (opcode == 0xC5 or opcode == 0xC4 or opcode == 0x62) and (wide or code[at] >= 0xC0):
        at, kind = _vector(code, at, opcode)
    else:
        kind = one[opcode]
        if opcode & 0xFE == 0xF6 and code[at] & 0x30 == 0:  # test r/m, imm
            kind |= _BYTE if opcode == 0xF6 else _FULL
        elif opcode == 0x8F and code[at] & 0x38:
            return 0
    if kind & _BAD:
        return 0
    if kind & _MODRM:
        modrm = code[at]
        at += 1
        mode = modrm >> 6
        if mode != 3:
            if address == 2:
                at += 2 if mode == 2 or modrm & 0xC7 == 6 else mode
            else:
                base = modrm & 7
                if base == 4:
                    base = code[at] & 7
                    at += 1
                if mode == 1:
                    at += 1
                elif mode == 2 or base == 5:
                    at += 4
    if kind & _BYTE:
        at += 1
    if kind & _WORD:
        at += 2
    if kind & _FULL:
        at += 4 if rex_w else operand
    elif kind & _QUAD:
        at += 8 if rex_w else operand
    elif kind & _MOFFS:
        at += address
    elif kind & _REL:
        at += 4 if wide else operand
    return at - start


def _vector(code: bytes, at: int, opcode: int) -> tuple[int, int]:
    """Return (position behind the opcode, kind) for what follows a VEX or EVEX byte."""
    if opcode == 0xC5:
        space, at = 1, at + 1
    elif opcode == 0xC4:
        space, at = code[at] & 0x1F, at + 2
    else:
        space, at = code[at] & 7, at + 3
    last = code[at]
    at += 1
    if space == 1:
        if last == _NO_MODRM_VEX and opcode != 0x62:
            return at, 0
        return at, _MODRM | (_TWO[last] & _BYTE)
    if space == 3:
        return at, _MODRM | _BYTE
    return at, _MODRM if space in (2, 5, 6) else _BAD
