"""Moving bytes between pages of two processes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lbw.syscalls.process_vm import Cursor, copy

SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(SIZES, SIZES)
def test_views_are_copied_to_views_that_are_cut_otherwise(there: list[int], here: list[int]) -> None:
    data = bytes(range(sum(there)))
    source, at = [], 0
    for size in there:
        source.append(memoryview(data)[at : at + size])
        at += size
    target = [bytearray(size) for size in here]
    count = copy(source, [memoryview(part) for part in target])
    assert count == min(sum(there), sum(here))
    assert b"".join(target) == data[:count].ljust(sum(here), b"\0")


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 9)), max_size=6), st.data())
def test_a_cursor_visits_every_byte_once(areas: list[tuple[int, int]], data: st.DataObject) -> None:
    cursor, seen = Cursor(areas), []
    while cursor.left:
        count = data.draw(st.integers(1, cursor.left))
        seen += range(cursor.address, cursor.address + count)
        cursor.advance(count)
    assert seen == [address for base, length in areas for address in range(base, base + length)]
