"""Overcommit: the three modes, what is left for root and users, and that charges and their return are a balance."""

from __future__ import annotations

import pytest

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.abi.mman import (
    MADV_DONTFORK,
    MAP_ANONYMOUS,
    MAP_NORESERVE,
    MAP_PRIVATE,
    MAP_SHARED,
    MREMAP_MAYMOVE,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
)  # fmt: skip
from lbw.host.memory import Ram
from lbw.mm.advice import madvise
from lbw.mm.frames import Frames
from lbw.mm.overcommit import ALWAYS, GUESS, NEVER, Commitment
from lbw.mm.remap import mremap

PAGE, MB = 4096, 1 << 20
RW = PROT_READ | PROT_WRITE
PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS
SHARED = MAP_SHARED | MAP_ANONYMOUS


@pytest.fixture
def commitment() -> Commitment:
    return Frames(Ram(64 * MB)).commitment


def refused(action) -> bool:
    try:
        action()
    except LinuxError as error:
        assert error.errno == ENOMEM
        return True
    return False


def test_the_heuristic_refuses_only_what_could_never_be_had(commitment):
    assert commitment.mode == GUESS
    for _ in range(10):
        commitment.charge(64 * MB // PAGE)
    assert refused(lambda: commitment.charge(64 * MB // PAGE + 1))
    assert commitment.pages == 10 * 64 * MB // PAGE


def test_always_is_always(commitment):
    commitment.mode = ALWAYS
    commitment.charge(1 << 40)
    assert commitment.pages == 1 << 40


def test_never_is_a_sum(commitment):
    commitment.mode = NEVER
    assert commitment.limit == 32 * MB // PAGE
    commitment.charge(commitment.limit - 1)
    assert refused(lambda: commitment.charge(1))
    commitment.release(10)
    commitment.charge(9)
    commitment.ratio = 100
    assert commitment.limit == 64 * MB // PAGE
    commitment.kbytes = 1000
    assert commitment.limit == 250


def test_something_is_left_for_root_and_for_the_next_shell(commitment):
    commitment.mode = NEVER
    commitment.admin_reserve, commitment.user_reserve = 4000, 2000
    commitment.capable = lambda capability: False
    assert refused(lambda: commitment.charge(commitment.limit - 1000))
    commitment.charge(commitment.limit - 1001)
    commitment.release(commitment.pages)
    commitment.charge(commitment.limit - 1101, 3200 * PAGE)  # a 32nd of what is mapped
    commitment.release(commitment.pages)
    assert refused(lambda: commitment.charge(commitment.limit - 1100, 3200 * PAGE))
    assert refused(lambda: commitment.charge(commitment.limit - 1500, 1 << 40))
    commitment.charge(commitment.limit - 1501, 1 << 40)


def test_a_forked_copy_that_cannot_be_promised_is_refused_and_nothing_leaks(bench):
    commitment, space = bench.frames.commitment, bench.space()
    commitment.mode = NEVER
    used = bench.frames.used
    space.mmap(0, 20 * MB, RW, PRIVATE)
    held = bench.frames.used
    assert refused(space.fork)
    assert commitment.pages == 20 * MB // PAGE
    assert bench.frames.used == held
    commitment.ratio = 100
    child = space.fork()
    assert commitment.pages == 40 * MB // PAGE
    child.release()
    space.release()
    assert commitment.pages == 0
    assert bench.frames.used < used


def test_mode_2_knows_no_mapping_without_reserve(bench):
    commitment, space = bench.frames.commitment, bench.space()
    space.mmap(0, 40 * MB, RW, PRIVATE | MAP_NORESERVE)
    assert commitment.pages == 0
    commitment.mode = NEVER
    assert refused(lambda: space.mmap(0, 40 * MB, RW, PRIVATE | MAP_NORESERVE))
    space.mmap(0, MB, RW, PRIVATE | MAP_NORESERVE)
    assert commitment.pages == MB // PAGE
    assert refused(lambda: space.mmap(0, 40 * MB, RW, SHARED | MAP_NORESERVE))
    space.mmap(0, MB, RW, SHARED | MAP_NORESERVE)
    assert commitment.pages == 2 * MB // PAGE
    area = space.mmap(0, 40 * MB, PROT_NONE, PRIVATE)
    assert refused(lambda: space.mprotect(area, 40 * MB, RW))
    assert refused(lambda: mremap(space, space.mmap(0, MB, RW, PRIVATE), MB, 40 * MB, MREMAP_MAYMOVE))
    space.release()
    assert commitment.pages == 0


def test_charges_and_their_return_balance(bench):
    commitment, space = bench.frames.commitment, bench.space()
    space.start_brk = space.brk_end = 0x1000_0000
    space.brk(0x1000_0000 + 3 * MB)
    first = space.mmap(0, 8 * MB, RW, PRIVATE)
    space.munmap(first + 2 * MB, 4 * MB)
    space.mprotect(first, MB, PROT_READ)
    space.mprotect(first, MB, RW)
    shared = space.mmap(0, 4 * MB, RW, SHARED)
    madvise(space, first, MB, MADV_DONTFORK)
    child = space.fork()
    assert commitment.pages == (3 + 4 + 4 + 3 + 3) * MB // PAGE
    space.munmap(shared, 4 * MB)
    space.brk(0x1000_0000)
    assert commitment.pages == (4 + 4 + 3 + 3) * MB // PAGE
    child.release()
    assert commitment.pages == 4 * MB // PAGE
    space.release()
    assert commitment.pages == 0
