"""Resident pages of a mapping by what they are and who else shows them: the figures of /proc/PID/smaps.

A page is *private* if one page-table entry shows it, else *shared*; Pss divides it among all who show it. Nobody keeps
such counts here, because every fault would pay for them; they are found when somebody asks:

- A page of the process's own is shown by all address spaces that share its page table since a fork. If other tables
  refer to its frame as well, all tables are looked through.
- A page of a file or of shared memory is shown where the mappings of its backing show it: the reverse map leads there.

So smaps costs some 0.1 us for each resident page of the process's own (1 us if several tables refer to it), 5 us for
each page table of it and of others that show the same parts of files, and 0.05 us for each page of all processes when
some have forked. What was found holds for one look (`PageShares`): until the next `await`.

Dirty is what would be lost: private copies, shared memory, and pages of files that are still to be written back.
"""

from __future__ import annotations

from bisect import bisect_left

from lbw.cpu.contracts import PAGE
from lbw.cpu.mmu import ANONYMOUS, FILE, SHARED_MEMORY, ZEROES
from lbw.mm.cached_file import CachedFile
from lbw.mm.kernel_pages import KernelPages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from lbw.mm.address_space import AddressSpace
    from lbw.mm.backing import MappedObject
    from lbw.mm.vma import Vma

    #: (kind, how many show it, dirty) -> pages
    Tally = dict[tuple[int, int, bool], int]

#: Mappings longer than this are looked through one by one when it is asked who shows a page, bytes.
_LONG = 1 << 21
#: What a byte can hold.
_BYTE = 255
#: Pss is summed up in units of a byte divided by this (Linux PSS_SHIFT).
PSS_SHIFT = 12


class _ReverseMap:
    """The mappings of a backing, to be found by the pages that they show."""

    __slots__ = ("_long", "_offsets", "_short")

    def __init__(self, backing: MappedObject) -> None:
        mappings = [vma for vma in backing.mappings if vma.space is not None]
        self._long = [vma for vma in mappings if vma.end - vma.start > _LONG]
        self._short = sorted([vma for vma in mappings if vma.end - vma.start <= _LONG], key=lambda vma: vma.offset)
        self._offsets = [vma.offset for vma in self._short]

    def showing(self, offset: int, end: int) -> list[Vma]:
        """Return the mappings that may show bytes `offset` to `end`."""
        first, last = bisect_left(self._offsets, offset - _LONG), bisect_left(self._offsets, end)
        return self._long + self._short[first:last]


class PageShares:
    """Who shows the pages of an address space, at one time."""

    __slots__ = ("_mappers", "_maps", "_memory", "_tables")

    def __init__(self, memory: AddressSpace) -> None:
        self._memory = memory
        self._tables = memory.mmu.sharing()
        self._mappers: dict[int, int] | None = None
        self._maps: dict[MappedObject, _ReverseMap] = {}

    def _own(self, frame: int, address: int) -> int:
        """Return how many show an ANONYMOUS page."""
        references = self._memory.frames.references(frame)
        if references == 1:
            return self._tables.get(address >> 21, 1)
        if self._mappers is None:
            self._mappers = self._memory.mmu.mappers()
        return self._mappers.get(frame, references)

    def tally(self, vma: Vma) -> Tally:
        """Count the resident pages of a mapping."""
        tally: Tally = {}
        anonymous, *others, _ = self._memory.mmu.usage(vma.start, vma.end)
        if anonymous:
            self._tally_own(vma, tally)
        if any(others):
            self._tally_shown(vma, tally)
        return tally

    def referenced(self, vma: Vma) -> int:
        """Return how many pages of a mapping were accessed since they came, or since somebody asked to forget it."""
        return self._memory.mmu.referenced(vma.start, vma.end)

    def _tally_own(self, vma: Vma, tally: Tally) -> None:
        """Count pages of the process's own: nearly always many, with one reference each."""
        references_of = self._memory.frames.references_of
        for place, frames in self._memory.mmu.owned(vma.start, vma.end):
            references = references_of(frames)
            alone = references.count(1)
            counts = {self._tables.get(place, 1): alone} if alone else {}
            if alone < len(frames):
                for frame, several in zip(frames, references, strict=True):
                    if several > 1:
                        mappers = self._own(frame, place << 21)
                        counts[mappers] = counts.get(mappers, 0) + 1
            for mappers, pages in counts.items():
                key = ANONYMOUS, mappers, True
                tally[key] = tally.get(key, 0) + pages

    def _tally_shown(self, vma: Vma, tally: Tally) -> None:
        """Count pages of the backing."""
        backing = vma.backing
        assert backing is not None
        kind, is_dirty = (SHARED_MEMORY, True) if backing.in_memory else (FILE, False)
        dirty: Collection[int] = backing.dirty if isinstance(backing, CachedFile) else ()
        for address, counts in self._shown(vma, vma.start, vma.end):
            for mappers in set(counts) - {0}:
                key = kind, mappers, is_dirty
                tally[key] = tally.get(key, 0) + counts.count(mappers)
            if dirty:
                first = vma.offset + address - vma.start >> 12
                for index, mappers in enumerate(counts):
                    if mappers and first + index in dirty:
                        tally[kind, mappers, False] -= 1
                        tally[kind, mappers, True] = tally.get((kind, mappers, True), 0) + 1

    def entries(self, vma: Vma, low: int, high: int) -> list[tuple[int, int, int]]:
        """Return (address, kind, how many show it) of the pages of a part of a mapping; 0 show ZEROES."""
        shown: dict[int, tuple[int, Sequence[int]]] | None = None  # by address >> 21
        entries = []
        for address, frame, kind, _ in self._memory.mmu.pages(low, high):
            if kind == ANONYMOUS:
                mappers = self._own(frame, address)
            elif kind == ZEROES:
                mappers = 0
            else:
                if shown is None:
                    shown = {start >> 21: (start, counts) for start, counts in self._shown(vma, low, high)}
                start, counts = shown[address >> 21]
                mappers = counts[address - start >> 12]
            entries.append((address, kind, mappers))
        return entries

    def _shown(self, vma: Vma, low: int, high: int) -> Iterator[tuple[int, Sequence[int]]]:
        """Yield by how many mappings the pages of the backing are shown that a part of a mapping shows, by page table.

        (address, the numbers for the pages from there on; 0: not shown here). Numbers of a whole table are added at
        once: each is a byte of one large number.
        """
        backing = vma.backing
        assert backing is not None
        shows = self._maps.get(backing)
        if shows is None:
            shows = self._maps[backing] = _ReverseMap(backing)
        shift = vma.offset - vma.start
        for address, count, mask in self._memory.mmu.shown(low, high):
            offset, end = address + shift, address + shift + count * PAGE
            total = mask if isinstance(backing, KernelPages) else 0  # the kernel has them, too
            added, full = 1, []
            for other in shows.showing(offset, end):
                difference = other.offset - other.start
                first, last = max(other.start, offset - difference), min(other.end, end - difference)
                if first < last and other.space is not None:
                    for place, _, bits in other.space.mmu.shown(first, last):
                        total += bits << (place + difference - offset >> 12 << 3)
                    added += 1
                    if added == _BYTE:
                        full.append((total & mask * _BYTE).to_bytes(count, "little"))
                        added = total = 0
            counts = (total & mask * _BYTE).to_bytes(count, "little")
            yield address, [sum(numbers) for numbers in zip(counts, *full, strict=True)] if full else counts


class PageFigures:
    """The figures of smaps, of one or more mappings: bytes; Pss in bytes << PSS_SHIFT."""

    __slots__ = (
        "anonymous", "locked", "private_clean", "private_dirty", "pss", "pss_anonymous", "pss_dirty", "pss_file",
        "pss_shared", "referenced", "rss", "shared_clean", "shared_dirty",
    )  # fmt: skip

    def __init__(self) -> None:
        self.rss = self.referenced = self.anonymous = self.locked = 0
        self.shared_clean = self.shared_dirty = self.private_clean = self.private_dirty = 0
        self.pss = self.pss_dirty = self.pss_anonymous = self.pss_file = self.pss_shared = 0

    def add(self, shares: PageShares, vma: Vma) -> None:
        """Add the pages of a mapping."""
        tally, locked = shares.tally(vma), vma.locked
        if tally:
            self.referenced += shares.referenced(vma) * PAGE
        for (kind, mappers, dirty), pages in tally.items():
            size = pages * PAGE
            share = pages * ((PAGE << PSS_SHIFT) // mappers)
            self.rss += size
            self.pss += share
            if locked:
                self.locked += share
            if kind == ANONYMOUS:
                self.anonymous += size
                self.pss_anonymous += share
            elif kind == SHARED_MEMORY:
                self.pss_shared += share
            else:
                self.pss_file += share
            if dirty:
                self.pss_dirty += share
            if mappers > 1:
                if dirty:
                    self.shared_dirty += size
                else:
                    self.shared_clean += size
            elif dirty:
                self.private_dirty += size
            else:
                self.private_clean += size
