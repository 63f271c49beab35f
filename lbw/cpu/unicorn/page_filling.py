"""Pages become present: zeroes, frames of backings, copies; and more of them than were asked for.

Filling.  Memory that is filled upwards gets as many pages at once as lie filled behind the one that faults, up to the
end of its leaf table: the work grows with the array that a program fills, and at most half of it can be for nothing.
Nothing is remembered for it, so several arrays that are filled in turn all get it. Fewer than four pages behind count
for nothing: small allocations get what they touch.

Around a page of a backing, all others of the region under the same leaf table are shown that are in memory anyway. A
frame that must not be written to before the backing knows stays read-only.

Code.  Stores through a page that has NX leave the translations of its frame as they are. So when a backing is executed
anywhere, as it says (`executed`), the writable pages that show it, wherever they are, must not have NX.
"""

from __future__ import annotations

from array import array

from lbw.abi.mman import PROT_WRITE
from lbw.cpu.contracts import EXECUTE, WRITE
from lbw.cpu.unicorn.flush_causes import COPIED
from lbw.cpu.unicorn.kernel_access import KernelAccess
from lbw.cpu.unicorn.page_bits import FRAME, NX
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE
from lbw.cpu.unicorn.table_ranges import leaf_flags
from lbw.cpu.unicorn.table_tree import MEMORY, OWNED, PATCHED, SHARED, SPAN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.mmu import Backing, Region

#: So many pages must be filled behind one for others to be filled with it.
_STREAK = 4
#: So many frames must be left for that.
_RESERVE = 1024


class PageFilling(KernelAccess):
    """The page tables of one address space, being filled. `at` is the index of the page's entry in `words`."""

    __slots__ = ()

    # Private anonymous memory

    def fill(self, region: Region, address: int, at: int) -> None:
        """Give the absent page a zeroed frame, and those behind it if memory is being filled upwards."""
        frames, words = self.frames, self.words
        flags = leaf_flags(region.prot) | WRITABLE | OWNED
        pages = 1
        if at & 511:
            if words[at - 1]:
                pages = self._upwards(region, address, at, at & 511)
        elif region.start < address:
            before = self.leaf(address - 1)
            if before and words[before]:
                pages = self._upwards(region, address, before + 1, 512)
        if pages > 1 and frames.available > 4 * pages + _RESERVE:
            self.fill_run(at, pages, flags)
            return
        words[at] = frame = frames.allocate() | flags
        self.held += 1
        if not flags & NX:
            frames.code.add(frame & FRAME)

    def _upwards(self, region: Region, address: int, behind: int, most: int) -> int:
        """Return how many pages to fill from `address` on; `most` entries behind it end at index `behind`."""
        ram, index = self.ram, address >> 12 & 511
        present = ram[behind - most << 3 : behind << 3].tobytes()[0::8]
        streak = most - 1 - present.rfind(0)
        if streak < _STREAK:
            return 1
        pages = min(streak, 512 - index, region.end - address + 0xFFF >> 12)
        first = self.leaf(address) << 3
        return pages - len(ram[first : first + (pages << 3)].tobytes()[0::8].lstrip(b"\0"))

    def fill_run(self, at: int, pages: int, flags: int) -> None:
        """Give zeroed frames to absent pages with neighbouring entries.  LinuxError(ENOMEM): to none of them"""
        frames = self.frames.allocate_many(pages)
        self.words[at : at + pages] = array("Q", [frame | flags for frame in frames])
        self.held += pages
        if not flags & NX:
            self.frames.code.update(frames)

    # Copies

    def copy(self, region: Region, at: int, entry: int, reported: bool) -> None:
        """Replace the frame that `entry` shows by a copy."""
        frames = self.frames
        source = entry & FRAME
        if entry & OWNED:
            new = frames.allocate_copy(source) | (entry & ~FRAME) | WRITABLE
            frames.drop(source)
        else:
            new = frames.allocate_copy(source) | leaf_flags(region.prot) | WRITABLE | OWNED
        self.replace(at, entry, new, reported)

    def replace(self, at: int, entry: int, new: int, reported: bool) -> None:
        """Put a frame of the process's own in the place of the one that `entry` shows."""
        self.words[at] = new
        if not new & NX:
            self.frames.code.add(new & FRAME)
        # A fault renews the TLB entry by itself. But translated code is found by virtual address first.
        if self.engine.active is self and not (reported and entry & NX):
            self.engine.flush_pending |= COPIED

    def copy_in(self, region: Region, at: int, source: int) -> None:
        """Give the absent page a copy of the backing's frame."""
        flags = leaf_flags(region.prot) | WRITABLE | OWNED
        self.words[at] = copy = self.frames.allocate_copy(source) | flags
        self.held += 1
        if not flags & NX:
            self.frames.code.add(copy & FRAME)

    # Frames of backings

    def show(self, region: Region, backing: Backing, address: int, at: int, source: int, write: bool) -> None:
        """Show the backing's frame, and others around it that are in memory."""
        prot = region.prot
        flags = leaf_flags(prot) | (MEMORY if backing.in_memory else 0)
        if region.shared:
            flags |= SHARED
            if prot & WRITE:
                if backing.executed:
                    flags &= ~NX
                if not backing.tracks_writes:
                    flags |= WRITABLE
            if prot & EXECUTE:
                self.frames.code.add(source)
            self.words[at] = source | flags | (WRITABLE if write else 0)
            self.held += 1
            if not (write and backing.tracks_writes):
                self._show_around(region, backing, address, at, flags)
            return
        number = address >> 12
        self.words[at] = source | flags
        self.held += 1
        if backing.patched and prot & EXECUTE and not prot & PROT_WRITE:
            copy = backing.patched.get((number, region.offset + address - region.start >> 12))
            if copy and (self.permits is None or self.permits(number)):
                self.words[at] = copy | flags | PATCHED
        self._show_around(region, backing, address, at, flags)

    def _show_around(self, region: Region, backing: Backing, address: int, at: int, flags: int) -> None:
        """Show the other pages of the region under the same leaf table that are in memory already."""
        start = max(region.start, address & -SPAN)
        end = min(region.end, (address & -SPAN) + SPAN)
        page = region.offset + start - region.start >> 12
        cached = backing.cached_run(page, end - start >> 12)
        if region.prot & EXECUTE:
            if region.shared:
                self.frames.code.update(filter(None, cached))
            elif backing.patched and not region.prot & PROT_WRITE:
                self._show_patches(backing.patched, cached, start >> 12, page)
        own = (address >> 12) - (start >> 12)
        run = self.words[at - own : at - own + len(cached)]
        if run.tolist().count(0) == len(cached) - 1:  # nothing but the page just made
            entry = run[own]
            run[:] = array("Q", [frame | flags if frame else 0 for frame in cached])
            run[own] = entry
            self.held += len(cached) - cached.count(0) - bool(cached[own])
        else:
            for index, frame in enumerate(cached):
                if frame and not run[index]:
                    run[index] = frame | flags
                    self.held += 1

    def _show_patches(self, patched: dict[tuple[int, int], int], cached: list[int], first: int, page: int) -> None:
        """Put patched copies into a run of frames of the file's pages from `page` on, for page numbers from `first`."""
        permits, difference, size = self.permits, first - page, len(cached)
        for (number, its_page), copy in patched.items():
            index = its_page - page
            if number - its_page != difference or not 0 <= index < size or not cached[index]:
                continue
            if permits is None or permits(number):
                cached[index] = copy | PATCHED

    def populate_zeroes(self, region: Region, start: int, end: int) -> None:
        """Give zeroed frames to all absent pages of private anonymous memory in a range.  LinuxError(ENOMEM)"""
        flags = leaf_flags(region.prot) | WRITABLE | OWNED
        ram = self.ram
        while start < end:
            stop = min(end, (start & -SPAN) + SPAN)
            at = (self.own_table(start) >> 3) + (start >> 12 & 511)
            size = stop - start >> 12
            present = ram[at << 3 : at + size << 3].tobytes()[0::8]
            index = present.find(0)
            while index >= 0:
                pages = size - index - len(present[index:].lstrip(b"\0"))
                self.fill_run(at + index, pages, flags)
                index = present.find(0, index + pages)
            start = stop
