"""Segment descriptors, and `struct user_desc`, in which programs write them down.

A descriptor is the 64-bit word of the processor (Intel SDM vol. 3, 3.4.5); 0 is an empty one.  asm/ldt.h
"""

from __future__ import annotations

from struct import Struct

USER_DESC = Struct("<IIII")  # entry_number, base_addr, limit, bits

SEG_32BIT, CONTENTS, READ_EXEC_ONLY, LIMIT_IN_PAGES, NOT_PRESENT, USEABLE, LONG = 1, 6, 8, 16, 32, 64, 128
#: Bits that count; 32-bit kernels know no `lm`, but nobody sets it there.
_BITS = 0xFF
#: What an empty entry looks like, beside all zero.
_EMPTY = READ_EXEC_ONLY | NOT_PRESENT

# Upper word of a descriptor
PRESENT, SYSTEM_OFF, CODE, WRITABLE, CONFORMING = 1 << 15, 1 << 12, 1 << 11, 1 << 9, 1 << 10
GRANULARITY, BIG = 1 << 23, 1 << 22


class UserDescriptor:
    """A `struct user_desc`."""

    __slots__ = ("base", "bits", "entry", "limit")

    def __init__(self, entry: int, base: int, limit: int, bits: int) -> None:
        self.entry = entry
        self.base = base
        self.limit = limit  # 20 bits count
        self.bits = bits & _BITS

    @property
    def contents(self) -> int:
        """0: data, 1: stack, 2: code, 3: conforming code."""
        return (self.bits & CONTENTS) >> 1

    @property
    def empty(self) -> bool:
        """Whether it says: no segment (LDT_empty)."""
        return not self.base and not self.limit and self.bits == _EMPTY

    @property
    def zero(self) -> bool:
        """Whether all of it is zero (LDT_zero)."""
        return not self.base and not self.limit and not self.bits & ~LONG

    def descriptor(self) -> int:
        """Return the processor's form, marked as accessed, of privilege level 3, never a 64-bit one."""
        kind = (0 if self.bits & READ_EXEC_ONLY else 2) | self.contents << 2 | 1
        upper = self.base >> 16 & 0xFF | self.base & 0xFF00_0000 | self.limit & 0xF_0000
        upper |= kind << 8 | SYSTEM_OFF | 3 << 13
        upper |= 0 if self.bits & NOT_PRESENT else PRESENT
        upper |= 1 << 20 if self.bits & USEABLE else 0
        upper |= BIG if self.bits & SEG_32BIT else 0
        upper |= GRANULARITY if self.bits & LIMIT_IN_PAGES else 0
        return upper << 32 | (self.base & 0xFFFF) << 16 | self.limit & 0xFFFF


def base_of(descriptor: int) -> int:
    """Return the base address."""
    return descriptor >> 16 & 0xFF_FFFF | descriptor >> 32 & 0xFF00_0000


def limit_of(descriptor: int) -> int:
    """Return the limit as it is written down, 20 bits."""
    return descriptor & 0xFFFF | descriptor >> 32 & 0xF_0000


def byte_limit(descriptor: int) -> int:
    """Return the last offset of the segment."""
    limit = limit_of(descriptor)
    return limit << 12 | 0xFFF if descriptor >> 32 & GRANULARITY else limit


def describe(descriptor: int, entry: int) -> UserDescriptor:
    """Return the `struct user_desc` of a descriptor."""
    upper = descriptor >> 32
    bits = SEG_32BIT if upper & BIG else 0
    bits |= (upper >> 10 & 3) << 1
    bits |= 0 if upper & WRITABLE else READ_EXEC_ONLY
    bits |= LIMIT_IN_PAGES if upper & GRANULARITY else 0
    bits |= 0 if upper & PRESENT else NOT_PRESENT
    bits |= USEABLE if upper & 1 << 20 else 0
    return UserDescriptor(entry, base_of(descriptor), limit_of(descriptor), bits)
