"""An instruction and its fragment do the same, wherever the fragment is stopped and whatever fails.

The original runs with the true base in the processor, the fragment with parked bases and the thread cell.
"""

from __future__ import annotations

from random import Random

import pytest
from fragment_forms import TABLE, Form, Row, forms
from fragment_machine import DATA, FAR, FRAGMENT, OTHER, SITE, STACK, Machine, State
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbw.abi.thread_cell import TARGET as TARGET_WORD
from lbw.abi.x86 import LONGEST
from lbw.cpu.contracts import RAX, RBX, RCX, RDI, RDX, RSI, RSP
from lbw.faults.template import BEHIND, TARGET, Template
from lbw.faults.translate import translate

AT = SITE + 0x800
LANDING = SITE + 0x1100
MIDDLE = DATA + 0x4000
#: Arithmetic flags and DF.
FLAGS = 0x8D5 | 0x400


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine()


@st.composite
def states(draw: st.DrawFn, bits: int) -> State:
    """Draw registers, flags and memory."""
    random = Random(draw(st.integers(0, (1 << 32) - 1)))
    state = State(bits)
    state.registers = [random.getrandbits(bits) for _ in range(16 if bits == 64 else 8)]
    state.registers += [0] * (16 - len(state.registers))
    for number in range(16):
        if random.random() < 0.2:
            state.registers[number] &= 0xFF
    state.registers[RSP] = STACK + 0x1800
    state.flags = 0x202 | random.getrandbits(12) & (FLAGS & ~0x400)
    state.vectors = [random.getrandbits(128) for _ in range(16 if bits == 64 else 8)]
    state.memory = {address: random.randbytes(0x1000) * 8 for address in (DATA, OTHER)}
    state.memory[STACK] = random.randbytes(0x1000) * 4
    return state


def base_for(machine: Machine, form: Form, state: State, behind: int) -> int:
    """Return the base with which the operand of `form` lies in the middle of the data, by running `lea`."""
    machine.load(state)
    start = behind - len(form.lea)
    machine.poke(start, form.lea)
    machine.uc.ctl_flush_tb()
    assert machine.run(start, behind) == 0
    offset = machine.state(form.bits).registers[RAX]
    return (MIDDLE - offset) % (1 << form.bits)


def recovered(machine: Machine, template: Template, address: int, far: bool, until: int) -> State:
    """Return the state that the kernel would show, with RIP at the site when the fragment has been rolled back."""
    state = machine.state(template.bits)
    if not address <= state.rip < address + 256:
        return state
    recovery = template.recover(state.rip - address)
    assert recovery is not None, f"no recovery at offset {state.rip - address}"
    mask = (1 << template.bits) - 1

    def word(offset: int) -> int:
        return int.from_bytes(machine.ram[machine.cell + offset : machine.cell + offset + 8], "little") & mask

    for register, offset in recovery.biases:
        state.registers[register] = state.registers[register] + word(offset) & mask
    for register, offset in recovery.restores:
        state.registers[register] = word(offset)
    if recovery.resume == TARGET:
        state.rip = word(TARGET_WORD)
    else:
        state.rip = until if recovery.resume == BEHIND else AT
    return state


def compare(
    machine: Machine, code: bytes, segment: int, base: int, state: State, template: Template, far: bool
) -> None:
    """Run original and fragment; stop the fragment at each instruction too."""
    bits = state.bits
    true_base = (segment, base)
    machine.poke(AT, code)
    behind = AT + len(code)
    until = LANDING if template.mnemonic in ("call", "jmp") else behind

    def original(start: State) -> tuple[int, State]:
        machine.load(start, true_base)
        error = machine.run(AT, until)
        return error, machine.state(bits)

    machine.uc.ctl_flush_tb()
    machine.load(state, true_base)
    before = machine.state(bits)
    before.rip = AT
    error, expected = original(state)
    fault = machine.fault_address()
    address = FAR if far else FRAGMENT
    fragment = (template.place_far if far else template.place)(address, AT)
    assert len(fragment) == (template.far_size if far else template.size)
    machine.poke(address, fragment)
    machine.uc.ctl_flush_tb()
    machine.base_words(segment, base, bits)
    machine.load(state)
    assert machine.run(address, until) == error
    final = recovered(machine, template, address, far, behind)
    assert final.differences(expected) == []
    assert machine.fault_address() == fault
    if error:
        return
    for count in range(1, 40):
        machine.base_words(segment, base, bits)
        machine.load(state)
        assert machine.run(address, until, count) == 0
        inside = address <= machine.state(bits).rip < address + 256
        stopped = recovered(machine, template, address, far, behind)
        if stopped.rip == AT and stopped.differences(before):
            assert "rep" in template.mnemonic, stopped.differences(before)
            stopped = original(stopped)[1]
            assert stopped.differences(expected) == []
        elif stopped.rip != AT:
            assert stopped.differences(expected) == []
        if not inside:
            return
    raise AssertionError("the fragment does not end")


def examples(count: int):
    return settings(max_examples=count, suppress_health_check=list(HealthCheck), print_blob=False)


@pytest.mark.parametrize("row", TABLE, ids=repr)
@given(data=st.data())
@examples(12)
def test_a_fragment_does_what_the_original_does(machine, row, data):
    for bits in row.modes:
        form = data.draw(forms(row, bits))
        check(machine, form, data.draw(states(bits)), bits == 64 and data.draw(st.booleans()))


@pytest.mark.parametrize("row", TABLE, ids=repr)
@given(data=st.data())
@examples(3)
def test_a_fault_shows_the_original_with_its_registers(machine, row, data):
    """The fault has the same address, and what is shown then is the state at the site."""
    for bits in row.modes:
        form = data.draw(forms(row, bits))
        state = data.draw(states(bits))
        with machine.absent(DATA, 8):
            check(machine, form, state, bits == 64 and data.draw(st.booleans()))


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("opcode", [0xA4, 0xA5, 0xA6, 0xA7, 0xAC, 0xAD])
@given(count=st.integers(0, 9), repeat=st.sampled_from((b"\xf3", b"\xf2")), data=st.data())
@examples(12)
def test_a_fault_in_the_middle_of_a_repeated_instruction(machine, bits, opcode, count, repeat, data):
    code = b"\x65" + repeat + bytes((opcode,))
    state = data.draw(states(bits))
    state.registers[RDI] = OTHER
    state.registers[RCX] = count
    state.memory[OTHER] = state.memory[DATA] = bytes(0x8000)
    template = translate(code, bits)
    assert template is not None
    base = (MIDDLE + 0x1000 - 12 - state.registers[RSI]) % (1 << bits)
    with machine.absent(MIDDLE + 0x1000, 1):
        compare(machine, code, 5, base, state, template, False)


@st.composite
def prefixes(draw: st.DrawFn, *words: bytes) -> bytes:
    """Draw an order of prefixes; with some that do nothing."""
    return b"".join(draw(st.permutations([word for word in words if word])))


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("opcode", [0xA4, 0xA5, 0xA6, 0xA7, 0xAC, 0xAD])
@given(data=st.data())
@examples(40)
def test_string_instructions_take_the_base_to_their_source(machine, bits, opcode, data):
    segment = data.draw(st.sampled_from((4, 5)))
    repeat = data.draw(st.sampled_from((b"", b"\xf3", b"\xf2")))
    code = data.draw(prefixes(bytes((0x60 + segment,)), repeat, data.draw(st.sampled_from((b"", b"\x66")))))
    code += bytes((data.draw(st.integers(0x40, 0x4F)),)) if bits == 64 and data.draw(st.booleans()) else b""
    state = data.draw(states(bits))
    state.flags |= data.draw(st.sampled_from((0, 0x400)))
    state.registers[RDI] = OTHER + 0x3000
    state.registers[RCX] = data.draw(st.integers(0, 6))
    if data.draw(st.booleans()):  # equal memory: repe goes on
        state.memory[OTHER] = bytes(0x8000)
        state.memory[DATA] = bytes(0x8000)
    template = translate(code + bytes((opcode,)), bits)
    assert template is not None
    base = (MIDDLE - state.registers[RSI]) % (1 << bits)
    compare(machine, code + bytes((opcode,)), segment, base, state, template, False)


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("form", ["d7", "0ff7c1", "660ff7ca", "660ff7fb"])
@given(data=st.data())
@examples(20)
def test_xlat_and_maskmov_have_an_implied_base_register(machine, bits, form, data):
    segment = data.draw(st.sampled_from((4, 5)))
    code = bytes((0x60 + segment,)) + bytes.fromhex(form)
    state = data.draw(states(bits))
    template = translate(code, bits)
    assert template is not None
    register = RBX if form == "d7" else RDI
    base = (MIDDLE - state.registers[register]) % (1 << bits)
    compare(machine, code, segment, base, state, template, False)


@pytest.mark.parametrize("bits", [64, 32])
@given(data=st.data())
@examples(150)
def test_an_absolute_address_is_part_of_the_instruction(machine, bits, data):
    segment = data.draw(st.sampled_from((4, 5)))
    small = data.draw(st.sampled_from((b"", b"\x67")))
    code = data.draw(prefixes(bytes((0x60 + segment,)), small, data.draw(st.sampled_from((b"", b"\x66")))))
    code += bytes((data.draw(st.integers(0x40, 0x4F)),)) if bits == 64 and data.draw(st.booleans()) else b""
    size = bits >> bool(small)
    address = data.draw(st.one_of(st.integers(0, (1 << size) - 1), st.integers(-64, 64))) % (1 << size)
    code += bytes((data.draw(st.integers(0xA0, 0xA3)),)) + address.to_bytes(size >> 3, "little")
    state = data.draw(states(bits))
    template = translate(code, bits)
    assert template is not None
    compare(machine, code, segment, (MIDDLE - address) % (1 << bits), state, template, False)


#: VEX map, pp and opcode of: andn bextr bzhi pdep pext mulx shlx sarx shrx, blsr and its like
VEX = [
    (2, 0, 0xF2), (2, 0, 0xF7), (2, 0, 0xF5), (2, 3, 0xF5), (2, 2, 0xF5), (2, 3, 0xF6), (2, 1, 0xF7), (2, 2, 0xF7),
    (2, 3, 0xF7), (2, 0, 0xF3),
]  # fmt: skip


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("opcode", [*VEX, (3, 3, 0xF0)])
@given(data=st.data())
@examples(20)
def test_vex_instructions_on_general_registers(machine, bits, opcode, data):
    where, pp, number = opcode
    form = data.draw(forms(Row("00 /r ib rorx") if number == 0xF0 else TABLE[0], bits))
    small = b"\x67" if form.lea[0] == 0x67 else b""
    rex = form.lea[len(small)] & 7 | form.register >> 1 & 4 if bits == 64 else 0
    operand = form.lea[form.lea.index(b"\x8d") + 1 :]
    field = data.draw(st.integers(1, 3)) if number == 0xF3 else form.register & 7
    wide = data.draw(st.booleans()) << 7 if bits == 64 else 0
    vvvv = data.draw(st.integers(0, 15 if bits == 64 else 7)) if number != 0xF0 else 0
    code = bytes((0x60 + form.segment,)) + small
    code += bytes((0xC4, (~rex & 7) << 5 | where, wide | (~vvvv & 15) << 3 | pp, number))
    code += bytes((operand[0] & 0xC7 | field << 3,)) + operand[1:] + (b"\x11" if where == 3 else b"")
    form.code = code
    check(machine, form, data.draw(states(bits)), False)


def check(machine: Machine, form: Form, state: State, far: bool) -> None:
    bits = form.bits
    if len(form.code) > LONGEST:
        return
    if form.relative and form.row.name in ("shld", "shrd", "rorx") and form.row.immediate:
        return  # Unicorn forgets the immediate when it computes an address relative to RIP
    template = translate(form.code + b"\x90" * 15, bits)
    if template is None:
        assert may_be_refused(form), form
        return
    assert template.length == len(form.code)
    assert template.segment == form.segment
    if form.row.may_divide_badly and random_bit(form):
        state.registers[RDX] = 0
        state.registers[RAX] &= 0xFF
    if form.row.bit_number:
        state.registers[form.register] &= 0xFFF
        if form.register == RSP:
            return
    base = base_for(machine, form, state, AT + len(form.code))
    if form.row.name in ("call", "jmp"):
        target = LANDING.to_bytes(8, "little")
        state.memory[DATA] = state.memory[DATA][:0x4000] + target + state.memory[DATA][0x4008:]
    compare(machine, form.code, form.segment, base, state, template, far)


def random_bit(form: Form) -> bool:
    return bool(sum(form.code) & 3)


def may_be_refused(form: Form) -> bool:
    """Tell whether a None is known, all of them at a smaller address size.

    Bit strings, `pop` from the stack, and cmpxchg8b in 32-bit mode, which leaves too few registers to borrow.
    """
    return b"\x67" in form.code[:5] and (form.row.bit_number or form.row.name in ("pop", "cmpxchg8b"))
