"""What page tables hold: counted by kind, and told page by page.

Counting must not cost a step of Python per page: a process of a gigabyte has 262144. The bits that tell what a page is
lie in two bytes of its entry, so every eighth byte of a table makes one integer, and its set bits are counted: 2 us for
512 entries. That is why the page of zeroes, hidden pages and those of shared memory have bits of their own, which
nothing else needs.
"""

from __future__ import annotations

from lbw.cpu.contracts import PAGE
from lbw.cpu.mmu import ANONYMOUS, FILE, SHARED_MEMORY, USER_END, ZEROES
from lbw.cpu.unicorn.flush_causes import REMOVED, RESTRICTED
from lbw.cpu.unicorn.page_bits import FRAME
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE
from lbw.cpu.unicorn.table_ages import age, referenced
from lbw.cpu.unicorn.table_census import enter, mappers
from lbw.cpu.unicorn.table_tree import HIDDEN, MEMORY, OWNED, PATCHED, SPAN, ZERO, TableTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.cpu.mmu import Census

_ONES = int.from_bytes(b"\1" * 512, "little")
#: Where bits are in their bytes of an entry.
_OWNED_SHIFT = (OWNED >> 8).bit_length() - 1
_HIDDEN_SHIFT, _ZERO_SHIFT = ((bit >> 48).bit_length() - 1 for bit in (HIDDEN, ZERO))
#: Of byte 0, 1 and 6 of 512 entries.
_PRESENT = _ONES
_OWNED = _ONES * (OWNED >> 8)
_ABSENT, _MEMORY = _ONES * ((HIDDEN | ZERO) >> 48), _ONES * (MEMORY >> 48)


def count(entries: memoryview) -> tuple[int, int, int]:
    """Return how many of `entries`, the bytes of a part of a table, are ANONYMOUS, FILE and SHARED_MEMORY."""
    octets = entries.tobytes()
    integer = int.from_bytes
    high = integer(octets[6::8], "little")
    owned = (integer(octets[1::8], "little") & _OWNED).bit_count()
    memory = (high & _MEMORY).bit_count()
    others = (integer(octets[0::8], "little") & _PRESENT).bit_count() - (high & _ABSENT).bit_count()
    return owned, others - owned - memory, memory


class TableCounts(TableTree):
    """The page tables of one address space, as something to be counted."""

    __slots__ = ()

    @property
    def resident(self) -> int:
        """How many pages are resident, of any kind but ZEROES."""
        if self.recount:
            self.recount = False
            self.held = sum(self.usage()[:3])
        return self.held

    @property
    def peak(self) -> int:
        """The most that `resident` has been."""
        return max(self.high, self.resident)

    def forget_peak(self) -> None:
        """Let the peak be what is resident now."""
        self.high = 0

    def disturb(self) -> None:
        """Note that pages were taken out of a table in place that others share: they may have lost them too."""
        for space in self.engine.spaces:
            space.recount = True
            space.readable.clear()
            space.writable.clear()
        self.engine.flush_pending |= REMOVED

    def usage(self, start: int = 0, end: int = USER_END) -> tuple[int, int, int, int]:
        """Return how many resident pages the range has: (ANONYMOUS, FILE, SHARED_MEMORY), and `tables`, of all."""
        ram = self.ram
        anonymous = file = memory = 0
        for low, high, at, _ in self.spans(start, end):
            one, two, three = count(ram[at << 3 : (at << 3) + (high - low >> 9)])
            anonymous += one
            file += two
            memory += three
        return anonymous, file, memory, self.tables

    def pages(self, start: int = 0, end: int = USER_END) -> Iterator[tuple[int, int, int, bool]]:
        """Yield (address, frame, kind, writable) of each page that is present, whatever its protection."""
        words, originals = self.words, self.engine.originals
        for low, high, first, above in self.spans(start, end):
            for index, entry in enumerate(words[first : first + (high - low >> 12)].tolist()):
                if not entry or entry & HIDDEN:
                    continue
                frame = entry & FRAME
                if entry & OWNED:
                    kind = ANONYMOUS
                elif entry & ZERO:
                    kind = ZEROES
                else:
                    kind = SHARED_MEMORY if entry & MEMORY else FILE
                    if entry & PATCHED:
                        frame = originals[frame]
                yield low + index * PAGE, frame, kind, bool(above and entry & WRITABLE)

    def age(self, start: int, end: int) -> None:
        """Note that no page of the range was accessed."""
        age(self, start, end)
        self.changed(start, end, RESTRICTED)

    def referenced(self, start: int, end: int) -> int:
        """Return how many resident pages of the range were accessed since they came, or since `age`."""
        return referenced(self, start, end)

    def owned(self, start: int, end: int) -> Iterator[tuple[int, list[int]]]:
        """Yield the frames of the ANONYMOUS pages of a range, for each page table: (address >> 21, frames)."""
        words = self.words
        for low, high, first, _ in self.spans(start, end):
            entries = words[first : first + (high - low >> 12)].tolist()
            yield low // SPAN, [entry & FRAME for entry in entries if entry & OWNED]

    def shown(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield where FILE and SHARED_MEMORY pages of a range are, for each page table: address, how many pages, bytes.

        The bytes, one for each page, are a number, little endian: 1 for such a page, 0 for others.
        """
        ram, integer = self.ram, int.from_bytes
        for low, high, first, _ in self.spans(start, end):
            octets = ram[first << 3 : (first << 3) + (high - low >> 9)].tobytes()
            none = integer(octets[6::8], "little")
            none = none >> _HIDDEN_SHIFT | none >> _ZERO_SHIFT | integer(octets[1::8], "little") >> _OWNED_SHIFT
            bits = integer(octets[0::8], "little") & ~none & _ONES
            if bits:
                yield low, high - low >> 12, bits

    def enter(self, census: Census) -> None:
        """Add what the address space holds."""
        enter(self, census)

    def sharing(self) -> dict[int, int]:
        """Return how many address spaces share the page table at `address >> 21`, where more than one does."""
        mine: dict[int, int] = {}  # leaf table -> address >> 21
        counts: dict[int, int] = {}
        for low, _, at, _ in self.spans(0, USER_END):
            mine[at << 3 & -PAGE] = low // SPAN
        for space in self.engine.spaces:
            for table in space.leaf_tables():
                if table in mine:
                    place = mine[table]
                    counts[place] = counts.get(place, 0) + 1
        return {place: spaces for place, spaces in counts.items() if spaces > 1}

    def mappers(self) -> dict[int, int]:
        """Return how many address spaces show each ANONYMOUS frame that has several references."""
        return mappers(self.engine.spaces)
