"""Address spaces with 100,000 mappings: limits, holes, copies; and what brk and parameters allow."""

from __future__ import annotations

import pytest

from lbw.abi.errno import ENOMEM, EPERM, LinuxError
from lbw.abi.mman import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_NORESERVE,
    MAP_PRIVATE,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
)

PAGE = 4096
BASE = 0x1000_0000_0000
RW = PROT_READ | PROT_WRITE
PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS
FIXED = PRIVATE | MAP_FIXED
MANY = 100_000


def errno_of(call, *arguments) -> int:
    with pytest.raises(LinuxError) as error:
        call(*arguments)
    return error.value.errno


def test_a_hundred_thousand_mappings_when_the_parameter_allows_them(bench):
    bench.homes.max_map_count = MANY + 10
    space = bench.space()
    space.mmap(BASE, 2 * MANY * PAGE, PROT_NONE, FIXED | MAP_NORESERVE)
    for number in range(0, MANY, 2):  # each cuts what is left in two
        space.mprotect(BASE + (2 * number + 1) * PAGE, PAGE, PROT_READ)
    assert len(space.vmas) == MANY + 1
    for number in (1, MANY // 2, 2 * MANY - 3):
        address = BASE + number * PAGE
        assert space.find(address).start <= address < space.find(address).end
    space.write(space.mmap(0, PAGE, RW, PRIVATE), b"x")
    child = space.fork()
    assert [vma.start for vma in child.vmas] == [vma.start for vma in space.vmas]
    for number in range(0, MANY, 2):
        child.munmap(BASE + (2 * number + 1) * PAGE, PAGE)
    assert len(child.vmas) == MANY // 2 + 2
    hole = child.vmas.gap(BASE, BASE + 2 * MANY * PAGE, PAGE)
    assert hole == BASE + (2 * (MANY - 2) + 1) * PAGE, "the highest hole"
    assert child.vmas.gap_above(BASE, BASE + 2 * MANY * PAGE, PAGE) == BASE + PAGE, "the lowest hole"
    assert child.vmas.gap(BASE, BASE + 2 * MANY * PAGE, 2 * PAGE) == 0
    child.release()
    space.mprotect(BASE, 2 * MANY * PAGE, PROT_NONE)
    assert len(space.vmas) == 2
    space.release()


def test_the_parameter_counts_mappings(bench):
    bench.homes.max_map_count = 10
    space = bench.space()
    for number in range(11):
        space.mmap(BASE + 4 * number * PAGE, 3 * PAGE, RW, FIXED)
    assert errno_of(space.mmap, 0, PAGE, RW, PRIVATE) == ENOMEM
    assert errno_of(space.mprotect, BASE + PAGE, PAGE, PROT_READ) == ENOMEM
    assert errno_of(space.munmap, BASE + PAGE, PAGE) == ENOMEM
    space.munmap(BASE + 2 * PAGE, PAGE)
    bench.homes.max_map_count = 20
    space.mprotect(BASE, PAGE, PROT_READ)
    assert len(space.vmas) == 12


def test_nothing_is_mapped_below_the_lowest_address(bench):
    space = bench.space()
    assert errno_of(space.mmap, 0x8000, PAGE, RW, FIXED) == EPERM
    assert space.mmap(0x8000, PAGE, RW, PRIVATE) == 0x10000, "a hint is rounded up"
    bench.homes.min_address = PAGE
    assert space.mmap(0x8000, PAGE, RW, FIXED) == 0x8000
    assert errno_of(space.mmap, 0, PAGE, RW, FIXED) == EPERM


def test_the_heap_ends_at_its_limits(bench):
    space = bench.space()
    space.start_brk = space.brk_end = BASE
    assert space.brk(BASE + 3 * PAGE + 5) == BASE + 3 * PAGE + 5
    assert [(vma.start, vma.end) for vma in space.vmas] == [(BASE, BASE + 4 * PAGE)]
    space.data_limit = 6 * PAGE
    assert space.brk(BASE + 6 * PAGE) == BASE + 6 * PAGE
    assert space.brk(BASE + 6 * PAGE + 1) == BASE + 6 * PAGE
    assert errno_of(space.mmap, 0, PAGE, RW, PRIVATE) == ENOMEM, "the heap counts"
    space.data_limit = 100 * PAGE
    space.mmap(BASE + 20 * PAGE, PAGE, PROT_READ, FIXED)
    assert space.brk(BASE + 20 * PAGE) == BASE + 6 * PAGE, "a page stays free behind it"
    assert space.brk(BASE + 19 * PAGE) == BASE + 19 * PAGE
    assert space.brk(BASE - 1) == BASE + 19 * PAGE
    assert space.brk(BASE) == BASE
    assert (space.total, space.data) == (PAGE, 0)


def test_a_soft_limit_of_nothing_leaves_mmap_the_hard_one(bench):
    space = bench.space()
    space.start_brk = space.brk_end = BASE
    space.data_limit, space.data_ceiling = 0, 2 * PAGE
    space.mmap(BASE + PAGE, 2 * PAGE, RW, FIXED)
    assert errno_of(space.mmap, 0, PAGE, RW, PRIVATE) == ENOMEM
    assert space.brk(BASE + PAGE) == BASE
