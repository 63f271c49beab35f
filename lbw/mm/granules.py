"""Granules: what the host gives, 64 kB at a time, and what goes back to it.

A granule is *out* (its frames are in use or free, which `Frames` knows), *warm* (empty, but not given back: what is
freed is mostly wanted again soon, and the host takes 30 us to zero a fresh granule) or *released*. Adjacent ones are
released in one call.

The host itself may have no memory left (`starved`, until it gives some again). So a few granules are kept for the
kernel, the reserve: when the host refuses, they are handed out; whoever looks after memory between traps frees some and
fills the reserve up again.
"""

from __future__ import annotations

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.cpu.contracts import GRANULE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    class HostMemory(Protocol):
        """What is asked of the host: `lbw.host.memory.Ram`, or a stricter one for tests."""

        size: int
        view: memoryview
        words: memoryview

        def commit(self, offset: int, length: int) -> None:
            """Make whole granules usable, zeroed.  MemoryError"""

        def release(self, offset: int, length: int) -> None:
            """Give whole granules back."""


_ZEROS = bytes(GRANULE)
#: The reserve: this part of all granules, but not more than so many.
_RESERVE_SHARE, _RESERVE_MOST = 64, 8
#: Warm granules: at least so many, and this part of those that are out.
_WARM_LEAST, _WARM_SHARE = 32, 8


class Granules:
    """The granules of guest memory, by physical address."""

    def __init__(self, ram: HostMemory) -> None:
        self._ram = ram
        self._view = ram.view
        self._next = GRANULE  # physical 0 stays unused: 0 can mean "none"
        self._released: list[int] = []
        self._warm: list[int] = []
        self._reserve: list[int] = []
        self._wanted = min(ram.size // GRANULE // _RESERVE_SHARE, _RESERVE_MOST)
        self.out = 0
        #: The host has refused the last time it was asked.
        self.starved = False
        self.refill()

    @property
    def committed(self) -> int:
        """How many granules the host has given."""
        return self.out + len(self._warm) + len(self._reserve)

    @property
    def low(self) -> bool:
        """Whether half of the reserve is gone: time to look after memory, with something left to do it."""
        return 2 * len(self._reserve) < self._wanted

    def take(self, urgent: bool) -> int:
        """Return the address of a granule of zeros, if `urgent` from the reserve.

        LinuxError(ENOMEM): none left, here or on the host
        """
        if self._warm:
            base = self._warm.pop()
            self._view[base : base + GRANULE] = _ZEROS
        else:
            base = self._commit()
            if not base:
                if not (urgent and self._reserve and self.starved):
                    raise LinuxError(ENOMEM)
                base = self._reserve.pop()
                self._view[base : base + GRANULE] = _ZEROS
        self.out += 1
        return base

    def give_back(self, granules: Iterable[int]) -> None:
        """Take empty granules back; some stay warm, the others go to the host."""
        warm = self._warm
        before = len(warm)
        warm += granules
        self.out -= len(warm) - before
        while warm and len(self._reserve) < self._wanted:
            self._reserve.append(warm.pop())
        self.cool(max(_WARM_LEAST, self.out // _WARM_SHARE))

    def cool(self, keep: int = 0) -> None:
        """Give all warm granules but `keep` back to the host."""
        warm = self._warm
        if len(warm) <= keep:
            return
        warm.sort()
        gone = warm[keep:]  # low ones stay: memory gets dense at the low end
        del warm[keep:]
        first = previous = gone[0]
        for base in [*gone[1:], 0]:
            if base != previous + GRANULE:
                self._ram.release(first, previous + GRANULE - first)
                first = base
            previous = base
        self._released += reversed(gone)

    def refill(self) -> None:
        """Fill the reserve up as far as warm granules and the host allow."""
        while len(self._reserve) < self._wanted:
            base = self._warm.pop() if self._warm else self._commit()
            if not base:
                return
            self._reserve.append(base)

    def _commit(self) -> int:
        """Return a fresh granule, 0 when there is none."""
        if self._released:
            base = self._released.pop()
        elif self._next + GRANULE <= self._ram.size:
            base = self._next
            self._next += GRANULE
        else:
            return 0
        try:
            self._ram.commit(base, GRANULE)
        except (OSError, MemoryError):  # the host itself has no memory left
            self._released.append(base)
            self.starved = True
            return 0
        self.starved = False
        return base
