"""The arena: places for fragments in large and small windows, who owns an address, space that is used again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.faults.arena import Arena
from lbw.host.memory import Ram
from lbw.mm.frames import Frames

PAGE = 4096
ZONE = (0x10_0000, 0x20_0000)


def make(zones=(ZONE,), frames: int = 256) -> Arena:
    return Arena(Frames(Ram(8 << 20), frames * PAGE), list(zones))


def everywhere(start: int, end: int) -> bool:
    return True


def content(arena: Arena, address: int, size: int) -> bytes:
    view = arena.frames.view
    return b"".join(
        bytes(view[arena.pages[at // PAGE] + at % PAGE :][:1]) for at in range(address, address + size)
    )


def test_fragments_fill_a_page_before_the_next_one_is_taken():
    arena = make()
    places = [arena.claim(*ZONE, 40, everywhere) for _ in range(300)]
    assert None not in places
    assert len(arena.pages) == -(-300 // (PAGE // 40))
    assert max(arena.pages) - min(arena.pages) == len(arena.pages) - 1
    ordered = sorted(places)
    assert all(first + 40 <= second for first, second in pairwise(ordered))


def test_what_was_written_is_there_and_int3_around_it():
    arena = make()
    address = arena.claim(ZONE[0] + PAGE - 3, ZONE[0] + PAGE - 2, 8, everywhere)
    arena.write(address, b"12345678")
    assert content(arena, address - 1, 10) == b"\xcc12345678\xcc"
    assert len(arena.pages) == 2


def test_a_window_may_be_one_place():
    arena = make()
    assert arena.claim(0x10_0123, 0x10_0124, 30, everywhere) == 0x10_0123
    assert arena.claim(0x10_0123, 0x10_0124, 30, everywhere) is None
    assert arena.claim(0x10_0140, 0x10_0141, 30, everywhere) is None
    assert arena.claim(0x10_0141, 0x10_0142, 30, everywhere) == 0x10_0141
    assert arena.claim(0x10_0106, 0x10_0107, 30, everywhere) is None
    assert arena.claim(0x10_0105, 0x10_0106, 30, everywhere) == 0x10_0105


def test_a_window_outside_of_the_zones_has_no_place():
    arena = make()
    assert arena.claim(0x30_0000, 0x30_0100, 10, everywhere) is None
    assert arena.claim(ZONE[1] - 9, ZONE[1], 10, everywhere) is None
    assert arena.claim(ZONE[1] - 10, ZONE[1], 10, everywhere) == ZONE[1] - 10
    assert arena.claim(0, ZONE[0] + 1, 10, everywhere) == ZONE[0]


def test_a_fragment_crosses_pages_only_if_both_are_free():
    arena = make()
    edge = ZONE[0] + PAGE

    def first_only(start: int, end: int) -> bool:
        return end <= edge

    assert arena.claim(edge - 5, edge, 10, first_only) is None
    assert arena.claim(edge - 5, edge - 4, 10, everywhere) == edge - 5


def test_pages_with_mappings_are_avoided():
    arena = make()
    taken = range(ZONE[0], ZONE[0] + 300 * 1024, PAGE)

    def free(start: int, end: int) -> bool:
        assert end - start == PAGE and start % PAGE == 0
        return start not in taken

    first = arena.claim(*ZONE, 40, free)
    assert first is not None and first & -PAGE not in taken
    # ... also where another address space has fragments
    other = arena.claim(*ZONE, 40, lambda start, end: start != first & -PAGE)
    assert other & -PAGE != first & -PAGE


def test_no_place_is_none():
    arena = make()
    assert arena.claim(*ZONE, 40, lambda start, end: False) is None
    assert arena.pages == {}


def test_no_memory_is_none():
    arena = make(frames=4)
    places = []
    while (place := arena.claim(*ZONE, 4000, everywhere)) is not None:
        places.append(place)
    assert 0 < len(places) < 4


def test_who_owns_an_address():
    arena = make()
    places = {arena.claim(*ZONE, 20, everywhere): f"owner {number}" for number in range(500)}
    for address, owner in places.items():
        arena.record(address, 20, owner)
    for address, owner in places.items():
        assert arena.find(address) == arena.find(address + 19) == (address, owner)
    last = max(places)
    assert arena.find(last + 20) is None
    assert arena.find(min(places) - 1) is None
    assert arena.find(0x7FFF_0000_0000) is None
    assert {(start, owner) for start, _, owner in arena} == set(places.items())


def test_released_space_is_used_after_a_flush_only():
    arena = make(zones=[(ZONE[0], ZONE[0] + PAGE)])
    places = [arena.claim(*ZONE, 1024, everywhere) for _ in range(4)]
    arena.record(places[1], 1024, "gone")
    arena.release(places[1], 1024)
    assert arena.find(places[1]) is None
    assert arena.claim(*ZONE, 1024, everywhere) is None
    arena.reuse()
    assert arena.claim(*ZONE, 1024, everywhere) == places[1]


def test_the_last_fragment_takes_its_pages_with_it():
    arena = make()
    forgotten = []
    arena.forget = lambda page, frame: forgotten.append((page, frame))
    used = arena.frames.used
    one = arena.claim(ZONE[0] + PAGE - 3, ZONE[0] + PAGE - 2, 10, everywhere)
    two = arena.claim(ZONE[0] + PAGE + 64, ZONE[0] + PAGE + 65, 10, everywhere)
    pages = dict(arena.pages)
    assert len(pages) == 2
    arena.release(one, 10)
    assert forgotten == [(ZONE[0] // PAGE, pages[ZONE[0] // PAGE])]
    arena.release(two, 10)
    assert arena.pages == {} and len(forgotten) == 2
    assert arena.frames.used == used
    assert all(frame in arena.frames._retired for frame in pages.values())  # until a flush
    arena.reuse()
    assert arena.claim(ZONE[0] + PAGE - 3, ZONE[0] + PAGE - 2, 10, everywhere) == one


@settings(max_examples=60)
@given(st.data())
def test_claims_against_a_set_of_bytes(data):
    """Small zone, random windows, mappings, releases: every place is right, and a place is found if there is one."""
    zone = (0x4000, 0x4000 + 6 * PAGE)
    arena = make([zone])
    used: set[int] = set()
    live: dict[int, int] = {}
    stale: list[tuple[int, int]] = []
    for _ in range(data.draw(st.integers(1, 40))):
        action = data.draw(st.sampled_from("cccccrf"))
        if action == "r" and live:
            address = data.draw(st.sampled_from(sorted(live)))
            arena.release(address, live[address])
            stale.append((address, live.pop(address)))
        elif action == "f":
            arena.reuse()
            for address, size in stale:
                used.difference_update(range(address, address + size))
            stale.clear()
        elif action == "c":
            low = data.draw(st.integers(zone[0] - 100, zone[1]))
            high = low + data.draw(st.sampled_from([1, 256, 65536]))
            size = data.draw(st.integers(1, 1500))
            mapped = data.draw(st.sets(st.integers(4, 9), max_size=4))
            blocked = {page * PAGE for page in mapped}
            address = arena.claim(low, high, size, lambda start, end, blocked=blocked: start not in blocked)
            possible = [
                at
                for at in range(max(low, zone[0]), min(high, zone[1] - size + 1))
                if mapped.isdisjoint(range(at // PAGE, (at + size - 1) // PAGE + 1))
                and used.isdisjoint((at, at + size - 1))
                and used.isdisjoint(range(at, at + size))
            ] if address is None else [address]  # fmt: skip
            if address is None:
                assert not possible
                continue
            assert low <= address < high and zone[0] <= address and address + size <= zone[1]
            span = range(address, address + size)
            assert used.isdisjoint(span)
            assert mapped.isdisjoint(range(address // PAGE, (address + size - 1) // PAGE + 1))
            used.update(span)
            live[address] = size
            arena.record(address, size, address)
    for address, size in live.items():
        assert arena.find(address + size - 1) == (address, address)
    assert {page for address, size in live.items()
            for page in range(address // PAGE, (address + size - 1) // PAGE + 1)} == set(arena.pages)  # fmt: skip


@pytest.mark.parametrize("size", [24, 100])
def test_a_large_window_does_not_cross_pages(size):
    arena = make()
    for _ in range(500):
        address = arena.claim(*ZONE, size, everywhere)
        assert address // PAGE == (address + size - 1) // PAGE
