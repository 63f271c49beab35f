"""What the processor says about itself, and which instructions it therefore has.

The `cpuid` instruction and the translator's decoder both look at feature words in Unicorn's processor state. lbw puts
its own there (`lbw.abi.cpuid`), before anything is translated: so `cpuid` costs a guest nothing, cannot be missed, and
instructions that are not promised are refused by the processor itself.

Rejected: a hook of UC_X86_INS_CPUID. Unicorn leaves the list of hooks as soon as a stop is wanted (see hooks.py), and
only the first in the list is safe from that: the one of `syscall`. Under preemption a program would now and then get
the words of Unicorn's own processor. It also costs 2 us each, and every program's start asks some 25 times.

Unicorn does not tell where that state lies. It is found by marks in registers, behind a pointer in the first pages of
`uc_struct`: where 2.1.4 for Linux has it, else wherever it is. Everything is compared with what the default processor
is known to say; a library that is otherwise is refused.
"""

from __future__ import annotations

import ctypes
from struct import Struct, pack, pack_into, unpack_from

from lbw.abi.cpuid import BRAND, SIGNATURE, VENDOR, XSTATE_FEATURES
from lbw.cpu.unicorn import library as uc
from lbw.errors import EngineError
from lbw.host.peek import Peek

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.cpuid import Identity
    from lbw.cpu.unicorn.boot import Processor

#: Where `uc_struct` of 2.1.4 for Linux has the pointer to the processor, and how far into it the registers lie.
_POINTER, _REGISTERS = 0x1B8, 0x8A50
_UC_STRUCT = 0x2000
_REACH = 0x10000

# Unicorn's default processor, as it lies there: vendor, leaf 1 EAX, then the feature words, 64 bits each
_VENDOR = b"GenuineIntel"
_BEGIN = _VENDOR + pack("<IQQQ", 0x306C4, 0x078B_FBFD, 0xC6D8_2203, 0x389)
_BRAND = b"Intel Core Processor (Haswell)".ljust(48, b"\0")
_WORDS = {"1.edx": 0, "1.ecx": 1, "7.ebx": 2, "7.ecx": 3, "80000001.edx": 6, "80000001.ecx": 7, "d:1.eax": 19}
#: Which components leaf 13 tells of: AVX too, by default.
_COMPONENTS = 21
_COUNT = 22
_QWORD = Struct("<Q")


def introduce(processor: Processor, identity: Identity) -> None:
    """Have the processor be what `identity` says. General registers are lost.  EngineError"""
    peek = Peek()
    try:
        state = _find_registers(processor, peek)
        image = peek.read(state, 0x3000)
    finally:
        peek.close()
    begin, brand = image.find(_BEGIN), image.find(_BRAND)
    if begin < 0 or brand < 0 or begin & 3 or brand & 3:
        raise EngineError(f"unicorn {processor.library.version()} describes its processor otherwise; use unicorn 2.1.4")
    words = bytearray(_COUNT * 8)
    pack_into("<Q", words, 8 * _COMPONENTS, XSTATE_FEATURES)
    for name, index in _WORDS.items():
        pack_into("<Q", words, 8 * index, identity.words[name])
    replacement = VENDOR + pack("<I", SIGNATURE) + words
    ctypes.memmove(state + begin, replacement, len(replacement))
    ctypes.memmove(state + brand, BRAND.ljust(48, b"\0"), 48)


def _find_registers(processor: Processor, peek: Peek) -> int:
    """Return the address of the live register file."""
    marks = [0x2468_0000_ACE0_0000 + 0x0101 * (i + 1) for i in range(16)]
    for register, mark in zip(uc.GENERAL, marks, strict=True):
        processor.write(register, mark)
    pattern = b"".join(map(_QWORD.pack, marks))
    handle = processor.handle.value or 0
    guess = int.from_bytes(peek.read(handle + _POINTER, 8), "little") + _REGISTERS
    if guess < 1 << 47 and peek.read(guess, len(pattern)) == pattern:
        return guess
    struct = peek.read(handle, _UC_STRUCT)
    for pointer in dict.fromkeys(unpack_from(f"<{len(struct) // 8}Q", struct)):
        if 0x10000 <= pointer < 1 << 47 and not pointer & 7:
            at = peek.read(pointer, _REACH).find(pattern)
            if at >= 0:
                return int(pointer) + at
    raise EngineError(f"unicorn {processor.library.version()} hides its processor; use unicorn 2.1.4")
