"""Which frames an object has: a map from page numbers to frames, in granules of 16 pages.

A granule is **dense** when all its pages are there and lie one behind the other in memory, whatever its alignment: it
is one number, and its bytes are one slice. All others are **sparse**: a list of 16 frames, 0 for absent pages. So large
files cost little to keep and few copies to read, and an object of a terabyte with one page at its end is one list.

Rejected: a dict of pages (an entry for each 4 kB, and every read of 64 kB is 16 slices); lists as long as the object
(sparse files).
"""

from __future__ import annotations

from bisect import bisect_left

from lbw.cpu.contracts import GRANULE, PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Pages of a granule.
PAGES = GRANULE // PAGE
_ALL = (1 << PAGES) - 1


class FrameTable:
    """Frames by page number. Whoever looks something up in `dense` or `sparse` itself changes nothing there."""

    __slots__ = ("_order", "dense", "sparse", "unwritten")

    def __init__(self) -> None:
        self.dense: dict[int, int] = {}  # granule -> its first frame
        self.sparse: dict[int, list[int]] = {}  # granule -> 16 frames, 0 for absent ones
        #: Pages that were reserved only: granule -> a bit for each. They are holes for those who look for data.
        self.unwritten: dict[int, int] = {}
        self._order: list[int] | None = []  # all granules, sorted; None: to be found out

    def get(self, page: int) -> int:
        """Return the frame of `page`, 0 when there is none."""
        base = self.dense.get(page >> 4)
        if base is not None:
            return base + (page & 15) * PAGE
        chunk = self.sparse.get(page >> 4)
        return chunk[page & 15] if chunk is not None else 0

    def put(self, page: int, frame: int) -> None:
        """Add a page that is absent."""
        number = page >> 4
        chunk = self.sparse.get(number)
        if chunk is None:
            chunk = self.sparse[number] = [0] * PAGES
            self._order = None
        chunk[page & 15] = frame
        if 0 not in chunk and chunk == list(range(chunk[0], chunk[0] + GRANULE, PAGE)):
            del self.sparse[number]
            self.dense[number] = chunk[0]

    def put_granule(self, number: int, base: int) -> None:
        """Add 16 pages that follow each other; all of them are absent."""
        self.dense[number] = base
        self._order = None

    def run(self, page: int, end: int) -> list[int]:
        """Return the frames of pages from `page` to `end`, 0 for absent ones."""
        found: list[int] = []
        while page < end:
            number, first = page >> 4, page & 15
            stop = min(PAGES, first + end - page)
            base = self.dense.get(number)
            if base is not None:
                found += range(base + first * PAGE, base + stop * PAGE, PAGE)
            else:
                chunk = self.sparse.get(number)
                found += chunk[first:stop] if chunk is not None else [0] * (stop - first)
            page += stop - first
        return found

    def take(self, first: int, end: int) -> tuple[list[int], list[int]]:
        """Remove the pages from `first` to `end`; return whole granules of memory, and frames."""
        whole: list[int] = []
        taken: list[int] = []
        for number in self._among(first >> 4, (end + PAGES - 1) >> 4):
            low, high = max(first - number * PAGES, 0), min(end - number * PAGES, PAGES)
            base = self.dense.pop(number, None)
            if base is not None and not base % GRANULE and high - low == PAGES:
                whole.append(base)
                self._order = None
                self.unwritten.pop(number, None)
                continue
            chunk = self.sparse.pop(number, None) if base is None else list(range(base, base + GRANULE, PAGE))
            assert chunk is not None
            taken += filter(None, chunk[low:high])
            chunk[low:high] = [0] * (high - low)
            if any(chunk):
                self.sparse[number] = chunk
            else:
                self._order = None
            if number in self.unwritten:
                self.written(number, (1 << high) - (1 << low))
        return whole, taken

    def take_all(self) -> tuple[list[int], list[int]]:
        """Remove all pages; return whole granules of memory, and frames."""
        taken = [frame for chunk in self.sparse.values() for frame in chunk if frame]
        whole = []
        for base in self.dense.values():
            if base % GRANULE:
                taken += range(base, base + GRANULE, PAGE)
            else:
                whole.append(base)
        self.dense.clear()
        self.sparse.clear()
        self.unwritten.clear()
        self._order = None
        return whole, taken

    def written(self, number: int, bits: int) -> None:
        """Note that pages of a granule, as bits, were written to (or are no more)."""
        left = self.unwritten.get(number, 0) & ~bits
        if left:
            self.unwritten[number] = left
        else:
            self.unwritten.pop(number, None)

    def wrote(self, first: int, end: int) -> None:
        """Note that all pages from `first` to `end` were written to."""
        for number in [each for each in self.unwritten if first >> 4 <= each <= end >> 4]:
            low, high = max(first - number * PAGES, 0), min(end - number * PAGES, PAGES)
            self.written(number, (1 << high) - (1 << low))

    def reserve(self, first: int, end: int) -> None:
        """Note that pages of one granule were made for later."""
        low = first & 15
        self.unwritten[first >> 4] = self.unwritten.get(first >> 4, 0) | (1 << low + end - first) - (1 << low)

    def count(self, first: int, end: int) -> int:
        """Return how many pages there are from `first` to `end`."""
        found = 0
        for number in self._among(first >> 4, (end + PAGES - 1) >> 4):
            low, high = max(first - number * PAGES, 0), min(end - number * PAGES, PAGES)
            chunk = self.sparse.get(number)
            found += high - low if chunk is None else high - low - chunk[low:high].count(0)
        return found

    # Data and holes

    def data(self, number: int) -> int:
        """Return which pages of a granule hold data, as bits."""
        if number in self.dense:
            held = _ALL
        else:
            chunk = self.sparse.get(number)
            if chunk is None:
                return 0
            held = sum(1 << index for index, frame in enumerate(chunk) if frame)
        return held & ~self.unwritten.get(number, 0)

    def next_data(self, page: int) -> int | None:
        """Return the first page from `page` on that holds data."""
        above = -1 << (page & 15)
        for number in self._from(page >> 4):
            held = self.data(number)
            if number == page >> 4:
                held &= above
            if held:
                return number * PAGES + (held & -held).bit_length() - 1
        return None

    def next_hole(self, page: int) -> int:
        """Return the first page from `page` on that holds none."""
        number, above = page >> 4, -1 << (page & 15)
        while True:
            free = ~self.data(number) & _ALL & above
            if free:
                return number * PAGES + (free & -free).bit_length() - 1
            number, above = number + 1, -1

    def _sorted(self) -> list[int]:
        if self._order is None:
            self._order = sorted([*self.dense, *self.sparse])
        return self._order

    def _from(self, number: int) -> Iterator[int]:
        order = self._sorted()
        for index in range(bisect_left(order, number), len(order)):
            yield order[index]

    def _among(self, first: int, end: int) -> list[int]:
        """Return the granules from `first` to `end` that there are."""
        if end - first <= len(self.dense) + len(self.sparse):
            return [number for number in range(first, end) if number in self.dense or number in self.sparse]
        return [number for number in [*self.dense, *self.sparse] if first <= number < end]
