"""Frames: guest-physical memory in units of 4 kB, reference-counted, taken from the host in 64 kB granules.

A frame is referenced by whoever can reach it: a page table entry that owns it, a page-table page's parents, the page
cache. `allocate` zeroes; frames of a granule that came fresh from the host are zero already. Freed frames are used
again first (last in, first out, so that the host's caches stay warm); when whole granules lie empty they go back to
the host.

A frame whose bytes were executed may have translations of its old content in the processor. Such frames (`code`) are
not used again before the translations were flushed, once for many of them.
"""

from __future__ import annotations

import mmap

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.cpu.contracts import GRANULE, PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.host.memory import Ram

FRAMES_PER_GRANULE = GRANULE // PAGE
_ZERO = bytes(PAGE)
#: Retired frames are flushed out together when so many have come together.
_RETIRE_LIMIT = 1024
#: Free frames beyond this many are searched for whole granules to give back.
_TRIM_LIMIT = 2048


class Frames:
    """The allocator of guest-physical memory. Addresses are physical byte addresses."""

    def __init__(self, ram: Ram, limit: int | None = None) -> None:
        """Manage `ram`; at most `limit` bytes of it (default: all) are ever used."""
        self.ram = ram
        self.view = ram.view
        self.limit = min(limit or ram.size, ram.size) // PAGE  # frames
        self.used = 0  # frames with references
        self._counts = memoryview(mmap.mmap(-1, max(ram.size // PAGE * 4, PAGE))).cast("I")
        self._fresh: list[int] = []  # zeroed
        self._free: list[int] = []  # with old content
        self._retired: list[int] = []
        self._granules: list[int] = []  # released to the host, to be committed again
        self._next_granule = GRANULE  # physical 0 stays unused: 0 can mean "none"
        self._trim_at = _TRIM_LIMIT
        self.code: set[int] = set()
        #: Makes the processor forget all translations; the engine sets it.
        self.flush_code: Callable[[], None] = lambda: None
        #: Asked to free memory when there is none left; returns whether it did.
        self.reclaim: Callable[[], bool] = lambda: False
        #: A frame of zeros that nobody ever writes to.
        self.zero = self.allocate()

    def allocate(self) -> int:
        """Return a zeroed frame with one reference.  LinuxError(ENOMEM)"""
        if self._free and self.used < self.limit:
            frame = self._free.pop()
            self.view[frame : frame + PAGE] = _ZERO
        else:
            if not self._fresh or self.used >= self.limit:
                self._refill()
            frame = self._fresh.pop()
        self.used += 1
        self._counts[frame >> 12] = 1
        return frame

    def allocate_copy(self, source: int) -> int:
        """Return a frame with the bytes of frame `source`.  LinuxError(ENOMEM)"""
        if self._free and self.used < self.limit:
            frame = self._free.pop()
        else:
            if not self._fresh or self.used >= self.limit:
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
                if len(self._retired) >= _RETIRE_LIMIT:
                    self._unretire()
            else:
                self._free.append(address)
                if len(self._free) > self._trim_at:
                    self._trim()

    def references(self, address: int) -> int:
        """Return how many references the frame has."""
        return self._counts[address >> 12]

    def allocate_granule(self) -> int:
        """Return the address of 16 contiguous zeroed frames with one reference each.  LinuxError(ENOMEM)"""
        if self.used + FRAMES_PER_GRANULE > self.limit and not self.reclaim():
            raise LinuxError(ENOMEM)
        try:
            base = self._take_granule()
        except LinuxError:
            if not self.reclaim():
                raise
            base = self._take_granule()
        first = base >> 12
        for number in range(first, first + FRAMES_PER_GRANULE):
            self._counts[number] = 1
        self.used += FRAMES_PER_GRANULE
        return base

    @property
    def available(self) -> int:
        """How many more frames may be used."""
        return self.limit - self.used

    def _take_granule(self) -> int:
        if not self._granules and self._next_granule + GRANULE > self.ram.size:
            if self._retired:
                self._unretire()
            self._trim()
        if self._granules:
            base = self._granules.pop()
        elif self._next_granule + GRANULE <= self.ram.size:
            base = self._next_granule
            self._next_granule += GRANULE
        else:
            raise LinuxError(ENOMEM)
        try:
            self.ram.commit(base, GRANULE)
        except (OSError, MemoryError) as error:  # the host itself has no memory left
            self._granules.append(base)
            raise LinuxError(ENOMEM) from error
        return base

    def _refill(self) -> None:
        """Make `_fresh` non-empty.  LinuxError(ENOMEM)"""
        if self.used >= self.limit and not (self.reclaim() and self.used < self.limit):
            raise LinuxError(ENOMEM)
        if self._fresh:
            return
        if self._retired and self._next_granule + GRANULE > self.ram.size:
            self._unretire()
        if self._free:
            frame = self._free.pop()
            self.view[frame : frame + PAGE] = _ZERO
            self._fresh.append(frame)
            return
        try:
            base = self._take_granule()
        except LinuxError:
            reclaimed = self.reclaim()
            if self._retired:
                self._unretire()
            if not (reclaimed and self._free):
                raise
            self._refill()
            return
        self._fresh.extend(range(base + GRANULE - PAGE, base - PAGE, -PAGE))

    def _unretire(self) -> None:
        self.flush_code()
        self._free += self._retired
        self._retired.clear()

    def _trim(self) -> None:
        """Give whole empty granules back to the host."""
        tally: dict[int, int] = {}
        for frame in self._free:
            granule = frame & -GRANULE
            tally[granule] = tally.get(granule, 0) + 1
        empty = {granule for granule, count in tally.items() if count == FRAMES_PER_GRANULE}
        if empty:
            self._free = [frame for frame in self._free if frame & -GRANULE not in empty]
            for granule in empty:
                self.ram.release(granule, GRANULE)
            self._granules += sorted(empty, reverse=True)
        self._trim_at = len(self._free) + _TRIM_LIMIT
