"""Emulated bit manipulation: BMI1 and BMI2, and TEST in its second encoding.  Intel SDM vol. 2"""

from __future__ import annotations

from lbw.cpu.contracts import RDX
from lbw.faults.emulate_operands import ADJUST, CARRY, MASKS, OVERFLOW, PARITY, SIGN, ZERO, reader, writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from capstone import CsInsn

    from lbw.cpu.contracts import Context
    from lbw.faults.emulate import Action, Maker
    from lbw.mm.user_copy import UserMemory

    #: (operands, bits of an operand) -> (result, carry)
    Function = Callable[[int, int, int], tuple[int, bool]]

_STATUS = CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW
#: PF of a byte.
_PARITY = [0 if value.bit_count() & 1 else PARITY for value in range(256)]


def _with_flags(function: Function, always: int = 0, never: int = 0) -> Maker:
    """Return the maker for an instruction with one or two sources that sets flags by its result.

    Undefined ones are as AMD's processors leave them: AF clear, PF by the result, and what `always` and `never` say.
    """

    def make(instruction: CsInsn, bits: int) -> Action:
        count = len(instruction.operands)
        first = reader(instruction, 1, bits)
        second = reader(instruction, 2, bits) if count > 2 else None
        target = writer(instruction, 0, bits)
        width = instruction.operands[0].size * 8
        mask = MASKS[width // 8]

        def act(context: Context, memory: UserMemory) -> None:
            value, carry = function(first(context, memory), second(context, memory) if second else 0, width)
            value &= mask
            flags = (CARRY if carry else 0) | (0 if value else ZERO) | (SIGN if value >> width - 1 else 0)
            context.flags = context.flags & ~_STATUS | (flags | _PARITY[value & 0xFF]) & ~never | always
            target(context, memory, value)  # last: a new value of the flags brings back what was not announced

        return act

    return make


def _plain(function: Callable[[int, int, int], int]) -> Maker:
    """Return the maker for an instruction with two sources that leaves the flags alone."""

    def make(instruction: CsInsn, bits: int) -> Action:
        first, second = reader(instruction, 1, bits), reader(instruction, 2, bits)
        target = writer(instruction, 0, bits)
        width = instruction.operands[0].size * 8

        def act(context: Context, memory: UserMemory) -> None:
            target(context, memory, function(first(context, memory), second(context, memory), width))

        return act

    return make


def _test(instruction: CsInsn, bits: int) -> Action:
    first, second = reader(instruction, 0, bits), reader(instruction, 1, bits)
    width = instruction.operands[0].size * 8

    def act(context: Context, memory: UserMemory) -> None:
        value = first(context, memory) & second(context, memory)
        flags = (0 if value else ZERO) | (SIGN if value >> width - 1 else 0)
        context.flags = context.flags & ~_STATUS | flags | _PARITY[value & 0xFF]

    return act


def _andn(first: int, second: int, width: int) -> tuple[int, bool]:
    return ~first & second, False


def _bextr(source: int, control: int, width: int) -> tuple[int, bool]:
    start, length = control & 0xFF, control >> 8 & 0xFF
    return source >> start & (1 << length) - 1, False


def _blsi(source: int, _: int, width: int) -> tuple[int, bool]:
    return -source & source, source != 0


def _blsmsk(source: int, _: int, width: int) -> tuple[int, bool]:
    return source - 1 ^ source, source == 0


def _blsr(source: int, _: int, width: int) -> tuple[int, bool]:
    return source - 1 & source, source == 0


def _bzhi(source: int, index: int, width: int) -> tuple[int, bool]:
    index &= 0xFF
    return source & (1 << index) - 1, index >= width


def _pdep(source: int, mask: int, width: int) -> int:
    result = 0
    while mask:
        lowest = mask & -mask
        if source & 1:
            result |= lowest
        source >>= 1
        mask ^= lowest
    return result


def _pext(source: int, mask: int, width: int) -> int:
    result = position = 0
    while mask:
        lowest = mask & -mask
        if source & lowest:
            result |= 1 << position
        position += 1
        mask ^= lowest
    return result


def _rorx(source: int, count: int, width: int) -> int:
    count &= width - 1
    return source >> count | source << width - count


def _sarx(source: int, count: int, width: int) -> int:
    if source >> width - 1:
        source -= 1 << width
    return source >> (count & width - 1)


def _shlx(source: int, count: int, width: int) -> int:
    return source << (count & width - 1)


def _shrx(source: int, count: int, width: int) -> int:
    return source >> (count & width - 1)


def _mulx(instruction: CsInsn, bits: int) -> Action:
    high, low = writer(instruction, 0, bits), writer(instruction, 1, bits)
    source = reader(instruction, 2, bits)
    size = instruction.operands[0].size

    def act(context: Context, memory: UserMemory) -> None:
        product = (context.registers[RDX] & MASKS[size]) * source(context, memory)
        low(context, memory, product)
        high(context, memory, product >> 8 * size)

    return act


MAKERS: dict[str, Maker] = {
    "andn": _with_flags(_andn),
    "bextr": _with_flags(_bextr, always=ADJUST, never=SIGN),
    "blsi": _with_flags(_blsi),
    "blsmsk": _with_flags(_blsmsk),
    "blsr": _with_flags(_blsr),
    "bzhi": _with_flags(_bzhi),
    "mulx": _mulx,
    "pdep": _plain(_pdep),
    "pext": _plain(_pext),
    "rorx": _plain(_rorx),
    "sarx": _plain(_sarx),
    "shlx": _plain(_shlx),
    "shrx": _plain(_shrx),
    "test": _test,
}
