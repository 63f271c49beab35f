"""The processor in compatibility mode, without a kernel."""

from __future__ import annotations

import pytest
from engine_runs import next_trap

from lbw.abi.mman import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE
from lbw.cpu.contracts import FAULT, INTERRUPT_32, INTERRUPT_64, RAX, RBX, RCX, RESULT, RIP, RSP
from lbw.cpu.unicorn.modes import DS, FS, GS, USER32_CS, USER_CS, USER_DS

CODE, DATA = 0x40_0000, 0x60_0000


class Guest:
    """Code at an address, and the context that runs it."""

    def __init__(self, bench, code: str, bits: int = 32, at: int = CODE) -> None:
        self.engine, self.space = bench.engine, bench.space()
        for start in (CODE, DATA):
            self.space.mmap(start, 0x4000, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
        self.space.write(at, bytes.fromhex(code))
        self.context = self.engine.create_context(self.space.mmu)
        self.context.reset(at, DATA + 0x3000, bits)

    def trap(self):
        return next_trap(self.engine, self.context, self.space)

    def __getitem__(self, number: int) -> int:
        return self.context.registers[number]


@pytest.mark.parametrize("offset", [0, 0xFFD, 0xFFE, 0xFFF, 0x1000, 0x1001])
@pytest.mark.parametrize("bits", [32, 64])
def test_int_0x80_is_a_call_wherever_it_lies(bench, bits, offset):
    guest = Guest(bench, "cd80 cd80", bits, CODE + offset)
    for behind in (2, 4):
        trap = guest.trap()
        assert trap.kind == (INTERRUPT_32 if bits == 32 else INTERRUPT_64)
        assert guest[RIP] == CODE + offset + behind
        guest.context.registers[RAX] = 5
        guest.context.modified = RESULT


def test_a_call_leaves_everything_but_its_result(bench):
    guest = Guest(bench, "b977665544 bb44332211 cd80 89c3 cd80")  # mov ecx, ...; mov ebx, ...; mov ebx, eax
    guest.trap()
    assert (guest[RCX], guest[RBX]) == (0x44556677, 0x11223344)
    guest.context.registers[RAX] = 0xFFFF_FFDA
    guest.context.modified = RESULT
    guest.trap()
    assert (guest[RCX], guest[RBX]) == (0x44556677, 0xFFFF_FFDA)


@pytest.mark.parametrize(("code", "vector"), [("cd81", 13), ("cc", 3), ("ce", 4), ("0f0b", 6), ("f4", 13)])
def test_other_interrupts_are_exceptions(bench, code, vector):
    trap = Guest(bench, "b0 7f 04 7f" + code).trap()  # mov al, 0x7f; add al, 0x7f sets OF
    assert (trap.kind, trap.vector) == (FAULT, vector)


def test_addresses_and_counters_wrap(bench):
    # mov eax, -4; mov ecx, [eax + DATA + 8]; lea ebx, [eax + eax]; dec eax (which is a prefix in 64-bit mode)
    guest = Guest(bench, "b8fcffffff 8b8808006000 8d1c00 48 cd80")
    guest.space.write(DATA + 4, b"\x11\x22\x33\x44")
    guest.trap()
    assert (guest[RCX], guest[RBX], guest[RAX]) == (0x44332211, 0xFFFF_FFF8, 0xFFFF_FFFB)


def test_the_stack_has_words_of_four_bytes(bench):
    guest = Guest(bench, "6a05 68efbeadde 60 61 58 cd80")  # push 5; push ...; pusha; popa; pop eax
    guest.trap()
    assert (guest[RAX], guest[RSP]) == (0xDEAD_BEEF, DATA + 0x2FFC)


def test_far_jumps_change_the_mode(bench):
    # jmp 0x33:+7; mov rax, imm64 >> 32; push 0x23; push CODE + 0x40; retf; ... inc eax
    guest = Guest(bench, "ea 07004000 3300 48b80000000001000000 48c1e820 6a23 6840004000 48cb")
    guest.space.write(CODE + 0x40, bytes.fromhex("40 cd80"))
    assert guest.context.bits == 32
    guest.trap()
    assert (guest[RAX], guest.context.bits, guest.context.selectors[1]) == (2, 32, USER32_CS)
    other = Guest(bench, "ea 07004000 3300 cd80")
    other.trap()
    assert (other.context.bits, other.context.selectors[1]) == (64, USER_CS)
    copy = other.context.clone()
    assert (copy.bits, copy.selectors) == (64, other.context.selectors)
    other.context.enter_mode(32)
    assert (other.context.bits, other.context.selectors[1:3]) == (32, (USER32_CS, USER_DS))


def test_a_fresh_context_has_flat_segments(bench):
    guest = Guest(bench, "cd80")
    assert guest.context.selectors == (USER_DS, USER32_CS, USER_DS, USER_DS, 0, 0)
    assert Guest(bench, "cd80", 64).context.selectors == (0, USER_CS, USER_DS, 0, 0, 0)


@pytest.mark.parametrize(("register", "prefix"), [(FS, "64"), (GS, "65"), (DS, ""), (DS, "3e")])
def test_segments_loaded_by_hand_are_used(bench, register, prefix):
    guest = Guest(bench, f"{prefix} 8b1d 10000000 cd80")  # mov ebx, segment:[0x10]
    guest.space.write(DATA + 0x10, b"\x78\x56\x34\x12")
    guest.context.load_segment(register, 0x63, DATA, 0xFFFFF, 0x00CFF300)
    guest.trap()
    assert guest[RBX] == 0x1234_5678
    assert guest.context.selectors[register] == 0x63


def test_a_null_selector_has_no_base(bench):
    guest = Guest(bench, "8ee8 8ce9 cd80")  # mov gs, eax; mov ecx, gs
    guest.context.load_segment(GS, 0x63, DATA, 0xFFFFF, 0x00CFF300)
    guest.trap()
    assert (guest[RCX], guest.context.selectors[GS], guest.context.gs_base) == (0, 0, 0)
