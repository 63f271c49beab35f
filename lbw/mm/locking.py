"""Locked memory: mlock and its family.  Linux mm/mlock.c; man 2 mlock, mlockall

Nothing is ever swapped out; what locking keeps in memory are pages of files, which reclaim takes away otherwise
(`pinned`). The rules are Linux': VM_LOCKED and VM_LOCKONFAULT are marks of a mapping, `space.locked_pages` is the sum
of all that are marked (VmLck), `space.lock_marks` are the marks of new mappings (MCL_FUTURE). They are not inherited by
fork. RLIMIT_MEMLOCK (`space.lock_limit`, bytes) holds for those without CAP_IPC_LOCK.

Making the pages present comes after the marks and may take long, so it is the caller's: `lbw.syscalls.mlock`.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EINVAL, ENOMEM, EPERM, LinuxError
from lbw.abi.mman import MAP_LOCKED, MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT
from lbw.mm.kernel_pages import KernelPages
from lbw.mm.vma import PAGE_MASK, VM_LOCKED, VM_LOCKONFAULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.backing import MappedObject
    from lbw.mm.vma import Vma

CAP_IPC_LOCK = 14
_MARKS = VM_LOCKED | VM_LOCKONFAULT


def _privileged(space: AddressSpace) -> bool:
    return space.frames.commitment.capable(CAP_IPC_LOCK)


def require_locking(space: AddressSpace) -> None:
    """EPERM unless the caller may lock anything at all."""
    if not space.lock_limit and not _privileged(space):
        raise LinuxError(EPERM)


def check_growth(space: AddressSpace, marks: int, length: int) -> None:
    """EAGAIN if `length` more bytes with `marks` are more locked memory than the caller may have."""
    if marks & VM_LOCKED and space.locked_pages + (length >> 12) > space.lock_limit >> 12 and not _privileged(space):
        raise LinuxError(EAGAIN)


def marks_of_new(space: AddressSpace, flags: int, length: int) -> int:
    """Return the marks of a mapping that mmap is about to make with MAP_* `flags`.  EPERM, EAGAIN"""
    marks = space.lock_marks
    if flags & MAP_LOCKED:
        require_locking(space)
        marks |= VM_LOCKED
    if marks:
        check_growth(space, marks, length)
    return marks


def forget(space: AddressSpace, vma: Vma) -> None:
    """Count a mapping no longer that goes, wholly or as a piece that was cut off."""
    if vma.marks & VM_LOCKED:
        space.locked_pages -= vma.end - vma.start >> 12


def lock(space: AddressSpace, start: int, length: int, marks: int) -> tuple[int, int]:
    """Mark the mappings of a range; return its ends.  EPERM, EINVAL: it wraps; ENOMEM: a hole, or over the limit"""
    require_locking(space)
    first, end = start & ~PAGE_MASK, start + length + PAGE_MASK & ~PAGE_MASK & (1 << 64) - 1
    pages = (end - first & (1 << 64) - 1) >> 12
    limit = space.lock_limit >> 12
    if space.locked_pages + pages > limit and not _privileged(space):
        already = sum(
            min(vma.end, end) - max(vma.start, first) >> 12
            for vma in space.vmas.between(first, end)
            if vma.marks & VM_LOCKED
        )
        if space.locked_pages + pages - already > limit:
            raise LinuxError(ENOMEM)
    apply(space, first, end, marks)
    return first, end


def unlock(space: AddressSpace, start: int, length: int) -> None:
    """Take the marks of a range away.  EINVAL, ENOMEM"""
    apply(space, start & ~PAGE_MASK, start + length + PAGE_MASK & ~PAGE_MASK & (1 << 64) - 1, 0)


def apply(space: AddressSpace, start: int, end: int, marks: int) -> None:
    """Give the mappings of a range `marks` in place of those they had, up to the first hole.  EINVAL, ENOMEM"""
    if end < start:
        raise LinuxError(EINVAL)
    if start == end:
        return
    position = start
    error = ENOMEM
    for vma in space.vmas.between(start, end):
        if vma.start > position:
            break
        position = min(vma.end, end)
        if vma.marks & _MARKS == marks or isinstance(vma.backing, KernelPages):
            continue
        low = max(vma.start, start)
        cuts = (low > vma.start) + (position < vma.end)
        if len(space.vmas) + cuts > space.homes.max_map_count:
            position = low
            break
        space.vmas.cut(low)
        space.vmas.cut(position)
        part = space.vmas.find(low)
        assert part is not None
        forget(space, part)
        part.marks = part.marks & ~_MARKS | marks
        if marks & VM_LOCKED:
            space.locked_pages += part.end - part.start >> 12
        space.vmas.rejoin(low, position)
    if position < end:
        raise LinuxError(error)


def lock_all(space: AddressSpace, flags: int) -> None:
    """Mark all mappings (MCL_CURRENT) and those to come (MCL_FUTURE).  EINVAL, EPERM, ENOMEM: over the limit"""
    if not flags or flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) or flags == MCL_ONFAULT:
        raise LinuxError(EINVAL)
    require_locking(space)
    if flags & MCL_CURRENT and space.total > space.lock_limit & ~PAGE_MASK and not _privileged(space):
        raise LinuxError(ENOMEM)
    marks = VM_LOCKED | VM_LOCKONFAULT if flags & MCL_ONFAULT else VM_LOCKED
    space.lock_marks = marks if flags & MCL_FUTURE else 0
    if flags & MCL_CURRENT:
        mark_all(space, marks)


def unlock_all(space: AddressSpace) -> None:
    """Take all marks away, also those of mappings to come."""
    space.lock_marks = 0
    mark_all(space, 0)


def mark_all(space: AddressSpace, marks: int) -> None:
    """Give all mappings `marks` in place of those they had."""
    locked = 0
    for vma in space.vmas:
        if isinstance(vma.backing, KernelPages):
            continue
        vma.marks = vma.marks & ~_MARKS | marks
        locked += vma.end - vma.start
    space.locked_pages = locked >> 12 if marks & VM_LOCKED else 0
    space.vmas.rejoin(0, space.abi.task_size)


def pinned(backing: MappedObject, first: int, end: int) -> bool:
    """Tell whether pages `first` to `end` of a backing are locked by somebody: reclaim leaves them."""
    for vma in backing.mappings:
        if vma.marks & VM_LOCKED:
            page = vma.offset >> 12
            if page < end and first < page + (vma.end - vma.start >> 12):
                return True
    return False
