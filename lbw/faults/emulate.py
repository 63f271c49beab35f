"""Emulation of instructions that the processor refuses (#UD) and that programs may meet nevertheless.

What there is and why: docs/instructions.md. An instruction is decoded once, by capstone, into a function that carries
it out; functions are kept by the bytes they were made from, so that an instruction in a loop costs some 5 us.

Emulation is exact about what the Intel SDM defines; flags that it leaves undefined are as on processors of AMD.
"""

from __future__ import annotations

from lbw.cpu.contracts import ALL, RIP
from lbw.faults.instruction import instruction_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from capstone import CsInsn

    from lbw.cpu.contracts import Context
    from lbw.mm.faults import SegmentationFault
    from lbw.mm.user_copy import UserMemory

    #: Carries an instruction out, all but moving RIP on.
    Action = Callable[[Context, UserMemory], None]
    #: Makes the action for a decoded instruction; None: not this form.
    Maker = Callable[[CsInsn, int], Action | None]

#: So many instructions are remembered.
REMEMBERED = 4096

_known: dict[tuple[bytes, int], tuple[Action, int] | None] = {}
_makers: dict[str, Maker] = {}


class Refused(Exception):
    """The instruction raises an exception of its own."""

    def __init__(self, vector: int, fault: SegmentationFault | None = None, error_code: int = 0) -> None:
        self.vector = vector
        self.fault = fault  # of a #PF, with what the access was in `error_code`
        self.error_code = error_code


def emulate(context: Context, memory: UserMemory, bits: int) -> bool:
    """Carry out the instruction at RIP and go on behind it; False: it is none of those known here.

    Nothing has changed when Refused (an exception of its own, or a bad memory operand) or LinuxError(ENOMEM) is raised.
    """
    registers = context.registers
    rip = registers[RIP]
    code = instruction_bytes(memory, rip)
    try:
        found = _known[code, bits]
    except KeyError:
        found = _understand(code, bits)
    if found is None:
        return False
    action, length = found
    action(context, memory)
    rip += length
    context.registers[RIP] = rip if bits == 64 else rip & 0xFFFF_FFFF
    context.modified = ALL
    return True


def _understand(code: bytes, bits: int) -> tuple[Action, int] | None:
    """Decode an instruction and remember what it does."""
    if not _makers:
        from lbw.faults import emulate_bits, emulate_system

        _makers.update(emulate_bits.MAKERS)
        _makers.update(emulate_system.MAKERS)
    from lbw.faults.disassembler import disassembler

    found: tuple[Action, int] | None = None
    for instruction in disassembler(bits).disasm(code, 0, 1):
        maker = _makers.get(instruction.mnemonic)
        action = maker(instruction, bits) if maker is not None else None
        if action is not None:
            found = action, instruction.size
    if len(_known) >= REMEMBERED:
        _known.clear()
    _known[code, bits] = found
    return found
