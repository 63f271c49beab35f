"""VMAs: the mappings of an address space, as mmap made them."""

from __future__ import annotations

from lbw.abi.mman import MAP_SHARED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.backing import MappedObject


PAGE_MASK = 4095


def round_up(length: int) -> int:
    """Round up to whole pages."""
    return (length + PAGE_MASK) & ~PAGE_MASK


class Vma:
    """A range mapped in one way; a `Region` for the Mmu."""

    __slots__ = (
        "backing", "dont_dump", "dont_fork", "end", "flags", "location", "max_prot", "name", "offset", "prot", "shared",
        "space", "start", "wipe_on_fork",
    )  # fmt: skip

    def __init__(
        self, start: int, end: int, prot: int, flags: int, backing: MappedObject | None, offset: int,
        name: bytes = b"", location: object = None, max_prot: int = 7,
    ) -> None:  # fmt: skip
        self.start = start
        self.end = end
        self.prot = prot
        self.flags = flags  # MAP_SHARED or MAP_PRIVATE, MAP_GROWSDOWN, MAP_NORESERVE, ...
        self.shared = bool(flags & MAP_SHARED)
        self.backing = backing
        self.offset = offset  # of `start` in the backing, bytes
        self.name = name  # "[heap]", "[stack]", or empty
        self.location = location  # of the mapped file, for /proc/PID/maps
        self.max_prot = max_prot  # what mprotect may grant: a shared mapping of a read-only file never becomes writable
        self.dont_dump = False  # core files leave it out
        self.dont_fork = False
        self.wipe_on_fork = False  # a child gets the mapping, but not what is in it
        self.space: AddressSpace | None = None  # whose mapping it is
        if backing is not None:
            backing.acquire(self)

    def piece(self, start: int, end: int) -> Vma:
        """Return a VMA like this one for a part of it."""
        copy = Vma(
            start, end, self.prot, self.flags, self.backing, self.offset + start - self.start,
            self.name, self.location, self.max_prot,
        )  # fmt: skip
        copy.space = self.space
        copy.dont_fork, copy.wipe_on_fork, copy.dont_dump = self.dont_fork, self.wipe_on_fork, self.dont_dump
        return copy

    def drop(self) -> None:
        """Let the backing go; the VMA is dead."""
        if self.backing is not None:
            self.backing.release(self)

    def joins(self, other: Vma) -> bool:
        """Whether `other`, which starts where this one ends, continues it."""
        return (
            self.end == other.start
            and self.prot == other.prot
            and self.flags == other.flags
            and self.backing is other.backing
            and self.name == other.name
            and self.dont_fork == other.dont_fork
            and self.dont_dump == other.dont_dump
            and self.wipe_on_fork == other.wipe_on_fork
            and (self.backing is None or self.offset + self.end - self.start == other.offset)
        )

    def __repr__(self) -> str:
        return f"<Vma {self.start:x}-{self.end:x} {self.prot:x}>"
