"""Ranges of page tables: what changes many pages at once.

Out of memory.  `unmap`, `protect` and `move` first make every table on the way their own, which alone can fail; so they
happen wholly or not at all. `zap` and `clean` must not fail: they change tables that are shared after a fork in place,
and it is right so, because whoever shares the table shows the same pages of the same backing.

TLB.  Only what was present can be in the TLB, and only losing a page or a right needs a flush; one before the next run,
however many changes ask for it. NX is more than a right here (`page_tables`): any change of it needs a flush.
"""

from __future__ import annotations

from array import array

from lbw.cpu.contracts import PAGE
from lbw.cpu.unicorn.flush_causes import REMOVED, RESTRICTED
from lbw.cpu.unicorn.page_bits import FRAME
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE
from lbw.cpu.unicorn.table_counts import count
from lbw.cpu.unicorn.table_protect import TableProtect
from lbw.cpu.unicorn.table_release import EMPTY
from lbw.cpu.unicorn.table_tree import HIDDEN, OWNED, PATCHED, SHARED, ZERO

_ZEROES = array("Q", bytes(PAGE))


class TableRanges(TableProtect):
    """The page tables of one address space, changed in ranges."""

    __slots__ = ()

    def unmap(self, start: int, end: int) -> None:
        """Forget all pages of the range.  LinuxError(ENOMEM): no memory for tables; nothing has changed"""
        words, ram, frames = self.words, self.ram, self.frames
        spans = []
        for low, high, at, own in self.spans(start, end):
            size = high - low >> 9
            if ram[at << 3 : (at << 3) + size].tobytes() == EMPTY[:size]:
                if own and size == PAGE:
                    self.unlink(low, empty=True)
                elif own:
                    self.retire(low)
                continue
            if not own:
                if size == PAGE:
                    self.own_upper(low)
                else:
                    at = (self.own_table(low) >> 3) + (low >> 12 & 511)
            spans.append((low, at, size >> 3))
        if not spans:
            return
        for low, at, size in spans:
            if size == 1:
                entry = words[at]
                if entry & OWNED:
                    frames.drop(entry & FRAME)
                self.lose(0 if entry & (HIDDEN | ZERO) else 1)
                words[at] = 0
            else:
                self.lose(sum(count(ram[at << 3 : at + size << 3])))
                if size == 512:
                    self.unlink(low)
                    continue
                frames.drop_many(self.owned_frames(at, size))
                words[at : at + size] = _ZEROES[:size]
            self.retire(low)
        self.changed(start, end, REMOVED)

    def move(self, start: int, end: int, target: int) -> None:
        """Move the pages of the range to `target` (mremap); they do not overlap.  LinuxError(ENOMEM): as `unmap`"""
        spans = self.occupied(start, end)
        if not spans:
            return
        words = self.words
        for low, high, _, _ in spans:
            self.own_table(low)
            self.own_table(low - start + target)
            self.own_table(high - PAGE - start + target)
        for low, high, _, _ in spans:
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
        for low, *_ in spans:  # not before: one table may hold a part of both
            self.unlink(low, empty=True)
        self.changed(start, end, REMOVED)

    def zap(self, start: int, end: int, private: bool) -> None:
        """Forget the pages of backings in the range; the process's own copies too if `private`."""
        words, frames = self.words, self.frames
        for low, high, first, own in self.spans(start, end):
            entries = words[first : first + (high - low >> 12)].tolist()
            spared = HIDDEN | ZERO if private else HIDDEN | ZERO | OWNED
            gone = [entry for entry in entries if entry and not entry & spared]
            if gone:
                frames.drop_many([entry & FRAME for entry in gone if entry & OWNED])
                kept = array("Q", [entry if entry & spared else 0 for entry in entries])
                words[first : first + len(entries)] = kept
                self.lose(len(gone))
                if not own:
                    self.disturb()
                self.changed(low, high, REMOVED)

    def clean(self, start: int, end: int) -> None:
        """Make the pages of shared backings in the range read-only; the next write is a fault."""
        words = self.words
        for low, high, first, own in self.spans(start, end):
            done = False
            for index, entry in enumerate(words[first : first + (high - low >> 12)].tolist()):
                if entry & SHARED and entry & WRITABLE:
                    words[first + index] = entry & ~WRITABLE
                    done = True
            if done:
                if not own:
                    self.disturb()
                self.changed(low, high, RESTRICTED)
