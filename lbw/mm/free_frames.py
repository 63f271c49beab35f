"""Free frames: what `lbw.mm.frames` hands out next, and what is done when that is little.

Fragmentation.  Freed frames are used again before a new granule is touched, last in, first out, so that the host's
caches stay warm. When many have come together, whole empty granules go back (`lbw.mm.granules`), and the others are put
in order: next are the frames of the fullest granules, so that those which are nearly empty become so.

Pressure.  `used` is compared with one number, `mark`, which is the limit only when memory is scarce. Below, it is where
somebody is to be told (`pressed`), who frees memory between two traps and sets the next mark (`relieved`); so the
kernel always has `minimum` frames to work with, and allocation costs no second comparison. At the limit `reclaim` is
asked; it is called deep inside, while views of guest memory may be outstanding: it drops only what nobody maps.
"""

from __future__ import annotations

from collections import Counter

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.cpu.contracts import GRANULE, PAGE
from lbw.mm.granules import Granules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.mm.granules import HostMemory

FRAMES_PER_GRANULE = GRANULE // PAGE
ZERO = bytes(PAGE)
#: Retired frames are flushed out together when so many have come together.
RETIRE_LIMIT = 1024
#: Free frames beyond this many are searched for whole granules to give back.
_TRIM_LIMIT = 2048
#: When the host has no memory, so many frames in hand, the whole reserve, are enough for programs to get on.
_IN_HAND = 128


class FreeFrames:
    """The frames that nobody has."""

    def __init__(self, ram: HostMemory, limit: int | None = None) -> None:
        self.ram = ram
        self.view = ram.view
        self.limit = min(limit or ram.size, ram.size) // PAGE  # frames
        self.used = 0  # frames with references
        self.mark = self.limit  # what `used` must stay below without anybody being told
        self.minimum = 0  # frames that are for the kernel, between traps
        self.granules = Granules(ram)
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
        self.view[frame : frame + PAGE] = ZERO
        self._fresh.append(frame)

    def _take_granule(self, enough: int) -> int:
        """Return a granule of zeros, found among free frames and in what can be reclaimed too.

        LinuxError(ENOMEM): there is none; there may be `enough` free frames in pieces.
        """
        while True:
            try:
                base = self.granules.take(len(self._free) + len(self._fresh) < enough)
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
