"""Which accesses through a non-canonical address are #SS: those of the stack, by RSP or RBP.  Intel SDM vol. 3, 6.15

The translator reports all of them as #GP.
"""

from __future__ import annotations

from lbw.cpu.contracts import RBP, RIP, RSP
from lbw.faults.disassembler import disassembler
from lbw.faults.emulate_operands import MEMORY, address, register_name
from lbw.faults.instruction import instruction_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from capstone import CsInsn

    from lbw.cpu.contracts import Context
    from lbw.mm.user_copy import UserMemory

_BY_RSP = (RSP,)
#: Instructions that push or pop, by the registers that point to where.
_IMPLICIT = {
    "push": _BY_RSP, "pushf": _BY_RSP, "pushfq": _BY_RSP, "pop": _BY_RSP, "popf": _BY_RSP, "popfq": _BY_RSP,
    "call": _BY_RSP, "ret": _BY_RSP, "enter": (RSP, RBP), "leave": (RBP,),
}  # fmt: skip


def is_canonical(value: int) -> bool:
    """Tell whether a 64-bit address is one: the upper 17 bits are equal."""
    return value < 1 << 47 or value >= (1 << 64) - (1 << 47)


def is_stack_access(context: Context, memory: UserMemory) -> bool:
    """Tell whether the instruction at RIP, in 64-bit mode, failed by a non-canonical stack address."""
    registers = context.registers
    if is_canonical(registers[RSP]) and is_canonical(registers[RSP] - 8) and is_canonical(registers[RBP]):
        return False
    decode: Callable[..., Iterable[CsInsn]] = disassembler(64).disasm
    for instruction in decode(instruction_bytes(memory, registers[RIP]), 0, 1):
        for index, operand in enumerate(instruction.operands):
            if operand.type == MEMORY and instruction.mnemonic != "lea":
                bad = not is_canonical(address(instruction, index, 64)(context))
                if bad:
                    base = register_name(instruction, operand.mem.base) if operand.mem.base else ""
                    return base in ("rsp", "rbp") and not operand.mem.segment
        return any(
            not is_canonical(registers[number]) or not is_canonical(registers[number] - 8)
            for number in _IMPLICIT.get(instruction.mnemonic, ())
        )
    return False
