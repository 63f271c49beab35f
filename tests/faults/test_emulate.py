"""Emulated instructions against references that work on strings of bits, and what belongs to all of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.abi.mman import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.abi.signal import SEGV_MAPERR
from lbw.abi.x86_64 import X86_64
from lbw.cpu.contracts import ALL, GP, PF, PF_USER, RAX, RBX, RCX, RDX, RIP, RSI
from lbw.faults.emulate import Refused, emulate
from lbw.mm.address_space import AddressSpace

CODE, DATA = 0x40_0000, 0x50_0000
CARRY, PARITY, ADJUST, ZERO, SIGN, OVERFLOW = 1, 4, 0x10, 0x40, 0x80, 0x800


class Machine:
    """A context whose instructions are emulated, never run."""

    def __init__(self, bench) -> None:
        self.space = AddressSpace(bench.engine.create_mmu(), bench.frames, bench.homes, X86_64)
        for address, prot in ((CODE, PROT_READ | PROT_WRITE | PROT_EXEC), (DATA, PROT_READ | PROT_WRITE)):
            self.space.mmap(address, 0x1000, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
        self.context = bench.engine.create_context(self.space.mmu)

    def run(self, code: str, bits: int = 64, *, flags: int = 0x202, **registers: int) -> bool:
        self.space.write(CODE, bytes.fromhex(code) + b"\x90" * 15)
        self.context.reset(CODE, 0)
        self.context.flags = flags
        numbers = {"rax": RAX, "rbx": RBX, "rcx": RCX, "rdx": RDX, "rsi": RSI}
        for name, value in registers.items():
            self.context.registers[numbers[name]] = value
        self.context.modified = ALL
        return emulate(self.context, self.space, bits)

    def __getitem__(self, register: int) -> int:
        return self.context.registers[register]


@pytest.fixture
def machine(bench) -> Machine:
    return Machine(bench)


def word(value: int, width: int) -> str:
    """Return the bits of a value, the lowest first."""
    return format(value & (1 << width) - 1, f"0{width}b")[::-1]


def number(bits: str) -> int:
    return int(bits[::-1] or "0", 2)


def pext(a: str, b: str) -> str:
    return "".join(bit for bit, wanted in zip(a, b, strict=True) if wanted == "1").ljust(len(a), "0")


def pdep(a: str, b: str) -> str:
    source = iter(a)
    return "".join(next(source) if wanted == "1" else "0" for wanted in b)


def bextr(a: str, b: str) -> str:
    start, length = number(b[:8]), number(b[8:16])
    return a[start : start + length].ljust(len(a), "0")


def lowest(a: str) -> int:
    return a.index("1") if "1" in a else len(a)


#: Operation -> (encoding with rax, rcx, rdx in 64 and 32 bits, reference of rcx and rdx as bits)
OPERATIONS = {
    "andn": ("c4e2f0f2c2", "c4e270f2c2", lambda a, b: "".join("01"[x == "0" and y == "1"] for x, y in zip(a, b))),  # noqa: B905
    "bextr": ("c4e2e8f7c1", "c4e268f7c1", bextr),
    "blsi": ("c4e2f8f3d9", "c4e278f3d9", lambda a, _: "".join("01"[n == lowest(a)] for n in range(len(a)))),
    "blsmsk": ("c4e2f8f3d1", "c4e278f3d1", lambda a, _: "".join("01"[n <= lowest(a)] for n in range(len(a)))),
    "blsr": ("c4e2f8f3c9", "c4e278f3c9", lambda a, _: "".join("0" if n == lowest(a) else x for n, x in enumerate(a))),
    "bzhi": ("c4e2e8f5c1", "c4e268f5c1", lambda a, b: a[: number(b[:8])].ljust(len(a), "0")),
    "pdep": ("c4e2f3f5c2", "c4e273f5c2", pdep),
    "pext": ("c4e2f2f5c2", "c4e272f5c2", pext),
    "sarx": ("c4e2eaf7c1", "c4e26af7c1", lambda a, b: a[number(b) % len(a) :].ljust(len(a), a[-1])),
    "shlx": ("c4e2e9f7c1", "c4e269f7c1", lambda a, b: ("0" * (number(b) % len(a)) + a)[: len(a)]),
    "shrx": ("c4e2ebf7c1", "c4e26bf7c1", lambda a, b: a[number(b) % len(a) :].ljust(len(a), "0")),
}
SETS_FLAGS = {"andn", "bextr", "blsi", "blsmsk", "blsr", "bzhi"}
WORDS = st.one_of(st.integers(0, (1 << 64) - 1), st.integers(0, 70), st.sampled_from([1 << 31, 1 << 63, (1 << 64) - 1]))


@pytest.mark.parametrize("width", [64, 32])
@pytest.mark.parametrize("name", OPERATIONS)
def test_results_and_flags(bench, name, width):
    machine = Machine(bench)
    long, short, reference = OPERATIONS[name]
    code = long if width == 64 else short

    @settings(max_examples=60)
    @given(WORDS, WORDS, st.sampled_from([0x202, 0xAD7]))
    def check(a: int, b: int, flags: int) -> None:
        assert machine.run(code, rax=0xFEDC_BA98_7654_3210, rcx=a, rdx=b, flags=flags)
        result = reference(word(a, width), word(b, width))
        assert (machine[RAX], machine[RIP]) == (number(result), CODE + 5)
        assert (machine[RCX], machine[RDX]) == (a, b)
        new = machine.context.flags
        if name not in SETS_FLAGS:
            assert new == flags
            return
        assert bool(new & ZERO) == ("1" not in result)
        assert not new & OVERFLOW and new & ~0x8D5 == flags & ~0x8D5
        if name != "bextr":
            assert bool(new & SIGN) == (result[-1] == "1")
        source = "1" in word(a, width)
        carry = {"blsi": source, "blsmsk": not source, "blsr": not source, "bzhi": (b & 0xFF) >= width}.get(name, False)
        assert bool(new & CARRY) == carry

    check()


@settings(max_examples=60)
@given(WORDS, WORDS)
def check_mulx(machine: Machine, a: int, b: int) -> None:
    assert machine.run("c4e2f3f6c3", rdx=a, rbx=b)  # mulx rax, rcx, rbx
    assert machine[RAX] << 64 | machine[RCX] == a * b
    assert machine.run("c4e27bf6c3", rdx=a, rbx=b)  # mulx eax, eax, ebx
    assert machine[RAX] == (a & 0xFFFF_FFFF) * (b & 0xFFFF_FFFF) >> 32


def test_mulx(machine):
    check_mulx(machine)


@settings(max_examples=60)
@given(WORDS, st.integers(0, 255))
def check_rorx(machine: Machine, a: int, count: int) -> None:
    assert machine.run(f"c4e3fbf0c1{count:02x}", rcx=a)  # rorx rax, rcx, count
    bits = word(a, 64)
    assert machine[RAX] == number(bits[count % 64 :] + bits[: count % 64])


def test_rorx(machine):
    check_rorx(machine)


def test_an_operand_in_memory_across_pages_and_beyond(machine):
    machine.space.mmap(DATA + 0x1000, 0x1000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    machine.space.write(DATA + 0xFFC, b"\xff\0\0\0")
    assert machine.run("c4e2f8f31e", rsi=DATA + 0xFFC)  # blsi rax, [rsi]
    assert machine[RAX] == 1
    with pytest.raises(Refused) as refused:
        machine.run("c4e2f8f31e", rax=7, rsi=DATA + 0x1FFC)
    assert refused.value.vector == PF and refused.value.error_code == PF_USER
    fault = refused.value.fault
    assert fault is not None and (fault.code, fault.address) == (SEGV_MAPERR, DATA + 0x2000)
    assert (machine[RAX], machine[RIP]) == (7, CODE)


def test_a_non_canonical_operand_is_a_protection_fault(machine):
    with pytest.raises(Refused) as refused:
        machine.run("c4e2f8f31e", rsi=1 << 63)
    assert refused.value.vector == GP and refused.value.fault is None


def test_bases(machine):
    context = machine.context
    machine.run("90")
    context.fs_base, context.gs_base = DATA, 0x1_2345_6789
    saved = context.fs_base, context.gs_base

    def run(code: str, **registers: int) -> None:
        assert machine.run(code, **registers)

    context.reset(CODE, 0)
    run("f3480faed1", rcx=saved[0])  # wrfsbase rcx
    assert context.fs_base == saved[0]
    machine.space.write(CODE, bytes.fromhex("f3480faec0"))
    context.registers[RIP] = CODE
    assert emulate(context, machine.space, 64)  # rdfsbase rax
    assert machine[RAX] == saved[0]
    assert not machine.run("f30faec0", bits=32)


def test_what_is_told_of_the_processor(machine):
    assert machine.run("f30fc7f8", rax=99) and machine[RAX] == 0  # rdpid


@pytest.mark.parametrize("code", ["0f0a", "90", "0f0b", "c5f5efc2", "660f3880c1"])
def test_others_are_not_emulated(machine, code):
    assert not machine.run(code, rax=5)
    assert (machine[RAX], machine[RIP]) == (5, CODE)


def test_an_instruction_at_the_end_of_readable_memory(machine):
    code = bytes.fromhex("c4e2f8f3d9")
    machine.space.write(DATA + 0x1000 - len(code), code)
    machine.context.reset(DATA + 0x1000 - len(code), 0)
    machine.context.registers[RCX] = 12
    assert emulate(machine.context, machine.space, 64)
    assert (machine[RAX], machine[RIP]) == (4, DATA + 0x1000)
