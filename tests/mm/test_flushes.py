"""The TLB is flushed when something was lost that it may remember: for a cause that is told, once for all of them."""

from __future__ import annotations

import pytest
from file_source import FileSource

from lbw.abi.mman import (
    MADV_DONTNEED,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
)  # fmt: skip
from lbw.cpu.contracts import PF_FETCH, PF_PRESENT, PF_USER, PF_WRITE
from lbw.cpu.unicorn.flush_causes import COPIED, FORKED, GROWN, REMOVED, RESTRICTED, RUN, SWITCHED
from lbw.mm.advice import madvise
from lbw.mm.remap import mremap

PAGE = 4096
BASE = 0x4000_0000
RW = PROT_READ | PROT_WRITE
PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED


@pytest.fixture
def space(bench):
    """The space that the processor uses, with 64 pages, of which half are touched."""
    space = bench.space()
    space.mmap(BASE, 64 * PAGE, RW, PRIVATE)
    space.write(BASE, b"full" * (32 * PAGE // 4))
    bench.engine.active = space.mmu
    bench.engine.flush_pending = 0
    return space


def pending(bench) -> int:
    """Return the causes since the last time."""
    causes, bench.engine.flush_pending = bench.engine.flush_pending, 0
    return causes


def test_what_was_never_there_is_not_remembered(bench, space):
    space.mmap(BASE + (1 << 24), 64 * PAGE, RW, PRIVATE)
    space.munmap(BASE + (1 << 24), 64 * PAGE)
    space.munmap(BASE + 40 * PAGE, 8 * PAGE)
    space.mprotect(BASE + 50 * PAGE, 8 * PAGE, PROT_NONE)
    madvise(space, BASE + 58 * PAGE, 2 * PAGE, MADV_DONTNEED)
    space.fault(BASE + 35 * PAGE, PF_USER)
    space.fault(BASE + 36 * PAGE, PF_USER | PF_WRITE)
    assert pending(bench) == 0


def test_losing_pages_and_rights(bench, space):
    space.munmap(BASE, PAGE)
    assert pending(bench) == REMOVED
    madvise(space, BASE + PAGE, PAGE, MADV_DONTNEED)
    assert pending(bench) == REMOVED
    mremap(space, BASE + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE)
    assert pending(bench) == REMOVED
    space.mprotect(BASE + 3 * PAGE, PAGE, PROT_READ)
    assert pending(bench) == RESTRICTED
    space.mprotect(BASE + 3 * PAGE, PAGE, RW)
    assert pending(bench) == 0
    space.mprotect(BASE + 3 * PAGE, PAGE, RW | PROT_EXEC)
    assert pending(bench) == 0
    space.fault(BASE + 3 * PAGE, PF_USER | PF_PRESENT | PF_FETCH)  # stores must be noticed from now on
    assert pending(bench) == RUN
    space.mprotect(BASE + 3 * PAGE, PAGE, PROT_NONE)
    assert pending(bench) == RESTRICTED


def test_copies_after_a_fork(bench, space):
    child = space.fork()
    assert pending(bench) == FORKED
    space.fault(BASE, PF_USER | PF_WRITE | PF_PRESENT)  # the processor has forgotten what it asks for
    assert pending(bench) == 0
    space.write(BASE + PAGE, b"kernel")
    assert pending(bench) == COPIED
    child.write(BASE + 2 * PAGE, b"child")
    child.munmap(BASE + 3 * PAGE, 9 * PAGE)
    grandchild = child.fork()
    grandchild.release()
    assert pending(bench) == 0


def test_pages_of_a_backing_taken_from_a_table_that_a_relative_shares(bench, space):
    file = bench.page_cache.file("file", FileSource(bytes(8 * PAGE)))
    space.mmap(BASE, 8 * PAGE, RW, MAP_SHARED | MAP_FIXED, file)
    space.write(BASE, b"full" * (8 * PAGE // 4))
    child = space.fork()
    pending(bench)
    child.mmu.clean(BASE, BASE + PAGE)
    assert pending(bench) and space.mmu.view(BASE, 1, True) is None
    child.mmu.zap(BASE + PAGE, BASE + 2 * PAGE, False)
    assert pending(bench) and space.mmu.view(BASE + PAGE, 1, False) is None


def test_one_flush_for_all(bench, space):
    for page in range(8):
        space.munmap(BASE + page * PAGE, PAGE)
    space.mprotect(BASE + 8 * PAGE, PAGE, PROT_READ)
    bench.engine.flush_pending |= SWITCHED
    before = dict(bench.engine.flush_counts())
    bench.engine.flush_tlb()
    after = dict(bench.engine.flush_counts())
    changed = {name.strip(): count - before.get(name, 0) for name, count in after.items()}
    changed = {name: count for name, count in changed.items() if count}
    assert changed == {"TLB flushes": 1, "another address space": 1, "pages removed": 1, "rights taken away": 1}
    assert bench.engine.flush_pending == 0


def test_the_tlb_may_grow_with_what_is_resident(bench, space):
    space.mmap(BASE + (1 << 24), 8192 * PAGE, RW, PRIVATE)
    flushed = []
    for page in range(8192):
        if space.mmu.view(BASE + (1 << 24) + page * PAGE, 1, True) is None:
            space.fault(BASE + (1 << 24) + page * PAGE, PF_USER | PF_WRITE)
            if pending(bench) & GROWN:
                flushed.append(space.mmu.resident)
    assert 4 <= len(flushed) <= 6
    madvise(space, BASE + (1 << 24), 8192 * PAGE, MADV_DONTNEED)
    pending(bench)
    space.populate(BASE + (1 << 24), BASE + (1 << 24) + 4096 * PAGE, PROT_WRITE)
    assert pending(bench) == 0
