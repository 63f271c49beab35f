"""Changing protections.  man 2 mprotect

Mapping by mapping, from below: what comes before a hole, or before a mapping that may not have such rights, is changed
although the call fails. A private mapping that becomes writable is charged for, and stays charged for when it was
written to.
"""

from __future__ import annotations

from lbw.abi.errno import EACCES, EINVAL, ENOMEM, LinuxError
from lbw.abi.mman import (
    MAP_GROWSDOWN,
    MAP_NORESERVE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_GROWSDOWN,
    PROT_GROWSUP,
    PROT_READ,
    PROT_SEM,
    PROT_WRITE,
)
from lbw.cpu.contracts import WRITE
from lbw.mm import room
from lbw.mm.faults import SegmentationFault
from lbw.mm.overcommit import charge
from lbw.mm.vma import PAGE_MASK, VM_ACCOUNT, VM_LOCKED, VM_LOCKONFAULT, round_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.vma import Vma


def mprotect(space: AddressSpace, start: int, length: int, prot: int) -> None:
    """Change the protection of whole pages.

    EINVAL; ENOMEM: not all mapped, too many mappings, limits; EACCES: the file was not opened so
    """
    grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP)
    prot &= ~grows
    if grows == PROT_GROWSDOWN | PROT_GROWSUP or start & PAGE_MASK:
        raise LinuxError(EINVAL)
    if not length:
        return
    end = start + round_up(length)
    if end >= 1 << 64:
        raise LinuxError(ENOMEM)
    if prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM):
        raise LinuxError(EINVAL)
    prot &= ~PROT_SEM
    run = space.vmas.between(start, end)
    if not run or (run[0].start > start and not grows & PROT_GROWSDOWN):
        raise LinuxError(ENOMEM)
    if grows & PROT_GROWSUP or (grows and not run[0].flags & MAP_GROWSDOWN):
        raise LinuxError(EINVAL)
    if grows:
        start = run[0].start
    position, error = start, ENOMEM
    for vma in run:  # one that was joined with what came before it has its protection already
        if vma.start > position:
            break
        wanted = prot
        if space.implies_exec and prot & PROT_READ:
            wanted |= vma.max_prot & PROT_EXEC
        if wanted & ~vma.max_prot:
            error = EACCES
            break
        position = min(vma.end, end)
        if vma.prot != wanted:
            _change(space, vma, max(start, vma.start), position, wanted)
    if position < end:
        raise LinuxError(error)


def _change(space: AddressSpace, vma: Vma, start: int, end: int, prot: int) -> None:
    """Change a part of a mapping.  LinuxError(ENOMEM)"""
    length, old, flags = end - start, vma.prot, vma.flags
    cuts = (start > vma.start) + (end < vma.end)
    if cuts and len(space.vmas) + cuts > space.homes.max_map_count:
        # a part that continues its neighbour needs none: Linux moves the border
        room.require_maps(space, cuts - _movable(space, vma, start, end, prot))
    marks = vma.marks
    if prot & PROT_WRITE and not old & PROT_WRITE:
        if not room.fits(space, length, prot, flags) and room.fits(space, length, old, flags):
            raise LinuxError(ENOMEM)
        if not marks & VM_ACCOUNT and not flags & (MAP_SHARED | MAP_NORESERVE):
            charge(space, length)
            marks |= VM_ACCOUNT
    elif not prot & PROT_WRITE and vma.backing is None and not vma.anon:
        marks &= ~VM_ACCOUNT
    try:
        space.mmu.protect(start, end, prot)
    except LinuxError:
        if marks & VM_ACCOUNT and not vma.accounted:
            space.frames.commitment.release(length >> 12)
        raise
    if cuts:
        vma = space.vmas.isolate(vma, start, end)
    if vma.marks & ~marks & VM_ACCOUNT:
        space.frames.commitment.release(length >> 12)
    if (prot ^ old) & PROT_WRITE:
        space.data += (room.is_data(prot, flags) - room.is_data(old, flags)) * length
    vma.prot, vma.marks = prot, marks
    if cuts < 2:  # else it lies between pieces of the same mapping
        space.vmas.rejoin(start, end)
    if prot & PROT_WRITE and not old & PROT_WRITE and marks & (VM_LOCKED | VM_LOCKONFAULT) == VM_LOCKED:
        _copy_locked(space, start, end, flags)


def _copy_locked(space: AddressSpace, start: int, end: int, flags: int) -> None:
    """Copy the pages of locked memory that has become writable now, as a write shall not wait."""
    if flags & MAP_SHARED:
        return
    try:
        space.populate(start, end, WRITE)
    except (LinuxError, SegmentationFault):
        pass  # a write will tell


def _movable(space: AddressSpace, vma: Vma, start: int, end: int, prot: int) -> int:
    """Tell how many cuts are none because the part will join the mapping before or behind `vma`."""
    above, before = space.vmas.above(vma.end - 1)[0], space.vmas.above(vma.start - 1)[1]
    joins = 0
    if start == vma.start and before is not None and before.end == start:
        joins = before.prot == prot and before.akin(vma)
    elif end == vma.end and above is not None and above.start == end:
        joins = above.prot == prot and vma.akin(above)
    return int(joins)
