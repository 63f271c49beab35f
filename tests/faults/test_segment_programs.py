"""Programs of generated segment accesses do the same natively and in the three modes of `--segments`.

Each access is executed twice: once trapping, once as what it has become.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from signal import SIGILL

import pytest
from fragment_forms import TABLE, Row, forms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from segment_program import RECORD, STACK, Case, program

from lbw import PIPE, Machine
from lbw.abi.x86 import LONGEST
from lbw.cpu.contracts import RSP
from lbw.faults.disassembler import disassembler

MODES = ["patch", "fault", "base"]
#: They load state that raises exceptions later, need privileges, or differ between kernels and processors.
LEFT_OUT = {
    "fldenv", "frstor", "fxrstor", "ldmxcsr", "fldcw", "sldt", "str", "verr", "verw", "sgdt", "sidt", "smsw", "lar",
    "lsl", "adcx", "adox", "bound", "fxsave", "moves", "movds", "movfs", "movgs", "arpl",
}  # fmt: skip
ROWS = [row for row in TABLE if row.name not in LEFT_OUT and not row.may_divide_badly]


class Operand:
    """The memory operand of `lea`, which is that of the instruction too."""

    def __init__(self, lea: bytes, bits: int) -> None:
        instruction = next(disassembler(bits).disasm(lea, 0, 1))
        operand = instruction.operands[1].mem
        names = [instruction.reg_name(number) or "" for number in (operand.base, operand.index)]
        self.relative = names[0].endswith("ip")
        self.size = bits >> (lea[0] == 0x67)
        self.base, self.index = (None if name[-2:] in ("", "ip", "iz") else self.number(name) for name in names)
        self.scale, self.displacement = operand.scale, operand.disp

    @staticmethod
    def number(name: str) -> int:
        if name[1].isdigit():
            return int(name[1:].rstrip("d"))
        return ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di").index(name[-2:])

    def address(self, registers: list[int]) -> int:
        base = 0 if self.base is None else registers[self.base]
        index = 0 if self.index is None else registers[self.index]
        return (base + index * self.scale + self.displacement) % (1 << self.size)


#: Offsets that lead into the parked window of 32-bit programs.
REACH = 0x300_0000


@st.composite
def cases(draw: st.DrawFn, row: Row, bits: int) -> Case | None:
    form = draw(forms(row, bits))
    random = Random(draw(st.integers(0, 1 << 32)))
    registers = [random.getrandbits(16) for _ in range(16)]
    registers[RSP] = STACK
    if row.bit_number:
        registers[form.register] &= 0xFFF
    flags = 0x202 | random.getrandbits(12) & 0x8D5
    case = Case(bits, form.segment, form.code, registers, flags, row.name in ("call", "jmp"))
    case.name, case.x87 = row.name, 0xD8 <= row.opcode[0] <= 0xDF
    operand = Operand(form.lea, bits)
    if len(form.code) > LONGEST or (row.bit_number and form.register == RSP):
        return None
    if operand.relative:
        if row.name in ("shld", "shrd") and row.immediate:
            return None  # Unicorn forgets the immediate when it computes the address
        case.displacement = operand.displacement
        return case if operand.size == 64 else None
    base = operand.base
    if bits == 32 and operand.size == 32 and base not in (None, RSP, operand.index, form.register):
        registers[base] = (registers[base] - operand.address(registers) + random.randrange(-REACH, REACH)) % (1 << 32)
    case.offset = operand.address(registers)
    if bits == 32:
        return case if (case.offset + REACH) % (1 << 32) < 2 * REACH else None
    if case.offset >> 47:
        case.offset -= 1 << 64
    return case if abs(case.offset) < 1 << 46 else None


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("programs")


#: In the FXSAVE image: the address of the last x87 instruction, which may be one of a fragment, and what the processor
#: supports in MXCSR.
IGNORED = (*range(8, 16), *range(28, 32))


#: What Unicorn does otherwise than processors: exception flags, MMX registers seen as those of the x87, and undefined
#: flags; reserved parts of the image.
UNDEFINED = (*range(0xA0), *range(0x1A0, 0x200), *range(0x280, 0x288))
#: Results that are undefined or approximate, or depend on the processor's age; with 66 and REX.W Unicorn takes popcnt
#: for one of 16 bits.
DIFFERENT = {
    "cvtpi2ps", "cvtpi2pd", "cvttps2pi", "cvtps2pi", "rsqrtps", "shld", "shrd", "stmxcsr", "lzcnt", "tzcnt", "bsf",
    "bsr", "popcnt", "phaddw",
}  # fmt: skip


def differences(
    cases: list[Case], one: bytes, two: bytes, ignored: tuple[int, ...] = IGNORED, left_out: Iterable[bytes] = ()
) -> list[str]:
    """Tell which cases differ, and where."""
    assert len(one) == len(two) == len(cases) * 2 * RECORD
    found = []
    for number, case in enumerate(cases):
        if case.code in left_out:
            continue
        for time in (0, 1):
            at = (number * 2 + time) * RECORD
            mine, theirs = bytearray(one[at : at + RECORD]), bytearray(two[at : at + RECORD])
            for offset in ignored:
                mine[offset] = theirs[offset] = 0
            if mine != theirs:
                where = [f"{i:#x}: {mine[i]:x} {theirs[i]:x}" for i in range(RECORD) if mine[i] != theirs[i]]
                found.append(f"{case.code.hex()} execution {time}: bytes {where[:8]}")
    return found


@pytest.fixture(scope="module")
def machines(directory) -> Iterator[dict[str, Machine]]:
    machines = {mode: Machine(directory, memory=256 << 20, segments=mode) for mode in MODES}
    yield machines
    for machine in machines.values():
        machine.close()


CHUNK = 24


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("chunk", range(0, len(ROWS), CHUNK))
@given(data=st.data(), seed=st.integers(0, 1 << 32))
@settings(max_examples=2, suppress_health_check=list(HealthCheck))
def test_all_forms_do_the_same_in_all_modes(directory, machines, bits, chunk, data, seed):
    rows = [row for row in ROWS[chunk : chunk + CHUNK] if bits in row.modes]
    found = [case for row in rows if (case := data.draw(cases(row, bits))) is not None]
    if not found:
        return
    path = directory / f"forms{bits}"
    path.write_bytes(program(found, seed))
    path.chmod(0o755)
    outputs = {}
    for mode, machine in machines.items():
        result = machine.run([f"/forms{bits}"], stdout=PIPE, stderr=PIPE)
        assert (result.status, result.stderr) == (0, b""), mode
        outputs[mode] = result.stdout
    assert differences(found, outputs["patch"], outputs["base"]) == []
    assert differences(found, outputs["fault"], outputs["base"]) == []
    native = subprocess.run([path], capture_output=True)
    if native.returncode != -SIGILL:  # a processor that has all of them
        assert native.returncode == 0
        left_out = [case.code for case in found if case.name in DIFFERENT or case.x87]
        assert differences(found, outputs["patch"], native.stdout, UNDEFINED, left_out) == []
