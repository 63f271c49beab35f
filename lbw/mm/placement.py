"""Placement: whether there is room for a mapping, and where it goes.

As in Linux without randomisation, with one addition: **home addresses**. The first mapping of a file without a fixed
address goes to that file's home, chosen once per machine, whenever it is free here. So a library lies at the same
address in every process, and its translated code, which is keyed by physical page and virtual address, is shared by
all programs.
"""

from __future__ import annotations

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.abi.mman import MAP_32BIT, MAP_NORESERVE, PROT_WRITE
from lbw.cpu.contracts import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.backing import MappedObject

MAX_MAP_COUNT = 65530  # vm.max_map_count
#: Where MAP_32BIT puts mappings.
LOW_WINDOW = ((0x4000_0000, 0x8000_0000),)


def charge(space: AddressSpace, length: int, prot: int, flags: int, anonymous: bool) -> None:
    """ENOMEM when limits or the heuristic overcommit rule forbid `length` more bytes."""
    if space.total + length > space.size_limit or len(space.vmas) >= MAX_MAP_COUNT:
        raise LinuxError(ENOMEM)
    if prot & PROT_WRITE and anonymous and not flags & MAP_NORESERVE and length > space.frames.limit * PAGE:
        raise LinuxError(ENOMEM)


def withheld(space: AddressSpace, start: int, length: int) -> bool:
    """Tell whether a range has addresses that programs cannot have."""
    low, high = space.abi.withheld
    return start < high and start + length > low


def place(space: AddressSpace, length: int, backing: MappedObject | None, hint: int = 0, flags: int = 0) -> int:
    """Return a free address for `length` bytes, whole pages: `hint`, or the file's home, if possible.  ENOMEM"""
    vmas, abi = space.vmas, space.abi
    if hint:
        hint = max(hint, abi.min_address)
        end = hint + length
        if end <= abi.task_size and not vmas.overlaps(hint, end) and not withheld(space, hint, length):
            return hint
    low_only = flags & MAP_32BIT or space.narrow
    if backing is not None and not low_only:
        home = space.homes.home(backing.identity, length, abi.homes)
        if home and not vmas.overlaps(home, home + length):
            return home
    for low, high in LOW_WINDOW if low_only else abi.mmap_windows:
        address = vmas.gap(low, high, length)
        if address:
            return address
    raise LinuxError(ENOMEM)
