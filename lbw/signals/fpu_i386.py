"""The FSAVE image of the x87 state, which i386 signal frames have in front of an FXSAVE image.

As Linux makes one from the other: struct _fpstate_32, arch/x86/kernel/fpu/regset.c
"""

from __future__ import annotations

from struct import Struct

FSAVE = 112

#: cwd swd twd fip fcs foo fos, each in a 32-bit word
_ENVIRONMENT = Struct("<7I")
_HEAD = Struct("<HHBxHQQII")  # of FXSAVE64: control, status, tags, opcode, instruction, data, MXCSR, its mask
_WORD = Struct("<H2x")
_HIGH = 0xFFFF_0000
_MXCSR_MASK = 0xFFFF


def to_fsave(image: bytes, code_segment: int, data_segment: int) -> bytes:
    """Return the 112 bytes for an FXSAVE image; nobody knows better segments of the last instruction than today's."""
    control, status, valid, _, instruction, operand, _, _ = _HEAD.unpack_from(image)
    top = status >> 11 & 7
    registers = [image[32 + 16 * number : 42 + 16 * number] for number in range(8)]
    tags = 0
    for physical in range(8):
        tag = _tag(registers[physical - top & 7]) if valid >> physical & 1 else 3
        tags |= tag << 2 * physical
    head = _ENVIRONMENT.pack(
        control | _HIGH, status | _HIGH, tags | _HIGH, instruction & 0xFFFF_FFFF, code_segment,
        operand & 0xFFFF_FFFF, data_segment | _HIGH,
    )  # fmt: skip
    return bytes(head + b"".join(registers) + _WORD.pack(status))


def from_fsave(old: bytes, image: bytes) -> bytes:
    """Return the FXSAVE image with the x87 state of the FSAVE image `old`."""
    merged = bytearray(image)
    control, status, tags, instruction, _, operand, _ = _ENVIRONMENT.unpack_from(old)
    valid = 0
    for physical in range(8):
        valid |= (tags >> 2 * physical & 3 != 3) << physical
    mxcsr, mask = _HEAD.unpack_from(image)[6:]
    opcode = 0
    _HEAD.pack_into(
        merged, 0, control & 0xFFFF, status & 0xFFFF, valid, opcode, instruction, operand, mxcsr & _MXCSR_MASK, mask
    )  # fmt: skip
    for number in range(8):
        merged[32 + 16 * number : 42 + 16 * number] = old[28 + 10 * number : 38 + 10 * number]
    return bytes(merged)


def _tag(register: bytes) -> int:
    """Return the tag of an 80-bit register: 0 valid, 1 zero, 2 special."""
    exponent = int.from_bytes(register[8:10], "little") & 0x7FFF
    if exponent == 0x7FFF:
        return 2
    if exponent == 0:
        return 2 if any(register[:8]) else 1
    return 0 if register[7] & 0x80 else 2
