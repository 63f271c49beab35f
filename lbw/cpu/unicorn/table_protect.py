"""Protections of pages that are present.

A table is one integer where many pages change: all entries get and lose their bits at once, 20 us for 512 pages of
memory of the process's own. That needs to know nothing about single frames; where that must be known (shared memory and
patched copies, which faults bring back; who else has a frame since a fork; code), it is done entry by entry.

What may be executed but not written to loses NX here; what may be both keeps what it has, as it is lazily executable
(`page_tables`).
"""

from __future__ import annotations

from array import array

from lbw.cpu.contracts import EXECUTE, PAGE, WRITE
from lbw.cpu.unicorn.flush_causes import RESTRICTED
from lbw.cpu.unicorn.page_bits import ACCESSED, DIRTY, FRAME, NX, PRESENT, USER
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE
from lbw.cpu.unicorn.table_release import TableRelease
from lbw.cpu.unicorn.table_tree import MEMORY, OWNED, PATCHED, SHARED, ZERO

#: What a page keeps when its protection changes.
_KEPT = FRAME | OWNED | ZERO | MEMORY
#: So many pages are done at once.
_MANY = 32
#: The lowest bit of each entry, and what is looked for in each.
_LANES = int.from_bytes((1).to_bytes(8, "little") * 512, "little")
_KEPT_LANES, _SINGLE_LANES = _LANES * _KEPT, _LANES * (SHARED | PATCHED)
_OWNED_LANES, _RIGHTS_LANES, _NX_LANES = _LANES * OWNED, _LANES * (WRITABLE | USER), _LANES * NX
_OWNED_TO_WRITABLE = (OWNED // WRITABLE).bit_length() - 1
_OWNED_TO_NX = (NX // OWNED).bit_length() - 1


def leaf_flags(prot: int) -> int:
    """Return the bits of a present leaf entry for PROT_* `prot`, without W."""
    flags = PRESENT | ACCESSED | DIRTY
    if prot:
        flags |= USER
    return flags if prot & EXECUTE else flags | NX


class TableProtect(TableRelease):
    """The page tables of one address space, whose pages change their protection."""

    __slots__ = ()

    def protect(self, start: int, end: int, prot: int) -> None:
        """Apply `prot` to the pages that are present.  LinuxError(ENOMEM): as `unmap`"""
        if end - start == PAGE and self._protect_one(start, prot):
            return
        words, frames = self.words, self.frames
        spans = []
        single = end - start == PAGE
        for low, high, at, own in self.spans(start, end) if single else self.occupied(start, end):
            if single and not words[at]:
                return
            if not own:
                at = (self.own_table(low) >> 3) + (low >> 12 & 511)
            spans.append((at, high - low >> 12))
        flags = leaf_flags(prot)
        references, executed = frames.references, frames.code
        lost = code = 0
        lazy = prot & WRITE and prot & EXECUTE
        for at, size in spans:
            if size >= _MANY:
                restricted = self._protect_many(at, size, prot, flags)
                if restricted >= 0:
                    lost |= restricted
                    continue
            entries = words[at : at + size].tolist()
            for index, entry in enumerate(entries):
                if not entry:
                    continue
                if entry & (SHARED | PATCHED):  # a fault knows the backing, and what that asks for
                    entries[index] = 0
                    self.lose(1)
                    lost = 1
                    continue
                new = entry & _KEPT | flags
                if entry & OWNED:
                    if prot & WRITE and references(entry & FRAME) == 1:
                        new |= WRITABLE
                    if lazy:
                        new |= entry & NX
                    elif entry & NX and prot & EXECUTE:
                        code |= entry & FRAME in executed
                        executed.add(entry & FRAME)
                entries[index] = new
                lost |= (entry ^ new) & NX | entry & ~new & (WRITABLE | USER)
            if single:
                words[at] = entries[0]
            else:
                words[at : at + size] = array("Q", entries)
        if code:  # it was executable before, and may have been written since without the processor noticing
            self.engine.flush_code()
        if lost:
            self.changed(start, end, RESTRICTED)

    def _protect_one(self, address: int, prot: int) -> bool:
        """Change a page of the process's own in a table of its own; False: there is more to it."""
        words = self.words
        entry = words[(self.root >> 3) + (address >> 39)]
        if not entry & WRITABLE:
            return False
        entry = words[((entry & FRAME) >> 3) + (address >> 30 & 511)]
        if not entry & WRITABLE:
            return False
        entry = words[((entry & FRAME) >> 3) + (address >> 21 & 511)]
        if not entry & WRITABLE:
            return False
        at = ((entry & FRAME) >> 3) + (address >> 12 & 511)
        entry = words[at]
        if prot & EXECUTE or entry & (OWNED | SHARED | PATCHED) != OWNED:
            return False
        new = entry & _KEPT | leaf_flags(prot)
        if prot & WRITE and self.frames.references(entry & FRAME) == 1:
            new |= WRITABLE
        words[at] = new
        if (entry ^ new) & NX or entry & ~new & (WRITABLE | USER):
            self.changed(address, address + PAGE, RESTRICTED)
        return True

    def _protect_many(self, at: int, size: int, prot: int, flags: int) -> int:
        """Change neighbouring entries at once; return whether any has lost a right, -1: it cannot be done so."""
        span = self.ram[at << 3 : at + size << 3]
        entries = int.from_bytes(span, "little")
        owned = entries & _OWNED_LANES
        runs = prot & EXECUTE and owned
        if entries & _SINGLE_LANES or (runs and not prot & WRITE) or (prot & WRITE and self.related):
            return -1
        present = entries & _LANES
        new = entries & _KEPT_LANES
        for bit in range(64):
            if flags >> bit & 1:
                new |= present << bit
        if prot & WRITE:
            new |= owned >> _OWNED_TO_WRITABLE
        if runs:
            new |= owned << _OWNED_TO_NX & entries
        span[:] = new.to_bytes(size << 3, "little")
        return int(bool(entries & ~new & _RIGHTS_LANES or (entries ^ new) & _NX_LANES))
