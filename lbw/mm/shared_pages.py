"""Pages of shared memory: they appear when touched, are charged to a budget, and go when nobody can reach them.

The half of `lbw.mm.shared` that knows nothing of bytes: frames, mappings, life.

Life.  Whoever has a name for the object holds it (`held`: an inode, a segment); so does each mapping. When the last of
them goes the frames go. What is held by nothing but Python goes with its last reference.

Space.  `budget` is asked before a page is taken (a tmpfs has a size) and told when it goes. Out of budget is ENOSPC for
write(2) and SIGBUS for an access by a mapping; no memory at all is ENOMEM, and for the access the OOM killer.

Code.  Frames that were executed have translations in the processor and perhaps patched copies (`lbw.faults.text`).
Stores by mappings the processor sees by itself; the kernel's own changes make it forget (`_rewritten`).
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.mman import PROT_WRITE
from lbw.cpu.contracts import GRANULE, PAGE
from lbw.mm.backing import MappedObject
from lbw.mm.frame_table import PAGES, FrameTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from lbw.mm.frames import Frames
    from lbw.mm.vma import Vma

    class Budget(Protocol):
        """Who says how many pages there may be."""

        used_pages: int

        def free_pages(self) -> int:
            """Return how many more may be taken."""

        def take_pages(self, count: int) -> None:
            """Account for pages.  ENOSPC"""


#: So many frames must be left for more than what is asked for.
_PLENTY = 1024
#: So many granules are made at once at most: what one leaf table shows.
_MOST_AHEAD = 32
#: Behind all pages.
END = 1 << 52


class SharedPages(MappedObject):
    """Content of so many bytes; a `Backing`."""

    in_memory = True
    #: Whether a mapping that fills it upwards gets as many granules at once as are filled behind, so that at most half
    #: is for nothing. Files show how many pages they have, and where holes are, so they get what is touched.
    fills_ahead = True
    #: What /proc/PID/maps shows of a mapping that has no path: device 0:1, `number` and `name`.
    device = 1

    __slots__ = (
        "__weakref__", "_budget", "_dense", "_frames", "_number", "_ram", "_sparse", "_table", "forgotten", "held",
        "promised", "resident", "size", "version",
    )  # fmt: skip

    def __init__(self, frames: Frames, size: int, budget: Budget | None = None) -> None:
        """Make an object of `size` bytes, most of them perhaps never touched; `held` by nobody."""
        super().__init__(("shared", id(self)))
        self._frames = frames
        self._ram = frames.view
        self._budget = budget
        self._number = 0
        self._table = FrameTable()
        self._dense, self._sparse = self._table.dense, self._table.sparse
        #: Told when patched copies of its pages are no longer true.
        self.forgotten: Callable[[], None] = lambda: None
        self.held = False
        self.resident = 0  # pages
        self.promised = 0  # pages that were charged to overcommit at once; else each is when it appears
        self.size = size
        self.version = 0  # counts changes by the kernel

    def __del__(self) -> None:
        if (self.resident or self.promised) and not self._frames.shared.closed:
            self.clear()

    def promise(self, total: int) -> None:
        """Charge all of it to overcommit, for somebody who has `total` bytes mapped.  LinuxError(ENOMEM)"""
        pages = (self.size + PAGE - 1) // PAGE
        self._frames.commitment.charge(pages, total)
        self.promised = pages

    @property
    def name(self) -> bytes:
        """The name there, as Linux calls shared anonymous memory."""
        return b"/dev/zero (deleted)"

    @property
    def number(self) -> int:
        """The inode number there."""
        if not self._number:
            self._number = self._frames.shared.next_number()
        return self._number

    # Mappings

    def acquire(self, vma: Vma) -> None:
        """Add a mapping."""
        super().acquire(vma)
        if self.patched and vma.shared and vma.max_prot & PROT_WRITE:
            self._rewritten()  # copies cannot follow what it will store

    def release(self, vma: Vma) -> None:
        """Remove a mapping."""
        super().release(vma)
        if not self.mappings and not self.held:
            self.clear()

    def let_go(self) -> None:
        """Nobody holds it any more; mappings may."""
        self.held = False
        if not self.mappings:
            self.clear()

    def clear(self) -> None:
        """Give all memory back; nothing is mapped."""
        if self.resident:
            self._give_back(*self._table.take_all())
        if self.promised:
            self._frames.commitment.release(self.promised)
            self.promised = 0

    def is_writable(self) -> bool:
        """Whether a mapping can write to it, or may be made to."""
        return any(vma.shared and vma.max_prot & PROT_WRITE for vma in self.mappings)

    def frame(self, page: int) -> int | None:
        """Return the frame of page `page`, made if needed; None beyond the end.  ENOSPC, ENOMEM"""
        number, index = page >> 4, page & 15
        if page * PAGE >= self.size:
            return None
        base = self._dense.get(number)
        if base is not None:
            frame = base + index * PAGE
        else:
            chunk = self._sparse.get(number)
            frame = chunk[index] if chunk is not None else 0
            if not frame:
                ahead = self.fills_ahead and not index and chunk is None and number - 1 in self._dense
                return (ahead and self._add_ahead(number)) or self._add(page)
        if self._table.unwritten:
            self._table.written(number, 1 << index)
        return frame

    def cached_run(self, page: int, count: int) -> list[int]:
        """Return what is in memory of `count` pages from `page` on: physical addresses, 0 for absent ones."""
        table = self._table
        run = table.run(page, min(page + count, (self.size + PAGE - 1) // PAGE))
        if table.unwritten:  # who maps them is to say so, by `frame`
            bits = table.unwritten.get
            run = [0 if bits(at >> 4, 0) >> (at & 15) & 1 else frame for at, frame in enumerate(run, page)]
        return run

    # Pages come and go

    def _add(self, page: int) -> int:
        """Return a new frame for `page`, which is absent.  ENOSPC, ENOMEM"""
        budget = self._budget
        if budget is not None:
            budget.take_pages(1)
        try:
            frame = self._frames.allocate()
        except LinuxError:
            if budget is not None:
                budget.used_pages -= 1
            raise
        self._table.put(page, frame)
        self.resident += 1
        self._frames.shared.pages += 1
        if not self.promised:
            self._frames.commitment.pages += 1
        return frame

    def _add_ahead(self, number: int) -> int | None:
        """Return the first frame of a new granule; others may follow it. None: there is not enough for that."""
        dense, sparse = self._dense, self._sparse
        wanted = 1
        while wanted < _MOST_AHEAD and number - 1 - wanted in dense:
            wanted += 1
        wanted = min(wanted, (self.size >> 16) - number, (self._frames.available - _PLENTY) // (4 * PAGES))
        first = None
        for each in range(number, number + wanted):
            if each in dense or each in sparse or self._add_granule(each) is None:
                break
            first = dense[number]
        return first

    def _add_granule(self, number: int) -> int | None:
        """Return where a whole new granule lies, which is absent; None: there is not enough for that."""
        budget = self._budget
        if budget is not None and budget.free_pages() < PAGES:
            return None
        try:
            base = self._frames.allocate_granule()
        except LinuxError:
            return None
        if budget is not None:
            budget.take_pages(PAGES)
        self._table.put_granule(number, base)
        self.resident += PAGES
        self._frames.shared.pages += PAGES
        if not self.promised:
            self._frames.commitment.pages += PAGES
        return base

    def _free(self, first: int, end: int) -> None:
        """Give pages back, which no mapping shows any more."""
        if self.resident:
            self._give_back(*self._table.take(first, end))

    def _give_back(self, granules: list[int], taken: list[int]) -> None:
        count = len(taken) + PAGES * len(granules)
        if not count:
            return
        if self.ran:
            for base in granules:
                taken += range(base, base + GRANULE, PAGE)
            granules.clear()
            self._frames.code.update(taken)
            if self.patched:
                self._rewritten()
        self.resident -= count
        self._frames.shared.pages -= count
        if not self.promised:
            self._frames.commitment.pages -= count
        if self._budget is not None:
            self._budget.used_pages -= count
        if len(taken) == 1:
            self._frames.drop(taken[0])
        elif taken:
            taken.reverse()  # so that they come back in order
            self._frames.drop_many(taken)
        if granules:
            self._frames.drop_granules(granules)
        if not self.resident and not self.mappings:
            self.executed = self.ran = False

    def _rewritten(self) -> None:
        """The kernel has changed bytes that may have been executed."""
        if self.patched:
            self.zap(0, END, False)
            self.forgotten()
        self._frames.flush_code()
