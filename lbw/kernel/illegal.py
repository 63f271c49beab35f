"""Instructions that the processor does not have: emulated, or the program's SIGILL.

With `strict` the end of everything instead, and a dump: what the bytes are, and around them.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.x86 import TRACE_FLAG
from lbw.cpu.contracts import DB, RIP, SINGLE_STEP
from lbw.faults.emulate import Refused, emulate
from lbw.faults.instruction import instruction_bytes
from lbw.kernel.dispatch import StrictStop, register_dump
from lbw.vfs.operations import path_of
from lbw.vfs.proc.maps import mappings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from capstone import CsInsn

    from lbw.cpu.contracts import Trap
    from lbw.kernel.task import Task

#: How much is shown before and behind the instruction, bytes.
BEFORE, BEHIND = 32, 32


def emulated(task: Task, trap: Trap) -> bool:
    """Carry out the instruction that #UD refused; False: the program must be told of `trap`.

    That may be another exception by now: of the emulated instruction, or the single step behind it.
    """
    context, memory = task.context, task.memory
    try:
        if not emulate(context, memory, context.bits):
            if task.kernel.strict and not _is_meant(task):
                raise StrictStop(dump(task))
            return False
    except Refused as refused:
        trap.vector, trap.error_code = refused.vector, refused.error_code
        if refused.fault is None:
            return False
        from lbw.kernel.fault_signals import segmentation_fault

        segmentation_fault(task, refused.fault, trap)
        return True
    except LinuxError:
        from lbw.kernel.oom import out_of_memory

        out_of_memory(task)
        return True
    task.kernel.counters.emulated += 1
    if context.flags & TRACE_FLAG:
        trap.vector, trap.error_code = DB, SINGLE_STEP
        return False
    return True


def _is_meant(task: Task) -> bool:
    """Tell whether the instruction is one whose purpose is to be refused: ud0, ud1, ud2."""
    return instruction_bytes(task.memory, task.context.registers[RIP])[:2] in (b"\x0f\x0b", b"\x0f\xb9", b"\x0f\xff")


def dump(task: Task) -> str:
    """Return what is to be known about an instruction that lbw cannot interpret."""
    rip = task.context.registers[RIP]
    code = instruction_bytes(task.memory, rip)
    program = task.comm.decode(errors="replace")
    return "\n".join((
        f"unable to interpret instruction at {rip:#x} in {program}[{task.process.pid}]: {code.hex(' ')}",
        register_dump(task),
        *disassembly(task, rip),
        mappings(task.memory, lambda location: path_of(task.fs, location)).decode(errors="replace").rstrip(),
    ))  # fmt: skip


def disassembly(task: Task, rip: int) -> list[str]:
    """Return the instructions around `rip`, one in a line; the one at `rip` is marked."""
    from lbw.faults.disassembler import disassembler

    decode: Callable[..., Iterable[CsInsn]] = disassembler(task.context.bits).disasm
    start = max(rip - BEFORE, 0)
    try:
        code = task.memory.read(start, rip - start + BEHIND)
    except LinuxError:
        start, code = rip, instruction_bytes(task.memory, rip)
    before: list[tuple[int, bytes, str]] = []
    for skipped in range(rip - start):  # the first start from which instructions end right before `rip`
        found = [
            (i.address, bytes(i.bytes), f"{i.mnemonic} {i.op_str}")
            for i in decode(code[skipped : rip - start], start + skipped)
        ]
        if found and found[-1][0] + len(found[-1][1]) == rip:
            before = found
            break
    lines = [_line("  ", *row) for row in before]
    at = rip
    for _ in range(4):
        rest = code[at - start :]
        row = next(((bytes(i.bytes), f"{i.mnemonic} {i.op_str}") for i in decode(rest, at, 1)), (rest[:1], "(bad)"))
        if not row[0]:
            break
        lines.append(_line("=>" if at == rip else "  ", at, *row))
        at += len(row[0])
    return lines


def _line(mark: str, address: int, code: bytes, text: str) -> str:
    return f"{mark} {address:x}:  {code.hex(' '):<32} {text}"
