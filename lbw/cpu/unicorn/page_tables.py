"""Page tables: the Mmu of the Unicorn machine, realised lazily as x86-64 four-level tables in RAM.

An entry is made when the page is first touched. The table may always be emptied: faults fill it again from the regions,
except for private memory, whose only record is its entry (OWNED).

Leaf entries.  OWNED (a software bit): the frame is this table's own, reference-counted, private memory of the
process. SHARED: it belongs to a shared backing, and may be writable. Otherwise the frame is borrowed from the page
cache, or is the zero frame, and never writable. PROT_NONE clears USER and keeps the rest. A and D are always set, and
NX on all that is not executable, or the processor's store path is slow.

TLB.  Losing rights or pages in the active address space, or getting another frame, asks the engine for a flush before
the next run; gaining rights needs none. A copy on write that answers the processor's own fault needs none either: it
has dropped that translation.
"""

from __future__ import annotations

from array import array

from lbw.abi.errno import LinuxError
from lbw.abi.mman import PROT_WRITE
from lbw.cpu.contracts import EXECUTE, WRITE
from lbw.cpu.unicorn.page_bits import FRAME, NX, USER
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE
from lbw.cpu.unicorn.table_ranges import TableRanges, leaf_flags
from lbw.cpu.unicorn.table_tree import HIDDEN, MEMORY, OWNED, PATCHED, SHARED, SPAN, ZERO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.mmu import Backing, Region
    from lbw.cpu.unicorn.engine import UnicornEngine


class PageTables(TableRanges):
    """One address space."""

    __slots__ = ()

    def __init__(self, engine: UnicornEngine) -> None:
        super().__init__(engine)
        engine.spaces.add(self)

    # Making pages present

    def touch(self, region: Region, address: int, access: int, reported: bool = False) -> bool:
        """Make the page at `address` usable for `access`, which `region.prot` allows.

        `reported`: the processor itself has found the page present, but not usable so.
        False: the page lies beyond the end of the backing file. LinuxError(ENOMEM): no memory left.
        """
        words = self.words
        number = address >> 12
        table = self.own_table(address)
        at = (table >> 3) + (number & 511)
        entry = words[at]
        prot = region.prot
        if entry:
            if access == WRITE and not entry & WRITABLE:
                self.readable.pop(number, None)
                if region.shared:
                    backing = region.backing
                    if backing is not None and backing.tracks_writes:
                        backing.dirtied(region.offset + address - region.start >> 12)
                    words[at] = entry | WRITABLE
                elif entry & OWNED:
                    frame = entry & FRAME
                    if self.frames.references(frame) == 1:
                        words[at] = entry | WRITABLE
                    else:
                        words[at] = self.frames.allocate_copy(frame) | (entry & ~FRAME) | WRITABLE
                        self.frames.drop(frame)
                        self._replaced(entry, reported)
                else:
                    frames = self.frames
                    if entry & ZERO:
                        own = frames.allocate()
                        self.held += 1
                    else:
                        own = frames.allocate_copy(entry & FRAME)
                    words[at] = own | leaf_flags(prot) | WRITABLE | OWNED
                    self._replaced(entry, reported)
                if not words[at] & NX:
                    self.frames.code.add(words[at] & FRAME)
            return True  # else: another task or the processor's TLB was quicker
        backing = region.backing
        if backing is None:
            if access == WRITE:
                return self._demand_zero(region, address, table)
            words[at] = self.frames.zero | ZERO | leaf_flags(prot)
            return True
        page = region.offset + address - region.start >> 12
        source = backing.frame(page)
        if source is None:
            return False
        memory = MEMORY if backing.in_memory else 0
        if region.shared:
            if access == WRITE and backing.tracks_writes:
                backing.dirtied(page)
            words[at] = source | SHARED | memory | self._shared_flags(backing, prot, access == WRITE)
            self.held += 1
            if prot & EXECUTE:
                self.frames.code.add(source)
            return True
        if access == WRITE:
            words[at] = self.frames.allocate_copy(source) | leaf_flags(prot) | WRITABLE | OWNED
            self.held += 1
            if prot & EXECUTE:
                self.frames.code.add(words[at] & FRAME)
            return True
        words[at] = source | memory | leaf_flags(prot)
        self.held += 1
        if backing.patched and prot & EXECUTE and not prot & PROT_WRITE:
            copy = backing.patched.get((number, page))
            if copy and (self.permits is None or self.permits(number)):
                words[at] = copy | leaf_flags(prot) | PATCHED
        self._fault_around(region, address, table)
        return True

    def _shared_flags(self, backing: Backing, prot: int, written: bool) -> int:
        """Return the bits of a leaf entry for shared memory.

        Stores through a page with NX leave the translations of its frame as they are. So as soon as a mapping of it is
        executable, the writable ones, wherever they are, must not have NX.
        """
        flags = leaf_flags(prot)
        if prot & EXECUTE and not backing.executed:
            backing.executed = True
            for space in self.engine.spaces:
                space.forget_shared()
        if prot & WRITE:
            if written or not backing.tracks_writes:
                flags |= WRITABLE
            if backing.executed:
                flags &= ~NX
        return flags

    def _replaced(self, entry: int, reported: bool) -> None:
        """Another frame has taken the place of `entry`'s."""
        # A fault renews the TLB entry by itself. But translated code is found by virtual address first.
        if self.engine.active is self and not (reported and entry & NX):
            self.engine.flush_pending = True

    def _demand_zero(self, region: Region, address: int, table: int) -> bool:
        """Give a zeroed frame; when memory is being filled upwards, the rest of its 64 kB as well."""
        words, frames = self.words, self.frames
        flags = leaf_flags(region.prot) | WRITABLE | OWNED
        index = address >> 12 & 511
        base = table >> 3
        count = 1
        if index and words[base + index - 1] & OWNED and region.start < address:
            end = min(512, (index | 15) + 1, index + (region.end - (address & ~0xFFF) >> 12))
            while index + count < end and not words[base + index + count]:
                count += 1
            if frames.available < 64:
                count = 1
        made = 0
        try:
            for at in range(base + index, base + index + count):
                words[at] = frames.allocate() | flags
                made += 1
        except LinuxError:
            if not made:
                raise
        finally:
            self.held += made
        if region.prot & EXECUTE:
            for at in range(base + index, base + index + made):
                frames.code.add(words[at] & FRAME)
        return True

    def _fault_around(self, region: Region, address: int, table: int) -> None:
        """Map the other pages of the region under the same leaf table that are in memory already."""
        backing = region.backing
        assert backing is not None
        start = max(region.start, address & -SPAN)
        end = min(region.end, (address & -SPAN) + SPAN)
        words, flags = self.words, leaf_flags(region.prot) | (MEMORY if backing.in_memory else 0)
        page = region.offset + start - region.start >> 12
        at = (table >> 3) + (start >> 12 & 511)
        cached = backing.cached_run(page, end - start >> 12)
        if backing.patched and region.prot & EXECUTE and not region.prot & PROT_WRITE:
            self._show_patches(backing.patched, cached, start >> 12, page)
        run = words[at : at + len(cached)]
        if run.tolist().count(0) == len(cached) - 1:  # nothing but the page just made
            own = run[address - start >> 12]
            run[:] = array("Q", [frame | flags if frame else 0 for frame in cached])
            run[address - start >> 12] = own
            self.held += len(cached) - cached.count(0) - bool(cached[address - start >> 12])
        else:
            for index, frame in enumerate(cached):
                if frame and not run[index]:
                    run[index] = frame | flags
                    self.held += 1

    def _show_patches(self, patched: dict[tuple[int, int], int], cached: list[int], first: int, page: int) -> None:
        """Put patched copies into a run of frames of the file's pages from `page` on, for page numbers from `first`."""
        permits, difference, size = self.permits, first - page, len(cached)
        for (number, source), copy in patched.items():
            index = number - first
            if not 0 <= index < size or number - source != difference or not cached[index]:
                continue
            if permits is None or permits(number):
                cached[index] = copy | PATCHED

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
            self._changed()

    def shows(self, address: int, frame: int) -> bool:
        """Tell whether unchanged code of the backing's `frame`, or a patched copy of it, is at `address`."""
        at = self.leaf(address)
        entry = self.words[at] if at else 0
        if entry & (OWNED | SHARED) or not entry & USER:
            return False
        shown = entry & FRAME
        return (self.engine.originals[shown] if entry & PATCHED else shown) == frame

    # Whole address spaces

    def fork(self) -> PageTables:
        """Return a copy-on-write copy."""
        child = PageTables(self.engine)
        self.share_with(child)
        self._changed()
        return child

    def release(self) -> None:
        """Give everything back; the Mmu is dead afterwards."""
        self.engine.spaces.discard(self)
        self.drop_all()
        self.readable.clear()
        self._writable.clear()
        self.engine.deactivate(self)

    # Access by the kernel

    def view(self, address: int, length: int, write: bool) -> memoryview | None:
        """Return the bytes at `address`, which must not cross a page, as guest memory itself.

        None: the page is not present for this access; `touch` it and ask again. With `write`, translated code of the
        page is invalidated if there can be any.
        """
        number = address >> 12
        frame = (self._writable if write else self.readable).get(number)
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
        entry = words[(table >> 3) + (number & 511)]
        if not entry & USER:
            return None
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
            self._writable[number] = frame
        else:
            self.engine.forget_code(self, address & ~0xFFF, 0x1000)
        return frame
