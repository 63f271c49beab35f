"""What the page tables of several address spaces hold together, every frame counted once (`lbw.cpu.mmu.Census`).

Address spaces share tables and frames since they forked. A table is looked at once; of the frames in it, those with one
reference can be in no other table, and only the others are remembered. So a gigabyte of a process's own costs some
25 ms, one of shared memory 80 ms, and 100 small processes some 10 ms.
"""

from __future__ import annotations

from lbw.cpu.unicorn.page_bits import FRAME
from lbw.cpu.unicorn.table_tree import HIDDEN, OWNED, PATCHED, ZERO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lbw.cpu.mmu import Census
    from lbw.cpu.unicorn.table_tree import TableTree


def enter(space: TableTree, census: Census) -> None:
    """Add what `space` holds to `census`."""
    words, known = space.words, census.tables
    known.add(space.root)
    level = [space.root]
    for count in (256, 512, 512):
        below = []
        for table in level:
            for entry in words[table >> 3 : (table >> 3) + count].tolist():
                if entry and entry & FRAME not in known:
                    known.add(entry & FRAME)
                    below.append(entry & FRAME)
        level = below
    references, originals = space.frames.references_of, space.engine.originals
    for table in level:
        entries = [e for e in words[table >> 3 : (table >> 3) + 512].tolist() if e]
        owned = [e & FRAME for e in entries if e & OWNED]
        if len(owned) < len(entries):
            others = [entry for entry in entries if not entry & (OWNED | ZERO | HIDDEN)]
            census.of_backings.update([originals[e & FRAME] if e & PATCHED else e & FRAME for e in others])
        counts = references(owned)
        alone = counts.count(1)
        census.alone += alone
        if alone < len(owned):
            census.several.update([frame for frame, count in zip(owned, counts, strict=True) if count > 1])


def mappers(spaces: Iterable[TableTree]) -> dict[int, int]:
    """Return how many of `spaces` show each ANONYMOUS frame that several tables refer to."""
    tables: dict[int, int] = {}  # leaf table -> by how many spaces it is used
    shown: dict[int, int] = {}
    for space in spaces:
        for table in space.leaf_tables():
            tables[table] = tables.get(table, 0) + 1
    for table, users in tables.items():
        entries = space.words[table >> 3 : (table >> 3) + 512].tolist()
        owned = [entry & FRAME for entry in entries if entry & OWNED]
        for frame, count in zip(owned, space.frames.references_of(owned), strict=True):
            if count > 1:
                shown[frame] = shown.get(frame, 0) + users
    return shown
