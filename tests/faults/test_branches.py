"""Branches into an instruction: all are found among random bytes, true ones are told from those that only look so."""

from __future__ import annotations

import random

import capstone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.abi.x86 import LEGACY_PREFIXES
from lbw.faults.branches import REACH, candidates, targets_inside
from lbw.faults.lengths import instruction_length

BASE = 0x40_0000
SHORT = (*range(0x70, 0x80), 0xEB, *range(0xE0, 0xE4))

# mov %fs:0x28,%rax; a few instructions of a function, to walk through
SITE = bytes.fromhex("64488b042528000000")
BODY = bytes.fromhex("554889e54883ec10488b4508488d5d10c745fc010000008b45fc83c001894424084c89e74889de31c00f1f4000")


def slow(code: bytes, site: int, length: int) -> set[tuple[int, int]]:
    """The definition: every position, every form."""
    found = set()
    for at in range(len(code)):
        for opcode_length, matches, size in (
            (1, code[at] in SHORT, 1),
            (1, code[at] in (0xE8, 0xE9), 4),
            (2, code[at] == 0x0F and code[at + 1 : at + 2] and code[at + 1] >> 4 == 8, 4),
        ):
            end = at + opcode_length + size
            if matches and end <= len(code):
                target = end + int.from_bytes(code[end - size : end], "little", signed=True)
                if site < target < site + length and (end <= site or at >= site + length):
                    found.add((at, target + BASE))
    return found


@settings(max_examples=150)
@given(st.data())
def test_candidates_are_all_that_look_like_branches(data):
    size = data.draw(st.sampled_from([40, 300, 5000]))
    seed = data.draw(st.integers(0, 2**32))
    code = bytearray(random.Random(seed).randbytes(size))
    length = data.draw(st.integers(2, 15))
    site = data.draw(st.integers(0, size - length))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, size - 8))
        opcode = data.draw(st.sampled_from([b"\xeb", b"\x74", b"\xe3", b"\xe9", b"\xe8", b"\x0f\x84"]))
        width = 4 if opcode[0] in (0xE9, 0xE8, 0x0F) else 1
        end = at + len(opcode) + width
        distance = site + data.draw(st.integers(0, length)) - end
        if width == 4 or -128 <= distance < 128:
            code[at:end] = opcode + distance.to_bytes(width, "little", signed=True)
    assert set(candidates(bytes(code), BASE, BASE + site, length)) == slow(bytes(code), site, length)


def test_branches_from_two_pages_away_are_found():
    for distance in (REACH - 16, -REACH + 32):
        code = bytearray(3 * 4096 + REACH * 2)
        site = len(code) // 2
        at = site - distance
        target = site + 1
        code[at : at + 5] = b"\xe9" + (target - at - 5).to_bytes(4, "little", signed=True)
        assert (at, BASE + target) in candidates(bytes(code), BASE, BASE + site, 9)


@pytest.mark.parametrize("branch", ["74", "0f84", "e9", "eb", "3e74"])
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("inner", [1, 4])
def test_a_true_branch_is_told(branch, behind, inner):
    opcode = bytes.fromhex(branch)
    width = 1 if opcode[-1] in (0x74, 0xEB) and branch != "0f84" else 4
    gap = 8 * b"\x90" + b"\x48\x89\xd8"
    if behind:
        code = BODY * 2 + SITE + gap
        at, site = len(code), 2 * len(BODY)
    else:
        code = BODY * 2
        at = len(code)
        site = at + len(opcode) + width + len(gap)
    distance = site + inner - (at + len(opcode) + width)
    jump = opcode + distance.to_bytes(width, "little", signed=True)
    code = code + jump + BODY * 2 if behind else code + jump + gap + SITE + BODY * 2
    assert targets_inside(code, BASE, BASE + site, len(SITE), 64) == {BASE + site + inner}


def test_a_false_one_is_no_target():
    """The bytes of a jump as an immediate of another instruction."""
    prologue = BODY * 2 + b"\xb8"  # mov eax, imm32
    site = len(prologue) + 4
    false = b"\xeb" + bytes((site + 1 - len(prologue) - 2,)) + b"\x00\x00"
    code = prologue + false + SITE + BODY
    assert candidates(code, BASE, BASE + site, len(SITE))
    assert targets_inside(code, BASE, BASE + site, len(SITE), 64) == set()


def test_where_nothing_can_be_told_it_may_be_a_branch():
    """The beginning of the code: nothing to walk through."""
    code = b"\xeb\x01" + SITE + BODY
    assert targets_inside(code, BASE, BASE + 2, len(SITE), 64) == {BASE + 3}


def test_a_branch_to_the_start_or_the_end_is_none():
    for inner in (0, len(SITE)):
        code = BODY + b"\xeb" + bytes((inner,)) + SITE + BODY
        assert candidates(code, BASE, BASE + len(BODY) + 2, len(SITE)) == []


@settings(max_examples=300)
@given(st.binary(min_size=15, max_size=15), st.sampled_from([64, 32]), st.booleans())
def test_lengths_are_those_of_a_disassembler(code, bits, two):
    if two:
        code = b"\x0f" + code[:-1]
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64 if bits == 64 else capstone.CS_MODE_32)
    found = next(decoder.disasm_lite(code, 0, 1), None)
    if found is not None and found[2] not in ("ud0", "ud1", "montmul") and not found[2].startswith(("x", "rep x")):
        assert instruction_length(code, 0, bits) == found[1]
    assert instruction_length(bytes([0x66] * 15) + code, 0, bits) == 0  # too long
    assert {0x64, 0x66, 0xF0} <= LEGACY_PREFIXES
