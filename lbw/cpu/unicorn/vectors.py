"""Vectors of exceptions that Unicorn does not name."""

from __future__ import annotations

from struct import unpack_from

from lbw.cpu.contracts import DB, GP, MF, OF, RIP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.unicorn.context import UnicornContext

#: TF in RFLAGS: trap after each instruction.
TRACE_FLAG = 0x100


def software_interrupt(context: UnicornContext) -> int:
    """Return the vector of an exception that Unicorn does not name: single step, interrupt instruction or #MF.

    RIP is behind an `int n` or `int3`, and on the instruction that #MF stopped.
    """
    rip = context.registers[RIP]
    if context.flags & TRACE_FLAG:
        return DB
    code = b""
    for address in (rip - 2, rip - 1):
        view = context.mmu.view(address, 1, False)
        code += bytes(view) if view else b"\0"
    if code[1] == 0xCC:
        return 3
    if code[1] == 0xF1:
        return 1
    if code[0] == 0xCD:
        return code[1]
    if code[1] == 0xCE and context.bits == 32:
        return OF
    control, status = unpack_from("<HH", context.read_fpu())
    return MF if status & ~control & 0x3F else GP
