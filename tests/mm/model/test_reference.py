"""Random sequences on address spaces without programs, against a reference that knows bytes only.

With the page tables of the Unicorn machine, whose accesses are those of the kernel and of page faults as the processor
reports them; after every operation all invariants hold and every byte is right.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from file_source import FileSource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from invariants import Checker
from reference import ACCERR, BUS, MAPERR, PAGE, Object, Page, Process

from lbw.abi.errno import EFAULT, ENOMEM, LinuxError
from lbw.abi.mman import (
    MADV_DOFORK,
    MADV_DONTFORK,
    MADV_DONTNEED,
    MADV_KEEPONFORK,
    MADV_WIPEONFORK,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    MREMAP_DONTUNMAP,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
)  # fmt: skip
from lbw.abi.signal import SEGV_MAPERR, SIGBUS
from lbw.cpu.contracts import PF_USER, PF_WRITE
from lbw.mm.address_space import AddressSpace
from lbw.mm.advice import madvise
from lbw.mm.backing import MappedObject
from lbw.mm.faults import SegmentationFault
from lbw.mm.remap import mremap
from lbw.mm.shared import SharedMemory

Result = TypeVar("Result")

ARENA = 0x1_FFFF_A000 >> 12  # across the end of a leaf table
PAGES = 12
#: Pages of the file and of the shared object.
SIZES = (6, 5)

place = st.integers(0, PAGES - 1)
count = st.sampled_from([1, 1, 2, 3, 4, 8])
prot = st.sampled_from([0, 1, 1, 3, 3, 3, 5, 7])
who = st.integers(0, 2)
thing = st.sampled_from([None, None, 0, 0, 1])
text = st.binary(min_size=1, max_size=4)
operation = st.one_of(
    st.tuples(st.just("map"), who, place, count, prot, st.booleans(), thing, st.integers(0, 6)),
    st.tuples(st.just("map"), who, place, count, prot, st.booleans(), thing, st.integers(0, 6)),
    st.tuples(st.just("unmap"), who, place, count), st.tuples(st.just("protect"), who, place, count, prot),
    st.tuples(st.just("move"), who, place, count, place, count, st.sampled_from([0, 0, 0, MREMAP_DONTUNMAP])),
    st.tuples(st.just("advise"), who, place, count, st.sampled_from(
        [MADV_DONTNEED, MADV_DONTNEED, MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK, MADV_KEEPONFORK])),
    st.tuples(st.just("fork"), who, who), st.tuples(st.just("end"), who),
    st.tuples(st.just("load"), who, place, st.integers(0, PAGE - 4)),
    st.tuples(st.just("store"), who, place, st.integers(0, PAGE - 4), text),
    st.tuples(st.just("store"), who, place, st.integers(0, PAGE - 4), text),
    st.tuples(st.just("copy in"), who, place, st.integers(0, PAGE - 1), st.integers(1, 3 * PAGE)),
    st.tuples(st.just("write"), st.integers(0, 1), st.integers(0, 6 * PAGE), text),
    st.tuples(st.just("truncate"), st.integers(0, 1), st.sampled_from([0, 1, PAGE, PAGE + 1, 2 * PAGE, 3 * PAGE + 7])),
    st.tuples(st.just("grow"), st.integers(0, 1), st.integers(0, 6 * PAGE)),
    st.tuples(st.just("sync")),
)  # fmt: skip


class Shortage:
    """Lets the N-th allocation from now on fail."""

    def __init__(self, frames) -> None:  # type: ignore[no-untyped-def]
        self.left = -1
        self.hit = False
        for name in ("allocate", "allocate_copy", "allocate_granule", "allocate_many"):
            setattr(frames, name, self.counted(getattr(type(frames), name).__get__(frames)))

    def counted(self, allocate: Callable[[int], Result]) -> Callable[..., Result]:
        def call(*arguments: int) -> Result:
            if self.left == 0:
                self.hit = True
                raise LinuxError(ENOMEM)
            self.left -= 1
            return allocate(*arguments)

        return call


class World:
    """lbw's address spaces, and the reference."""

    def __init__(self, bench) -> None:  # type: ignore[no-untyped-def]
        self.bench = bench
        self.base = bench.frames.used
        self.shortage = Shortage(bench.frames)
        self.moment = -1  # the allocation that fails in each operation
        self.spaces: list[AddressSpace | None] = [bench.space(), None, None]
        self.processes: list[Process | None] = [Process(), None, None]
        content = bytes(range(1, 252)) * 100
        self.source = FileSource(content[: SIZES[0] * PAGE - 100])
        self.file = bench.page_cache.file("model", self.source)
        self.shared = SharedMemory(bench.frames, 0)
        self.shared.held = True
        self.shared.write(memoryview(content[: SIZES[1] * PAGE]), 0)
        self.backings: list[MappedObject] = [self.file, self.shared]
        self.things = [Object(content[: SIZES[0] * PAGE - 100]), Object(content[: SIZES[1] * PAGE])]

    def attempt(self, call: Callable[[], Result]) -> Result:
        """Do something; if memory runs out in the middle of it, see that nothing is wrong, and do it again."""
        shortage = self.shortage
        shortage.left, shortage.hit = self.moment, False
        try:
            return call()
        except (LinuxError, SegmentationFault):
            if not shortage.hit:
                raise
        finally:
            shortage.left = -1
        self.check()
        return call()

    def perform(self, name: str, *arguments: int) -> None:
        """Do an operation in both worlds."""
        if name in ("write", "truncate", "grow", "sync"):
            getattr(self, name)(*arguments)
            return
        number, *rest = arguments
        living = [index for index, space in enumerate(self.spaces) if space is not None]
        if living:
            number = living[number % len(living)]
        space, process = self.spaces[number], self.processes[number]
        if space is not None and process is not None:
            if name == "end":
                space.release()
                self.spaces[number] = self.processes[number] = None
            elif name == "fork":
                if self.spaces[rest[0]] is None:
                    self.spaces[rest[0]], self.processes[rest[0]] = self.attempt(space.fork), process.fork()
            else:
                getattr(self, name.replace(" ", "_"))(space, process, *rest)
        elif name == "map" and not any(self.spaces):
            self.spaces[number], self.processes[number] = self.bench.space(), Process()

    def map(
        self, space: AddressSpace, process: Process, at: int, count: int, prot: int, shared: bool, thing: int | None,
        offset: int,
    ) -> None:  # fmt: skip
        flags = MAP_FIXED | (MAP_SHARED if shared else MAP_PRIVATE) | (MAP_ANONYMOUS if thing is None else 0)
        backing = None if thing is None else self.backings[thing]
        start = offset << 12 if backing else 0
        self.attempt(lambda: space.mmap(ARENA + at << 12, count << 12, prot, flags, backing, start))
        known = Object(bytes(count * PAGE)) if thing is None and shared else self.things[thing] if backing else None
        process.map(at, count, prot, shared, known, offset if backing else 0)

    def unmap(self, space: AddressSpace, process: Process, at: int, count: int) -> None:
        self.attempt(lambda: space.munmap(ARENA + at << 12, count << 12))
        process.unmap(at, count)

    def protect(self, space: AddressSpace, process: Process, at: int, count: int, prot: int) -> None:
        succeeds = process.protect(at, count, prot)
        try:
            self.attempt(lambda: space.mprotect(ARENA + at << 12, count << 12, prot))
            assert succeeds
        except LinuxError as error:
            assert error.errno == ENOMEM and not succeeds

    def advise(self, space: AddressSpace, process: Process, at: int, count: int, advice: int) -> None:
        pages = [process.pages.get(number) for number in range(at, at + count)]
        if advice == MADV_WIPEONFORK and any(page and (page.shared or page.thing) for page in pages):
            return  # EINVAL somewhere in the middle
        whole = None not in pages
        if advice == MADV_DONTNEED:
            process.discard(at, count)
        for page in filter(None, pages):
            page.left = advice == MADV_DONTFORK or (page.left and advice != MADV_DOFORK)
            page.wiped = advice == MADV_WIPEONFORK or (page.wiped and advice != MADV_KEEPONFORK)
        try:
            self.attempt(lambda: madvise(space, ARENA + at << 12, count << 12, advice))
            assert whole
        except LinuxError as error:
            assert error.errno == ENOMEM and not whole

    def move(
        self, space: AddressSpace, process: Process, old: int, count: int, new: int, length: int, extra: int
    ) -> None:
        vma = space.find(ARENA + old << 12)
        if vma is None or vma.end < ARENA + old + count << 12 or (old < new + length and new < old + count):
            return
        if extra:
            length = count
        if length < count:
            self.moment = -1  # the end is cut off first, and stays off
        flags = MREMAP_MAYMOVE | MREMAP_FIXED | extra
        self.attempt(lambda: mremap(space, ARENA + old << 12, count << 12, length << 12, flags, ARENA + new << 12))
        process.move(old, count, new, length, bool(extra))

    def load(self, space: AddressSpace, process: Process, at: int, offset: int) -> None:
        found = self.attempt(lambda: access(space, ARENA + at << 12, offset, b""))
        expected = process.read(at)
        assert found == (expected if isinstance(expected, str) else expected[offset : offset + 4])

    def store(self, space: AddressSpace, process: Process, at: int, offset: int, data: bytes) -> None:
        before = process.read(at)
        refusal = process.write(at, offset, data)
        found = self.attempt(lambda: access(space, ARENA + at << 12, offset, data))
        page = process.pages.get(at)
        assert found == (refusal if refusal else b"")
        if refusal is None and page is not None and page.thing is not None and page.shared:
            self.forget_tail(page, before, offset, data, space, at)

    def forget_tail(
        self, page: Page, before: bytes | str, offset: int, data: bytes, space: AddressSpace, at: int
    ) -> None:
        """Bytes behind the end of a file that a store has left in its last page: make them zeros again."""
        assert page.thing is not None
        end = len(page.thing.data) - page.number * PAGE
        if end < offset + len(data):
            start = max(end, offset)
            assert access(space, ARENA + at << 12, start, bytes(offset + len(data) - start)) == b""

    def copy_in(self, space: AddressSpace, process: Process, at: int, offset: int, length: int) -> None:
        """The kernel writes: all, or EFAULT, and then up to the first bad page."""
        data = bytes((offset + index) % 255 + 1 for index in range(length))
        done = 0
        refused = False
        while done < length:
            number, inside = divmod(at * PAGE + offset + done, PAGE)
            part = min(PAGE - inside, length - done)
            page = process.pages.get(number)
            if page is not None and page.shared and page.thing is not None:
                return  # tails of files; `store` sees to those
            refused = isinstance(process.read(number, 2), str)
            if refused:
                break
            done += part
        place = (ARENA + at << 12) + offset
        index = 0
        while index < done:
            number, inside = divmod(at * PAGE + offset + index, PAGE)
            process.write(number, inside, data[index : min(index + PAGE - inside, done)])
            index += PAGE - inside
        try:
            self.attempt(lambda: space.write(place, data))
            assert not refused
        except LinuxError as error:
            assert error.errno == EFAULT and refused

    # Files

    def write(self, which: int, offset: int, data: bytes) -> None:
        known = self.things[which]
        if offset > len(known.data):
            known.data += bytes(offset - len(known.data))
        known.data[offset : offset + len(data)] = data
        if which:
            done = 0
            while done < len(data):
                rest = memoryview(data)[done:]
                done += self.attempt(partial(self.shared.write, rest, offset + done))
            return
        source = self.source
        source.data += bytes(max(0, offset - len(source.data)))
        source.data[offset : offset + len(data)] = data
        source.time += 1
        self.file.written([memoryview(data)], offset, len(data))
        self.file.adopt(source.stamp())

    def truncate(self, which: int, size: int) -> None:
        known = self.things[which]
        if size > len(known.data):
            self.grow(which, size)
            return
        del known.data[size:]
        for process in filter(None, self.processes):
            process.truncated(known)
        self.resize(which, size)

    def grow(self, which: int, size: int) -> None:
        known = self.things[which]
        if size > len(known.data):
            known.data += bytes(size - len(known.data))
            self.resize(which, size)

    def resize(self, which: int, size: int) -> None:
        if which:
            self.shared.truncate(size)
            return
        source = self.source
        source.data = (source.data + bytes(size))[:size]
        source.time += 1
        self.file.resized(size)
        self.file.adopt(source.stamp())

    def sync(self) -> None:
        self.bench.page_cache.sync()
        assert self.source.data == self.things[0].data

    def compare(self) -> None:
        """Everything is as the reference says."""
        for space, process in zip(self.spaces, self.processes, strict=True):
            if space is None or process is None:
                continue
            mapped = {page - ARENA for vma in space.vmas for page in range(vma.start >> 12, vma.end >> 12)}
            assert mapped == set(process.pages)
            for number in range(PAGES + 8):
                expected = process.read(number)
                try:
                    found: bytes | None = space.read(ARENA + number << 12, PAGE)
                except LinuxError:
                    found = None
                assert found == (None if isinstance(expected, str) else expected), number

    def check(self) -> None:
        """The invariants hold."""
        spaces = [space for space in self.spaces if space is not None]
        shown = {id(vma.backing): vma.backing for space in spaces for vma in space.vmas if vma.backing is not None}
        shown |= {id(backing): backing for backing in self.backings}
        Checker(self.bench.engine, spaces, list(shown.values())).run()

    def finish(self) -> None:
        self.sync()
        for space in filter(None, self.spaces):
            space.release()
        assert not self.file.mappings and not self.shared.mappings
        self.shared.let_go()
        self.file.forget()
        self.bench.page_cache.files.pop("model", None)
        assert self.bench.frames.used == self.base


def access(space: AddressSpace, start: int, offset: int, data: bytes) -> bytes | str:
    """Store `data`, or load four bytes, as the processor does: fault until the page is there."""
    write = bool(data)
    view = space.mmu.view(start + offset, len(data) or 4, write)
    if view is None or write:
        try:
            for _ in range(3):
                space.fault(start + offset, PF_USER | (PF_WRITE if write else 0))
                view = space.mmu.view(start + offset, len(data) or 4, write)
                if view is not None:
                    break
        except SegmentationFault as fault:
            if fault.signo == SIGBUS:
                return BUS
            return MAPERR if fault.code == SEGV_MAPERR else ACCERR
    assert view is not None
    if write:
        view[:] = data
        return b""
    return view.tobytes()


def test_address_spaces_are_what_the_reference_is(bench) -> None:  # type: ignore[no-untyped-def]
    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(operation, min_size=4, max_size=30))
    def run(operations: list[tuple]) -> None:  # type: ignore[type-arg]
        live(World(bench), [(each, -1) for each in operations])

    run()


def test_memory_that_runs_out_in_the_middle_spoils_nothing(bench) -> None:  # type: ignore[no-untyped-def]
    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(operation, st.sampled_from([-1, 0, 0, 0, 1, 1, 2, 3, 5])), min_size=4, max_size=30))
    def run(operations: list[tuple[tuple, int]]) -> None:  # type: ignore[type-arg]
        live(World(bench), operations)

    run()


def live(world: World, operations: list[tuple[tuple, int]]) -> None:  # type: ignore[type-arg]
    """Do all operations, each with the allocation that fails first, and compare."""
    for each, world.moment in operations:
        world.perform(*each)
    world.check()
    world.compare()
    world.check()
    world.finish()
