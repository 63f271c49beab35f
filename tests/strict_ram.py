"""Guest RAM of the strictest host: 64 kB aligned and 64 kB sized, nothing committed or released twice, not too much."""

from __future__ import annotations

from lbw.host.memory import GRANULE, Ram


class StrictRam(Ram):
    """Ram that asserts its contract, and refuses what is beyond `budget` granules."""

    def __init__(self, size: int, budget: int | None = None) -> None:
        super().__init__(size)
        self.budget = size // GRANULE if budget is None else budget
        self.committed: set[int] = set()
        self.most = 0
        self.refusals = 0

    def commit(self, offset: int, length: int) -> None:
        granules = self._granules(offset, length)
        assert not self.committed & granules, "committed twice"
        if len(self.committed) + len(granules) > self.budget:
            self.refusals += 1
            raise MemoryError("no memory, says the test")
        super().commit(offset, length)
        self.committed |= granules
        self.most = max(self.most, len(self.committed))

    def release(self, offset: int, length: int) -> None:
        if length == self.size:  # close
            super().release(offset, length)
            return
        granules = self._granules(offset, length)
        assert granules <= self.committed, "released what was not committed"
        super().release(offset, length)
        self.committed -= granules

    def _granules(self, offset: int, length: int) -> set[int]:
        assert offset % GRANULE == 0 and length % GRANULE == 0 and length > 0, f"{offset:#x}+{length:#x}"
        assert offset >= 0 and offset + length <= self.size
        return set(range(offset, offset + length, GRANULE))
