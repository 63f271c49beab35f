"""The heap.  man 2 brk

It is anonymous memory that begins at `space.start_brk`; as it grows it stays one mapping, as long as nothing was said
about a part of it. An ordinary mapping beside it may become one with it, as in Linux.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.mman import MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.cpu.contracts import PAGE
from lbw.mm import room
from lbw.mm.locking import check_growth
from lbw.mm.overcommit import charge
from lbw.mm.placement import withheld
from lbw.mm.vma import VM_ACCOUNT, Vma, round_up
from lbw.mm.vma_blocks import STACK_GUARD_GAP, bottom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace


def brk(space: AddressSpace, address: int) -> int:
    """Set the end of the heap; return where it is then.  man 2 brk"""
    old, new = round_up(space.brk_end), round_up(address)
    if address < space.start_brk or new > space.abi.task_size or address - space.start_brk > space.data_limit:
        return space.brk_end
    try:
        if new > old:
            _grow(space, old, new)
        elif new < old:
            if not space.vmas.overlaps(new, old):
                return space.brk_end
            space.munmap(new, old - new)
    except LinuxError:
        return space.brk_end
    space.brk_end = address
    return address


def _grow(space: AddressSpace, old: int, new: int) -> None:
    """Extend the heap.  LinuxError: limits, or something is in the way"""
    vmas, length = space.vmas, new - old
    marks = space.lock_marks | VM_ACCOUNT
    check_growth(space, marks, length)
    following = vmas.between(old, new + PAGE + STACK_GUARD_GAP)
    if (following and new + PAGE > bottom(following[0])) or withheld(space, old, length):
        raise LinuxError(0)
    prot = PROT_READ | PROT_WRITE | (PROT_EXEC if space.implies_exec else 0)
    room.require(space, length, prot, MAP_PRIVATE)
    room.require_maps(space)
    charge(space, length)
    vma = Vma(old, new, prot, MAP_PRIVATE, None, 0)
    vma.marks = marks
    before = vmas.above(old)[1]
    try:  # what lies before the heap is none of it
        room.add(space, vma, joining=before is not None and before.start >= space.start_brk)
    except LinuxError:
        space.frames.commitment.release(length >> 12)
        raise
