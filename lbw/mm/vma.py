"""VMAs: the mappings of an address space, as mmap made them.

What a mapping is has three parts: where its pages come from (`backing`, `offset`), who may do what (`prot`, `max_prot`,
`flags` as mmap gave them) and what was said about it since: `marks`, a set of VM_* bits in one number, so that two
mappings are compared, and one is copied, in one step. Each bit has a name as an attribute, `vma.locked` and the like.

Neighbours that continue each other are one VMA (`joins`).
"""

from __future__ import annotations

from lbw.abi.mman import MAP_SHARED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.backing import MappedObject


PAGE_MASK = 4095

# What was said about a mapping; bits of `Vma.marks`
VM_LOCKED, VM_LOCKONFAULT = 1 << 0, 1 << 1
VM_DONTCOPY, VM_WIPEONFORK, VM_DONTDUMP = 1 << 2, 1 << 3, 1 << 4
VM_SEQ_READ, VM_RAND_READ = 1 << 5, 1 << 6
VM_HUGEPAGE, VM_NOHUGEPAGE, VM_MERGEABLE = 1 << 7, 1 << 8, 1 << 9
VM_ACCOUNT = 1 << 10


def round_up(length: int) -> int:
    """Round up to whole pages."""
    return (length + PAGE_MASK) & ~PAGE_MASK


class Mark:
    """A bit of `Vma.marks` as an attribute that is true or false."""

    __slots__ = ("_bit",)

    def __init__(self, bit: int) -> None:
        self._bit = bit

    def __get__(self, vma: Vma, owner: type[Vma]) -> bool:
        return bool(vma.marks & self._bit)

    def __set__(self, vma: Vma, value: bool) -> None:
        vma.marks = vma.marks | self._bit if value else vma.marks & ~self._bit


class Vma:
    """A range mapped in one way; a `Region` for the Mmu."""

    __slots__ = (
        "backing", "end", "flags", "location", "marks", "max_prot", "name", "offset", "prot", "shared",
        "space", "start",
    )  # fmt: skip

    locked = Mark(VM_LOCKED)
    lock_on_fault = Mark(VM_LOCKONFAULT)
    dont_fork = Mark(VM_DONTCOPY)
    wipe_on_fork = Mark(VM_WIPEONFORK)  # a child gets the mapping, but not what is in it
    dont_dump = Mark(VM_DONTDUMP)  # core files leave it out
    sequential = Mark(VM_SEQ_READ)
    random = Mark(VM_RAND_READ)
    huge = Mark(VM_HUGEPAGE)
    never_huge = Mark(VM_NOHUGEPAGE)
    mergeable = Mark(VM_MERGEABLE)
    accounted = Mark(VM_ACCOUNT)  # all of its bytes are charged to overcommit

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
        self.marks = 0
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
        copy.marks = self.marks
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
            and self.marks == other.marks
            and (self.backing is None or self.offset + self.end - self.start == other.offset)
        )

    def __repr__(self) -> str:
        return f"<Vma {self.start:x}-{self.end:x} {self.prot:x}>"
