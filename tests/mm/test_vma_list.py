"""The list of VMAs against a plain list of pages: blocks, joining and holes change nothing that can be seen."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.abi.mman import MAP_GROWSDOWN, MAP_PRIVATE
from lbw.mm import vma_blocks
from lbw.mm.vma import Vma
from lbw.mm.vma_list import VmaList

LOW, HIGH, PAGE = 0x10, 0x110, 4096
GUARD = 3
WINDOWS = ((LOW, HIGH), (LOW, 0x80), (0x40, 0xC0))

PAGES = st.integers(LOW, HIGH - 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.sampled_from(WINDOWS), st.integers(1, 9), st.integers(0, 3)),
        st.tuples(st.just("place up"), st.sampled_from(WINDOWS), st.integers(1, 9), st.integers(0, 3)),
        st.tuples(st.just("map"), PAGES, st.integers(1, 5), st.integers(0, 3)),
        st.tuples(st.just("unmap"), PAGES, st.integers(1, 40), st.just(0)),
        st.tuples(st.just("protect"), PAGES, st.integers(1, 20), st.integers(0, 2)),
        st.tuples(st.just("grow"), PAGES, st.integers(1, 4), st.just(0)),
    ),
    max_size=120,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vma_blocks, "BLOCK", 8)
        patch.setattr(vma_blocks, "STACK_GUARD_GAP", GUARD * PAGE)
        yield


class Reference:
    """What each page is: None, or its kind. Kind 3 grows down; each mapping of it is one of its own."""

    def __init__(self) -> None:
        self.pages: list[object] = [None] * (HIGH + 64)

    def runs(self) -> list[tuple[int, int, object]]:
        """Return (first, end, kind) of all mappings."""
        runs: list[tuple[int, int, object]] = []
        for page, kind in enumerate(self.pages):
            if kind is None:
                continue
            if runs and runs[-1][1] == page and runs[-1][2] == kind:
                runs[-1] = (runs[-1][0], page + 1, kind)
            else:
                runs.append((page, page + 1, kind))
        return runs

    def free(self, low: int, high: int) -> list[tuple[int, int]]:
        """Return the holes of a window."""
        holes = []
        floor = low
        for first, end, kind in [*self.runs(), (len(self.pages), len(self.pages), 0)]:
            top = min(first - GUARD if kind == 3 else first, high)
            if top > floor:
                holes.append((floor, top))
            floor = max(floor, end)
        return holes


def as_seen(vmas: VmaList) -> list[tuple[int, int, object]]:
    kinds = [(vma.start // PAGE, vma.end // PAGE, 3 if vma.flags & MAP_GROWSDOWN else vma.prot) for vma in vmas]
    assert len(kinds) == len(vmas)
    return kinds


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_the_list_is_what_its_pages_are(steps):
    vmas, reference = VmaList(), Reference()
    for step, where, length, kind in steps:
        if step in ("place", "place up"):
            low, high = where
            holes = [hole for hole in reference.free(low, high) if hole[1] - hole[0] >= length]
            if step == "place":
                start = vmas.gap(low * PAGE, high * PAGE, length * PAGE) // PAGE
                assert start == (holes[-1][1] - length if holes else 0)
            else:
                start = vmas.gap_above(low * PAGE, high * PAGE, length * PAGE) // PAGE
                assert start == (holes[0][0] if holes else 0)
            if not start:
                continue
            step, where = "map", start
        start, end = where, where + length
        pages = reference.pages[start:end]
        mapped = [page for page in pages if page is not None]
        assert vmas.overlaps(start * PAGE, end * PAGE) == bool(mapped)
        assert vmas.covered(start * PAGE, end * PAGE) == (len(mapped) == length)
        expected = [run for run in reference.runs() if run[0] < end and start < run[1]]
        assert [vma.start // PAGE for vma in vmas.between(start * PAGE, end * PAGE)] == [run[0] for run in expected]
        if step == "map" and not mapped:
            flags = MAP_PRIVATE | MAP_GROWSDOWN if kind == 3 else MAP_PRIVATE
            vmas.insert(Vma(start * PAGE, end * PAGE, kind, flags, None, 0))
            reference.pages[start:end] = [kind] * length
        elif step == "unmap":
            gone = vmas.remove(start * PAGE, end * PAGE)
            assert sum(vma.end - vma.start for vma in gone) == len(mapped) * PAGE
            reference.pages[start:end] = [None] * length
        elif step == "protect":
            for vma in vmas.between(start * PAGE, end * PAGE):
                if not vma.flags & MAP_GROWSDOWN:
                    vmas.isolate(vma, start * PAGE, end * PAGE).prot = kind
            vmas.rejoin(start * PAGE, end * PAGE)
            reference.pages[start:end] = [page if page in (None, 3) else kind for page in pages]
        elif step == "grow":
            above, before = vmas.above(start * PAGE)
            if above is not None and above.flags & MAP_GROWSDOWN and (before is None or before.end <= start * PAGE):
                reference.pages[start : above.start // PAGE] = [3] * (above.start // PAGE - start)
                vmas.extend_down(above, start * PAGE)
                vmas.rejoin(start * PAGE, above.end)
        found = vmas.find(where * PAGE)
        assert (found is not None) == (reference.pages[where] is not None)
        assert as_seen(vmas) == reference.runs()


@given(st.lists(st.integers(0, 3), max_size=60))
def test_a_list_can_be_made_of_sorted_vmas(kinds):
    several = [Vma((LOW + at) * PAGE, (LOW + at + 1) * PAGE, kind, 2, None, 0) for at, kind in enumerate(kinds)]
    vmas = VmaList(several)
    assert list(vmas) == several
    assert all(vmas.find(vma.start + 5) is vma for vma in several)
    assert vmas.last() is (several[-1] if several else None)
