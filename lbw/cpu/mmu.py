"""The contract of memory: Mmus realise regions, whose pages come from backings.

The other half of `lbw.cpu.contracts`, where the constants are. `mm/` owns regions and backings and decides; Mmus do.
"""

from __future__ import annotations

#: What a resident page is: the process's own, a file's, of shared memory (content that is nowhere else); or the one
#: page of zeroes, which counts as not resident.
ANONYMOUS, FILE, SHARED_MEMORY, ZEROES = range(4)

#: The end of what programs can have.
USER_END = 1 << 47



class Census:
    """What several address spaces hold together, every frame counted once."""

    __slots__ = ("alone", "of_backings", "several", "tables")

    def __init__(self) -> None:
        self.tables: set[int] = set()  # page tables
        self.of_backings: set[int] = set()  # FILE and SHARED_MEMORY
        self.alone = 0  # ANONYMOUS with one reference
        self.several: set[int] = set()  # ANONYMOUS with more

    @property
    def anonymous(self) -> int:
        """How many ANONYMOUS frames there are."""
        return self.alone + len(self.several)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    class Backing(Protocol):
        """Where the pages of a file mapping come from."""

        ran: bool  # a mapping of it is known to be executable
        executed: bool  # pages that shared mappings may write to are executed: those stores must be noticed
        #: (page number of the address, page number in the file) -> the frame that a private, executable, not writable
        #: region shows there instead: a copy with patches.
        patched: dict[tuple[int, int], int]
        in_memory: bool  # its frames are the content itself: resident pages of it count as SHARED_MEMORY
        #: Whether `dirtied` is to be called: then shared pages are mapped writable only by a write to them.
        tracks_writes: bool

        def will_run(self) -> None:
            """Pages of it are about to be executed; may take pages away from mappings, and set `executed`."""

        def dirtied(self, page: int) -> None:
            """A shared region is about to write to `page`, which it shows read-only until now.

            LinuxError: the page cannot be written (SIGBUS).
            """

        def frame(self, page: int) -> int | None:
            """Return the physical address of the frame that holds 4 kB page `page` of the file, reading it if needed.

            None: the page lies wholly beyond the end of the file (the guest gets SIGBUS). The frame belongs to the
            backing, which keeps it at least as long as a region refers to the backing.
            """

        def cached_run(self, page: int, count: int) -> list[int]:
            """Return what is in memory of `count` pages from `page` on.

            Physical addresses, 0 for absent ones; it never reads.
            """

    class Region(Protocol):
        """A range of the address space that is mapped in one way (a VMA)."""

        start: int  # byte address, page-aligned
        end: int
        prot: int  # PROT_*
        offset: int  # byte offset in the backing of `start`, page-aligned
        shared: bool

        @property
        def backing(self) -> Backing | None:
            """Where pages come from; None: anonymous, zero-filled."""

    class FrameAllocator(Protocol):
        """The frames of guest-physical memory, with reference counts."""

        def allocate(self) -> int:
            """Return the physical address of a zeroed frame with one reference.  LinuxError(ENOMEM)"""

        def share(self, address: int) -> None:
            """Add a reference."""

        def drop(self, address: int) -> None:
            """Drop a reference; the last one frees the frame."""

        def references(self, address: int) -> int:
            """Return how many references the frame has."""

    class Mmu(Protocol):
        """One address space of the processor: realises regions lazily, and gives the kernel access to their bytes.

        Addresses are guest-virtual, 64-bit, ranges are half open and page-aligned except in the byte accessors.
        """

        tables: int  # pages that hold its page tables
        #: Asked whether the patched copy may be used at a page number; None: always.
        permits: Callable[[int], bool] | None

        @property
        def resident(self) -> int:
            """How many pages are resident, of any kind but ZEROES."""

        @property
        def peak(self) -> int:
            """The most that `resident` has been."""

        def forget_peak(self) -> None:
            """Let the peak be what is resident now."""

        def usage(self, start: int = 0, end: int = USER_END) -> tuple[int, int, int, int]:
            """Return how many resident pages the range has: (ANONYMOUS, FILE, SHARED_MEMORY), and `tables`, of all."""

        def pages(self, start: int = 0, end: int = USER_END) -> Iterator[tuple[int, int, int, bool]]:
            """Yield (address, frame, kind, writable) of each page that is present, whatever its protection.

            A writable page can be stored to without a fault. Nothing may change meanwhile. Patched text is told as it
            was.
            """

        def age(self, start: int, end: int) -> None:
            """Note that no page of the range was accessed: for all who share its page tables."""

        def referenced(self, start: int, end: int) -> int:
            """Return how many resident pages of the range were accessed since they came, or since `age`."""

        def owned(self, start: int, end: int) -> Iterator[tuple[int, list[int]]]:
            """Yield the frames of the ANONYMOUS pages of a range, for each page table: (address >> 21, frames)."""

        def shown(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
            """Yield where FILE and SHARED_MEMORY pages of a range are, by page table: address, how many pages, bytes.

            The bytes, one for each page, are a number, little endian: 1 for such a page, 0 for others.
            """

        def sharing(self) -> dict[int, int]:
            """Return how many address spaces share the page table at `address >> 21`, where more than one does.

            So many show an ANONYMOUS page whose frame has one reference.
            """

        def mappers(self) -> dict[int, int]:
            """Return how many address spaces show each ANONYMOUS frame that has several references.

            It takes a while: 50 ns for each page of all address spaces.
            """

        def enter(self, census: Census) -> None:
            """Add what the address space holds."""

        def touch(self, region: Region, address: int, access: int, reported: bool = False) -> bool:
            """Make the page at `address` usable for `access`, which `region.prot` allows.

            `reported`: the answer to a page fault of the processor that said PF_PRESENT, not an access by the kernel.
            False: the page lies beyond the end of the backing file. LinuxError(ENOMEM): no memory left.
            """

        def populate(self, region: Region, start: int, end: int, access: int) -> bool:
            """Make all pages of a range usable for `access`, as `touch` does.

            False: some lie beyond the end of the backing. LinuxError(ENOMEM): some may be usable now.
            """

        # These three may raise LinuxError(ENOMEM); then nothing has changed.

        def unmap(self, start: int, end: int) -> None:
            """Forget all pages of the range."""

        def protect(self, start: int, end: int, prot: int) -> None:
            """Apply `prot` to the pages that are present."""

        def move(self, start: int, end: int, target: int) -> None:
            """Move the pages of the range to `target` (mremap); the ranges do not overlap."""

        # These two cannot fail, and change tables that are shared after a fork in place: for all who share them.

        def zap(self, start: int, end: int, private: bool) -> None:
            """Forget the pages of backings in the range; the process's own copies too if `private`."""

        def clean(self, start: int, end: int) -> None:
            """Make the pages of shared backings in the range read-only; the next write is a fault."""

        def fork(self) -> Mmu:
            """Return a copy-on-write copy."""

        def view(self, address: int, length: int, write: bool) -> memoryview | None:
            """Return the bytes at `address`, which must not cross a page, as guest memory itself.

            None: the page is not present for this access; `touch` it and ask again. With `write`, translated code of
            the page is invalidated if there can be any.
            """

        def reveal(self, address: int, frame: int, writable: bool) -> None:
            """Map `frame`, which is not the guest's, at `address`: executable or writable.  LinuxError(ENOMEM)

            The kernel's own accesses do not see it.
            """

        def present(self, start: int, end: int) -> Iterator[tuple[int, memoryview, bool]]:
            """Yield (address, bytes, private) for each page of the range that is present, whatever its protection.

            Private pages are the process's own. Zeroes that were only read count as absent, patched text is as it was.
            """

        def shows(self, address: int, frame: int) -> bool:
            """Tell whether unchanged code of the backing's `frame`, or a patched copy of it, is at `address`."""

        def restore(self, address: int) -> None:
            """Forget the page at `address` if it is a patched copy."""

        def release(self) -> None:
            """Give everything back; the Mmu is dead afterwards."""
