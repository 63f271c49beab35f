"""The arena: hidden pages that hold fragments, the same in every address space.

The pages are no mappings of any program: they lie in *zones*, ranges of addresses where programs are seldom, and have
the same content at the same address in all address spaces where nothing else is mapped there. Pages are made when the
first fragment goes in. Fragments of many sites share them, laid one behind the other; a punned jump may ask for one out
of 256 places, or for a single one.

Bytes that were code are not written over before the processor has surely forgotten them: `release` only collects,
`reuse` makes what was collected available, after the engine has flushed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from lbw.abi.errno import LinuxError
from lbw.cpu.contracts import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lbw.mm.frames import Frames

    Free = Callable[[int, int], bool]

#: What lies between fragments: int3, so that nothing strange is ever executed there.
_FILL = b"\xcc" * PAGE
#: A window of at most so many bytes is searched for every gap between fragments.
_SMALL = 2 * PAGE
#: In a larger window, so many pages that were filled lately are tried before a new one is made, ...
_LATE = 16
#: ... and so many new pages next to each other before the search takes larger steps.
_NEAR = 64


class Arena:
    """Fragments by address."""

    __slots__ = ("_ends", "_late", "_owners", "_stale", "_starts", "_users", "forget", "frames", "pages", "zones")

    def __init__(self, frames: Frames, zones: Iterable[tuple[int, int]]) -> None:
        """Place fragments in `zones`: (start, end), page-aligned, the preferred first."""
        self.frames = frames
        self.zones = tuple(zones)
        #: Page number -> physical address of its frame.
        self.pages: dict[int, int] = {}
        #: Told (page number, frame) before a page without fragments gives its frame back: unmap it everywhere.
        self.forget: Callable[[int, int], None] = lambda page, frame: None
        # What is in use, by address. What is released stays in it until `reuse`.
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._owners: dict[int, object] = {}
        self._users: dict[int, int] = {}  # page number -> fragments on it that are not released
        self._stale: list[int] = []
        self._late: dict[int, int] = {}  # page number -> where its last fragment ends; the latest is last

    def claim(self, low: int, high: int, size: int, free: Free) -> int | None:
        """Return an address of [low, high) from where `size` bytes are unused; they are in use then, and have frames.

        All of them are in one zone. `free(start, end)` says whether the present address space has no mapping in a page.
        None: there is no such place, or no memory for it.
        """
        for start, end in self.zones:
            first, last = max(low, start), min(high, end - size + 1)
            if first < last:
                address = self._search(first, last, size, free)
                if address is not None:
                    return address if self._take(address, size) else None
        return None

    def write(self, address: int, code: bytes) -> None:
        """Store `code` at a claimed address."""
        pages, view = self.pages, self.frames.view
        while code:
            offset = address % PAGE
            piece = code[: PAGE - offset]
            at = pages[address // PAGE] + offset
            view[at : at + len(piece)] = piece
            address += len(piece)
            code = code[len(piece) :]

    def release(self, address: int, size: int) -> None:
        """Give up a fragment; pages without any go away at once, their addresses become usable by `reuse`."""
        self._owners.pop(address, None)
        self._stale.append(address)
        for page in range(address // PAGE, (address + size - 1) // PAGE + 1):
            self._users[page] -= 1
            if not self._users[page]:
                del self._users[page]
                self._late.pop(page, None)
                frame = self.pages.pop(page)
                self.forget(page, frame)
                self.frames.code.add(frame)
                self.frames.drop(frame)

    def reuse(self) -> None:
        """The processor has forgotten all translated code: make what was released available."""
        for address in self._stale:
            index = bisect_left(self._starts, address)
            del self._starts[index], self._ends[index]
        self._stale.clear()

    def record(self, address: int, size: int, owner: object) -> None:
        """Say whose fragment lies at a claimed address."""
        self._owners[address] = owner

    def find(self, address: int) -> tuple[int, object] | None:
        """Return (start, owner) of the fragment that contains `address`."""
        if address >> 12 not in self.pages:
            return None
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._ends[index]:
            return None
        start = self._starts[index]
        owner = self._owners.get(start)
        return None if owner is None else (start, owner)

    def __iter__(self) -> Iterator[tuple[int, int, object]]:
        """Yield (start, end, owner) of all fragments, by address."""
        for start, end in zip(self._starts, self._ends, strict=True):
            if start in self._owners:
                yield start, end, self._owners[start]

    def _take(self, address: int, size: int) -> bool:
        """Put the range among those in use, and make its pages; False: no memory."""
        last = (address + size - 1) // PAGE
        for page in range(address // PAGE, last + 1):
            if page not in self.pages:
                try:
                    frame = self.frames.allocate()
                except LinuxError:
                    return False  # a page that was made just before will be found by the next claim
                self.frames.view[frame : frame + PAGE] = _FILL
                self.pages[page] = frame
                self._users[page] = 0
        for page in range(address // PAGE, last + 1):
            self._users[page] += 1
        index = bisect_left(self._starts, address)
        self._starts.insert(index, address)
        self._ends.insert(index, address + size)
        late = self._late
        late[last] = max(late.pop(last, 0), address + size)
        if len(late) > _LATE:
            del late[next(iter(late))]
        return True

    def _search(self, low: int, high: int, size: int, free: Free) -> int | None:
        """Return a free start in [low, high), in pages that are there if possible, or near them."""
        late, pages = self._late, self.pages
        for page in reversed(late):
            position = late[page]
            start = page * PAGE
            if position < low:
                position = low if low < start + PAGE else position
            if low <= position < high and position + size <= start + PAGE and free(start, start + PAGE):
                address = self._gap(position, min(high, start + PAGE - size + 1), size, free, True)
                if address is not None:
                    return address
        if high - low <= _SMALL:
            address = self._gap(low, high, size, free, True)
            return self._gap(low, high, size, free, False) if address is None else address
        first, last = -(-low // PAGE), (high - 1) // PAGE  # pages whose start is in the window
        near = min(max(next(reversed(late), first), first), last)
        for page in _around(near, first, last):
            start = page * PAGE
            if page not in pages and free(start, start + PAGE):
                address = self._gap(start, min(high, start + PAGE - size + 1), size, free, False)
                if address is not None:
                    return address
        if high - low <= 1 << 16:
            return self._gap(low, high, size, free, False)
        return None

    def _gap(self, low: int, high: int, size: int, free: Free, present: bool) -> int | None:
        """Return the first unused range that starts in [low, high); `present`: only in pages that are there."""
        starts, ends = self._starts, self._ends
        index = bisect_right(starts, low)
        position = max(low, ends[index - 1]) if index else low
        count = len(starts)
        while position < high:
            if index < count and position + size > starts[index]:
                position = max(position, ends[index])
                index += 1
                continue
            blocked = self._blocked(position, size, free, present)
            if not blocked:
                return position
            position = blocked
        return None

    def _blocked(self, address: int, size: int, free: Free, present: bool) -> int:
        """Return where to look on when a page of the range cannot be used, else 0."""
        for page in range((address + size - 1) // PAGE, address // PAGE - 1, -1):
            if (present and page not in self.pages) or not free(page * PAGE, page * PAGE + PAGE):
                return (page + 1) * PAGE
        return 0


def _around(near: int, first: int, last: int) -> Iterator[int]:
    """Yield page numbers of [first, last]: those next to `near`, above and below, then ever farther ones."""
    yield near
    distance = step = 1
    while near + distance <= last or near - distance >= first:
        if near + distance <= last:
            yield near + distance
        if near - distance >= first:
            yield near - distance
        if distance >= _NEAR:
            step += step
        distance += step
