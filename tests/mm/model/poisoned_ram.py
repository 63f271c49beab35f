"""Strict RAM that also notices who touches what is not committed.

It leaves 0xDB in what was released, so that whoever still reads it finds rubbish; `verify` finds whoever has written to
memory that was not, or is no longer, committed.
"""

from __future__ import annotations

import os
import sys

from strict_ram import StrictRam

from lbw.host.memory import GRANULE, Ram

POISON = bytes([0xDB]) * GRANULE
_ZEROS = bytes(GRANULE)


class PoisonedRam(StrictRam):
    """A range of `size` bytes whose granules are watched."""

    def __init__(self, size: int, budget: int | None = None) -> None:
        super().__init__(size, budget)
        self.released: set[int] = set()

    def commit(self, offset: int, length: int) -> None:
        """Make granules usable, zeroed.  MemoryError: beyond the budget"""
        old = self.released & self._granules(offset, length)
        for base in old:
            self._verify(base)
        super().commit(offset, length)
        self.released -= old
        for base in old:
            self.view[base : base + GRANULE] = _ZEROS
        assert self.view[offset : offset + length] == bytes(length), f"{offset:#x} was written to before its time"

    def release(self, offset: int, length: int) -> None:
        """Take granules back, and leave rubbish in them."""
        if length == self.size:  # the end
            Ram.release(self, offset, length)
            return
        granules = self._granules(offset, length)
        assert granules <= self.committed, f"not committed: {offset:#x}+{length:#x}"
        self.committed -= granules
        self.released |= granules
        for base in granules:
            self.view[base : base + GRANULE] = POISON

    def verify(self) -> None:
        """AssertionError: somebody has written to what is not committed."""
        for base in self.released:
            self._verify(base)
        if sys.platform == "linux":
            position = 0
            while True:
                try:
                    position = os.lseek(self._fd, position, os.SEEK_DATA)
                except OSError:
                    break
                base = position & -GRANULE
                assert base in self.committed or base in self.released, f"{base:#x} is used and not committed"
                position = base + GRANULE

    def _verify(self, base: int) -> None:
        assert self.view[base : base + GRANULE] == POISON, f"{base:#x} was written to after it was released"
