"""Resizing and moving mappings.  man 2 mremap

A range shrinks and grows in place if it can, else it moves: a new mapping takes the pages over (`Mmu.move`), and the
old range is unmapped, unless it shall stay, empty (MREMAP_DONTUNMAP). What moves or grows must lie in one mapping; what
is cut off may have holes. The order in which errors are found is Linux'.
"""

from __future__ import annotations

from lbw.abi.errno import EFAULT, EINVAL, ENOMEM, EPERM, LinuxError
from lbw.abi.mman import MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE
from lbw.mm import room
from lbw.mm.hidden import cover
from lbw.mm.locking import check_growth
from lbw.mm.locking import forget as forget_lock
from lbw.mm.overcommit import charge
from lbw.mm.placement import place, withheld
from lbw.mm.vma import PAGE_MASK, VM_LOCKED, VM_LOCKONFAULT, Vma, round_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace


def mremap(space: AddressSpace, old: int, old_length: int, length: int, flags: int, target: int = 0) -> int:
    """Resize or move a mapping; return its address.  man 2 mremap

    With an old length of 0 a shared mapping stays and gets a second one. EINVAL; EFAULT: not mapped, or not in one
    mapping; ENOMEM: cannot grow in place and must not move, limits, too many mappings; EAGAIN: too much locked memory;
    EPERM: below vm.mmap_min_addr
    """
    old_length, length = round_up(old_length), round_up(length)
    _check(space, old, old_length, length, flags, target)
    vma = space.vmas.find(old)
    if vma is None:
        raise LinuxError(EFAULT)
    aims = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)
    if length <= old_length and not aims:
        if length < old_length:
            space.munmap(old + length, old_length - length)
        return old
    special = vma.backing is not None and vma.backing.special
    if (not old_length and not vma.shared) or (flags & MREMAP_DONTUNMAP and special):
        raise LinuxError(EINVAL)
    if min(old_length, length) > vma.end - old:
        raise LinuxError(EFAULT)
    growth = length - old_length
    if growth > 0:
        if special:
            raise LinuxError(EFAULT)
        check_growth(space, vma.marks, growth)
        room.require(space, growth, vma.prot, vma.flags)
    if aims:
        return _move_to(space, old, old_length, length, flags, target)
    if old_length == vma.end - old and _grow(space, vma, growth):
        return old
    if not flags & MREMAP_MAYMOVE:
        raise LinuxError(ENOMEM)
    room.require_maps(space, 4)
    return _move(space, vma, old, old_length, place(space, length, None), length, False)


def _check(space: AddressSpace, old: int, old_length: int, length: int, flags: int, target: int) -> None:
    """Check what does not depend on mappings.  EINVAL, ENOMEM"""
    if flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) or old & PAGE_MASK:
        raise LinuxError(EINVAL)
    if not length or length > space.abi.task_size:
        raise LinuxError(EINVAL)
    if not flags & (MREMAP_FIXED | MREMAP_DONTUNMAP):
        return
    if target & PAGE_MASK or target > space.abi.task_size - length or not flags & MREMAP_MAYMOVE:
        raise LinuxError(EINVAL)
    if flags & MREMAP_DONTUNMAP and old_length != length:
        raise LinuxError(EINVAL)
    if target < old + old_length and old < target + length:
        raise LinuxError(EINVAL)
    room.require_maps(space, 6)


def _grow(space: AddressSpace, vma: Vma, length: int) -> bool:
    """Extend `vma` upwards if nothing is in the way.  LinuxError(ENOMEM)"""
    end = vma.end + length
    if end > space.abi.task_size or space.vmas.overlaps(vma.end, end) or withheld(space, vma.end, length):
        return False
    if vma.accounted:
        charge(space, length)
    tail = vma.piece(vma.end, end)
    room.add(space, tail)
    return True


def _move_to(space: AddressSpace, old: int, old_length: int, length: int, flags: int, target: int) -> int:
    """Move to an address that was named, or (MREMAP_DONTUNMAP) anywhere."""
    if flags & MREMAP_FIXED:
        space.munmap(target, length)
    vma = space.vmas.find(old)
    if vma is None:  # it lay in what was to be mapped over
        raise LinuxError(EFAULT)
    if length < old_length:
        space.munmap(old + length, old_length - length)
        old_length = length
    if flags & MREMAP_DONTUNMAP:
        room.require(space, length, vma.prot, vma.flags)
    if not flags & MREMAP_FIXED:
        target = place(space, length, None, target)
    elif target < space.homes.min_address:
        raise LinuxError(EPERM)
    elif withheld(space, target, length):
        raise LinuxError(ENOMEM)
    return _move(space, vma, old, old_length, target, length, bool(flags & MREMAP_DONTUNMAP))


def _move(
    space: AddressSpace, vma: Vma, old: int, old_length: int, target: int, length: int, stays: bool
) -> int:  # fmt: skip
    """Move a part of `vma` to the free range at `target`; return that.  ENOMEM"""
    moved = vma.piece(old, old + old_length)
    if vma.backing is None and not vma.anon:
        moved.offset = target  # as if it had been mapped there
    moved.start, moved.end = target, target + length
    charged = 0
    try:
        cover(space, target, target + length)
        if moved.accounted:
            charge(space, length)
            charged = length >> 12
        space.mmu.move(old, old + old_length, target)
    except LinuxError:
        space.frames.commitment.release(charged)
        moved.drop()
        raise
    if stays:
        _leave(space, vma, old, old + old_length)
    elif old_length:
        space.munmap(old, old_length)
    room.add(space, moved)
    return target


def _leave(space: AddressSpace, vma: Vma, start: int, end: int) -> None:
    """See to the empty range that MREMAP_DONTUNMAP leaves behind: its mapping, all of it, is not locked any more."""
    forget_lock(space, vma)
    vma.marks &= ~(VM_LOCKED | VM_LOCKONFAULT)
    if vma.start == start and vma.end == end:
        vma.anon = 0
