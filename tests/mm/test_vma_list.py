"""Placement finds the highest hole, whatever was searched before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lbw.mm.vma import Vma
from lbw.mm.vma_list import VmaList

LOW, HIGH, PAGE = 0x10, 0x100, 4096

STEPS = st.lists(
    st.tuples(st.sampled_from(["place", "map", "unmap"]), st.integers(LOW, HIGH - 1), st.integers(1, 9), st.booleans()),
    max_size=80,
)  # fmt: skip


def highest_hole(vmas: VmaList, length: int) -> int:
    for start in range(HIGH - length, LOW - 1, -1):
        if not vmas.overlaps(start * PAGE, (start + length) * PAGE):
            return start * PAGE
    return 0


@given(STEPS)
def test_the_highest_hole_is_found(steps):
    vmas = VmaList()
    for step, page, length, writable in steps:
        start, end = page * PAGE, (page + length) * PAGE
        if step == "unmap":
            vmas.remove(start, end)
            continue
        if step == "place":
            start = vmas.gap(LOW * PAGE, HIGH * PAGE, length * PAGE)
            assert start == highest_hole(vmas, length)
            end = start + length * PAGE
        if start and not vmas.overlaps(start, end):
            vmas.insert(Vma(start, end, 3 if writable else 1, 2, None, 0))
