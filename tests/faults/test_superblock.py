"""Superblocks: what a fragment copies of the code behind its site."""

from __future__ import annotations

import pytest

from lbw.faults.superblock import build
from lbw.faults.translate import translate

PAGE_ADDRESS = 0xE812_7000


def superblock(code: str, at: int, bits: int = 32):
    page = bytearray(b"\x90" * 4096)
    data = bytes.fromhex(code)
    page[at : at + len(data)] = data
    template = translate(bytes(page[at : at + 15]), bits)
    assert template is not None
    return build(template, PAGE_ADDRESS + at, bytes(page), PAGE_ADDRESS, bits, translate)


@pytest.mark.parametrize("last", ["c3", "50", "c9", "90", "74"])
def test_code_may_end_with_the_page(last):
    """mov eax, gs:[0], and one byte more."""
    assert superblock("65a100000000" + last, 4096 - 7).size > 0


def test_conditional_branches_of_32_bit_code_are_plain_jumps():
    """A branch that leads across 4 GB would not be cut to 32 bits; a jump is."""
    block = superblock("65a100000000 85c0 0f8400f00000 c3", 0)
    code = block.place(0x2C96_0000)
    at = code.index(bytes.fromhex("7505e9"))
    target = 0x2C96_0000 + at + 7 + int.from_bytes(code[at + 3 : at + 7], "little", signed=True)
    assert target & 0xFFFF_FFFF == PAGE_ADDRESS + 14 + 0xF000
    found = block.locate(at + 2)
    assert found is not None and found[1:] == (PAGE_ADDRESS + 14 + 0xF000, 0)
