"""Pages become present: zeroes, frames of backings, copies; and more of them than were asked for.

Filling.  Memory that is filled upwards gets as many pages at once as lie filled behind the one that faults, up to the
end of its leaf table: the work grows with the array that a program fills, and at most half of it can be for nothing.
Nothing is remembered for it, so several arrays that are filled in turn all get it. Fewer than four pages behind count
for nothing: small allocations get what they touch. Reading upwards shows zeroes in the same way.

Around a page of a backing, all others of the region under the same leaf table are shown that are in memory anyway. A
frame that must not be written to before the backing knows stays read-only.

Code.  Stores through a page that has NX leave the translations of its frame as they are. So when a backing is executed
anywhere, as it says (`executed`), the writable pages that show it, wherever they are, must not have NX. New frames of
the process's own do have it, whatever the mapping allows (`page_tables`).
"""

from __future__ import annotations

from array import array

from lbw.abi.mman import PROT_WRITE
from lbw.cpu.contracts import EXECUTE, PAGE, WRITE
from lbw.cpu.unicorn.flush_causes import COPIED
from lbw.cpu.unicorn.kernel_access import KernelAccess
from lbw.cpu.unicorn.page_bits import FRAME, NX
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE
from lbw.cpu.unicorn.table_protect import leaf_flags
from lbw.cpu.unicorn.table_tree import MEMORY, OWNED, PATCHED, SHARED, SPAN, ZERO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.mmu import Backing, Region

#: So many pages must be filled behind one for others to be filled with it.
_STREAK = 4
#: So many frames must be left for that.
_RESERVE = 1024
#: Bits of the octets 0, 1 and 6 of an entry that do not overlap, and which of their combinations are what.
_IS_PRESENT, _IS_OWNED, _IS_ZERO = 1, OWNED >> 8, ZERO >> 48
_PRESENT = bytes(kind & _IS_PRESENT for kind in range(256))
_OWNED = bytes(bool(kind & _IS_OWNED) for kind in range(256))
_ABSENT = bytes(not kind & _IS_PRESENT for kind in range(256))
_EMPTY = bytes(not kind & _IS_PRESENT or bool(kind & _IS_ZERO) for kind in range(256))
#: What a new frame of the process's own gets besides its mapping's flags.
_OWN = WRITABLE | OWNED | NX
_ONES = int.from_bytes(b"\1" * 512, "little")


class PageFilling(KernelAccess):
    """The page tables of one address space, being filled. `at` is the index of the page's entry in `words`."""

    __slots__ = ()

    # Private anonymous memory

    def show_zeroes(self, region: Region, address: int, at: int) -> None:
        """Show the page of zeroes at the absent page, and behind it if memory is being read upwards."""
        pages = self._upwards(region, address, at, _PRESENT, _ABSENT)
        self.words[at : at + pages] = array("Q", [self.frames.zero | ZERO | leaf_flags(region.prot)]) * pages

    def fill(self, region: Region, address: int, at: int, reported: bool) -> None:
        """Give the page, which is absent or shows zeroes, a zeroed frame; others too if memory is filled upwards."""
        frames, words = self.frames, self.words
        flags = leaf_flags(region.prot) | _OWN
        pages = self._upwards(region, address, at, _OWNED, _EMPTY)
        if pages > 1 and frames.available > 4 * pages + _RESERVE:
            shown = any(words[at : at + pages].tolist())
            self.fill_run(at, pages, flags)
            if shown:
                start = address & -PAGE
                self.changed(start, start + pages * PAGE, COPIED)
            return
        frame = frames.allocate() | flags
        self.gain(1)
        entry = words[at]
        if entry:
            self.readable.pop(address >> 12, None)
            self.replace(at, entry, frame, reported)
            return
        words[at] = frame

    def _upwards(self, region: Region, address: int, at: int, done: bytes, open_: bytes) -> int:
        """Return with how many pages from `address` on to go on.

        `done` and `open_` have a 1 for each octet of an entry, as `_kinds` makes them, that is a page to be counted
        behind `address`, and one that can be taken with it.
        """
        words, index = self.words, at & 511
        if index:
            last, most = at, index
        elif region.start < address:
            last, most = self.leaf(address - 1) + 1, 512
            if last == 1:
                return 1
        else:
            return 1
        if not words[last - 1]:
            return 1
        streak = most - 1 - self._kinds(last - most, last).translate(done).rfind(0)
        if streak < _STREAK:
            return 1
        pages = min(streak, 512 - index, region.end - address + 0xFFF >> 12)
        return pages - len(self._kinds(at, at + pages).translate(open_).lstrip(b"\1"))

    def _kinds(self, first: int, end: int) -> bytes:
        """Return an octet for each entry: _IS_PRESENT, _IS_OWNED, _IS_ZERO."""
        octets = self.ram[first << 3 : end << 3].tobytes()
        integer, size = int.from_bytes, end - first
        kinds = integer(octets[0::8], "little") & _ONES | integer(octets[1::8], "little") & _ONES * _IS_OWNED
        return (kinds | integer(octets[6::8], "little") & _ONES * _IS_ZERO).to_bytes(size, "little")

    def fill_run(self, at: int, pages: int, flags: int) -> None:
        """Give zeroed frames to absent pages with neighbouring entries.  LinuxError(ENOMEM): to none of them"""
        frames = self.frames.allocate_many(pages)
        self.words[at : at + pages] = array("Q", [frame | flags for frame in frames])
        self.gain(pages)

    # Copies

    def copy(self, region: Region, at: int, entry: int, reported: bool) -> None:
        """Replace the frame that `entry` shows by a copy."""
        frames = self.frames
        source = entry & FRAME
        if entry & OWNED:
            new = frames.allocate_copy(source) | (entry & ~FRAME) | WRITABLE
            frames.drop(source)
        else:
            new = frames.allocate_copy(source) | leaf_flags(region.prot) | _OWN
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
        self.words[at] = self.frames.allocate_copy(source) | leaf_flags(region.prot) | _OWN
        self.gain(1)

    # Frames of backings

    def show(
        self, region: Region, backing: Backing, address: int, at: int, source: int, write: bool, around: bool
    ) -> None:  # fmt: skip
        """Show the backing's frame, and others around it, if there can be any."""
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
            self.gain(1)
            if around and not (write and backing.tracks_writes):
                self._show_around(region, backing, address, at, flags)
            return
        number = address >> 12
        self.words[at] = source | flags
        self.gain(1)
        if backing.patched and prot & EXECUTE and not prot & PROT_WRITE:
            copy = backing.patched.get((number, region.offset + address - region.start >> 12))
            if copy and (self.permits is None or self.permits(number)):
                self.words[at] = copy | flags | PATCHED
        if around:
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
            self.gain(len(cached) - cached.count(0) - bool(cached[own]))
        else:
            for index, frame in enumerate(cached):
                if frame and not run[index]:
                    run[index] = frame | flags
                    self.gain(1)

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
        flags = leaf_flags(region.prot) | _OWN
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
