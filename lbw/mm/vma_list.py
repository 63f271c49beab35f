"""The VMAs of an address space: a sorted list without overlaps, and the operations that keep it so.

Neighbours that continue each other are one VMA, as in Linux: a heap that grew a thousand times is one line of
/proc/PID/maps. Addresses are byte addresses, page-aligned, ranges are half open.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from lbw.abi.mman import MAP_GROWSDOWN
from lbw.cpu.contracts import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.mm.vma import Vma

#: Gap that a growing stack keeps to the mapping below, bytes (Linux stack_guard_gap).
STACK_GUARD_GAP = 256 * PAGE


class VmaList:
    """A sorted list of VMAs."""

    __slots__ = ("_searched", "_starts", "_vmas")

    def __init__(self, vmas: list[Vma] | None = None) -> None:
        self._vmas = vmas or []
        self._starts = [vma.start for vma in self._vmas]
        # By window: how far down `gap` has searched, and the largest hole above. Only `remove` makes new holes.
        self._searched: dict[tuple[int, int], tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._vmas)

    def __iter__(self) -> Iterator[Vma]:
        return iter(self._vmas)

    def __getitem__(self, index: int) -> Vma:
        return self._vmas[index]

    def between(self, start: int, end: int) -> list[Vma]:
        """Return the VMAs that intersect the range."""
        first, last = self.range_of(start, end)
        return self._vmas[first:last]

    def above(self, address: int) -> tuple[Vma | None, Vma | None]:
        """Return the VMA that starts above `address`, and the one before it."""
        index = bisect_right(self._starts, address)
        above = self._vmas[index] if index < len(self._vmas) else None
        return above, self._vmas[index - 1] if index else None

    def extend_down(self, vma: Vma, start: int) -> None:
        """Let `vma` begin at `start`, in the free range below it."""
        self._starts[bisect_left(self._starts, vma.start)] = start
        vma.start = start

    def remove(self, start: int, end: int) -> list[Vma]:
        """Take the VMAs of the range out, cutting those that reach beyond it; return them."""
        self._searched.clear()
        self.cut(start)
        self.cut(end)
        first, last = self.range_of(start, end)
        gone = self._vmas[first:last]
        del self._vmas[first:last]
        del self._starts[first:last]
        return gone

    def find(self, address: int) -> Vma | None:
        """Return the VMA that contains `address`."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0:
            vma = self._vmas[index]
            if address < vma.end:
                return vma
        return None

    def range_of(self, start: int, end: int) -> tuple[int, int]:
        """Return the slice of `vmas` that intersects the range."""
        first = bisect_right(self._starts, start) - 1
        if first < 0 or self._vmas[first].end <= start:
            first += 1
        return first, bisect_left(self._starts, end, first)

    def overlaps(self, start: int, end: int) -> bool:
        """Whether anything is mapped in the range."""
        first, last = self.range_of(start, end)
        return first < last

    def covered(self, start: int, end: int) -> bool:
        """Whether all of the range is mapped."""
        first, last = self.range_of(start, end)
        for vma in self._vmas[first:last]:
            if vma.start > start:
                return False
            start = vma.end
        return start >= end

    def gap(self, low: int, high: int, length: int) -> int:
        """Return the highest free place of `length` bytes in a window, 0 when there is none."""
        window = (low, high)
        lowest, largest = self._searched.get(window, (high, 0))
        if length > largest:
            high = lowest
        else:  # perhaps in one of the holes above
            largest = 0
        vmas = self._vmas
        index = bisect_left(self._starts, high) - 1
        while index >= 0:
            vma = vmas[index]
            if vma.end <= high - length:
                break
            largest = max(largest, high - vma.end)
            high = min(high, vma.start)
            if vma.flags & MAP_GROWSDOWN:
                high -= STACK_GUARD_GAP
            index -= 1
        if high <= lowest:
            self._searched[window] = (high, largest)
        return high - length if high - length >= low else 0

    def insert(self, vma: Vma) -> None:
        """Add a VMA to a free range, joining it to its neighbours where they continue each other."""
        index = bisect_left(self._starts, vma.start)
        vmas, starts = self._vmas, self._starts
        if index and not vma.shared and vmas[index - 1].joins(vma):
            before = vmas[index - 1]
            before.end = vma.end
            vma.drop()
            vma, index = before, index - 1
        else:
            vmas.insert(index, vma)
            starts.insert(index, vma.start)
        if index + 1 < len(vmas) and not vma.shared and vma.joins(vmas[index + 1]):
            after = vmas.pop(index + 1)
            starts.pop(index + 1)
            vma.end = after.end
            after.drop()

    def cut(self, address: int) -> None:
        """Make `address` a boundary between VMAs."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return
        vma = self._vmas[index]
        if vma.start < address < vma.end:
            upper = vma.piece(address, vma.end)
            vma.end = address
            self._vmas.insert(index + 1, upper)
            self._starts.insert(index + 1, address)

    def rejoin(self, start: int, end: int) -> None:
        """Join neighbours in and beside the range that have become alike."""
        vmas, starts = self._vmas, self._starts
        first, last = self.range_of(start, end)
        index = min(last, len(vmas) - 1)
        while index >= max(first, 1):
            if not vmas[index].shared and vmas[index - 1].joins(vmas[index]):
                gone = vmas.pop(index)
                starts.pop(index)
                vmas[index - 1].end = gone.end
                gone.drop()
            index -= 1
