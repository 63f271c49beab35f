"""Placement: where a mapping goes.

As in Linux without randomisation: a hint that is free is taken; else the highest free place below the stack, and for
MAP_32BIT the lowest between 1 and 2 GB. Below a mapping that grows down a gap stays free.

With one addition, **home addresses**: the first mapping of a file without a fixed address goes to that file's home,
chosen once per machine, whenever it is free here. So a library lies at the same address in every process, and its
translated code, which is keyed by physical page and virtual address, is shared by all programs.
"""

from __future__ import annotations

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.abi.mman import MAP_32BIT
from lbw.mm.vma_blocks import bottom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.backing import MappedObject

#: Where MAP_32BIT puts mappings, and system calls of 32-bit code in a 64-bit program.
LOW_WINDOW = (0x4000_0000, 0x8000_0000)


def withheld(space: AddressSpace, start: int, length: int) -> bool:
    """Tell whether a range has addresses that programs cannot have."""
    low, high = space.abi.withheld
    return start < high and start + length > low


def _is_free(space: AddressSpace, start: int, length: int) -> bool:
    vmas, end = space.vmas, start + length
    if end > space.abi.task_size or vmas.overlaps(start, end) or withheld(space, start, length):
        return False
    above = vmas.above(start)[0]
    return above is None or end <= bottom(above)


def place(space: AddressSpace, length: int, file: MappedObject | None, hint: int = 0, flags: int = 0) -> int:
    """Return a free address for `length` bytes, whole pages: `hint`, or the home of `file`, if possible.  ENOMEM"""
    vmas, abi = space.vmas, space.abi
    low, high = LOW_WINDOW
    narrow = space.narrow or (flags & MAP_32BIT and abi.word == 8)
    if hint and _is_free(space, hint, length) and (not narrow or space.narrow or hint + length <= high):
        return hint
    if narrow:
        address = vmas.gap(low, high, length) if space.narrow else vmas.gap_above(low, high, length)
        if address:
            return address
        raise LinuxError(ENOMEM)
    if file is not None and not file.in_memory:
        home = space.homes.home(file.identity, length, abi.homes)
        if home and not vmas.overlaps(home, home + length):
            return home
    for low, high in abi.mmap_windows:
        address = vmas.gap(max(low, space.homes.min_address), high, length)
        if address:
            return address
    raise LinuxError(ENOMEM)
