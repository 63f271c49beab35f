"""Frames: guest-physical memory in units of 4 kB, reference-counted, taken from the host in 64 kB granules.

A frame is referenced by whoever can reach it: a page table entry that owns it, a page-table page's parents, the page
cache. `allocate` zeroes; frames of a granule that came fresh from the host are zero already.

What is free, and when there is too little of it, is in `lbw.mm.free_frames`.

A frame whose bytes were executed may have translations of its old content in the processor. Such frames (`code`) are
not used again before the translations were flushed, once for many of them.
"""

from __future__ import annotations

import mmap
from array import array

from lbw.abi.errno import LinuxError
from lbw.cpu.contracts import GRANULE, PAGE
from lbw.mm.free_frames import FRAMES_PER_GRANULE as FRAMES_PER_GRANULE
from lbw.mm.free_frames import RETIRE_LIMIT, ZERO, FreeFrames
from lbw.mm.overcommit import Commitment
from lbw.mm.shared_account import SharedMemoryAccount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lbw.mm.granules import HostMemory

_ONES = array("I", [1] * FRAMES_PER_GRANULE)
_NONE = array("I", [0] * FRAMES_PER_GRANULE)


class Frames(FreeFrames):
    """The allocator of guest-physical memory. Addresses are physical byte addresses."""

    def __init__(self, ram: HostMemory, limit: int | None = None) -> None:
        """Manage `ram`; at most `limit` bytes of it (default: all) are ever used."""
        super().__init__(ram, limit)
        self._counts = memoryview(mmap.mmap(-1, max(ram.size // PAGE * 4, PAGE))).cast("I")
        self.commitment = Commitment(self)
        self.shared = SharedMemoryAccount()
        self.paged_in = self.paged_out = 0  # pages that were read from the host and written to it, ever
        self.major_faults = 0  # page faults that had to read, ever
        #: A frame of zeros that nobody ever writes to.
        self.zero = self.allocate()

    # One frame

    def allocate(self) -> int:
        """Return a zeroed frame with one reference.  LinuxError(ENOMEM)"""
        if self._free and self.used < self.mark:
            frame = self._free.pop()
            self.view[frame : frame + PAGE] = ZERO
        else:
            if not self._fresh or self.used >= self.mark:
                self._refill()
            frame = self._fresh.pop()
        self.used += 1
        self._counts[frame >> 12] = 1
        return frame

    def allocate_copy(self, source: int) -> int:
        """Return a frame with the bytes of frame `source`.  LinuxError(ENOMEM)"""
        if self._free and self.used < self.mark:
            frame = self._free.pop()
        else:
            if not self._fresh or self.used >= self.mark:
                self._refill()
            frame = self._fresh.pop()
        self.used += 1
        self._counts[frame >> 12] = 1
        view = self.view
        view[frame : frame + PAGE] = view[source : source + PAGE]
        return frame

    def share(self, address: int) -> None:
        """Add a reference."""
        self._counts[address >> 12] += 1

    def drop(self, address: int) -> None:
        """Drop a reference; the last one frees the frame."""
        number = address >> 12
        count = self._counts[number] - 1
        self._counts[number] = count
        if count == 0:
            self.used -= 1
            if address in self.code:
                self.code.discard(address)
                self._retired.append(address)
                if len(self._retired) >= RETIRE_LIMIT:
                    self._unretire()
            else:
                self._free.append(address)
                if len(self._free) > self._trim_at:
                    self.trim()

    def references(self, address: int) -> int:
        """Return how many references the frame has."""
        return self._counts[address >> 12]

    def references_of(self, addresses: Sequence[int]) -> list[int]:
        """Return how many references each frame has."""
        counts = self._counts
        return [counts[address >> 12] for address in addresses]

    # Many at once

    def allocate_many(self, count: int) -> list[int]:
        """Return `count` zeroed frames with one reference each, all or none.  LinuxError(ENOMEM)

        Those of a fresh granule are in order.
        """
        if self.used + count > self.mark:
            self._make_room(count)
        while len(self._free) + len(self._fresh) < count:
            try:
                base = self._take_granule(count)
            except LinuxError:
                if len(self._free) + len(self._fresh) < count:
                    raise
                break  # what was reclaimed lies in pieces
            self._fresh[:0] = range(base + GRANULE - PAGE, base - PAGE, -PAGE)
        free, fresh, view, counts = self._free, self._fresh, self.view, self._counts
        frames = free[: -count - 1 : -1]
        del free[len(free) - len(frames) :]
        for frame in frames:
            view[frame : frame + PAGE] = ZERO
        missing = count - len(frames)
        if missing:
            frames += fresh[: -missing - 1 : -1]
            del fresh[-missing:]
        for frame in frames:
            counts[frame >> 12] = 1
        self.used += count
        return frames

    def share_many(self, addresses: Sequence[int]) -> None:
        """Add a reference to each."""
        counts = self._counts
        for address in addresses:
            counts[address >> 12] += 1

    def drop_many(self, addresses: Sequence[int]) -> None:
        """Drop a reference to each; the same frame may be among them more than once."""
        counts = self._counts
        gone = []
        for address in addresses:
            number = address >> 12
            count = counts[number] - 1
            counts[number] = count
            if not count:
                gone.append(address)
        self.used -= len(gone)
        code = self.code
        if not code.isdisjoint(gone):
            executed = code.intersection(gone)
            code -= executed
            self._retired += executed
            gone = [frame for frame in gone if frame not in executed]
            if len(self._retired) >= RETIRE_LIMIT:
                self._unretire()
        self._free += gone
        if len(self._free) > self._trim_at:
            self.trim()

    def drop_granules(self, granules: Sequence[int]) -> None:
        """Drop the only reference to each frame of whole granules, of which none was executed."""
        counts = self._counts
        for base in granules:
            first = base >> 12
            counts[first : first + FRAMES_PER_GRANULE] = _NONE
        self.used -= FRAMES_PER_GRANULE * len(granules)
        self.granules.give_back(granules)

    def allocate_granule(self) -> int:
        """Return the address of 16 contiguous zeroed frames with one reference each.

        LinuxError(ENOMEM): also when there is memory, but in pieces: `allocate_many`
        """
        if self.used + FRAMES_PER_GRANULE > self.mark:
            self._make_room(FRAMES_PER_GRANULE)
        base = self._take_granule(FRAMES_PER_GRANULE)
        first = base >> 12
        self._counts[first : first + FRAMES_PER_GRANULE] = _ONES
        self.used += FRAMES_PER_GRANULE
        return base
