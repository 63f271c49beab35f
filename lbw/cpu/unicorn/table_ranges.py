"""Ranges of page tables: what changes many pages at once.

Out of memory.  `unmap`, `protect` and `move` first make every table on the way their own, which alone can fail; so they
happen wholly or not at all. `zap` and `clean` must not fail: they change tables that are shared after a fork in place,
and it is right so, because whoever shares the table shows the same pages of the same backing.

TLB.  Only what was present can be in the TLB, and only losing a page or a right needs a flush; one before the next run,
however many changes ask for it. NX is more than a right here (`page_tables`): any change of it needs a flush.
"""

from __future__ import annotations

from array import array

from lbw.cpu.contracts import EXECUTE, PAGE, WRITE
from lbw.cpu.unicorn.flush_causes import REMOVED, RESTRICTED
from lbw.cpu.unicorn.page_bits import ACCESSED, DIRTY, FRAME, NX, PRESENT, USER
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE
from lbw.cpu.unicorn.table_counts import count
from lbw.cpu.unicorn.table_release import EMPTY, TableRelease
from lbw.cpu.unicorn.table_tree import HIDDEN, MEMORY, OWNED, PATCHED, SHARED, SPAN, ZERO

#: Ranges of up to so many pages are forgotten one by one by the kernel's own accesses.
_FEW = 16
_ZEROES = array("Q", bytes(PAGE))


def leaf_flags(prot: int) -> int:
    """Return the bits of a present leaf entry for PROT_* `prot`, without W."""
    flags = PRESENT | ACCESSED | DIRTY
    if prot:
        flags |= USER
    return flags if prot & EXECUTE else flags | NX


class TableRanges(TableRelease):
    """The page tables of one address space, changed in ranges."""

    __slots__ = ()

    def changed(self, start: int, end: int, cause: int) -> None:
        """Note that rights or pages were taken away."""
        readable, writable = self.readable, self.writable
        if end - start <= _FEW * PAGE:
            for number in range(start >> 12, end >> 12):
                readable.pop(number, None)
                writable.pop(number, None)
        else:
            readable.clear()
            writable.clear()
        if self.engine.active is self:
            self.engine.flush_pending |= cause

    def _occupied(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the parts of a range, each under one leaf table, that have entries."""
        ram, leaf = self.ram, self.leaf
        found = []
        for low, high in self.spans(start, end):
            at, size = leaf(low) << 3, high - low >> 9
            if ram[at : at + size].tobytes() != EMPTY[:size]:
                found.append((low, high))
        return found

    def unmap(self, start: int, end: int) -> None:
        """Forget all pages of the range.  LinuxError(ENOMEM): no memory for tables; nothing has changed"""
        words, ram = self.words, self.ram
        spans = []
        for low, high in self.spans(start, end):
            at, size = self.leaf(low) << 3, high - low >> 9
            if ram[at : at + size].tobytes() != EMPTY[:size]:
                spans.append((low, high))
            elif self.above_writable(low):
                self.unlink_empty(low)
        if not spans:
            return
        for low, high in spans:
            if high - low == SPAN:
                self.own_upper(low)
            else:
                self.own_table(low)
        for low, high in spans:
            at = self.leaf(low)
            size = high - low >> 12
            self.lose(sum(count(ram[at << 3 : at + size << 3])))
            if size == 512:
                self.unlink(low)
                continue
            self.frames.drop_many(self.owned(at, size))
            words[at : at + size] = _ZEROES[:size]
            self.unlink_empty(low)
        self.changed(start, end, REMOVED)

    def protect(self, start: int, end: int, prot: int) -> None:
        """Apply `prot` to the pages that are present.  LinuxError(ENOMEM): as `unmap`"""
        spans = self._occupied(start, end)
        if not spans:
            return
        words, frames = self.words, self.frames
        flags = leaf_flags(prot)
        references, executed = frames.references, frames.code
        lost = code = 0
        for table, low, high in [(self.own_table(low), low, high) for low, high in spans]:
            first = (table >> 3) + (low >> 12 & 511)
            size = high - low >> 12
            entries = words[first : first + size].tolist()
            for index, entry in enumerate(entries):
                if not entry:
                    continue
                if entry & (SHARED | PATCHED):  # a fault knows the backing, and what that asks for
                    entries[index] = 0
                    self.lose(1)
                    lost = 1
                    continue
                frame = entry & FRAME
                new = frame | flags | entry & (OWNED | ZERO | MEMORY)
                if entry & OWNED:
                    if prot & WRITE and references(frame) == 1:
                        new |= WRITABLE
                    if prot & EXECUTE:
                        code |= frame in executed
                        executed.add(frame)
                entries[index] = new
                lost |= (entry ^ new) & NX | entry & ~new & (WRITABLE | USER)
            words[first : first + size] = array("Q", entries)
        if code:  # it was executable before, and may have been written since without the processor noticing
            self.engine.flush_code()
        if lost:
            self.changed(start, end, RESTRICTED)

    def move(self, start: int, end: int, target: int) -> None:
        """Move the pages of the range to `target` (mremap); they do not overlap.  LinuxError(ENOMEM): as `unmap`"""
        spans = self._occupied(start, end)
        if not spans:
            return
        words = self.words
        for low, high in spans:
            self.own_table(low)
            self.own_table(low - start + target)
            self.own_table(high - PAGE - start + target)
        for low, high in spans:
            source = self.leaf(low)
            entries = words[source : source + (high - low >> 12)]
            taken = entries.tolist()
            entries[:] = _ZEROES[: len(taken)]
            for index, entry in enumerate(taken):
                if entry & PATCHED:  # its jumps are right for one address only
                    self.lose(1)
                    taken[index] = 0
            place, done = low - start + target, 0
            while done < len(taken):  # the target's leaf tables end elsewhere
                size = min(len(taken) - done, 512 - (place >> 12 & 511))
                at = self.leaf(place)
                words[at : at + size] = array("Q", taken[done : done + size])
                done += size
                place += size * PAGE
        for low, _ in spans:  # not before: one table may hold a part of both
            self.unlink_empty(low)
        self.changed(start, end, REMOVED)

    def zap(self, start: int, end: int, private: bool) -> None:
        """Forget the pages of backings in the range; the process's own copies too if `private`."""
        words, frames = self.words, self.frames
        for low, high in self.spans(start, end):
            first = self.leaf(low)
            entries = words[first : first + (high - low >> 12)].tolist()
            spared = HIDDEN | ZERO if private else HIDDEN | ZERO | OWNED
            gone = [entry for entry in entries if entry and not entry & spared]
            if gone:
                frames.drop_many([entry & FRAME for entry in gone if entry & OWNED])
                kept = array("Q", [entry if entry & spared else 0 for entry in entries])
                words[first : first + len(entries)] = kept
                self.lose(len(gone))
                self.disturb(low)
                self.changed(low, high, REMOVED)

    def clean(self, start: int, end: int) -> None:
        """Make the pages of shared backings in the range read-only; the next write is a fault."""
        words = self.words
        for low, high in self.spans(start, end):
            first = self.leaf(low)
            done = False
            for index, entry in enumerate(words[first : first + (high - low >> 12)].tolist()):
                if entry & SHARED and entry & WRITABLE:
                    words[first + index] = entry & ~WRITABLE
                    done = True
            if done:
                self.disturb(low)
                self.changed(low, high, RESTRICTED)

    def forget_shared(self) -> None:
        """Forget all pages of shared memory; faults bring them back."""
        words = self.words
        for table in self.leaf_tables():
            first = table >> 3
            for index, entry in enumerate(words[first : first + 512].tolist()):
                if entry & SHARED:
                    words[first + index] = 0
        self.recount = True
        self.changed(0, 1 << 47, REMOVED)
