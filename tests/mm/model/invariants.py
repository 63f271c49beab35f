"""What must be true of the memory of a machine at any time between two system calls: a checker for every test.

`check(engine)` walks all address spaces, their page tables, VMAs and backings, and fails with all that is wrong:

- frames: each is referenced as often as it can be reached, by entries that own it, by tables that lead to tables, by
  backings and patched copies; `Frames.used` counts those that are. What nothing known reaches is the kernel's own:
  `kernel_frames` counts it, and tests of leaks compare;
- VMAs: sorted, apart, found by their addresses; each is in the reverse map of its backing, and what is there is alive;
  the sums (`total`, `data`, `locked_pages`, Committed_AS) are those of the VMAs;
- entries: where a VMA is, with no more rights than it has, and the frame that its backing has for the page; shared ones
  own nothing, clean pages of files that track writes cannot be written to; what is revealed is a hidden page;
- what the kernel remembers of translations is what the tables say.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator

from lbw.cpu.contracts import PAGE
from lbw.cpu.unicorn.engine import UnicornEngine
from lbw.cpu.unicorn.page_bits import FRAME, NX, PRESENT, USER
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE
from lbw.cpu.unicorn.page_tables import PageTables
from lbw.cpu.unicorn.table_tree import HIDDEN, OWNED, PATCHED, SHARED, ZERO
from lbw.mm.address_space import AddressSpace
from lbw.mm.backing import MappedObject
from lbw.mm.file_pages import FilePages
from lbw.mm.overcommit import accountable
from lbw.mm.room import is_data
from lbw.mm.shared_pages import SharedPages
from lbw.mm.vma import Vma

PROT_WRITE, PROT_EXEC = 2, 4
Entry = tuple[int, int, int]


class Checker:
    """One look at everything."""

    def __init__(self, engine: UnicornEngine, spaces: list[AddressSpace], backings: list[MappedObject]) -> None:
        self.engine = engine
        self.frames = engine.frames
        self.words = engine.frames.ram.words
        self.spaces = spaces
        self.backings = backings
        self.expected: Counter[int] = Counter()
        self.seen: set[int] = set()  # page tables
        self.problems: list[str] = []

    def fail(self, *words: object) -> None:
        self.problems.append(" ".join(str(word) for word in words))

    # Frames

    def count_tables(self, table: int, shift: int) -> int:
        """Count what a table and those below refer to; return how many tables that are, shared ones too."""
        found = 1
        first = table in self.seen
        self.seen.add(table)
        words = self.words[table >> 3 : (table >> 3) + (256 if shift == 39 else 512)].tolist()
        for entry in filter(None, words):
            if shift == 12:
                if entry & OWNED and not first:
                    self.expected[entry & FRAME] += 1
            else:
                if not first:
                    self.expected[entry & FRAME] += 1
                found += self.count_tables(entry & FRAME, shift - 9)
        return found

    def count_backing(self, backing: MappedObject) -> None:
        """Count the frames that a backing keeps."""
        self.expected.update(backing.patched.values())
        if isinstance(backing, SharedPages):
            table = backing._table
            kept = [frame for chunk in table.sparse.values() for frame in chunk if frame]
            kept += [base + at * PAGE for base in table.dense.values() for at in range(16)]
            if backing.resident != len(kept):
                self.fail(backing, "has", len(kept), "pages, not", backing.resident)
            if kept and not backing.mappings and not backing.held and not isinstance(backing, FilePages):
                self.fail(backing, "is held by nobody and keeps", len(kept), "pages")
        elif isinstance(backing, FilePages):
            kept = [frame for chunk in backing.chunks.values() for frame in chunk if frame]
            if backing.present != len(kept):
                self.fail(backing, "has", len(kept), "pages, not", backing.present)
            for page in backing.dirty:
                if backing.cached_run(page, 1) in ([], [0]):
                    self.fail(backing, "has a dirty page", page, "that is not there")
        else:
            kept = []
        if len(set(kept)) < len(kept):
            self.fail(backing, "has a frame twice")
        self.expected.update(kept)

    def check_frames(self) -> int:
        """Compare the counts; return how many frames nothing explains."""
        counts = self.frames._counts
        actual = {number * PAGE: count for number, count in enumerate(counts.tolist()) if count}
        if len(actual) != self.frames.used:
            self.fail("frames.used is", self.frames.used, "but", len(actual), "have references")
        for frame, wanted in self.expected.items():
            if actual.get(frame, 0) != wanted:
                self.fail(f"frame {frame:#x} has {actual.get(frame, 0)} references, not {wanted}")
        free = Counter(self.frames._free) + Counter(self.frames._fresh) + Counter(self.frames._retired)
        for frame, times in free.items():
            if times > 1 or frame in actual:
                self.fail(f"frame {frame:#x} is free {times} times, with {actual.get(frame, 0)} references")
        if len(free) + len(actual) != self.frames.granules.out * 16:
            self.fail(self.frames.granules.out, "granules are out, frames:", len(free), "free and", len(actual), "used")
        others = [frame for frame in actual if frame not in self.expected]
        for frame in others:
            if actual[frame] != 1:
                self.fail(f"frame {frame:#x} of the kernel has {actual[frame]} references")
        return len(others)

    # Address spaces

    def check_list(self, space: AddressSpace) -> None:
        """VMAs, the reverse map, the sums."""
        end = 0
        vmas = list(space.vmas)
        for vma in vmas:
            if not end <= vma.start < vma.end or (vma.start | vma.end | vma.offset) & 4095:
                self.fail(space, vma, "after", hex(end))
            end = vma.end
            if space.vmas.find(vma.start) is not vma or space.vmas.find(vma.end - 1) is not vma:
                self.fail(vma, "is not found")
            if vma.space is not space:
                self.fail(vma, "is said to be in", vma.space)
            if vma.backing is not None and vma not in vma.backing.mappings:
                self.fail(vma, "is not in the reverse map of", vma.backing)
            if accountable(vma.prot, vma.flags) and not vma.accounted and not vma.flags & 0x4000:
                self.fail(vma, "can be written to and is not charged")
        if len(vmas) != len(space.vmas):
            self.fail(space, "counts", len(space.vmas), "VMAs, not", len(vmas))
        for name, wanted in (
            ("total", sum(vma.end - vma.start for vma in vmas)),
            ("data", sum(vma.end - vma.start for vma in vmas if is_data(vma.prot, vma.flags))),
            ("locked_pages", sum(vma.end - vma.start >> 12 for vma in vmas if vma.locked)),
        ):
            if getattr(space, name) != wanted:
                self.fail(space, name, "is", getattr(space, name), "not", wanted)

    def check_entries(self, space: AddressSpace, mmu: PageTables) -> None:
        """Every entry of a table."""
        vma: Vma | None = None
        held = 0
        found = {}
        for address, entry, rights in self.entries(mmu.root):
            found[address >> 12] = entry, rights
            where = f"{address:#x}: entry {entry:#x}"
            if entry & HIDDEN:
                if space.vmas.find(address) is not None:
                    self.fail(where, "is hidden, in", vma)
                continue
            held += not entry & ZERO
            if vma is None or not vma.start <= address < vma.end:
                vma = space.vmas.find(address)
                if vma is None:
                    self.fail(where, "is where nothing is mapped")
                    continue
            self.check_entry(where, vma, address, entry, bool(rights and entry & WRITABLE))
        if mmu.resident != held:
            self.fail(space, "has", held, "resident pages, not", mmu.resident)
        for remembered, write in ((mmu.readable, False), (mmu.writable, True)):
            for number, frame in remembered.items():
                self.check_memory(number, frame, write, found.get(number, (0, 0)))

    def check_entry(self, where: str, vma: Vma, address: int, entry: int, writable: bool) -> None:
        """One entry against its VMA and the backing."""
        frame, backing = entry & FRAME, vma.backing
        page = vma.offset + address - vma.start >> 12
        if bool(entry & USER) != bool(vma.prot) or not entry & PRESENT:
            self.fail(where, "has not the rights of", vma)
        stores = backing is not None and vma.shared and vma.prot & PROT_WRITE and backing.executed
        if not entry & NX and not vma.prot & PROT_EXEC and not stores:
            self.fail(where, "is executable, in", vma)
        lazy = entry & OWNED and vma.prot & PROT_WRITE  # executable when it is executed
        if entry & NX and vma.prot & PROT_EXEC and not lazy:
            self.fail(where, "is not executable, in", vma)
        if writable and not vma.prot & PROT_WRITE:
            self.fail(where, "is writable, in", vma)
        if entry & OWNED:
            if vma.shared:
                self.fail(where, "is private, in", vma)
            if writable and self.frames.references(frame) != 1:
                self.fail(where, "is writable, and others have it too", vma)
        elif entry & ZERO:
            if frame != self.frames.zero or writable or backing is not None:
                self.fail(where, "is not zeroes, in", vma)
        elif backing is None:
            self.fail(where, "shows a backing, in", vma)
        else:
            if entry & PATCHED:
                if vma.shared or backing.patched.get((address >> 12, page)) != frame:
                    self.fail(where, "is patched, in", vma)
                frame = self.engine.originals[frame]
            if backing.cached_run(page, 1) != [frame]:
                self.fail(where, "is not page", page, "of", backing, [hex(x) for x in backing.cached_run(page, 1)])
            if bool(entry & SHARED) != vma.shared or (writable and not vma.shared):
                self.fail(where, "is not shared as is", vma)
            if writable and isinstance(backing, FilePages) and page not in backing.dirty:
                self.fail(where, "is writable and clean, in", vma)

    def check_memory(self, number: int, frame: int, write: bool, found: tuple[int, int]) -> None:
        """What the kernel remembers of a page."""
        entry, rights = found
        shown = self.engine.originals.get(entry & FRAME, 0) if entry & PATCHED else entry & FRAME
        if shown != frame or not entry & USER or entry & HIDDEN:
            self.fail(f"the kernel remembers {number << 12:#x} at {frame:#x}, the entry is {entry:#x}")
        elif write and not entry & rights & WRITABLE:
            self.fail(f"the kernel remembers {number << 12:#x} as writable, the entry is {entry:#x}")

    def entries(self, table: int, shift: int = 39, base: int = 0, rights: int = WRITABLE) -> Iterator[Entry]:
        """Yield (address, entry, what the levels above leave of W) of all that is present."""
        size = 256 if shift == 39 else 512
        for index, entry in enumerate(self.words[table >> 3 : (table >> 3) + size].tolist()):
            if entry:
                address = base + (index << shift)
                if shift == 12:
                    yield address, entry, rights
                else:
                    yield from self.entries(entry & FRAME, shift - 9, address, rights & entry)

    def check_backings(self) -> None:
        """The reverse map leads to what lives."""
        alive = {id(vma) for space in self.spaces for vma in space.vmas}
        for backing in self.backings:
            for vma in backing.mappings:
                if id(vma) not in alive:
                    self.fail(backing, "knows", vma, "which is not mapped")
                if vma.backing is not backing:
                    self.fail(backing, "knows", vma, "which shows", vma.backing)

    def run(self) -> int:
        """Check everything; return how many frames are the kernel's own."""
        mmus = {id(space.mmu): space for space in self.spaces}
        for mmu in self.engine.spaces:
            tables = self.count_tables(mmu.root, 39)
            self.expected[mmu.root] += 1
            if mmu.tables != tables:
                self.fail(mmu, "has", tables, "tables, not", mmu.tables)
            if id(mmu) not in mmus:
                self.fail(mmu, "belongs to no address space")
        for backing in self.backings:
            self.count_backing(backing)
        kernel = self.check_frames()
        for space in self.spaces:
            self.check_list(space)
            if space.mmu in self.engine.spaces:
                self.check_entries(space, space.mmu)  # type: ignore[arg-type]
            else:
                self.fail(space, "has a dead Mmu")
        self.check_backings()
        if self.problems:
            raise AssertionError(f"{len(self.problems)} problems:\n" + "\n".join(self.problems[:20]))
        return kernel


def living(engine: UnicornEngine) -> tuple[list[AddressSpace], list[MappedObject]]:
    """Return all address spaces and backings on the memory of `engine`."""
    spaces, backings = [], []
    for each in gc.get_objects():
        if isinstance(each, AddressSpace):
            if each.users > 0 and each.frames is engine.frames:
                spaces.append(each)
        elif isinstance(each, MappedObject):
            home = each._frames if isinstance(each, SharedPages) else getattr(each, "cache", None)
            if home is None or home is engine.frames or getattr(home, "frames", None) is engine.frames:
                backings.append(each)
    return spaces, backings


def check(engine: UnicornEngine) -> int:
    """AssertionError: something is wrong with the memory of `engine`. Return how many frames are the kernel's own."""
    return Checker(engine, *living(engine)).run()
