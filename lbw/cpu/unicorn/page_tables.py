"""Page tables: the Mmu of the Unicorn machine, realised lazily as x86-64 four-level tables in RAM.

An entry is made when the page is first touched. The table may always be emptied: faults fill it again from the regions,
except for private memory, whose only record is its entry (OWNED).

Leaf entries.  OWNED (a software bit): the frame is this table's own, reference-counted, private memory of the
process. SHARED: it belongs to a shared backing, and may be writable. Otherwise the frame is borrowed from the page
cache, or is the zero frame, and never writable. PROT_NONE clears USER and keeps the rest. A and D are always set, and
NX on all that is not executable, or the processor's store path is slow: 30 ns in place of 2.

Lazily executable.  OWNED pages that the mapping lets be written to and executed (heaps of compilers, stacks of old
programs, everything with READ_IMPLIES_EXEC) begin with NX as well, and lose it for good when code is first fetched from
them (UNRUN). Fork, move and copy keep it as it is, `protect` keeps it unless W or X goes. What has it is not in
`frames.code` for this entry's sake, and may have been written unnoticed; a frame that is in there when NX goes was
executed by a relative, or under an earlier protection, so translations are forgotten. Shared memory is different: its
writers have other entries than those who execute (`executed` in `page_filling`).

TLB.  Losing rights or pages in the active address space, or getting another frame, asks the engine for a flush before
the next run; gaining rights needs none. A copy on write that answers the processor's own fault needs none either: it
has dropped that translation.

By mechanism: the tree and who shares it (`table_tree`), what is counted (`table_counts`) and given back
(`table_release`), ranges (`table_ranges`), the kernel's accesses (`kernel_access`), pages that become present
(`page_filling`). This is the whole.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.cpu import paging
from lbw.cpu.contracts import EXECUTE, PAGE, WRITE
from lbw.cpu.unicorn.flush_causes import FORKED, RUN
from lbw.cpu.unicorn.page_bits import FRAME, NX, PRESENT
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE
from lbw.cpu.unicorn.page_filling import PageFilling
from lbw.cpu.unicorn.table_tree import OWNED, SHARED, SPAN, ZERO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.mmu import Region
    from lbw.cpu.unicorn.engine import UnicornEngine

#: Byte 0 of an entry that is usable for reading, for writing -> 1.
_USABLE = tuple(bytes(octet & bits == bits for octet in range(256)) for bits in (PRESENT, PRESENT | WRITABLE))


class PageTables(PageFilling):
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
        at = (self.own_table(address) >> 3) + (address >> 12 & 511)
        entry = self.words[at]
        try:
            if not entry and access == WRITE and region.backing is None:  # most often, and what the table says
                self.fill(region, address, at, reported)
                return True
            return self._decide(region, address, access, reported, at, entry)
        except LinuxError:
            if not entry:
                self.unlink(address, empty=True)
            raise

    def state(self, entry: int, access: int) -> int:
        """Return what a leaf entry, in a table of our own, is for an access (`lbw.cpu.paging`)."""
        if not entry:
            return paging.ABSENT
        if access != WRITE:
            return paging.UNRUN if access == EXECUTE and entry & NX and entry & OWNED else paging.READY
        if entry & WRITABLE:
            return paging.READY
        if entry & OWNED:
            return paging.SOLE if self.frames.references(entry & FRAME) == 1 else paging.COMMON
        if entry & ZERO:
            return paging.ZEROES
        return paging.CLEAN if entry & SHARED else paging.BORROWED

    def _decide(self, region: Region, address: int, access: int, reported: bool, at: int, entry: int) -> bool:
        """Do what the table of `lbw.cpu.paging` says."""
        words, backing, write = self.words, region.backing, access == WRITE
        if backing is None:
            kind = paging.ANONYMOUS
        elif region.shared:
            kind = paging.TRACKED if backing.tracks_writes else paging.SHARED
        else:
            kind = paging.PRIVATE
        action = paging.DECISIONS[kind, write, self.state(entry, access)]
        if action == paging.NOTHING:
            return True
        if action == paging.COPY:
            self.copy(region, at, entry, reported)
        elif action == paging.ALLOW:
            self._allow(at, entry)
        elif action == paging.FILL:
            self.fill(region, address, at, reported)
        elif action == paging.SHOW_ZEROES:
            self.show_zeroes(region, address, at)
        elif action == paging.LET_RUN:
            self._let_run(address & -PAGE, at, entry)
        else:
            assert backing is not None
            page = region.offset + address - region.start >> 12
            if action == paging.NOTE_AND_ALLOW:
                backing.dirtied(page)
                self._allow(at, words[at])
                return True
            if region.prot & EXECUTE and not (backing.ran or backing.executed):
                backing.will_run()
            # What shared memory did not have stands alone; of a file, others may have come with it.
            around = not backing.in_memory or any(backing.cached_run(page, 1))
            source = backing.frame(page)
            if source is None:
                self.unlink(address, empty=True)
                return False
            if action == paging.NOTE_AND_SHOW:
                backing.dirtied(page)
            if action == paging.COPY_IN:
                self.copy_in(region, at, source)
            else:
                self.show(region, backing, address, at, source, write, around)
            return True
        if write:
            self.readable.pop(address >> 12, None)
        return True

    def _allow(self, at: int, entry: int) -> None:
        self.words[at] = entry | WRITABLE
        if not entry & NX:
            self.frames.code.add(entry & FRAME)

    def _let_run(self, start: int, at: int, entry: int) -> None:
        """Make the page executable: from now on stores to it are noticed."""
        code, frame = self.frames.code, entry & FRAME
        if frame in code:  # not through this entry; since then it may have been written unnoticed
            self.engine.flush_code()
        code.add(frame)
        self.words[at] = entry & ~NX
        self.changed(start, start + PAGE, RUN)

    def populate(self, region: Region, start: int, end: int, access: int) -> bool:
        """Make all pages of a range usable for `access`, as `touch` does.

        False: some lie beyond the end of the backing. LinuxError(ENOMEM): some may be usable now.
        """
        if access == WRITE and region.backing is None:
            self.populate_zeroes(region, start, end)
        ram, usable = self.ram, _USABLE[access == WRITE]
        while start < end:
            stop = min(end, (start & -SPAN) + SPAN)
            first = self.own_table(start) + (start >> 12 & 511) * 8
            size = stop - start >> 12
            index = 0
            while True:  # what is around a page may come with it
                octets = ram[first : first + (size << 3)].tobytes()[0::8].translate(usable)
                index = octets.find(0, index)
                if index < 0:
                    break
                if not self.touch(region, start + index * PAGE, access):
                    return False
                first = self.own_table(start) + (start >> 12 & 511) * 8
                index += 1
            start = stop
        return True

    # Whole address spaces

    def fork(self) -> PageTables:
        """Return a copy-on-write copy."""
        self.forget_spare()
        child = PageTables(self.engine)
        self.share_with(child)
        self.writable.clear()  # what may be read stays where it is
        if self.engine.active is self:
            self.engine.flush_pending |= FORKED
        return child

    def release(self) -> None:
        """Give everything back; the Mmu is dead afterwards."""
        self.engine.spaces.discard(self)
        self.drop_all()
        self.readable.clear()
        self.writable.clear()
        self.engine.deactivate(self)
