"""A checker of page tables: every reference to every frame is counted, and compared with what `Frames` believes."""

from __future__ import annotations

from collections import Counter

from lbw.cpu.mmu import ANONYMOUS, FILE, SHARED_MEMORY
from lbw.cpu.unicorn.page_bits import FRAME
from lbw.cpu.unicorn.table_tree import HIDDEN, MEMORY, OWNED, ZERO


def check(engine) -> None:
    """Assert that the tables of all address spaces and their frames are counted right."""
    words, frames = engine.frames.ram.words, engine.frames
    references: Counter[int] = Counter()
    seen: set[int] = set()

    def walk(table: int, level: int, size: int) -> None:
        references[table] += 1
        if table in seen:
            return
        seen.add(table)
        for entry in filter(None, words[table >> 3 : (table >> 3) + size].tolist()):
            if level:
                walk(entry & FRAME, level - 1, 512)
            elif entry & OWNED:
                references[entry & FRAME] += 1

    for space in engine.spaces:
        walk(space.root, 3, 256)
    for frame, count in references.items():
        assert frames.references(frame) == count, hex(frame)
    for space in engine.spaces:
        check_counts(space, words)


def check_counts(space, words) -> None:
    """Assert that the kept counts of a space are those of its tables."""
    tables = 0
    kinds: Counter[int] = Counter()

    def walk(table: int, level: int, size: int) -> None:
        nonlocal tables
        tables += 1
        for entry in filter(None, words[table >> 3 : (table >> 3) + size].tolist()):
            if level:
                walk(entry & FRAME, level - 1, 512)
            elif not entry & (HIDDEN | ZERO):
                kinds[ANONYMOUS if entry & OWNED else SHARED_MEMORY if entry & MEMORY else FILE] += 1

    walk(space.root, 3, 256)
    assert space.tables == tables
    assert space.usage() == (kinds[ANONYMOUS], kinds[FILE], kinds[SHARED_MEMORY], tables)
    assert space.resident == sum(kinds.values())
    assert space.peak >= space.resident
    told: Counter[int] = Counter(kind for _, _, kind, _ in space.pages())
    assert all(told[kind] == kinds[kind] for kind in (ANONYMOUS, FILE, SHARED_MEMORY))
