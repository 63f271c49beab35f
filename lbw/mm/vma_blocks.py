"""VMAs in blocks: storage that finds a mapping, or a free place, among few or among 100,000.

The sorted list of mappings is cut into blocks of some hundred: what is inserted or removed moves the rest of one block,
whatever the number of VMAs, and 100 of them are one block, a plain list. Each block has an upper bound of the holes
below its VMAs, so that a search for a free place looks only into blocks where there may be one; a search in vain makes
the bound exact. And each window remembers how far down it was searched, so that the usual search, for a place below the
last one, looks at one VMA.

Rejected: a balanced tree (each step of it costs more in Python than moving a block of pointers); `sortedcontainers`,
which has such blocks too, but calls a key function for each comparison, or keeps a second list, and knows no holes.
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
#: A block that gets longer than this becomes two; one shorter than an eighth joins its neighbour.
BLOCK = 512
_UNKNOWN = 1 << 64


def bottom(vma: Vma) -> int:
    """Return the end of the free place below `vma`: a stack needs room to grow."""
    return vma.start - STACK_GUARD_GAP if vma.flags & MAP_GROWSDOWN else vma.start


class VmaBlocks:
    """Sorted VMAs without overlaps. Addresses are byte addresses, page-aligned, ranges are half open."""

    __slots__ = ("_count", "_holes", "_lows", "_searched", "_starts", "_vmas")

    def __init__(self, vmas: list[Vma] | None = None) -> None:
        vmas = vmas or []
        # By block. Where it begins: the start of its first VMA, but -1 for the first block, so that bisect finds it.
        self._vmas = [vmas[at : at + BLOCK // 2] for at in range(0, len(vmas), BLOCK // 2)] or [[]]
        self._starts = [[vma.start for vma in block] for block in self._vmas]
        self._lows = [-1, *[starts[0] for starts in self._starts[1:]]]
        self._holes = [_UNKNOWN] * len(self._vmas)  # no hole just below a VMA of the block is larger
        self._count = len(vmas)
        # By window: start of the VMA down to which `gap` has searched, where the hole below it ends, and an upper bound
        # of the holes above.
        self._searched: dict[tuple[int, int], tuple[int, int, int]] = {}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Vma]:
        return iter(self._vmas[0]) if len(self._vmas) == 1 else (vma for block in self._vmas for vma in block)

    def last(self) -> Vma | None:
        """Return the VMA with the highest address."""
        return self._vmas[-1][-1] if self._count else None

    # Looking

    def find(self, address: int) -> Vma | None:
        """Return the VMA that contains `address`."""
        block = bisect_right(self._lows, address) - 1
        index = bisect_right(self._starts[block], address) - 1
        if index >= 0:
            vma = self._vmas[block][index]
            if address < vma.end:
                return vma
        return None

    def between(self, start: int, end: int) -> list[Vma]:
        """Return the VMAs that intersect the range."""
        lows = self._lows
        block = bisect_right(lows, start) - 1
        vmas, starts = self._vmas[block], self._starts[block]
        index = bisect_right(starts, start) - 1
        if index < 0 or vmas[index].end <= start:
            index += 1
        found = vmas[index : bisect_left(starts, end, index)]
        block += 1
        while block < len(lows) and lows[block] < end:
            found += self._vmas[block][: bisect_left(self._starts[block], end)]
            block += 1
        return found

    def above(self, address: int) -> tuple[Vma | None, Vma | None]:
        """Return the VMA that starts above `address`, and the one before it."""
        block = bisect_right(self._lows, address) - 1
        vmas = self._vmas[block]
        index = bisect_right(self._starts[block], address)
        before = vmas[index - 1] if index else None
        if index < len(vmas):
            return vmas[index], before
        return (self._vmas[block + 1][0] if block + 1 < len(self._vmas) else None), before

    def overlaps(self, start: int, end: int) -> bool:
        """Whether anything is mapped in the range."""
        block = bisect_left(self._lows, end) - 1
        index = bisect_left(self._starts[block], end) - 1
        return index >= 0 and self._vmas[block][index].end > start

    def covered(self, start: int, end: int) -> bool:
        """Whether all of the range is mapped."""
        for vma in self.between(start, end):
            if vma.start > start:
                return False
            start = vma.end
        return start >= end

    # Free places

    def gap(self, low: int, high: int, length: int) -> int:
        """Return the highest free place of `length` bytes in a window, 0 when there is none."""
        window = (low, high)
        searched = self._searched.get(window)
        if searched is not None and length > searched[2]:
            position, ceiling, largest = searched
        else:  # perhaps in one of the holes above
            position, ceiling, largest = high, high, 0
            above, _ = self.above(high - 1)
            if above is not None:
                ceiling = min(high, bottom(above))
        block = bisect_left(self._lows, position) - 1
        vmas = self._vmas[block]
        index = bisect_left(self._starts[block], position) - 1
        entire = False  # whether all of the block is looked at
        seen = 0
        while ceiling - length >= low:
            if index < 0:
                block -= 1
                if block < 0:
                    break
                vmas = self._vmas[block]
                index = len(vmas) - 1
                seen_below = max(ceiling - vmas[index].end, seen)
                if entire and seen_below < length:
                    self._holes[block + 1] = seen_below
                entire, seen = True, 0
                if self._holes[block] < length and ceiling - vmas[index].end < length:
                    largest = max(largest, ceiling - vmas[index].end, self._holes[block])
                    position, ceiling = vmas[0].start, bottom(vmas[0])
                    index, entire = -1, False
                    continue
            vma = vmas[index]
            hole = ceiling - vma.end
            if hole >= length:
                break
            if hole > largest:
                largest = hole
            if hole > seen and index < len(vmas) - 1:
                seen = hole
            position, ceiling = vma.start, bottom(vma)
            index -= 1
        self._searched[window] = (position, ceiling, largest)
        return ceiling - length if ceiling - length >= low else 0

    def gap_above(self, low: int, high: int, length: int) -> int:
        """Return the lowest free place of `length` bytes in a window, 0 when there is none."""
        block = bisect_right(self._lows, low) - 1
        index = max(bisect_right(self._starts[block], low) - 1, 0)
        floor = low
        while True:
            for vma in self._vmas[block][index:]:
                if min(bottom(vma), high) - floor >= length:
                    return floor
                floor = max(floor, vma.end)
            block, index = block + 1, 0
            while block < len(self._vmas) and self._holes[block] < length:
                floor = max(floor, self._vmas[block][-1].end)
                block += 1
            if block == len(self._vmas) or floor + length > high:
                return floor if floor + length <= high else 0

    # Blocks

    def _put_in(self, vma: Vma, block: int, index: int, before: Vma | None) -> None:
        """Insert a VMA into a free range of a block, behind `before`."""
        vmas = self._vmas[block]
        if index == len(vmas):  # what was the hole below the next block's first VMA becomes two
            self._holes[block] = max(self._holes[block], vma.start - before.end if before is not None else vma.start)
        vmas.insert(index, vma)
        self._starts[block].insert(index, vma.start)
        self._count += 1
        if len(vmas) > BLOCK:
            self._halve(block)

    def _take_out(self, vma: Vma) -> None:
        """Remove one VMA whose range stays mapped."""
        block = bisect_right(self._lows, vma.start) - 1
        index = bisect_left(self._starts[block], vma.start)
        del self._vmas[block][index]
        del self._starts[block][index]
        self._count -= 1
        self._shrunk(block)

    def _clear(self, gone: list[Vma]) -> None:
        """Remove VMAs that follow each other; their ranges become free."""
        low, left = gone[0].start, len(gone)
        block = bisect_right(self._lows, low) - 1
        vmas, starts = self._vmas[block], self._starts[block]
        index = bisect_left(starts, low)
        self._count -= left
        if len(self._lows) == 1:
            del vmas[index : index + left]
            del starts[index : index + left]
            self._freed(vmas[index - 1] if index else None, vmas[index] if index < len(vmas) else None, 0)
            return
        while left:
            some = min(left, len(self._starts[block]) - index)
            del self._vmas[block][index : index + some]
            del self._starts[block][index : index + some]
            left -= some
            block += self._shrunk(block)
            index = 0
        above, before = self.above(low)
        self._freed(before, above, bisect_right(self._lows, above.start) - 1 if above is not None else 0)

    def _trim(self, vma: Vma, start: int, end: int) -> Vma:
        """Take what is in the range from one end of a VMA; return it."""
        block = bisect_right(self._lows, vma.start) - 1
        vmas, starts = self._vmas[block], self._starts[block]
        index = bisect_left(starts, vma.start)
        if vma.start < start:
            gone = vma.piece(start, vma.end)
            vma.end = start
            if index + 1 < len(vmas):
                self._freed(vma, vmas[index + 1], block)
            elif block + 1 < len(self._vmas):
                self._freed(vma, self._vmas[block + 1][0], block + 1)
            else:
                self._freed(vma, None, 0)
            return gone
        gone = vma.piece(vma.start, end)
        vma.offset += end - vma.start
        vma.start = starts[index] = end
        if index:
            self._freed(vmas[index - 1], vma, block)
        elif block:
            self._lows[block] = end
            self._freed(self._vmas[block - 1][-1], vma, block)
        else:
            self._freed(None, vma, block)
        return gone

    def _freed(self, before: Vma | None, above: Vma | None, block: int) -> None:
        """Take note of a new hole between two VMAs, the upper one in `block`."""
        start = before.end if before is not None else 0
        end = _UNKNOWN
        if above is not None:
            end = bottom(above)
            if self._holes[block] < end - start:
                self._holes[block] = end - start
        for window, (position, ceiling, largest) in self._searched.items():
            if end > ceiling and end - start > largest:
                self._searched[window] = (position, ceiling, end - start)

    def _halve(self, block: int) -> None:
        vmas, starts = self._vmas[block], self._starts[block]
        half = len(vmas) // 2
        self._vmas.insert(block + 1, vmas[half:])
        self._starts.insert(block + 1, starts[half:])
        self._lows.insert(block + 1, starts[half])
        self._holes.insert(block + 1, self._holes[block])
        del vmas[half:]
        del starts[half:]

    def _shrunk(self, block: int) -> int:
        """See to a block that has lost VMAs; return how much farther the next one is: 0 when this one is gone."""
        if len(self._lows) == 1:
            return 1
        starts = self._starts[block]
        if not starts:
            del self._vmas[block], self._starts[block], self._lows[block], self._holes[block]
            self._lows[0] = -1
            return 0
        if block:
            self._lows[block] = starts[0]
            if len(starts) < BLOCK // 8 and len(self._starts[block - 1]) < BLOCK // 2:
                self._vmas[block - 1] += self._vmas.pop(block)
                self._starts[block - 1] += self._starts.pop(block)
                del self._lows[block]
                self._holes[block - 1] = max(self._holes[block - 1], self._holes.pop(block))
                return 0
        return 1
