"""Advice about ranges.  man 2 madvise, process_madvise

Three kinds: marks that stay with a mapping (what fork and core files do with it, how it is read, huge pages), done to
the pages at once (MADV_DONTNEED and the like), and hints that have no effect here, because nothing is swapped out.
Holes in the range are passed over and reported at the end; a mapping that the advice does not fit ends the call.

MADV_POPULATE_* may take long, so it is a system call's, piece by piece (`lbw.syscalls.memory`).
"""

from __future__ import annotations

from lbw.abi.errno import EACCES, EAGAIN, EINVAL, ENOMEM, LinuxError
from lbw.abi.mman import (
    MADV_COLD,
    MADV_DODUMP,
    MADV_DOFORK,
    MADV_DONTDUMP,
    MADV_DONTFORK,
    MADV_DONTNEED,
    MADV_DONTNEED_LOCKED,
    MADV_FREE,
    MADV_HUGEPAGE,
    MADV_KEEPONFORK,
    MADV_MERGEABLE,
    MADV_NOHUGEPAGE,
    MADV_NORMAL,
    MADV_PAGEOUT,
    MADV_RANDOM,
    MADV_REMOVE,
    MADV_SEQUENTIAL,
    MADV_UNMERGEABLE,
    MADV_WILLNEED,
    MADV_WIPEONFORK,
    PROT_WRITE,
)  # fmt: skip
from lbw.mm import room
from lbw.mm.vma import (
    PAGE_MASK,
    VM_DONTCOPY,
    VM_DONTDUMP,
    VM_HUGEPAGE,
    VM_LOCKED,
    VM_MERGEABLE,
    VM_NOHUGEPAGE,
    VM_RAND_READ,
    VM_SEQ_READ,
    VM_WIPEONFORK,
    Vma,
    round_up,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace

#: Advice that stays with a mapping -> (marks it sets, marks it takes away).
_MARKS = {
    MADV_NORMAL: (0, VM_RAND_READ | VM_SEQ_READ),
    MADV_SEQUENTIAL: (VM_SEQ_READ, VM_RAND_READ),
    MADV_RANDOM: (VM_RAND_READ, VM_SEQ_READ),
    MADV_DONTFORK: (VM_DONTCOPY, 0),
    MADV_DOFORK: (0, VM_DONTCOPY),
    MADV_WIPEONFORK: (VM_WIPEONFORK, 0),
    MADV_KEEPONFORK: (0, VM_WIPEONFORK),
    MADV_DONTDUMP: (VM_DONTDUMP, 0),
    MADV_DODUMP: (0, VM_DONTDUMP),
    MADV_MERGEABLE: (VM_MERGEABLE, 0),
    MADV_UNMERGEABLE: (0, VM_MERGEABLE),
    MADV_HUGEPAGE: (VM_HUGEPAGE, VM_NOHUGEPAGE),
    MADV_NOHUGEPAGE: (VM_NOHUGEPAGE, VM_HUGEPAGE),
}
_DISCARDING = frozenset((MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE))
#: What one process may advise about another's memory.
OF_OTHERS = frozenset((MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED))
_KNOWN = frozenset((*_MARKS, *_DISCARDING, *OF_OTHERS, MADV_REMOVE))


def madvise(space: AddressSpace, start: int, length: int, advice: int) -> None:
    """Give advice about a range.  man 2 madvise.

    EINVAL: unknown, or not for such memory; ENOMEM: not all mapped; EAGAIN: too many mappings; EACCES: MADV_REMOVE of
    what may not be written to.
    """
    end = start + round_up(length)
    if advice not in _KNOWN or start & PAGE_MASK or end >= 1 << 64:
        raise LinuxError(EINVAL)
    if start == end:
        return
    position, hole = start, False
    marks = _MARKS.get(advice)
    for vma in space.vmas.between(start, end):
        hole |= vma.start > position
        position, low, high = vma.end, max(start, vma.start), min(end, vma.end)
        if marks is not None:  # one that was joined with what came before it has its marks already
            _mark(space, vma, low, high, advice, *marks)
        elif advice in _DISCARDING:
            _discard(space, vma, low, high, advice)
        elif advice == MADV_REMOVE:
            _remove(vma, low, high)
        elif advice in (MADV_COLD, MADV_PAGEOUT) and vma.marks & VM_LOCKED:
            raise LinuxError(EINVAL)
    if hole or position < end:
        raise LinuxError(ENOMEM)


def _mark(space: AddressSpace, vma: Vma, start: int, end: int, advice: int, sets: int, clears: int) -> None:
    """Change the marks of a part of a mapping.  EINVAL, EAGAIN"""
    special = vma.backing is not None and vma.backing.special
    if advice == MADV_WIPEONFORK and vma.backing is not None:
        raise LinuxError(EINVAL)
    if special and advice == MADV_DODUMP:
        raise LinuxError(EINVAL)
    if advice == MADV_MERGEABLE and (vma.shared or special):
        return  # nothing that could be merged: no error
    marks = (vma.marks | sets) & ~clears
    if marks == vma.marks:
        return
    if vma.start < start or end < vma.end:
        try:
            room.require_maps(space, (vma.start < start) + (end < vma.end))
        except LinuxError:
            raise LinuxError(EAGAIN) from None
        vma = space.vmas.isolate(vma, start, end)
    vma.marks = marks
    space.vmas.rejoin(start, end)


def _discard(space: AddressSpace, vma: Vma, start: int, end: int, advice: int) -> None:
    """Forget pages of a mapping: zeroes, or what the file has, come instead.  EINVAL: locked, or no such memory"""
    backing = vma.backing
    if vma.marks & VM_LOCKED and advice != MADV_DONTNEED_LOCKED:
        raise LinuxError(EINVAL)
    if backing is not None and (advice == MADV_FREE or backing.special):
        raise LinuxError(EINVAL)
    space.mmu.unmap(start, end)


def _remove(vma: Vma, start: int, end: int) -> None:
    """Punch a hole into what a shared mapping shows.  EINVAL: no such object; EACCES: not writable"""
    if vma.marks & VM_LOCKED or vma.backing is None:
        raise LinuxError(EINVAL)
    if not vma.shared or not vma.max_prot & PROT_WRITE:
        raise LinuxError(EACCES)
    vma.backing.punch(vma.offset + start - vma.start, end - start)
