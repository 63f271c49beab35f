"""VMAs: the mappings of an address space, as mmap made them.

What a mapping is has three parts: where its pages come from (`backing`, `offset`), who may do what (`prot`, `max_prot`,
`flags` as mmap gave them) and what was said about it since: `marks`, a set of VM_* bits in one number, so that two
mappings are compared, and one is copied, in one step. Each bit has a name as an attribute, `vma.locked` and the like.

Neighbours that continue each other are one VMA (`joins`), as in Linux, because /proc/PID/maps shows it and because
max_map_count counts it. What continues what depends on two things that one would not expect:

- Anonymous memory has offsets too: its address when it was mapped. So memory that was moved by mremap after it was
  written to does not join its new neighbours; moved before, it has the offset of its new place.
- What was written to has an `anon` (Linux: anon_vma), a number that says which pages' histories are kept together.
  Pieces share it, a mapping that was never written to takes its neighbour's, and two that differ do not join. A child
  has new ones (negative), which do not even join memory that was never written to.
"""

from __future__ import annotations

from itertools import count

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


#: Return a number for `Vma.anon` that nothing has yet.
new_history = count(1).__next__


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
        "anon", "backing", "end", "flags", "location", "marks", "max_prot", "name", "offset", "opened", "prot",
        "shared", "space", "start",
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
        name: bytes = b"", location: object = None, max_prot: int = 7, opened: object = None,
    ) -> None:  # fmt: skip
        self.start = start
        self.end = end
        self.prot = prot
        self.flags = flags  # MAP_SHARED or MAP_PRIVATE, MAP_GROWSDOWN, MAP_NORESERVE
        self.shared = bool(flags & MAP_SHARED)
        self.backing = backing
        self.offset = start if backing is None else offset  # of `start` in the backing, bytes
        self.name = name  # of what has no file: "[vdso]", a segment's
        self.location = location  # of the mapped file, for /proc/PID/maps
        self.opened = opened  # the open file that was mapped: two openings of one file do not join
        self.max_prot = max_prot  # what mprotect may grant: a shared mapping of a read-only file never becomes writable
        self.marks = 0
        self.anon = 0  # whose history its private pages share, 0: never written to; negative: a child's
        self.space: AddressSpace | None = None  # whose mapping it is
        if backing is not None:
            backing.acquire(self)

    def piece(self, start: int, end: int) -> Vma:
        """Return a VMA like this one for a part of it."""
        copy: Vma = Vma.__new__(Vma)  # not __init__: fork copies many
        copy.start, copy.end, copy.offset = start, end, self.offset + start - self.start
        copy.prot, copy.flags, copy.shared, copy.max_prot = self.prot, self.flags, self.shared, self.max_prot
        copy.name, copy.location, copy.opened = self.name, self.location, self.opened
        copy.marks, copy.anon, copy.space = self.marks, self.anon, self.space
        backing = copy.backing = self.backing
        if backing is not None:
            backing.acquire(copy)
        return copy

    def drop(self) -> None:
        """Let the backing go; the VMA is dead."""
        if self.backing is not None:
            self.backing.release(self)

    def joins(self, other: Vma) -> bool:
        """Whether `other`, which starts where this one ends, continues it."""
        if self.end != other.start or self.prot != other.prot or self.marks != other.marks:
            return False
        mine, its = self.anon, other.anon
        return self.akin(other) and (mine == its or (not its and mine > 0) or (not mine and its > 0))

    def akin(self, other: Vma) -> bool:
        """Whether the pages of `other`, which starts where this one ends, follow this one's."""
        backing = self.backing
        return (
            self.end - self.start + self.offset == other.offset
            and backing is other.backing
            and self.flags == other.flags
            and self.max_prot == other.max_prot
            and self.opened is other.opened
            and self.name == other.name
            and (backing is None or backing.joins)
        )

    def follows(self, other: Vma) -> bool:
        """Whether `other`, which starts where this one ends, differs in nothing but its protection."""
        return self.marks == other.marks and self.akin(other)

    def swallow(self, other: Vma) -> None:
        """Take over the range of `other`, which this one joins; `other` is dead."""
        self.end = other.end
        self.inherit(other)

    def inherit(self, other: Vma) -> None:
        """Go on as `other`, too, whose range this one has taken over."""
        self.anon = self.anon or other.anon
        if other.backing is not None:
            other.backing.release(other)

    def __repr__(self) -> str:
        return f"<Vma {self.start:x}-{self.end:x} {self.prot:x}>"
