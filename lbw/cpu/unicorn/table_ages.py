"""Which pages were accessed: the A bits of page-table entries, for /proc/PID/clear_refs and Referenced in smaps.

Entries are made with A set, which spares the processor a write. `age` takes it away; the processor sets it again when
it next looks the translation up, for which its TLB must forget the old one. The kernel's own accesses set it, too.
"""

from __future__ import annotations

from array import array

from lbw.cpu.unicorn.page_bits import ACCESSED
from lbw.cpu.unicorn.table_tree import HIDDEN, SPAN, ZERO, TableTree

_PAGES = SPAN >> 12
_ACCESSED = int.from_bytes(bytes([ACCESSED]) * _PAGES, "little")
_NONE = int.from_bytes(bytes([(HIDDEN | ZERO) >> 48]) * _PAGES, "little")
#: From the bit that each of HIDDEN and ZERO has in byte 6 to that of ACCESSED in byte 0.
_HIDDEN_SHIFT, _ZERO_SHIFT = (ACCESSED.bit_length() - (bit >> 48).bit_length() for bit in (HIDDEN, ZERO))


def age(space: TableTree, start: int, end: int) -> None:
    """Note that no page of the range was accessed, in place: for all who share the tables."""
    words = space.words
    for low, high, first, _ in space.spans(start, end):
        run = words[first : first + (high - low >> 12)]
        run[:] = array("Q", [entry & ~ACCESSED for entry in run.tolist()])


def referenced(space: TableTree, start: int, end: int) -> int:
    """Return how many resident pages of the range were accessed since they were made present, or since `age`."""
    ram, integer, total = space.ram, int.from_bytes, 0
    for low, high, first, _ in space.spans(start, end):
        octets = ram[first << 3 : (first << 3) + (high - low >> 9)].tobytes()
        none = integer(octets[6::8], "little") & _NONE
        absent = none << _HIDDEN_SHIFT | none << _ZERO_SHIFT
        total += (integer(octets[0::8], "little") & _ACCESSED & ~absent).bit_count()
    return total
