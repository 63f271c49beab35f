"""Page tables that are shared after a fork: contents stay apart, every frame and table is counted right."""

from __future__ import annotations

import random

import pytest
from file_source import FileSource
from table_check import check

from lbw.abi.errno import LinuxError
from lbw.abi.mman import (
    MADV_DONTFORK,
    MADV_DONTNEED,
    MADV_WIPEONFORK,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_PRIVATE,
    MAP_SHARED,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
)  # fmt: skip
from lbw.mm.advice import madvise
from lbw.mm.remap import mremap

PAGE, SPAN = 4096, 1 << 21
RW = PROT_READ | PROT_WRITE
PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED
BASE = 0x4000_0000
#: Under three top-level entries, and across the ends of leaf tables.
PLACES = (BASE + SPAN - 8 * PAGE, (1 << 39) + 5 * SPAN - 8 * PAGE, (3 << 39) + (1 << 30) - 8 * PAGE)
LENGTH = 16 * PAGE


def mapped(bench):
    """Return a space with memory of all kinds, touched."""
    space = bench.space()
    for place in PLACES:
        space.mmap(place, LENGTH, RW, PRIVATE)
        space.write(place, bytes(range(1, 17)) * (LENGTH // 16))
    file = bench.page_cache.file("file", FileSource(b"file" * (64 * PAGE // 4)))
    space.mmap(BASE + 6 * SPAN, 64 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file)
    space.read(BASE + 6 * SPAN, 64 * PAGE)
    space.write(BASE + 6 * SPAN, b"mine")
    space.mmap(BASE + 7 * SPAN, LENGTH, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED)
    space.write(BASE + 7 * SPAN, b"shared")
    space.mmap(BASE + 8 * SPAN, LENGTH, RW, PRIVATE)
    space.read(BASE + 8 * SPAN, LENGTH)
    return space


def test_a_child_shares_everything_and_each_goes_its_own_way(bench):
    base = bench.frames.used
    parent = mapped(bench)
    check(bench.engine)
    used = bench.frames.used
    child = parent.fork()
    assert bench.frames.used == used + 1  # its top table
    assert child.mmu.resident == parent.mmu.resident
    assert parent.mmu.sharing() and set(parent.mmu.sharing().values()) == {2}
    check(bench.engine)
    child.write(PLACES[0], b"child")
    check(bench.engine)
    assert bench.frames.used == used + 1 + 3 + 1  # three tables below it, and a page
    assert parent.read(PLACES[0], 5) == bytes(range(1, 6))
    parent.write(PLACES[0] + PAGE, b"parent")
    assert child.read(PLACES[0] + PAGE, 6) == bytes(range(1, 7))
    child.write(BASE + 7 * SPAN, b"common")
    assert parent.read(BASE + 7 * SPAN, 6) == b"common"
    check(bench.engine)
    parent.release()
    check(bench.engine)
    assert child.read(PLACES[0], 5) == b"child"
    assert child.read(PLACES[1], 16) == bytes(range(1, 17))
    child.release()
    bench.page_cache.shrink(0)
    assert bench.frames.used == base


def test_a_chain_of_generations_whose_parents_end_first(bench):
    base = bench.frames.used
    space = mapped(bench)
    for generation in range(50):
        child = space.fork()
        space.release()
        space = child
        space.write(PLACES[generation % 3] + generation % 16 * PAGE, b"%02d" % generation)
        check(bench.engine)
    for place, start in enumerate(PLACES):
        for page in range(16):
            last = max((g for g in range(50) if g % 3 == place and g % 16 == page), default=None)
            expected = bytes((1, 2)) if last is None else b"%02d" % last
            assert space.read(start + page * PAGE, 2) == expected
    space.release()
    bench.page_cache.shrink(0)
    assert bench.frames.used == base


def test_a_wide_tree_of_children(bench):
    base = bench.frames.used
    parent = mapped(bench)
    children = []
    for number in range(200):
        child = parent.fork()
        children.append(child)
        child.write(PLACES[number % 3], b"%03d" % number)
        if number % 7 == 0:
            parent.write(PLACES[1] + PAGE, b"%03d" % number)
        if number % 20 == 0:
            children += [child.fork() for child in children[-2:]]
    check(bench.engine)
    for child in children[::2]:
        child.release()
    parent.release()
    check(bench.engine)
    for child in children[1::2]:
        assert child.read(PLACES[2] + PAGE, 3) == b"\1\2\3"
        child.release()
    bench.page_cache.shrink(0)
    assert bench.frames.used == base


def test_what_a_child_does_not_get(bench):
    parent = mapped(bench)
    madvise(parent, PLACES[0], LENGTH, MADV_DONTFORK)
    madvise(parent, PLACES[1], LENGTH, MADV_WIPEONFORK)
    child = parent.fork()
    check(bench.engine)
    assert child.find(PLACES[0]) is None
    with pytest.raises(LinuxError):
        child.read(PLACES[0], 1)
    assert child.read(PLACES[1], LENGTH) == bytes(LENGTH)
    assert parent.read(PLACES[1], 3) == parent.read(PLACES[0], 3) == b"\1\2\3"
    grandchild = child.fork()
    child.write(PLACES[1], b"wiped")
    assert child.fork().read(PLACES[1], 5) == bytes(5)
    assert grandchild.read(PLACES[1], 5) == bytes(5)
    check(bench.engine)


def test_truncation_takes_pages_from_tables_that_are_shared(bench):
    space = bench.space()
    file = bench.page_cache.file("file", FileSource(b"file" * (64 * PAGE // 4)))
    space.mmap(BASE, 64 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file)
    space.read(BASE, 64 * PAGE)
    space.write(BASE + 40 * PAGE, b"mine")
    others = [space.fork() for _ in range(3)]
    others[0].write(BASE, b"apart")
    check(bench.engine)
    file.zap(32, 64, True)
    check(bench.engine)
    assert all(each.mmu.usage(BASE, BASE + 64 * PAGE)[:2] == (each is others[0], 32 - (each is others[0]))
               for each in (space, *others))  # fmt: skip
    assert all(each.mmu.peak == 64 for each in (space, *others))


def test_tables_that_are_left_empty(bench):
    space = bench.space()
    base = bench.frames.used
    places = (BASE, BASE + SPAN, BASE + 4 * SPAN, 1 << 40, (1 << 40) + SPAN)
    for turn in range(60):
        for place in places[turn % 3 :]:
            space.mmap(place, SPAN, RW, PRIVATE)
            space.write(place + 7 * PAGE, b"full")
        if turn % 5 == 4:
            space.fork().release()
        for place in places[turn % 4 :]:
            space.munmap(place, 8 * PAGE)
            check(bench.engine)
        space.munmap(BASE, 8 * SPAN)
        assert space.mmu.tables <= 7  # one that is empty, or what is left of the far ones
        space.munmap(1 << 40, 8 * SPAN)
        check(bench.engine)
        assert space.mmu.tables <= 4 and bench.frames.used <= base + 3
    space.release()


def test_random_histories(bench):
    source = random.Random(5)
    base = bench.frames.used
    spaces = [mapped(bench)]
    models = [{place + page * PAGE: bytes((1, 2)) for place in PLACES for page in range(16)}]
    for step in range(1500):
        index = source.randrange(len(spaces))
        space, model = spaces[index], models[index]
        address = source.choice(PLACES) + source.randrange(16) * PAGE
        length = source.choice((1, 2, 5, 16)) * PAGE
        pages = range(address, address + length, PAGE)
        action = source.randrange(12)
        if action < 4:
            if model.get(address) is not None:
                data = step.to_bytes(2, "little")
                space.write(address, data)
                model[address] = data
        elif action < 6:
            for page in pages:
                if model.get(page) is not None:
                    assert space.read(page, 2) == model[page]
        elif action == 6 and len(spaces) < 12:
            spaces.append(space.fork())
            models.append(dict(model))
        elif action == 7 and len(spaces) > 1:
            space.release()
            del spaces[index], models[index]
        elif action == 8:
            madvise(space, address, PAGE, MADV_DONTNEED) if address in model else None
            if address in model:
                model[address] = bytes(2)
        elif action == 9:
            space.munmap(address, PAGE)
            model.pop(address, None)
        elif action == 10:
            space.mmap(address, PAGE, RW, PRIVATE)
            model[address] = bytes(2)
        elif address in model:
            space.mprotect(address, PAGE, PROT_NONE)
            space.mprotect(address, PAGE, RW)
            elsewhere = (5 << 39) + SPAN - PAGE
            mremap(space, address, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere)
            mremap(space, elsewhere, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, address)
        if step % 50 == 0:
            check(bench.engine)
    check(bench.engine)
    for space, model in zip(spaces, models, strict=True):
        for address, data in model.items():
            assert space.read(address, 2) == data
        space.release()
    bench.page_cache.shrink(0)
    assert bench.frames.used == base
