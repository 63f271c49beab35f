"""Instructions that update memory: they read their operand in order to write it.

The processor checks such an operand for writing at once; the translator reads first, and so reports a read where
nothing is mapped. Who looks at the error code of a fault (garbage collectors do) shall see a write.
"""

from __future__ import annotations

from lbw.abi.x86 import LEGACY_PREFIXES

#: Opcode -> the values of ModRM's middle field that update; Intel SDM vol. 2, appendix A.
_ALL = frozenset(range(8))
_ONE_BYTE = {
    **dict.fromkeys((op | form for op in range(0, 0x38, 8) for form in (0, 1)), _ALL),  # add or adc sbb and sub xor
    **dict.fromkeys(range(0x80, 0x84), frozenset(range(7))),  # the same, not cmp
    **dict.fromkeys((0xC0, 0xC1, 0xD0, 0xD1, 0xD2, 0xD3), _ALL),  # shifts
    **dict.fromkeys((0xF6, 0xF7), frozenset((2, 3))),  # not neg
    **dict.fromkeys((0xFE, 0xFF), frozenset((0, 1))),  # inc dec
    **dict.fromkeys((0x86, 0x87), _ALL),  # xchg
}
_TWO_BYTES = {
    **dict.fromkeys((0xA4, 0xA5, 0xAC, 0xAD), _ALL),  # shld shrd
    **dict.fromkeys((0xAB, 0xB3, 0xBB), _ALL),  # bts btr btc
    0xBA: frozenset((5, 6, 7)),  # the same by an immediate
    **dict.fromkeys((0xB0, 0xB1, 0xC0, 0xC1), _ALL),  # cmpxchg xadd
    0xC7: frozenset((1,)),  # cmpxchg8b cmpxchg16b
}


def updates_memory(code: bytes, bits: int) -> bool:
    """Tell whether the instruction that `code` begins with reads and writes one operand in memory."""
    at = 0
    while at < len(code) and code[at] in LEGACY_PREFIXES:
        at += 1
    if bits == 64 and at < len(code) and code[at] & 0xF0 == 0x40:
        at += 1
    table = _ONE_BYTE
    if code[at : at + 1] == b"\x0f":
        table = _TWO_BYTES
        at += 1
    if at + 1 >= len(code) or code[at + 1] >> 6 == 3:
        return False
    return code[at + 1] >> 3 & 7 in table.get(code[at], ())
