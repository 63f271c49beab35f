"""Vectors of exceptions that Unicorn does not name: only those that may become a double fault leave their number."""

from __future__ import annotations

from struct import unpack_from

from lbw.abi.x86 import IN_GATES, LEGACY_PREFIXES, REX_PREFIXES, TRACE_FLAG
from lbw.cpu.contracts import ALL, BP, BR, DB, GP, MF, OF, RIP, SINGLE_STEP, UD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.unicorn.context import UnicornContext

_INT3, _INT, _INTO, _ICEBP, _BOUND, _FWAIT = 0xCC, 0xCD, 0xCE, 0xF1, 0x62, 0x9B

_LOCK = 0xF0
_PREFIXES = LEGACY_PREFIXES - {_LOCK}


def interrupt_vector(context: UnicornContext) -> tuple[int, int]:
    """Return vector and error code of an interrupt instruction, behind which RIP is.

    Programs have gates for #BP and #OF alone; any other `int n` is a #GP on the instruction.
    """
    registers = context.registers
    rip = registers[RIP]
    before, last = _byte(context, rip - 2), _byte(context, rip - 1)
    if last == _INT3:
        return BP, 0
    if last == _INTO and before != _INT:
        return OF, 0
    if before == _INT:
        if last in (BP, OF):
            return last, 0
        registers[RIP] = rip - 2
        context.modified = ALL
        return GP, 8 * last + IN_GATES
    return GP, 0


def exception_vector(context: UnicornContext, started: int) -> tuple[int, int]:
    """Return vector and error code of another exception: #BR or #MF on the instruction at RIP, else a single step.

    `started` is where the run began: a single step that has got anywhere is #DB.
    """
    rip = context.registers[RIP]
    tracing = context.flags & TRACE_FLAG
    if rip == started or not tracing:
        hidden = context.mmu.view(rip, 1, False) is None  # a fragment: nobody steps there
        code = _byte(context, _behind_prefixes(context, rip))
        if (code == _BOUND or (hidden and not tracing)) and context.bits == 32:
            return BR, 0
        if hidden or code == _FWAIT or 0xD8 <= code <= 0xDF or code == 0x0F:  # that wait for the x87, MMX included
            control, status = unpack_from("<HH", context.read_fpu())
            if status & ~control & 0x3F:
                return MF, 0
    return DB, SINGLE_STEP


def undefined_vector(context: UnicornContext, by_interrupt: int) -> tuple[int, int]:
    """Return vector and error code where Unicorn says that there is no such instruction.

    It says so of icebp, too, and of `int 6`, whose vector it is.
    """
    registers = context.registers
    rip = registers[RIP]
    if by_interrupt:
        return GP, 8 * UD + IN_GATES
    at = _behind_prefixes(context, rip)
    if _byte(context, at) != _ICEBP:
        return UD, 0
    registers[RIP] = at + 1
    context.modified = ALL
    return DB, 0


def _behind_prefixes(context: UnicornContext, address: int) -> int:
    """Return where the opcode of the instruction at `address` is."""
    prefixes = _PREFIXES | REX_PREFIXES if context.bits == 64 else _PREFIXES
    at = address
    while at < address + 14 and _byte(context, at) in prefixes:
        at += 1
    return at


def _byte(context: UnicornContext, address: int) -> int:
    view = context.mmu.view(address, 1, False)
    return view[0] if view is not None else 0


def behind_call(context: UnicornContext) -> bool:
    """Tell whether RIP is behind an `int 0x80`, wherever that lies."""
    rip = context.registers[RIP]
    views = [context.mmu.view(address & 0xFFFF_FFFF_FFFF_FFFF, 1, False) for address in (rip - 2, rip - 1)]
    return [view[0] if view else 0 for view in views] == [0xCD, 0x80]
