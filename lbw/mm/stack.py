"""Stacks: mappings that grow down to meet an access below them (MAP_GROWSDOWN).  Linux expand_downwards

The stack of a program and what a program maps so itself follow the same rules: RLIMIT_STACK for the whole mapping,
RLIMIT_AS, what may be locked and promised, and a gap of 256 pages to an accessible mapping below, so that a stack that
overflows meets a fault, not somebody's data. Another stack below, or pages that nobody can access, need no gap.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.mman import MAP_GROWSDOWN
from lbw.abi.signal import SEGV_MAPERR, SIGSEGV
from lbw.mm import room, vma_blocks
from lbw.mm.faults import SegmentationFault
from lbw.mm.hidden import cover
from lbw.mm.locking import check_growth
from lbw.mm.overcommit import charge
from lbw.mm.vma import PAGE_MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.vma import Vma


def grow_stack(space: AddressSpace, address: int) -> Vma:
    """Extend the growing mapping above `address`, where nothing is mapped, down to it.  SegmentationFault"""
    vma, below = space.vmas.above(address)
    if vma is not None and _may_grow(space, vma, below, address & ~PAGE_MASK):
        return vma
    raise SegmentationFault(SIGSEGV, SEGV_MAPERR, address)


def _may_grow(space: AddressSpace, vma: Vma, below: Vma | None, start: int) -> bool:
    """Let `vma` begin at `start` if it may."""
    if not vma.flags & MAP_GROWSDOWN or start < space.homes.min_address or vma.end - start > space.stack_limit:
        return False
    guarded = below is not None and not below.flags & MAP_GROWSDOWN and below.prot
    if guarded and below is not None and start - below.end < vma_blocks.STACK_GUARD_GAP:
        return False
    low, high = space.abi.withheld
    if low < vma.start and start < high + vma_blocks.STACK_GUARD_GAP:
        return False
    return _extend(space, vma, start)


def _extend(space: AddressSpace, vma: Vma, start: int) -> bool:
    length = vma.start - start
    if not vma.anon:
        space.vmas.begin_history(vma)  # as if it had been written to
    if not room.fits(space, length, vma.prot, vma.flags):
        return False
    try:
        check_growth(space, vma.marks, length)
        if vma.accounted:
            charge(space, length)
        cover(space, start, vma.start)
    except LinuxError:
        return False
    room.count(space, vma, length)
    space.vmas.extend_down(vma, start)
    return True
