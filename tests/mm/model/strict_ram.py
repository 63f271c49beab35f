"""Guest RAM on a host that forgives nothing: a fake of the strictest one that there can be.

It takes whole, aligned granules of 64 kB only, knows which are committed, refuses to commit one twice or to release one
that is not, and leaves 0xDB in what was released, so that whoever still reads it finds rubbish; `verify` (called at
each commit, and at the end) finds whoever has written to memory that was not, or no longer, committed. A limit stands
for a host that has less memory than the guest was promised.
"""

from __future__ import annotations

import os
import sys

from lbw.host.memory import GRANULE, Ram

POISON = bytes([0xDB]) * GRANULE
_ZEROS = bytes(GRANULE)


class StrictRam(Ram):
    """A range of `size` bytes whose granules are watched."""

    __slots__ = ("calls", "committed", "limit", "most", "released")

    def __init__(self, size: int, limit: int | None = None) -> None:
        super().__init__(size)
        self.limit = (limit or size) // GRANULE  # granules that the host has
        self.committed: set[int] = set()
        self.released: set[int] = set()  # poisoned
        self.most = 0
        self.calls = 0

    def commit(self, offset: int, length: int) -> None:
        """Make granules usable, zeroed.  MemoryError: beyond the limit"""
        granules = self._granules(offset, length)
        assert self.committed.isdisjoint(granules), f"committed twice: {offset:#x}+{length:#x}"
        if len(self.committed) + len(granules) > self.limit:
            raise MemoryError("the fake host has no memory left")
        for base in granules:
            if base in self.released:
                self._verify(base)
                self.released.discard(base)
                self.view[base : base + GRANULE] = _ZEROS
            else:
                super().commit(base, GRANULE)
                assert self.view[base : base + GRANULE] == _ZEROS, f"{base:#x} was written to before it was committed"
        self.committed |= granules
        self.most = max(self.most, len(self.committed))

    def release(self, offset: int, length: int) -> None:
        """Take granules back, and leave rubbish in them."""
        if self.address and length == self.size:  # the end
            super().release(offset, length)
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

    def _granules(self, offset: int, length: int) -> set[int]:
        self.calls += 1
        assert offset % GRANULE == 0 and length % GRANULE == 0, f"not granules: {offset:#x}+{length:#x}"
        assert 0 <= offset < offset + length <= self.size, f"outside: {offset:#x}+{length:#x}"
        return set(range(offset, offset + length, GRANULE))
