"""Moving, resizing and advising: mremap and madvise.  man 2 mremap, madvise"""

from __future__ import annotations

from lbw.abi.errno import EFAULT, EINVAL, ENOMEM, LinuxError
from lbw.abi.mman import (
    MADV_COLD,
    MADV_DODUMP,
    MADV_DOFORK,
    MADV_DONTDUMP,
    MADV_DONTFORK,
    MADV_DONTNEED,
    MADV_FREE,
    MADV_HUGEPAGE,
    MADV_KEEPONFORK,
    MADV_MERGEABLE,
    MADV_NOHUGEPAGE,
    MADV_NORMAL,
    MADV_PAGEOUT,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MADV_UNMERGEABLE,
    MADV_WILLNEED,
    MADV_WIPEONFORK,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
)  # fmt: skip
from lbw.mm.placement import charge, place, withheld
from lbw.mm.vma import PAGE_MASK, round_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.vma import Vma

_ADVICE_WITHOUT_EFFECT = frozenset(
    (
        MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE,
        MADV_UNMERGEABLE, MADV_COLD, MADV_PAGEOUT,
    )
)  # fmt: skip


def mremap(space: AddressSpace, old: int, old_length: int, length: int, flags: int, target: int = 0) -> int:
    """Resize or move a mapping; return its address.  man 2 mremap

    With an old length of 0 a shared mapping stays and gets a second one. EINVAL, EFAULT: not mapped, ENOMEM: cannot
    grow in place and must not move
    """
    if flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED) or old & PAGE_MASK or flags == MREMAP_FIXED:
        raise LinuxError(EINVAL)  # MREMAP_DONTUNMAP included
    old_length, length = round_up(old_length), round_up(length)
    if not length or old_length > space.abi.task_size:
        raise LinuxError(EINVAL)
    if flags & MREMAP_FIXED:
        if target & PAGE_MASK or target > space.abi.task_size - length or target < space.abi.min_address:
            raise LinuxError(EINVAL)
        if withheld(space, target, length):
            raise LinuxError(ENOMEM)
        if target < old + old_length and old < target + length:
            raise LinuxError(EINVAL)
    vma = space.vmas.find(old)
    if vma is None:
        raise LinuxError(EFAULT)
    if not old_length and not (vma.shared and flags & MREMAP_MAYMOVE):
        raise LinuxError(EINVAL)
    if not flags & MREMAP_FIXED and 0 < length <= old_length:  # whatever is there
        if length < old_length:
            space.munmap(old + length, old_length - length)
        return old
    if vma.end < old + min(old_length, length):  # what is cut off may have holes
        raise LinuxError(EFAULT)
    if flags & MREMAP_FIXED:
        space.munmap(target, length)
    if not old_length:
        return _share_again(space, vma, old, length, target)
    if length < old_length:
        space.munmap(old + length, old_length - length)
        old_length = length
    if not flags & MREMAP_FIXED:
        charge(space, length - old_length, vma.prot, vma.flags, vma.backing is None)
        end = old + length
        last = vma.end == old + old_length
        free = not space.vmas.overlaps(vma.end, end) and not withheld(space, vma.end, end - vma.end)
        if last and end <= space.abi.task_size and free:
            space.total += end - vma.end
            vma.end = end
            return old
        if not flags & MREMAP_MAYMOVE:
            raise LinuxError(ENOMEM)
        target = place(space, length, None)
    space.vmas.cut(old)
    space.vmas.cut(old + old_length)
    vma = space.vmas.find(old)
    assert vma is not None
    moved = vma.piece(old, old + old_length)
    moved.start, moved.end = target, target + length
    try:
        space.mmu.move(old, old + old_length, target)
    except LinuxError:
        moved.drop()
        raise
    space.munmap(old, old_length)
    space.add(moved)
    return target


def _share_again(space: AddressSpace, vma: Vma, start: int, length: int, target: int) -> int:
    """Map what is mapped from `start` on once more, at `target` (0: anywhere); return the address.  ENOMEM"""
    charge(space, length, vma.prot, vma.flags, vma.backing is None)
    target = target or place(space, length, None)
    again = vma.piece(start, vma.end)
    again.start, again.end = target, target + length
    space.add(again)
    return target


def madvise(space: AddressSpace, start: int, length: int, advice: int) -> None:
    """Give advice about a range.  man 2 madvise.  EINVAL, ENOMEM: not all mapped

    MADV_POPULATE_*, which may take long, is `AddressSpace.populate`, piece by piece.
    """
    end = start + round_up(length)
    if start & PAGE_MASK or end < start:
        raise LinuxError(EINVAL)
    if advice in (MADV_DONTNEED, MADV_FREE):
        if start < end:
            _discard(space, start, end, advice)
    elif advice in (MADV_DONTFORK, MADV_DOFORK):
        space.vmas.cut(start)
        space.vmas.cut(end)
        for vma in space.vmas.between(start, end):
            vma.dont_fork = advice == MADV_DONTFORK
    elif advice in (MADV_DONTDUMP, MADV_DODUMP):
        space.vmas.cut(start)
        space.vmas.cut(end)
        for vma in space.vmas.between(start, end):
            vma.dont_dump = advice == MADV_DONTDUMP
    elif advice in (MADV_WIPEONFORK, MADV_KEEPONFORK):
        _set_wiping(space, start, end, advice == MADV_WIPEONFORK)
    elif advice not in _ADVICE_WITHOUT_EFFECT:
        raise LinuxError(EINVAL)
    if not space.vmas.covered(start, end):
        raise LinuxError(ENOMEM)


def _set_wiping(space: AddressSpace, start: int, end: int, wipes: bool) -> None:
    """Say whether a child finds zeros in a range.  EINVAL: it is shared, or a file's"""
    space.vmas.cut(start)
    space.vmas.cut(end)
    for vma in space.vmas.between(start, end):
        if wipes and (vma.shared or vma.backing is not None):
            raise LinuxError(EINVAL)
        vma.wipe_on_fork = wipes


def _discard(space: AddressSpace, start: int, end: int, advice: int) -> None:
    for vma in space.vmas.between(start, end):
        if advice == MADV_FREE and vma.backing is not None:
            raise LinuxError(EINVAL)
        space.mmu.unmap(max(start, vma.start), min(end, vma.end))
