"""What fragments look like, what is left alone, and how a stopped one is told apart.

That they do the right thing is tested in test_translate_machine.py.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbw.abi.thread_cell import FS_NEGATIVE, GS_NEGATIVE, SAVE_0, SAVE_1
from lbw.cpu.contracts import R8, RAX, RBP, RSI
from lbw.faults.template import BEHIND, SITE, TARGET, Template
from lbw.faults.translate import translate

SITE_ADDRESS, PLACE = 0x40_1000, 0x70_0000


def template(code: str, bits: int = 64) -> Template:
    result = translate(bytes.fromhex(code) + b"\x90" * 4, bits)
    assert result is not None
    return result


def recoveries(template: Template) -> list[tuple[int, int, tuple, tuple]]:
    found = ((offset, template.recover(offset)) for offset in template.boundaries())
    return [(offset, recovery.resume, recovery.restores, recovery.biases) for offset, recovery in found]


def test_the_stack_protector_s_load_borrows_its_own_destination():
    """mov rax, fs:[0x28]"""
    it = template("64488b042528000000")
    assert (it.mnemonic, it.length, it.segment, it.size, it.far_size) == ("mov", 9, 4, 25, 34)
    assert it.place(PLACE, SITE_ADDRESS).hex(" ", -4) == bytes.fromhex(
        "4889042520f0ffff"  # mov [SAVE_0], rax
        "488b042500f0ffff"  # mov rax, [FS_BASE]
        "488b4028"  # mov rax, [rax + 0x28]
        "e9f00fd0ff"  # jmp behind
    ).hex(" ", -4)
    rax = ((RAX, SAVE_0),)
    assert recoveries(it) == [(0, SITE, (), ()), (8, SITE, (), ()), (16, SITE, rax, ()), (20, BEHIND, (), ())]


def test_a_store_borrows_a_register_that_it_does_not_name():
    """mov fs:[rbp + 0x10], r8d in 64-bit mode"""
    it = template("6444894510")
    assert it.place(PLACE, SITE_ADDRESS)[:-5] == bytes.fromhex(
        "4c890c2520f0ffff"  # mov [SAVE_0], r9
        "4c8b0c2500f0ffff"  # mov r9, [FS_BASE]
        "468944" "0d10"  # mov [rbp + r9 + 0x10], r8d
        "4c8b0c2520f0ffff"  # mov r9, [SAVE_0]
    )  # fmt: skip


def test_an_i386_load_by_moffs():
    """mov eax, gs:[0x14] in 32-bit mode"""
    it = template("65a114000000", 32)
    assert (it.segment, it.size, it.bits) == (5, 20, 32)
    assert it.place(PLACE, SITE_ADDRESS) == bytes.fromhex(
        "890520f0ffff"  # mov [SAVE_0], eax
        "8b0508f0ffff"  # mov eax, [GS_BASE]
        "8b4014"  # mov eax, [eax + 0x14]
        "e9f20fd0ff"
    )


def test_a_far_fragment_ends_with_an_absolute_jump():
    it = template("64488b042528000000")
    far = it.place_far(0x7FFF_0000_0000, SITE_ADDRESS)
    assert far[:-14] == it.place(PLACE, SITE_ADDRESS)[:-5]
    assert far[-14:] == bytes.fromhex("ff2500000000") + (SITE_ADDRESS + 9).to_bytes(8, "little")
    with pytest.raises(OverflowError):
        it.place(0x7FFF_0000_0000, SITE_ADDRESS)


def test_a_jump_wraps_around_in_32_bit_mode():
    it = template("65a114000000", 32)
    assert it.place(0x1000, 0xFFFF_0000)[-5:] == b"\xe9" + (0xFFFF_0006 - 0x1000 - it.size).to_bytes(4, "little")


def test_a_call_pushes_the_true_return_address():
    """call fs:[0x10]"""
    it = template("64ff142510000000")
    code = it.place(PLACE, SITE_ADDRESS)
    assert code[-8:] == (SITE_ADDRESS + 8).to_bytes(8, "little")
    assert code == it.place_far(PLACE, SITE_ADDRESS)
    assert [(resume, restores) for _, resume, restores, _ in recoveries(it)] == [
        (SITE, ()), (SITE, ()), *[(SITE, ((RBP, SAVE_0),))] * 3, (SITE, ()), (TARGET, ()),
    ]  # fmt: skip
    short = template("65ff1510000000", 32)
    assert (SITE_ADDRESS + 7).to_bytes(4, "little") in short.place(PLACE, SITE_ADDRESS)


def test_a_string_instruction_is_stopped_with_its_register_biased():
    it = template("65f348a5")
    found = recoveries(it)
    assert [biases for *_, biases in found] == [(), (), (), *[((RSI, GS_NEGATIVE),)] * 3, (), ()]
    assert [resume for _, resume, *_ in found] == [SITE] * 4 + [BEHIND] * 4
    assert recoveries(template("64f3a4"))[3][3] == ((RSI, FS_NEGATIVE),)


def test_two_registers_are_borrowed_for_an_address_relative_to_rip():
    """cmp fs:[rip + 0x100], ecx"""
    it = template("64390d00010000")
    code = it.place(PLACE, SITE_ADDRESS)
    assert (SITE_ADDRESS + 7 + 0x100).to_bytes(8, "little") in code
    both = ((RBP, SAVE_0), (R8, SAVE_1))
    assert (SITE, both) in [(resume, restores) for _, resume, restores, _ in recoveries(it)]
    assert (BEHIND, both) in [(resume, restores) for _, resume, restores, _ in recoveries(it)]


@pytest.mark.parametrize(
    "code",
    [
        "8b00", "64488d00", "640f1f4000", "6490", "64c3", "64e800000000", "64740e", "64ab", "64ae", "6450",
        "640f1800", "640f0d08", "6466660f1f840000000000",
    ],
)  # fmt: skip
def test_no_access_no_translation(code):
    """No override, lea, nops, ret, call, a hinted branch, stos, scas, push of a register, prefetches."""
    assert translate(bytes.fromhex(code), 64) is None


@pytest.mark.parametrize(
    "code, bits",
    [
        ("64ff18", 64), ("64ff28", 64), ("64c400", 32), ("64c500", 32), ("640fb200", 64), ("640fb500", 64),  # far
        ("648e18", 64), ("658ee0", 64),  # segment registers
        ("64666eff", 64), ("646e", 64), ("6467a4", 64), ("6467d7", 64),  # ports; narrow implied addresses
        ("6466ff10", 64), ("6466ff20", 32),  # 16-bit targets
        ("64678f0424", 64), ("64670fa300", 64),  # pop to [esp], bit strings at narrow addresses
    ],
)  # fmt: skip
def test_what_is_left_to_single_steps(code, bits):
    assert translate(bytes.fromhex(code) + b"\x90" * 8, bits) is None


def test_avx_is_translated_whether_or_not_the_processor_has_it():
    """vmovsd xmm0, fs:[rax], vmovsd xmm8, fs:[r9 + rax]"""
    assert b"\xc5\xfb\x10\x04\x28" in template("64c5fb1000").place(PLACE, SITE_ADDRESS)
    assert template("64c4417b100401").mnemonic == "vmovsd"


@given(st.binary(max_size=80))
def test_reading_junk_raises_only_value_error(raw):
    try:
        it = Template.from_bytes(raw)
        assert it.to_bytes() == raw
    except ValueError:
        pass


@pytest.mark.parametrize("code, bits", [("64488b042528000000", 64), ("64ff142510000000", 64), ("65f3a4", 32)])
def test_templates_survive_serialisation(code, bits):
    it = template(code, bits)
    again = Template.from_bytes(it.to_bytes())
    names = ("length", "mnemonic", "segment", "size", "far_size", "bits")
    assert [getattr(it, name) for name in names] == [getattr(again, name) for name in names]
    assert it.place(PLACE, SITE_ADDRESS) == again.place(PLACE, SITE_ADDRESS)
    assert recoveries(it) == recoveries(again)


def test_recovery_is_never_missing():
    """A program may jump into the middle of a fragment's instruction; it deserves what it gets, lbw does not."""
    it = template("64488b042528000000")
    for offset in range(-1, it.far_size + 1):
        assert it.recover(offset).resume in (SITE, BEHIND)
    assert it.recover(18).restores == it.recover(16).restores
