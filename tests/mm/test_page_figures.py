"""Who shows which page: figures of smaps against a count page by page."""

from __future__ import annotations

import random

import pytest
from file_source import FileSource

from lbw.abi.mman import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE
from lbw.cpu.mmu import ANONYMOUS, FILE, SHARED_MEMORY, ZEROES
from lbw.mm.page_figures import PageShares
from lbw.mm.shared import SharedMemory

PAGE = 4096
BASE = 0x4000_0000
RW = PROT_READ | PROT_WRITE


def naive(spaces) -> dict[int, int]:
    """Return how many page-table entries show each frame, of all address spaces."""
    counts: dict[int, int] = {}
    for space in spaces:
        for _, frame, kind, _ in space.mmu.pages():
            if kind != ZEROES:
                counts[frame] = counts.get(frame, 0) + 1
    return counts


def compare(spaces) -> None:
    """Check what is found of every mapping: tally and entries."""
    counts = naive(spaces)
    for space in spaces:
        shares = PageShares(space)
        for vma in space.vmas:
            wanted: dict[tuple[int, int, bool], int] = {}
            entries = []
            dirty = getattr(vma.backing, "dirty", ())
            for address, frame, kind, _ in space.mmu.pages(vma.start, vma.end):
                entries.append((address, kind, counts.get(frame, 0)))
                if kind != ZEROES:
                    changed = kind != FILE or vma.offset + address - vma.start >> 12 in dirty
                    key = kind, counts[frame], changed
                    wanted[key] = wanted.get(key, 0) + 1
            assert {key: pages for key, pages in shares.tally(vma).items() if pages} == wanted
            assert shares.entries(vma, vma.start, vma.end) == entries


@pytest.mark.parametrize("seed", range(6))
def test_pages_of_a_family(bench, seed: int) -> None:
    """Spaces fork, write, map files and forget: each page is counted as often as it is shown."""
    chance = random.Random(seed)
    source = FileSource(b"x" * 1100 * PAGE)
    file, memory = bench.page_cache.file("file", source), SharedMemory(bench.frames, 1100 * PAGE)
    spaces = [bench.space()]
    kinds: set[int] = set()
    for step in range(200):
        space = chance.choice(spaces)
        start, count = chance.randrange(1000), chance.randrange(1, 100)
        address = BASE + start * PAGE
        match chance.randrange(6):
            case 0:
                space.mmap(address, count * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
            case 1:
                flags = MAP_FIXED | chance.choice((MAP_SHARED, MAP_PRIVATE))
                backing = chance.choice((file, memory))
                space.mmap(address, count * PAGE, RW, flags, backing, chance.randrange(1000) * PAGE)
            case 2 if len(spaces) < 5:
                spaces.append(space.fork())
            case _:
                for vma in space.vmas.between(address, address + count * PAGE):
                    for page in range(vma.start, vma.end, 3 * PAGE):
                        if chance.random() < 0.5:
                            space.write(page, b"w")
                        else:
                            space.read(page, 1)
        if step % 20 == 19:
            compare(spaces)
            kinds |= {kind for space in spaces for _, _, kind, _ in space.mmu.pages()}
    assert kinds == {ANONYMOUS, FILE, SHARED_MEMORY, ZEROES}
    for space in spaces:
        space.release()


def test_a_page_that_many_show(bench) -> None:
    memory = SharedMemory(bench.frames, 4 * PAGE)
    space = bench.space()
    for number in range(700):
        address = BASE + number * 8 * PAGE
        space.mmap(address, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, memory)
        space.write(address + number % 3 * PAGE, b"w")
        space.write(address + 3 * PAGE, b"w")
    counts, vma = naive([space]), space.find(BASE)
    wanted = [counts[frame] for _, frame, _, _ in space.mmu.pages(BASE, vma.end)]
    assert [mappers for _, _, mappers in PageShares(space).entries(vma, BASE, vma.end)] == wanted
    assert wanted[-1] == 700
    space.release()
