"""Shared memory against a plain string of bytes, read and written by calls and by mappings; sizes no memory holds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lbw.abi.errno import EBUSY, ENOMEM, ENOSPC, ENXIO, EPERM, LinuxError
from lbw.abi.fcntl import F_SEAL_EXEC, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE
from lbw.abi.mman import MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.abi.signal import SIGBUS
from lbw.cpu.contracts import GRANULE, PAGE, PF_FETCH, PF_WRITE
from lbw.host.memory import Ram
from lbw.mm.faults import SegmentationFault
from lbw.mm.frames import Frames
from lbw.mm.shared import SharedMemory
from lbw.vfs.tmpfs.filesystem import TmpFileSystem
from lbw.vfs.tmpfs.inode import TmpInode

SPAN = 4 * GRANULE
OFFSETS = st.one_of(
    st.integers(0, SPAN), st.integers(0, 64).map(PAGE.__mul__), st.integers(0, 4).map(GRANULE.__mul__)
)  # fmt: skip
LENGTHS = st.one_of(st.integers(1, 3 * PAGE), st.integers(GRANULE - 2, 2 * GRANULE))
CHANGES = st.tuples(st.sampled_from(["write", "store", "punch", "truncate", "allocate", "copy"]), OFFSETS, LENGTHS)
RW = PROT_READ | PROT_WRITE


class Space:
    """Room for `room` pages."""

    def __init__(self, room: int = 1 << 20) -> None:
        self.room = room
        self.used_pages = 0

    def free_pages(self) -> int:
        return self.room - self.used_pages

    def take_pages(self, count: int) -> None:
        if count > self.free_pages():
            raise LinuxError(ENOSPC)
        self.used_pages += count


@pytest.fixture(scope="module")
def frames() -> Frames:
    return Frames(Ram(16 << 20))


def next_of(content: SharedMemory, offset: int, hole: bool) -> int | None:
    try:
        return content.seek(offset, hole)
    except LinuxError as error:
        assert error.errno == ENXIO
        return None


def whole(content: SharedMemory) -> bytearray:
    buffer = bytearray(content.size)
    assert content.read_into(memoryview(buffer), 0) == len(buffer)
    return buffer


def failure(action) -> int:
    try:
        action()
    except LinuxError as error:
        return error.errno
    return 0


class World:
    """An object, mapped shared and privately, and what its bytes should be."""

    def __init__(self, bench) -> None:
        self.space, self.other = bench.space(), bench.space()
        self.budget = Space()
        self.frames = bench.frames
        self.content = SharedMemory(bench.frames, 0, self.budget)
        self.content.held = True
        self.shared = self.space.mmap(0, 2 * SPAN, RW, MAP_SHARED, self.content)
        self.again = self.other.mmap(0, SPAN, RW, MAP_SHARED, self.content, GRANULE // 2)
        self.private = self.other.mmap(0, 2 * SPAN, RW, MAP_PRIVATE, self.content)
        self.model = bytearray()
        self.behind: set[int] = set()  # where bytes behind the end may have been stored
        self.copies: dict[int, bytes] = {}  # pages that the private mapping has copied

    def do(self, number: int, kind: str, offset: int, length: int) -> None:
        model, end, value = self.model, offset + length, bytes([number + 1])
        if kind == "write":
            self.content.write(memoryview(value * length), offset)
            model.extend(bytes(max(0, end - len(model))))
            model[offset:end] = value * length
        elif kind == "store":  # by a mapping, not behind the end
            end = min(end, len(model))
            if offset < end:
                half = GRANULE // 2
                if offset >= half and end - half <= SPAN:
                    self.other.write(self.again + offset - half, value * (end - offset))
                else:
                    self.space.write(self.shared + offset, value * (end - offset))
                model[offset:end] = value * (end - offset)
        elif kind == "punch":
            self.content.punch(offset, length)
            stop = min(end, len(model))
            if offset < stop:
                model[offset:stop] = bytes(stop - offset)
        elif kind == "truncate":
            self.content.truncate(offset)
            self.model = model[:offset] + bytes(max(0, offset - len(model)))
            self.copies = {page: copy for page, copy in self.copies.items() if page * PAGE < offset}
        elif kind == "copy":  # a store to the private mapping
            if offset < len(model):
                page = offset // PAGE
                self.other.write(self.private + offset, value)
                copy = bytearray(self.copies.get(page) or self.page(page))
                copy[offset % PAGE] = number + 1
                self.copies[page] = bytes(copy)
        else:
            self.content.allocate(offset, length)

    def page(self, number: int) -> bytes:
        return bytes(self.model[number * PAGE : (number + 1) * PAGE]).ljust(PAGE, b"\0")

    def check(self) -> None:
        content, model = self.content, self.model
        assert content.size == len(model)
        assert content.resident == self.budget.used_pages == self.frames.shared.pages
        assert whole(content) == model
        pages = (len(model) + PAGE - 1) // PAGE
        for number in {0, 1, pages // 2, pages - 2, pages - 1} & set(range(pages)):
            assert self.space.read(self.shared + number * PAGE, PAGE) == self.page(number)
            shown = self.other.read(self.private + number * PAGE, PAGE)
            assert shown == self.copies.get(number, self.page(number))
        for space, address in ((self.space, self.shared), (self.other, self.private)):
            with pytest.raises(SegmentationFault) as caught:
                space.fault(address + pages * PAGE, PF_WRITE)
            assert caught.value.signo == SIGBUS

    def close(self) -> None:
        self.content.let_go()
        self.space.release()
        assert self.content.resident
        self.other.release()
        assert not self.content.resident and not self.content.mappings and not self.frames.shared.pages


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CHANGES, min_size=1, max_size=10))
@example(
    [("write", 0, 3 * PAGE), ("copy", PAGE + 5, 1), ("truncate", PAGE + 1, 1), ("write", 0, PAGE), ("truncate", 0, 1)]
)
@example([("allocate", 0, 2 * GRANULE), ("store", 0, PAGE), ("write", 5, 1), ("store", GRANULE - 9, PAGE)])
def test_calls_and_mappings_see_the_same_bytes(bench, changes):
    world = World(bench)
    used = bench.frames.used
    for number, change in enumerate(changes):
        world.do(number, *change)
        world.check()
    world.content.write(memoryview(b"x"), 0)
    world.close()
    assert bench.frames.used <= used


@given(st.lists(CHANGES, max_size=5), OFFSETS)
def test_data_and_holes_take_turns_and_holes_are_zeros(frames, changes, offset):
    content = SharedMemory(frames, 0, Space())
    for kind, start, length in changes:
        if kind == "write":
            content.write(memoryview(b"x" * length), start)
        elif kind == "truncate":
            content.truncate(start)
        elif kind in ("punch", "allocate"):
            getattr(content, kind)(start, length)
    while offset < content.size:
        data = next_of(content, offset, hole=False)
        end = content.size if data is None else data
        assert end >= offset
        buffer = bytearray(end - offset)
        content.read_into(memoryview(buffer), offset)
        assert not any(buffer)
        if data is None:
            return
        offset = content.seek(data, hole=True)
        assert data < offset <= content.size


def test_what_is_reserved_is_a_hole_until_it_is_written(frames):
    content = SharedMemory(frames, 0, Space())
    content.truncate(40 * PAGE)
    content.allocate(0, 40 * PAGE)
    assert content.resident == 40 and next_of(content, 0, hole=False) is None
    content.write(memoryview(b"x"), 20 * PAGE + 5)
    assert [bool(frame) for frame in content.cached_run(18, 40)] == [page == 20 for page in range(18, 40)]
    assert content.frame(3)
    assert content.seek(0, False) == 3 * PAGE and content.seek(3 * PAGE, True) == 4 * PAGE
    assert content.seek(4 * PAGE, False) == 20 * PAGE
    content.punch(20 * PAGE, PAGE)
    assert next_of(content, 4 * PAGE, hole=False) is None and content.resident == 39


def test_memory_that_is_filled_upwards_comes_in_granules(bench):
    content = SharedMemory(bench.frames, 40 * PAGE)
    assert content.frame(16) and content.resident == 1
    for page in range(16):
        content.frame(page)
    content.frame(32)
    assert content.resident == 18
    content = SharedMemory(bench.frames, 48 * PAGE)
    for page in range(33):
        content.frame(page)
    assert content.resident == 48
    assert failure(lambda: SharedMemory(bench.frames, 1 << 30).allocate(0, 1 << 30)) == ENOMEM


def test_what_a_mapping_wants_beyond_the_space_is_a_bus_error(bench):
    space = bench.space()
    content = SharedMemory(bench.frames, 40 * PAGE, Space(20))
    address = space.mmap(0, 40 * PAGE, RW, MAP_SHARED, content)
    for page in range(20):
        space.fault(address + page * PAGE, PF_WRITE)
    with pytest.raises(SegmentationFault) as caught:
        space.fault(address + 20 * PAGE, PF_WRITE)
    assert caught.value.signo == SIGBUS
    space.release()


def test_what_no_memory_holds_is_refused_at_once(frames):
    space = Space(100)
    content = SharedMemory(frames, 0, space)
    content.allocate(0, 10 * PAGE)
    for offset, length in ((0, 1 << 62), (1 << 60, 1 << 60), (0, 101 * PAGE), (50 * GRANULE, 60 * GRANULE)):
        assert failure(lambda at=offset, length=length: content.allocate(at, length)) == ENOSPC
    assert space.used_pages == content.resident == 10
    content.allocate(0, 16 * PAGE)
    assert space.used_pages == 16
    boundless = SharedMemory(frames, 0)
    assert failure(lambda: boundless.allocate(0, 1 << 62)) == ENOMEM and not boundless.resident


def test_a_write_stops_where_the_space_ends(frames):
    space = Space(20)
    content = SharedMemory(frames, 0, space)
    assert content.write(memoryview(bytes(40 * PAGE)), 100) == 20 * PAGE - 100 and content.size == 20 * PAGE
    assert failure(lambda: content.write(memoryview(b"x"), 30 * PAGE)) == ENOSPC
    content.truncate(31 * PAGE)
    assert failure(lambda: content.frame(30)) == ENOSPC and space.used_pages == 20
    content.truncate(0)
    assert space.used_pages == 0


def test_when_the_machine_has_no_memory():
    frames = Frames(Ram(8 * GRANULE))
    content = SharedMemory(frames, 0)
    done = content.write(memoryview(bytes(16 * GRANULE)), 0)
    assert 0 < done == content.size < 8 * GRANULE
    assert failure(lambda: content.write(memoryview(b"x"), done)) == ENOMEM
    content.clear()
    assert frames.shared.pages == content.resident == 0


def test_ends_of_huge_files_are_found_at_once(frames):
    content = SharedMemory(frames, 0, Space())
    content.truncate(1 << 50)
    assert next_of(content, 0, hole=False) is None
    content.write(memoryview(b"x"), (1 << 49) + 5)
    assert content.seek(0, hole=False) == 1 << 49
    assert content.seek(1 << 49, hole=True) == (1 << 49) + PAGE
    content.punch(0, 1 << 50)
    assert not content.resident


def test_an_object_that_nobody_knows_gives_its_memory_back(frames):
    used = frames.used
    content = SharedMemory(frames, 0)
    content.write(memoryview(b"x" * 100_000), 0)
    del content
    assert frames.used == used


def test_what_was_executed_and_is_rewritten_is_forgotten_by_the_processor(bench):
    flushes: list[None] = []
    flush = bench.frames.flush_code
    bench.frames.flush_code = lambda: (flushes.append(None), flush())[1]
    content, space = SharedMemory(bench.frames, 0), bench.space()
    content.write(memoryview(b"\xc3" * PAGE), 0)
    address = space.mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, content)
    content.write(memoryview(b"\xc3"), 0)
    assert not flushes
    space.fault(address, PF_FETCH)
    content.write(memoryview(b"\x90"), 0)
    assert len(flushes) == 1
    content.patched[0, 0] = bench.frames.zero
    forgotten: list[None] = []
    content.forgotten = lambda: forgotten.append(None)
    content.write(memoryview(b"\x90"), 1)
    assert len(forgotten) == 1
    space.release()
    content.clear()
    assert len(forgotten) == 2
    content.patched.clear()
    before = len(flushes)
    content.write(memoryview(b"new"), 0)  # in new frames, where nothing was executed
    assert len(flushes) == before


@pytest.fixture
def sealed(frames) -> TmpInode:
    fs = TmpFileSystem(1 << 20, frames=frames)
    inode = fs.root.create(b"f", 0o100755, 0, 0)
    inode.content.seals = 0
    inode.content.write(memoryview(bytes(2 * PAGE + 100)), 0)
    return inode


def test_seals(sealed, bench):
    content = sealed.content
    space = bench.space()
    space.mmap(0, PAGE, RW, MAP_SHARED, content)
    assert failure(lambda: content.seal(F_SEAL_WRITE, True)) == EBUSY
    assert failure(lambda: content.seal(F_SEAL_EXEC, True)) == EBUSY
    content.seal(F_SEAL_EXEC, False)
    space.release()
    assert failure(lambda: sealed.set_attributes(mode=0o600)) == EPERM
    sealed.set_attributes(mode=0o711)
    content.seal(F_SEAL_GROW, True)
    assert content.write(memoryview(bytes(4 * PAGE)), 0) == 2 * PAGE
    assert failure(lambda: content.write(memoryview(bytes(101)), 2 * PAGE)) == EPERM
    assert content.write(memoryview(bytes(100)), 2 * PAGE) == 100
    assert failure(lambda: content.allocate(0, 3 * PAGE)) == EPERM
    assert failure(lambda: sealed.truncate(3 * PAGE)) == EPERM
    sealed.truncate(PAGE)
    content.seal(F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL, True)
    assert failure(lambda: sealed.truncate(0)) == failure(lambda: content.punch(0, 1)) == EPERM
    assert failure(lambda: content.write(memoryview(b"x"), 0)) == EPERM and content.write(memoryview(b""), 0) == 0
    assert failure(lambda: content.granted(True, RW, 7)) == EPERM
    assert content.granted(True, PROT_READ, 7) == PROT_READ | PROT_EXEC and content.granted(False, RW, 7) == 7
    assert failure(lambda: content.seal(0, True)) == EPERM


def test_stores_by_mappings_change_the_times(frames, bench):
    fs = TmpFileSystem(1 << 20, frames=bench.frames)
    clock = iter(range(100, 1000, 100))
    fs.now = lambda: next(clock)
    inode = fs.root.create(b"f", 0o100644, 0, 0)
    inode.truncate(PAGE)
    before = inode.stat()
    identity = inode.identity()
    space = bench.space()
    address = space.mmap(0, PAGE, RW, MAP_SHARED, inode.mapped(bench.page_cache))
    space.read(address, 1)
    assert inode.stat().mtime == before.mtime
    space.write(address, b"x")
    after = inode.stat()
    assert after.mtime == after.ctime > before.mtime and inode.identity() != identity
    assert inode.is_open_for_writing()
    space.release()
    assert not inode.is_open_for_writing()
