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
#: The registers in either image.
_SPACED, _PACKED = Struct("<" + "10s6x" * 8), Struct("<" + "10s" * 8)


def to_fsave(image: bytes, code_segment: int, data_segment: int) -> bytes:
    """Return the 112 bytes for an FXSAVE image; nobody knows better segments of the last instruction than today's."""
    control, status, valid, _, instruction, operand, _, _ = _HEAD.unpack_from(image)
    registers = _SPACED.unpack_from(image, 32)
    tags = _tags(registers, status >> 11 & 7, valid) if valid else 0xFFFF
    head = _ENVIRONMENT.pack(
        control | _HIGH, status | _HIGH, tags | _HIGH, instruction & 0xFFFF_FFFF, code_segment,
        operand & 0xFFFF_FFFF, data_segment | _HIGH,
    )  # fmt: skip
    return bytes(head + _PACKED.pack(*registers) + _WORD.pack(status))


def _tags(registers: tuple[bytes, ...], top: int, valid: int) -> int:
    """Return the tag word for registers in the order of the stack."""
    tags = 0
    for physical in range(8):
        tags |= (_tag(registers[physical - top & 7]) if valid >> physical & 1 else 3) << 2 * physical
    return tags


def from_fsave(old: bytes, image: bytes) -> bytes:
    """Return the FXSAVE image with the x87 state of the FSAVE image `old`."""
    control, status, tags, instruction, _, operand, _ = _ENVIRONMENT.unpack_from(old)
    valid = 0
    if tags & 0xFFFF != 0xFFFF:
        for physical in range(8):
            valid |= (tags >> 2 * physical & 3 != 3) << physical
    mxcsr, mask = _HEAD.unpack_from(image)[6:]
    head = _HEAD.pack(control & 0xFFFF, status & 0xFFFF, valid, 0, instruction, operand, mxcsr & _MXCSR_MASK, mask)
    return head + _SPACED.pack(*_PACKED.unpack_from(old, 28)) + image[160:]


def _tag(register: bytes) -> int:
    """Return the tag of an 80-bit register: 0 valid, 1 zero, 2 special."""
    exponent = int.from_bytes(register[8:10], "little") & 0x7FFF
    if exponent == 0x7FFF:
        return 2
    if exponent == 0:
        return 2 if any(register[:8]) else 1
    return 0 if register[7] & 0x80 else 2
