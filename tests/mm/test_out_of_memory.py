"""Frames run out at every possible moment: an operation fails wholly, loses nothing and leaks nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from file_source import FileSource

from lbw.abi.errno import EIO, ENOMEM, LinuxError
from lbw.abi.mman import (
    MADV_DONTFORK,
    MADV_DONTNEED,
    MADV_REMOVE,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    MREMAP_DONTUNMAP,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)  # fmt: skip
from lbw.abi.signal import SIGBUS
from lbw.cpu.contracts import PF_USER
from lbw.mm.advice import madvise
from lbw.mm.faults import SegmentationFault
from lbw.mm.locking import lock
from lbw.mm.reclaim import unmapped
from lbw.mm.remap import mremap
from lbw.mm.vma import VM_LOCKED

PAGE, SPAN = 4096, 1 << 21
RW = PROT_READ | PROT_WRITE
PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
BASE = 0x4000_0000
#: Two ranges across the ends of leaf tables, and one that fills three of them.
LOW, HIGH, WIDE = BASE + SPAN - 8 * PAGE, BASE + 4 * SPAN - 8 * PAGE, BASE + 8 * SPAN
LENGTH = 16 * PAGE
SHARED_FILE = BASE + 7 * SPAN + 2 * LENGTH


class Shortage:
    """Lets the N-th allocation from now on fail, or calls `relief` before it."""

    def __init__(self, frames, relief: Callable[[], None] | None = None) -> None:
        self.left = -1
        self.relief = relief
        for name in ("allocate", "allocate_copy", "allocate_granule", "allocate_many"):
            setattr(frames, name, self.counted(getattr(frames, name)))

    def counted(self, allocate: Callable[..., int]) -> Callable[..., int]:
        def call(*arguments: int) -> int:
            if self.left == 0:
                if self.relief is None:
                    raise LinuxError(ENOMEM)
                self.relief()
            self.left -= 1
            return allocate(*arguments)

        return call


def file_of_64_pages() -> FileSource:
    """Return a file of 64 pages."""
    return FileSource(b"".join(bytes([number >> 4 | 1]) * PAGE for number in range(64)))


def populated(bench):
    """Return a space with private, file and shared memory, and a fork of it that shares everything."""
    space = bench.space()
    for start in (LOW, HIGH):
        space.mmap(start, LENGTH, RW, PRIVATE)
        space.write(start, bytes(range(1, 17)) * (LENGTH // 16))
    space.mmap(WIDE, 3 * SPAN, RW, PRIVATE)
    for address in range(WIDE, WIDE + 3 * SPAN, SPAN // 2):
        space.write(address, b"wide")
    file = bench.page_cache.file("file", file_of_64_pages())
    space.mmap(BASE + 6 * SPAN, LENGTH, RW | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file)
    space.read(BASE + 6 * SPAN, LENGTH)
    space.mmap(BASE + 7 * SPAN, LENGTH, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED)
    space.write(BASE + 7 * SPAN, b"shared")
    file = bench.page_cache.file("shared", file_of_64_pages())
    space.mmap(SHARED_FILE, LENGTH, RW, MAP_SHARED | MAP_FIXED, file)
    space.write(SHARED_FILE, b"dirty")
    return space, space.fork()


def grandchild(space) -> None:
    space.fork().release()


def inherit_less(space) -> None:
    madvise(space, LOW, 8 * PAGE, MADV_DONTFORK)
    space.fork().release()


OPERATIONS: dict[str, Callable] = {
    "write": lambda space: space.write(LOW, bytes(LENGTH)),
    "write to a file's pages": lambda space: space.write(BASE + 6 * SPAN, bytes(LENGTH)),
    "write to shared pages": lambda space: space.write(BASE + 7 * SPAN, bytes(LENGTH)),
    "write to a shared file": lambda space: space.write(SHARED_FILE, bytes(LENGTH)),
    "read of a file": lambda space: space.read(SHARED_FILE, LENGTH),
    "munmap": lambda space: space.munmap(LOW + PAGE, LENGTH - 2 * PAGE),
    "munmap of whole tables": lambda space: space.munmap(LOW, 20 * SPAN),
    "mprotect": lambda space: space.mprotect(LOW + PAGE, LENGTH - 2 * PAGE, PROT_READ),
    "mmap over it": lambda space: space.mmap(LOW + PAGE, LENGTH, RW, PRIVATE),
    "mremap": lambda space: mremap(space, LOW, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, HIGH + SPAN - PAGE),
    "mremap onto": lambda space: mremap(space, LOW, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, HIGH),
    "mremap that grows": lambda space: mremap(space, LOW, LENGTH, 4 * SPAN, MREMAP_MAYMOVE),
    "mremap that leaves": lambda space: mremap(space, LOW, LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_DONTUNMAP),
    "shared pages go": lambda space: madvise(space, BASE + 7 * SPAN, LENGTH, MADV_REMOVE),
    "lock": lambda space: lock(space, LOW, LENGTH, VM_LOCKED),
    "lock a part and fill": lambda space: (lock(space, LOW, PAGE, VM_LOCKED), space.populate(LOW, LOW + LENGTH, 2)),
    "discard": lambda space: madvise(space, LOW, LENGTH, MADV_DONTNEED),
    "fork": grandchild,
    "fork without a part": inherit_less,
    "fill": lambda space: space.populate(WIDE + PAGE, WIDE + 40 * PAGE, 2),
}


def contents(space) -> dict[int, bytes]:
    """Return every page that is mapped, by address; the wide range where it was written."""
    pages = {}
    for vma in space.vmas:
        step = PAGE if vma.end - vma.start < SPAN else SPAN // 2
        for address in range(vma.start, vma.end, step):
            pages[address] = space.read(address, PAGE)
    return pages


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_that_runs_out_of_memory_loses_and_leaks_nothing(bench, name):
    shortage = Shortage(bench.frames)
    operation = OPERATIONS[name]
    for cached in ("file", "shared"):
        bench.page_cache.file(cached, file_of_64_pages()).frame(0)  # the cache keeps its granule
    base = bench.frames.used
    for moment in range(200):
        space, other = populated(bench)
        before, theirs = contents(space), contents(other)
        shortage.left = moment
        try:
            operation(space)
            failed = False
        except LinuxError as error:
            assert error.errno == ENOMEM
            failed = True
        shortage.left = -1
        if "shared" not in name:
            assert contents(other) == theirs
        if failed and "write" not in name and "onto" not in name:
            after = contents(space)
            assert {page: after.get(page) for page in before} == before
        assert space.mmu.resident >= 0
        space.munmap(BASE, 64 * SPAN)
        space.munmap(space.abi.min_address, space.abi.mmap_windows[0][1] - space.abi.min_address)
        assert space.mmu.resident == 0 and space.total == 0
        space.release()
        other.release()
        assert bench.frames.used == base
        assert bench.page_cache.file("file", file_of_64_pages()).mappings == {}
        if not failed:
            break
    else:
        pytest.fail("it never succeeds")


def test_a_file_that_cannot_be_read_is_a_bus_error_and_leaks_nothing(bench):
    base = bench.frames.used
    space = bench.space()
    source = file_of_64_pages()
    source.read_error = EIO
    address = space.mmap(0, LENGTH, PROT_READ, MAP_PRIVATE, bench.page_cache.file("broken", source))
    for _ in range(3):
        with pytest.raises(SegmentationFault) as fault:
            space.fault(address, PF_USER)
        assert fault.value.signo == SIGBUS
    source.read_error = 0
    assert space.read(address, 1) == b"\1"
    space.release()
    assert bench.frames.used == base + 16


def test_tables_are_counted_like_pages(bench):
    space = bench.space()
    space.mmap(WIDE, 8 * SPAN, PROT_READ, PRIVATE)
    before = space.mmu.tables
    for address in range(WIDE, WIDE + 8 * SPAN, SPAN):
        space.read(address, 1)
    assert space.mmu.resident == 0 and space.mmu.tables >= before + 8
    held = space.mmu.tables
    child = space.fork()
    assert child.mmu.tables == held
    space.munmap(WIDE, 8 * SPAN)
    assert space.mmu.tables == 1 and held > 9  # upper ones go too


@pytest.mark.parametrize("name", OPERATIONS)
def test_reclaim_at_any_moment_of_an_operation_disturbs_nothing(bench, name):
    def relief() -> None:
        while unmapped(bench.frames, bench.page_cache):
            pass

    def outcome(moment: int) -> tuple[dict[int, bytes], dict[int, bytes], bool]:
        bench.page_cache.file("idle", file_of_64_pages()).frame(0)
        space, other = populated(bench)
        shortage.left = moment
        OPERATIONS[name](space)
        reached = shortage.left < 0 <= moment
        shortage.left = -1
        found = contents(space), contents(other), reached
        space.release()
        other.release()
        return found

    shortage = Shortage(bench.frames, relief)
    expected = outcome(-1)[:2]
    relief()
    base = bench.frames.used
    for moment in range(200):
        *found, reached = outcome(moment)
        assert tuple(found) == expected
        relief()
        assert bench.frames.used == base
        if not reached:
            break
