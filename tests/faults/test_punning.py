"""Punned jumps, read back by capstone: they lead exactly to the target, and the bytes behind the site are untouched."""

from __future__ import annotations

import capstone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbw.faults.punning import PREFIX, jump, windows

ENDS = {64: 0x7FFF_FFFF_F000, 32: 0xFFFF_E000}


def jump_target(code: bytes, site: int, bits: int) -> tuple[int, int]:
    """Return (target, length) of the jump at the start of `code`."""
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64 if bits == 64 else capstone.CS_MODE_32)
    decoder.detail = True
    (found,) = decoder.disasm(code, site, 1)
    assert found.mnemonic.endswith("jmp")
    target = found.operands[0].imm
    return target % (1 << bits), found.size


@st.composite
def sites(draw):
    bits = draw(st.sampled_from([64, 32]))
    site = draw(st.integers(0x1_0000, ENDS[bits] - 16))
    near = draw(st.sampled_from([None, 0x1_0000, ENDS[bits] - 0x100, 0x8000_0000]))
    if near is not None:
        site = near + draw(st.integers(0, 0x7F))
    return site, draw(st.integers(2, 15)), draw(st.binary(min_size=4, max_size=4)), bits


@given(sites(), st.data())
def test_a_jump_leads_to_its_target(place, data):
    site, length, following, bits = place
    for prefix, low, high in windows(site, length, following, bits):
        assert 0x1_0000 <= low < high <= ENDS[bits]
        for target in {low, high - 1, data.draw(st.integers(low, high - 1))}:
            code = jump(site, length, prefix, target)
            assert len(code) <= length
            old = bytes(length) + following
            patched = code + old[len(code) :]
            assert patched[length:] == following
            found, size = jump_target(patched, site, bits)
            assert found == target
            assert size == len(prefix) + 5


@given(sites())
def test_the_widest_window_comes_first(place):
    widths = [high - low for _, low, high in windows(*place)]
    assert widths == sorted(widths, reverse=True)


def test_windows_of_a_short_site():
    """The worked example of the module."""
    site = 0x7F12_3456_0000
    following = bytes.fromhex("488b45f8")
    found = {len(prefix): (low, high) for prefix, low, high in windows(site, 3, following, 64)}
    assert found[0] == (site + 5 + 0x8B480000 - (1 << 32), site + 5 + 0x8B490000 - (1 << 32))
    assert found[1] == (site + 6 + 0x458B4800, site + 6 + 0x458B4900)
    assert found[2] == (site + 7 + 0xF8458B48 - (1 << 32), site + 7 + 0xF8458B48 - (1 << 32) + 1)


def test_five_bytes_reach_everything():
    assert list(windows(0x7F12_3456_0000, 5, b"", 64)) == [(b"", 0x7F11_B456_0005, 0x7F12_B456_0005)]
    assert list(windows(0x10_0000, 9, b"", 64)) == [(b"", 0x1_0000, 0x8010_0005)]
    assert list(windows(0x800_0000, 7, b"", 32)) == [(b"", 0x1_0000, 0xFFFF_E000)]


@pytest.mark.parametrize(
    ("length", "known", "paddings"), [(4, 1, {0}), (4, 4, {0, 1, 2, 3}), (2, 2, set()), (2, 3, {0})]
)
def test_unknown_followers_offer_no_window(length, known, paddings):
    """At the end of a mapping fewer bytes are known."""
    found = windows(0x4000_0000, length, bytes(known), 64)
    assert {len(prefix) for prefix, _, _ in found} == paddings


def test_a_32_bit_window_around_the_end_of_memory_has_two_parts():
    site = 0xFFFF_0000
    found = [(low, high) for prefix, low, high in windows(site, 4, b"\x00", 32) if not prefix]
    assert found == [(0x1_0000, site + 5 + (1 << 24) - (1 << 32)), (site + 5, 0xFFFF_E000)]


def test_windows_out_of_the_user_half_are_left_out():
    site = 0x1_0000
    assert [prefix for prefix, _, _ in windows(site, 4, b"\x80" * 4, 64)] == []
    assert [prefix for prefix, _, _ in windows(site, 4, b"\x7f" * 4, 64)] == [PREFIX * count for count in range(4)]
