"""Frames: guest-physical memory in units of 4 kB, reference-counted, taken from the host in 64 kB granules.

A frame is referenced by whoever can reach it: a page table entry that owns it, a page-table page's parents, the page
cache. `allocate` zeroes; frames of a granule that came fresh from the host are zero already.

Fragmentation.  Freed frames are used again before a new granule is touched, last in, first out, so that the host's
caches stay warm. When many have come together, whole empty granules go back (`lbw.mm.granules`), and the others are put
in order: next are the frames of the fullest granules, so that those which are nearly empty become so.

Pressure.  `used` is compared with one number, `mark`, which is the limit only when memory is scarce. Below, it is where
somebody is to be told (`pressed`), who frees memory between two traps and sets the next mark (`relieved`); so the
kernel always has `minimum` frames to work with, and allocation costs no second comparison. At the limit `reclaim` is
asked; it is called deep inside, while views of guest memory may be outstanding: it drops only what nobody maps.

A frame whose bytes were executed may have translations of its old content in the processor. Such frames (`code`) are
not used again before the translations were flushed, once for many of them.
"""

from __future__ import annotations

import mmap
from array import array
from collections import Counter

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.cpu.contracts import GRANULE, PAGE
from lbw.mm.granules import Granules
from lbw.mm.overcommit import Commitment
from lbw.mm.shared_account import SharedMemoryAccount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lbw.mm.granules import HostMemory

FRAMES_PER_GRANULE = GRANULE // PAGE
_ZERO = bytes(PAGE)
_ONES = array("I", [1] * FRAMES_PER_GRANULE)
_NONE = array("I", [0] * FRAMES_PER_GRANULE)
#: Retired frames are flushed out together when so many have come together.
_RETIRE_LIMIT = 1024
#: Free frames beyond this many are searched for whole granules to give back.
_TRIM_LIMIT = 2048
#: When the host has no memory, so many frames in hand, the whole reserve, are enough for programs to get on.
_IN_HAND = 128


class Frames:
    """The allocator of guest-physical memory. Addresses are physical byte addresses."""

    def __init__(self, ram: HostMemory, limit: int | None = None) -> None:
        """Manage `ram`; at most `limit` bytes of it (default: all) are ever used."""
        self.ram = ram
        self.view = ram.view
        self.limit = min(limit or ram.size, ram.size) // PAGE  # frames
        self.used = 0  # frames with references
        self.mark = self.limit  # what `used` must stay below without anybody being told
        self.minimum = 0  # frames that are for the kernel, between traps
        self.granules = Granules(ram)
        self.commitment = Commitment(self)
        self._counts = memoryview(mmap.mmap(-1, max(ram.size // PAGE * 4, PAGE))).cast("I")
        self._fresh: list[int] = []  # zeroed
        self._free: list[int] = []  # with old content
        self._retired: list[int] = []
        self._trim_at = _TRIM_LIMIT
        self._scattered = 0  # so many free frames are known to make no whole granule
        self.code: set[int] = set()
        #: Makes the processor forget all translations; the engine sets it.
        self.flush_code: Callable[[], None] = lambda: None
        #: Asked to free memory when there is none left; returns whether it did.
        self.reclaim: Callable[[], bool] = lambda: False
        #: Told when memory gets scarce, or has run out.
        self.pressed: Callable[[], None] = lambda: None
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
            self.view[frame : frame + PAGE] = _ZERO
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
                if len(self._retired) >= _RETIRE_LIMIT:
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
            view[frame : frame + PAGE] = _ZERO
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
            if len(self._retired) >= _RETIRE_LIMIT:
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

    # What is left

    @property
    def available(self) -> int:
        """How many more frames may be used; when the host has no more, those that are in hand."""
        left = self.limit - self.used
        if self.granules.starved:
            return min(left, self.granules.committed * FRAMES_PER_GRANULE - self.used)
        return left

    @property
    def short(self) -> bool:
        """Whether there is less than the kernel needs, and than makes sure that programs get anything done.

        A program whose text was reclaimed must be able to fetch as much of it as one instruction needs, before memory
        is found scarce again.
        """
        return self.limit - self.used < self.minimum * 3 // 2 or (self.granules.starved and self.available < _IN_HAND)

    def relieved(self) -> None:
        """Set the next mark: memory was freed, or could not be."""
        minimum = self.minimum
        available = self.limit - self.used
        if available >= minimum * 5 // 2:
            minimum *= 2
        self.mark = self.limit - minimum if available > minimum else self.limit

    def trim(self) -> int:
        """Give whole empty granules back, and put the other free frames in order; return how many granules it were."""
        free = self._free
        free.sort()
        empty: list[int] = []
        pieces: list[list[int]] = [[] for _ in range(FRAMES_PER_GRANULE)]  # by how many frames of the granule are free
        position = 0
        for granule, count in Counter([frame >> 16 for frame in free]).items():
            if count == FRAMES_PER_GRANULE:
                empty.append(granule << 16)
            else:
                pieces[count] += free[position : position + count]
            position += count
        kept: list[int] = []
        for frames in reversed(pieces):
            kept += frames
        self._free = kept
        self._trim_at = len(kept) + max(_TRIM_LIMIT, len(kept) // 2)
        self._scattered = 0 if empty else len(kept) * 5 // 4
        if empty:
            self.granules.give_back(empty)
        return len(empty)

    def gather(self) -> None:
        """Find all that is free, and fill up what is kept for a host without memory."""
        if self._retired:
            self._unretire()
        self._free += self._fresh
        self._fresh.clear()
        self.trim()
        self.granules.refill()

    def _make_room(self, count: int) -> None:
        """Let `count` more frames be used, beyond the mark.  LinuxError(ENOMEM)"""
        if self.mark < self.limit:
            self.mark = self.limit
            self.pressed()
        while self.used + count > self.limit:
            if not self.reclaim():
                self.pressed()
                raise LinuxError(ENOMEM)

    def _refill(self) -> None:
        """Make `_fresh` non-empty.  LinuxError(ENOMEM)"""
        if self.used >= self.mark:
            self._make_room(1)
        if self._fresh:
            return
        if not self._free:
            try:
                base = self._take_granule(1)
            except LinuxError:
                if not self._free:
                    raise
            else:
                self._fresh.extend(range(base + GRANULE - PAGE, base - PAGE, -PAGE))
                return
        frame = self._free.pop()
        self.view[frame : frame + PAGE] = _ZERO
        self._fresh.append(frame)

    def _take_granule(self, enough: int) -> int:
        """Return a granule of zeros, found among free frames and in what can be reclaimed too.

        LinuxError(ENOMEM): there is none; there may be `enough` free frames in pieces.
        """
        while True:
            try:
                base = self.granules.take()
            except LinuxError:
                if self._retired:
                    self._unretire()
                if len(self._free) > self._scattered and self.trim():
                    continue
                if len(self._free) + len(self._fresh) >= enough:
                    raise
                if not self.reclaim():
                    self.pressed()
                    raise
            else:
                if self.granules.low:
                    self.pressed()
                return base

    def _unretire(self) -> None:
        self.flush_code()
        self._free += self._retired
        self._retired.clear()
