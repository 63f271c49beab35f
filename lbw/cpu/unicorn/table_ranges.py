"""Ranges of page tables: what changes many pages at once.

Out of memory.  A change first makes every table on the way its own, which alone can fail; so it happens wholly or not
at all.
"""

from __future__ import annotations

from array import array

from lbw.cpu.contracts import EXECUTE, PAGE, WRITE
from lbw.cpu.unicorn.page_bits import ACCESSED, DIRTY, FRAME, NX, PRESENT, USER
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE
from lbw.cpu.unicorn.table_counts import TableCounts, count
from lbw.cpu.unicorn.table_tree import HIDDEN, MEMORY, OWNED, PATCHED, SHARED, SPAN, ZERO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.cpu.unicorn.engine import UnicornEngine


def leaf_flags(prot: int) -> int:
    """Return the bits of a present leaf entry for PROT_* `prot`, without W."""
    flags = PRESENT | ACCESSED | DIRTY
    if prot:
        flags |= USER
    return flags if prot & EXECUTE else flags | NX


class TableRanges(TableCounts):
    """The page tables of one address space, and what the kernel's own accesses have found in them."""

    __slots__ = ("_writable", "readable")

    def __init__(self, engine: UnicornEngine) -> None:
        super().__init__(engine)
        # page number -> physical address
        self.readable: dict[int, int] = {}
        self._writable: dict[int, int] = {}

    def _changed(self) -> None:
        """Rights or pages were taken away."""
        self.readable.clear()
        self._writable.clear()
        if self.engine.active is self:
            self.engine.flush_pending = True

    def unmap(self, start: int, end: int) -> None:
        """Forget all pages of the range.  LinuxError(ENOMEM): no memory for tables; nothing has changed"""
        words, frames = self.words, self.frames
        spans = self.spans(start, end)
        for low, high in spans:
            if high - low == SPAN:
                self.own_upper(low)
            else:
                self.own_table(low)
        for low, high in spans:
            place = self.leaf(low) << 3
            self.lose(sum(count(self.ram[place : place + (high - low >> 9)])))
            if high - low == SPAN:
                self.unlink(low)
                continue
            table = self.own_table(low)
            at = (table >> 3) + (low >> 12 & 511)
            run = words[at : at + (high - low >> 12)]
            for entry in filter(None, run.tolist()):  # most of a stack was never touched
                if entry & OWNED:
                    frames.drop(entry & FRAME)
            run[:] = array("Q", bytes(8 * len(run)))
        self._changed()

    def protect(self, start: int, end: int, prot: int) -> None:
        """Apply `prot` to the pages that are present.  LinuxError(ENOMEM): as `unmap`"""
        words, frames = self.words, self.frames
        flags = leaf_flags(prot)
        code = False
        for table, low, high in [(self.own_table(low), low, high) for low, high in self.spans(start, end)]:
            first = (table >> 3) + (low >> 12 & 511)
            for at in range(first, first + (high - low >> 12)):
                entry = words[at]
                if entry & (SHARED | PATCHED):
                    self.lose(1)
                    words[at] = 0  # a fault knows the backing, and what that asks for
                elif entry:
                    frame = entry & FRAME
                    owned = entry & OWNED
                    new = frame | flags | entry & (OWNED | ZERO | MEMORY)
                    if owned and prot & WRITE and frames.references(frame) == 1:
                        new |= WRITABLE
                    words[at] = new
                    if prot & EXECUTE and owned:
                        code |= frame in frames.code
                        frames.code.add(frame)
        if code:  # it was executable before, and may have been written since without the processor noticing
            self.engine.flush_code()
        self._changed()

    def move(self, start: int, end: int, target: int) -> None:
        """Move the pages of the range to `target` (mremap); they do not overlap.  LinuxError(ENOMEM): as `unmap`"""
        words = self.words
        tables = [(self.own_table(low) >> 3, low, high) for low, high in self.spans(start, end)]
        for _, low, high in tables:
            self.own_table(low - start + target)
            self.own_table(high - PAGE - start + target)
        for source, low, high in tables:
            for address in range(low, high, PAGE):
                at = source + (address >> 12 & 511)
                entry = words[at]
                if entry & PATCHED:  # its jumps are right for one address only
                    self.lose(1)
                    words[at] = 0
                elif entry:
                    place = target + address - start
                    words[(self.own_table(place) >> 3) + (place >> 12 & 511)] = entry
                    words[at] = 0
        self._changed()

    def zap(self, start: int, end: int, private: bool) -> None:
        """Forget the pages of backings in the range; the process's own copies too if `private`."""
        words, frames = self.words, self.frames
        for low, high in self.spans(start, end):
            first = self.leaf(low)
            gone = 0
            for index, entry in enumerate(words[first : first + (high - low >> 12)].tolist()):
                if not entry or entry & (HIDDEN | ZERO):
                    continue
                if entry & OWNED:
                    if not private:
                        continue
                    frames.drop(entry & FRAME)
                words[first + index] = 0
                gone += 1
            if gone:
                self.lose(gone)
                self.disturb(low)
        self._changed()

    def clean(self, start: int, end: int) -> None:
        """Make the pages of shared backings in the range read-only; the next write is a fault."""
        words = self.words
        for low, high in self.spans(start, end):
            first = self.leaf(low)
            for index, entry in enumerate(words[first : first + (high - low >> 12)].tolist()):
                if entry & SHARED and entry & WRITABLE:
                    words[first + index] = entry & ~WRITABLE
        self._changed()

    def forget_shared(self) -> None:
        """Forget all pages of shared memory; faults bring them back."""
        words = self.words
        for table in self.leaf_tables():
            first = table >> 3
            for index, entry in enumerate(words[first : first + 512].tolist()):
                if entry & SHARED:
                    words[first + index] = 0
                    self.recount = True
        self._changed()

    def present(self, start: int, end: int) -> Iterator[tuple[int, memoryview, bool]]:
        """Yield (address, bytes, private) for each page of the range that is present, whatever its protection.

        Private pages are the process's own. Zeroes that were only read count as absent, patched text is as it was.
        """
        words, ram = self.words, self.ram
        for low, high in self.spans(start, end):
            first = self.leaf(low)
            for index, entry in enumerate(words[first : first + (high - low >> 12)].tolist()):
                frame = entry & FRAME
                if not entry or entry & (HIDDEN | ZERO):
                    continue
                if entry & PATCHED:
                    frame = self.engine.originals[frame]
                yield low + (index << 12), ram[frame : frame + PAGE], bool(entry & OWNED)
