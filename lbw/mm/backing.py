"""What mappings show: objects with pages, which know all the mappings that show them.

Files in the page cache, shared memory and pages of the kernel are backings. A backing keeps its frames; page tables
borrow them. When pages of a backing go or change their rights (a truncated file, write-back, reclaim), `mappings`
leads to every address space that may show them: the reverse map.
"""

from __future__ import annotations

from lbw.abi.errno import EOPNOTSUPP, LinuxError
from lbw.cpu.contracts import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from lbw.mm.vma import Vma


class MappedObject:
    """A `Backing` (lbw.cpu.contracts) without its pages."""

    __slots__ = ("executed", "identity", "mappings", "patched", "ran")

    #: Whether it wants to be told of the first write to each page through a shared mapping (`dirtied`).
    tracks_writes = False
    #: Whether its frames are the content itself (shared memory), for reports of what is resident.
    in_memory = False
    #: Whether pieces of its mappings become one again where they continue each other.
    joins = True
    #: Whether it is the kernel's own (Linux VM_SPECIAL): its mappings do not grow and are always inherited.
    special = False

    def __init__(self, identity: Hashable) -> None:
        self.identity = identity
        self.executed = self.ran = False
        self.patched: dict[tuple[int, int], int] = {}
        self.mappings: dict[Vma, None] = {}  # an ordered set

    def acquire(self, vma: Vma) -> None:
        """Note a mapping."""
        self.mappings[vma] = None

    def release(self, vma: Vma) -> None:
        """Forget a mapping."""
        del self.mappings[vma]

    def will_run(self) -> None:
        """Note that pages of it are about to be executed: from now on stores to them must be noticed."""
        self.ran = self.executed = True
        if any(vma.shared for vma in self.mappings):
            self.zap(0, 1 << 52, False)  # they come back in such a way

    def frame(self, page: int) -> int | None:
        """Return the frame of page `page`; None beyond the end."""
        raise NotImplementedError

    def cached_run(self, page: int, count: int) -> list[int]:
        """Return what is in memory of `count` pages from `page` on: physical addresses, 0 for absent ones."""
        raise NotImplementedError

    def dirtied(self, page: int) -> None:
        """A shared mapping is about to write to `page`, which was clean.  LinuxError: it cannot be written"""

    def punch(self, offset: int, length: int) -> None:
        """Make a range of bytes a hole (MADV_REMOVE).  EOPNOTSUPP"""
        raise LinuxError(EOPNOTSUPP)

    def granted(self, shared: bool, prot: int, max_prot: int) -> int:
        """Return what mprotect may grant to a mapping with `prot`: `max_prot`, or less.  EPERM: sealed"""
        return max_prot

    def zap(self, first: int, end: int, private: bool) -> None:
        """Take pages `first` to `end` away from all mappings; the next access faults.

        `private`: copies that processes have made of them as well (truncation).
        """
        for vma in self.mappings:
            low = max(vma.start, vma.start + (first * PAGE - vma.offset))
            high = min(vma.end, vma.start + (end * PAGE - vma.offset))
            if low < high and vma.space is not None:
                vma.space.mmu.zap(low, high, private)

    def write_protect(self, first: int, end: int) -> None:
        """Make pages `first` to `end` read-only in all shared mappings; the next write calls `dirtied`."""
        for vma in self.mappings:
            if vma.shared and vma.space is not None:
                low = max(vma.start, vma.start + (first * PAGE - vma.offset))
                high = min(vma.end, vma.start + (end * PAGE - vma.offset))
                if low < high:
                    vma.space.mmu.clean(low, high)
