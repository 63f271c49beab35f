"""Guest RAM: reserving is free, granules come and go, nothing finer is accepted."""

from __future__ import annotations

import ctypes
import sys

import pytest

from lbw.host.memory import GRANULE, Ram

SIZE = 8 << 30


@pytest.fixture
def ram():
    ram = Ram(SIZE)
    yield ram
    ram.close()


def test_reserving_takes_no_memory(ram: Ram) -> None:
    assert ram.size == len(ram.view) == SIZE
    assert len(ram.words) == SIZE // 8
    assert ram.resident() == 0


def test_the_address_is_that_of_the_view(ram: Ram) -> None:
    ram.commit(GRANULE, GRANULE)
    ram.view[GRANULE + 5] = 77
    assert ctypes.c_ubyte.from_address(ram.address + GRANULE + 5).value == 77
    ram.words[GRANULE // 8] = 0x0102030405060708
    assert bytes(ram.view[GRANULE : GRANULE + 8]) == bytes(range(8, 0, -1))


def test_released_granules_are_given_back_and_read_as_zeros(ram: Ram) -> None:
    ram.commit(0, 4 * GRANULE)
    ram.view[: 4 * GRANULE] = b"\xff" * (4 * GRANULE)
    full = ram.resident()
    ram.release(GRANULE, 2 * GRANULE)
    if sys.platform == "linux":
        assert full - ram.resident() == 2 * GRANULE
    ram.commit(GRANULE, 2 * GRANULE)
    assert not any(ram.view[GRANULE : 3 * GRANULE])
    assert ram.view[GRANULE - 1] == ram.view[3 * GRANULE] == 0xFF


@pytest.mark.parametrize(
    ("offset", "length"),
    [(4096, GRANULE), (0, 4096), (-GRANULE, GRANULE), (SIZE, GRANULE), (SIZE - GRANULE, 2 * GRANULE), (0, -GRANULE)],
)
def test_only_whole_granules_inside(ram: Ram, offset: int, length: int) -> None:
    with pytest.raises(ValueError, match="granules"):
        ram.commit(offset, length)
    with pytest.raises(ValueError, match="granules"):
        ram.release(offset, length)


@pytest.mark.parametrize("size", [0, -GRANULE, GRANULE + 1])
def test_sizes_are_whole_granules(size: int) -> None:
    with pytest.raises(ValueError, match="granules"):
        Ram(size)


def test_closing_twice_and_with_views_held_is_harmless() -> None:
    ram = Ram(GRANULE)
    ram.commit(0, GRANULE)
    ram.view[0] = 1
    held = ram.view[:10]
    ram.close()
    ram.close()
    if sys.platform == "linux":
        assert held[0] == 0
