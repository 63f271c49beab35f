"""The kernel's own way to guest memory: slices of RAM, found through the page tables as the processor would find them.

What was found is remembered by page number, for reading and for writing, until the table takes something away; so most
copies cost one look into a dictionary. Pages with patches are read as they were, hidden pages are not there, and pages
that may hold translated code are looked up each time they are written to, as their translations must go.
"""

from __future__ import annotations

from lbw.cpu.contracts import EXECUTE, PAGE
from lbw.cpu.unicorn.flush_causes import REMOVED
from lbw.cpu.unicorn.page_bits import ACCESSED, FRAME, NX, USER
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE
from lbw.cpu.unicorn.table_protect import leaf_flags
from lbw.cpu.unicorn.table_ranges import TableRanges
from lbw.cpu.unicorn.table_tree import HIDDEN, OWNED, PATCHED, SHARED, ZERO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class KernelAccess(TableRanges):
    """The page tables of one address space, as the kernel uses them."""

    __slots__ = ()

    def view(self, address: int, length: int, write: bool) -> memoryview | None:
        """Return the bytes at `address`, which must not cross a page, as guest memory itself.

        None: the page is not present for this access; `touch` it and ask again. With `write`, translated code of the
        page is invalidated if there can be any.
        """
        number = address >> 12
        frame = (self.writable if write else self.readable).get(number)
        if frame is None:
            frame = self._translate(number, address, write)
            if frame is None:
                return None
        start = frame + (address & 0xFFF)
        return self.ram[start : start + length]

    def _translate(self, number: int, address: int, write: bool) -> int | None:
        if address >> 47:
            return None
        words, table, rights = self.words, self.root, WRITABLE
        for shift in (39, 30, 21):
            entry = words[(table >> 3) + (address >> shift & 511)]
            if not entry:
                return None
            rights &= entry
            table = entry & FRAME
        at = (table >> 3) + (number & 511)
        entry = words[at]
        if not entry & USER:
            return None
        if not entry & ACCESSED:
            words[at] = entry | ACCESSED
        frame = entry & FRAME
        if entry & (PATCHED | HIDDEN):
            if entry & HIDDEN or write:
                return None
            frame = self.engine.originals[frame]
        if not write:
            self.readable[number] = frame
        elif not entry & rights & WRITABLE:
            return None
        elif entry & NX:
            self.writable[number] = frame
        else:
            self.engine.forget_code(self, address & ~0xFFF, 0x1000)
        return frame

    def present(self, start: int, end: int) -> Iterator[tuple[int, memoryview, bool]]:
        """Yield (address, bytes, private) for each page of the range that is present, whatever its protection.

        Private pages are the process's own. Zeroes that were only read count as absent, patched text is as it was.
        """
        words, ram = self.words, self.ram
        for low, high, first, _ in self.spans(start, end):
            for index, entry in enumerate(words[first : first + (high - low >> 12)].tolist()):
                if not entry or entry & (HIDDEN | ZERO):
                    continue
                frame = entry & FRAME
                if entry & PATCHED:
                    frame = self.engine.originals[frame]
                yield low + (index << 12), ram[frame : frame + PAGE], bool(entry & OWNED)

    # Hidden pages and patched copies

    def reveal(self, address: int, frame: int, writable: bool) -> None:
        """Map `frame`, which is not the guest's, at `address`: executable or writable.  LinuxError(ENOMEM)"""
        at = (self.own_table(address) >> 3) + (address >> 12 & 511)
        self.words[at] = frame | leaf_flags(EXECUTE) | HIDDEN | (WRITABLE | NX if writable else 0)

    def restore(self, address: int) -> None:
        """Forget the page at `address` if it is a patched copy."""
        at = self.leaf(address)
        if at and self.words[at] & PATCHED:
            self.words[(self.own_table(address) >> 3) + (address >> 12 & 511)] = 0
            self.lose(1)
            self.changed(address & -PAGE, (address & -PAGE) + PAGE, REMOVED)

    def shows(self, address: int, frame: int) -> bool:
        """Tell whether unchanged code of the backing's `frame`, or a patched copy of it, is at `address`."""
        at = self.leaf(address)
        entry = self.words[at] if at else 0
        if entry & (OWNED | SHARED) or not entry & USER:
            return False
        shown = entry & FRAME
        return (self.engine.originals[shown] if entry & PATCHED else shown) == frame
