"""The tree of x86-64 page tables: tables, who shares them, and the way down.  Intel SDM vol. 3, 4.5

Tables are frames of RAM, reference-counted by the entries that lead to them.

fork.  A copy shares the subtrees of the top level with W cleared in both; the processor takes the AND of W over all
levels, so everything below is read-only for both. Whoever changes anything below first makes its own copy of each table
on the way down (`own_table`): upper levels hand the sharing one level down, a leaf table shares its frames and clears W
in both copies. The cost of fork follows what is touched afterwards, not the size of the process.
"""

from __future__ import annotations

from lbw.cpu.contracts import PAGE
from lbw.cpu.unicorn.flush_causes import GROWN
from lbw.cpu.unicorn.page_bits import ACCESSED, FRAME, PRESENT, USER
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.cpu.unicorn.engine import UnicornEngine

#: A leaf entry whose frame is this table's own (a software bit: the processor ignores bits 9 to 11).
OWNED = 1 << 9
#: A leaf entry whose frame belongs to shared memory (a software bit).
SHARED = 1 << 10
#: A leaf entry that shows a patched copy of a file's page, or a page of lbw's own (software bits).
PATCHED, HIDDEN = 1 << 11, 1 << 52
#: A leaf entry that shows the page of zeroes, or a page of shared memory (software bits; for `table_counts`).
ZERO, MEMORY = 1 << 53, 1 << 54
LINK = PRESENT | WRITABLE | USER | ACCESSED
#: What one leaf table covers, bytes.
SPAN = 1 << 21
#: The first byte of an entry without W.
_NOT_WRITABLE = bytes(octet & ~WRITABLE for octet in range(256))
#: The TLB, which has 64 to 256 entries then, is to grow for the first time when so many pages are resident.
GROWS_FIRST = 256
#: Ranges of up to so many pages are forgotten one by one by the kernel's own accesses.
_FEW = 16
#: The OWNED bits of a table, of the second byte of each entry.
_OWNED = int.from_bytes(bytes((OWNED >> 8,)) * 512, "little")


class TableTree:
    """The page tables of one address space."""

    __slots__ = (
        "engine", "frames", "grows", "held", "high", "permits", "ram", "readable", "recount", "related", "root",
        "spare", "tables", "words", "writable",
    )  # fmt: skip

    def __init__(self, engine: UnicornEngine) -> None:
        self.engine = engine
        self.frames = engine.frames
        self.ram = engine.frames.view
        self.words = engine.frames.ram.words
        self.root = self.frames.allocate()
        self.words[(self.root >> 3) + 256] = engine.processor.kernel_entry
        self.words[(self.root >> 3) + 511] = engine.upper.entry
        # What the kernel's own accesses have found: page number -> physical address.
        self.readable: dict[int, int] = {}
        self.writable: dict[int, int] = {}
        self.permits: Callable[[int], bool] | None = None
        self.held = 0  # resident pages, unless `recount`
        self.high = 0  # the most that it was when pages were taken away
        self.spare = -1  # address >> 21 of a leaf table that was left empty, in case it is used again at once
        self.grows = GROWS_FIRST  # the TLB is to grow when so many pages are resident
        self.related = False  # it has been forked, or is a copy: frames may be shared
        self.recount = False  # a table shared with others has changed in place
        self.tables = 1  # those made for this space, or inherited from the one it was forked from

    def own_table(self, address: int) -> int:
        """Return the leaf table for `address`, made and made exclusive as needed.  LinuxError(ENOMEM)"""
        words = self.words
        entry = words[(self.root >> 3) + (address >> 39)]
        if entry & WRITABLE:
            entry = words[((entry & FRAME) >> 3) + (address >> 30 & 511)]
            if entry & WRITABLE:
                entry = words[((entry & FRAME) >> 3) + (address >> 21 & 511)]
                if entry & WRITABLE:
                    return entry & FRAME
        return self._make_own(address)

    def _make_own(self, address: int) -> int:
        words, table = self.words, self.root
        for shift in (39, 30, 21):
            at = (table >> 3) + (address >> shift & 511)
            entry = words[at]
            if entry & WRITABLE:
                table = entry & FRAME
            elif entry:
                table = entry & FRAME
                if self.frames.references(table) > 1:
                    table = self._copy_leaf(table) if shift == 21 else self._copy_upper(table)
                words[at] = table | LINK
            else:
                table = self.frames.allocate()
                words[at] = table | LINK
                self.tables += 1
        return table

    def _copy_upper(self, table: int) -> int:
        """Return an own copy of an upper table; its children become shared."""
        copy = self.frames.allocate_copy(table)
        self.frames.drop(table)
        self.frames.share_many([e & FRAME for e in filter(None, self.words[copy >> 3 : (copy >> 3) + 512].tolist())])
        self._clear_writable(table, copy)
        return copy

    def _copy_leaf(self, table: int) -> int:
        """Return an own copy of a leaf table; its frames become copy-on-write in both."""
        copy = self.frames.allocate_copy(table)
        self.frames.drop(table)
        self.frames.share_many(self.owned_frames(copy >> 3, 512))
        self._clear_writable(table, copy)
        return copy

    def owned_frames(self, first: int, size: int) -> list[int]:
        """Return the frames that `size` leaf entries own, by the index of the first in `words`."""
        octets = self.ram[first << 3 : first + size << 3].tobytes()[1::8]
        if not int.from_bytes(octets, "little") & _OWNED:
            return []
        return [entry & FRAME for entry in filter(None, self.words[first : first + size].tolist()) if entry & OWNED]

    def _clear_writable(self, *tables: int) -> None:
        ram = self.ram
        first = tables[0]
        cleared = bytearray(ram[first : first + PAGE])
        cleared[::8] = cleared[::8].translate(_NOT_WRITABLE)
        for table in tables:
            ram[table : table + PAGE] = cleared

    def leaf(self, address: int) -> int:
        """Return the index of the leaf entry for `address` in `words`, 0 when there is no leaf table."""
        words = self.words
        table = words[(self.root >> 3) + (address >> 39)] & FRAME
        if table:
            table = words[(table >> 3) + (address >> 30 & 511)] & FRAME
            if table:
                table = words[(table >> 3) + (address >> 21 & 511)] & FRAME
                if table:
                    return (table >> 3) + (address >> 12 & 511)
        return 0

    def gain(self, pages: int) -> None:
        """Note that so many pages become resident; those before have been used by now."""
        if self.held >= self.grows:
            self.grows = 2 * self.held
            if self.engine.active is self:
                self.engine.flush_pending |= GROWN
        self.held += pages

    def lose(self, pages: int) -> None:
        """Note that so many resident pages are gone."""
        if self.held > self.high:
            self.high = self.held
        self.held -= pages

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

    def spans(self, start: int, end: int) -> list[tuple[int, int, int, int]]:
        """Cut a range where leaf tables end; parts without a leaf table are left out.

        Each part is its start, its end, the index of its first entry in `words`, and whether all tables that lead to it
        are exclusive.
        """
        words, root = self.words, self.root >> 3
        spans = []
        while start < end:
            rights = entry = words[root + (start >> 39)]
            if not entry:
                start = (start >> 39) + 1 << 39
                continue
            entry = words[((entry & FRAME) >> 3) + (start >> 30 & 511)]
            if not entry:
                start = (start >> 30) + 1 << 30
                continue
            rights &= entry
            entry = words[((entry & FRAME) >> 3) + (start >> 21 & 511)]
            stop = (start >> 21) + 1 << 21
            if entry:
                if stop > end:
                    stop = end
                at = ((entry & FRAME) >> 3) + (start >> 12 & 511)
                spans.append((start, stop, at, rights & entry & WRITABLE))
            start = stop
        return spans

    def own_upper(self, address: int) -> None:
        """Make the upper tables on the way to `address` exclusive."""
        words, table = self.words, self.root
        for shift in (39, 30):
            at = (table >> 3) + (address >> shift & 511)
            entry = words[at]
            table = entry & FRAME
            if not entry & WRITABLE:
                if self.frames.references(table) > 1:
                    table = self._copy_upper(table)
                words[at] = table | LINK

    def share_with(self, child: TableTree) -> None:
        """Let the empty `child` share everything, copy on write."""
        words, share = self.words, self.frames.share
        mine, other = self.root >> 3, child.root >> 3
        for index, entry in enumerate(words[mine : mine + 256].tolist()):
            if entry:
                share(entry & FRAME)
                words[mine + index] = words[other + index] = entry & ~WRITABLE
        self.related = child.related = True
        child.grows = self.grows
        child.held, child.high, child.recount, child.tables = self.held, self.held, self.recount, self.tables

    def leaf_tables(self) -> list[int]:
        """Return the addresses of all leaf tables, shared ones too."""
        words, tables = self.words, [self.root]
        for count in (256, 512, 512):
            tables = [e & FRAME for table in tables for e in words[table >> 3 : (table >> 3) + count].tolist() if e]
        return tables
