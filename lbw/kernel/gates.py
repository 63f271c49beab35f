"""Gates: which instruction makes a system call of which ABI.

`syscall` is the gate of x86-64, `int 0x80` that of i386, whatever program executes it: 64-bit code may use `int 0x80`,
and a 32-bit program that has jumped to 64-bit code may use `syscall`. The run loop takes a program's own gate by
itself; the other one comes here. While such a call is under way `task.abi` is the ABI of the call, so handlers find
the structures of the caller; `task.program_abi` stays what execve made it, and takes over when the call returns.

Linux: arch/x86/entry/common.c.  Measured on Linux 6: 64-bit code keeps all registers but RAX over `int 0x80`, and gets
a result extended by sign; a number above 32 bits is cut. `syscall` in compatibility mode is #UD, as on Intel's
processors, since a 32-bit program learns of it through the vDSO only, which we do not offer.
"""

from __future__ import annotations

from lbw.cpu.contracts import ALL, INTERRUPT_32, INTERRUPT_64, RAX, RESULT, RIP, SYSCALL, UD
from lbw.kernel.dispatch import begin_call, unknown_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi
    from lbw.cpu.contracts import Trap
    from lbw.kernel.dispatch import Entry
    from lbw.kernel.task import Task

_LOW = 0xFFFF_FFFF
_WORD = 1 << 64


def own_gate(abi: Abi) -> int:
    """Return the kind of trap that a program's own system calls are."""
    return SYSCALL if abi.word == 8 else INTERRUPT_32


def foreign_call(task: Task, trap: Trap) -> bool:
    """Make a call of the other ABI, or of the own one from code in the other mode; False: it waits."""
    context = task.context
    registers = context.registers
    word = 8 if trap.kind == SYSCALL else 4
    if word == 8 and context.bits == 32:
        _undefined(task, trap)
        return True
    number = registers[RAX]
    arguments = [registers[register] for register in range(17)]
    if word == 4:
        number &= _LOW
        arguments = [value & _LOW for value in arguments]
    table = task.kernel.tables.with_word(word)
    if table is None:
        _undefined(task, trap)
        return True
    task.abi = table.abi
    entry: Entry = unknown_call
    if number < len(table.entries):
        table.calls[number] += 1
        entry = table.entries[number]
    done = begin_call(task, number, _call(task, entry, arguments))
    if done is not None:
        return_to_guest(task, done)
    return done is not None or task.coroutine is None


async def _call(task: Task, entry: Entry, arguments: list[int]) -> int:
    """Make the call; new mappings go where its ABI can reach them."""
    memory = task.memory
    memory.narrow = task.abi.word < task.program_abi.word
    try:
        result = entry(task, arguments)
    finally:
        memory.narrow = False
    return result if isinstance(result, int) else await result


def return_to_guest(task: Task, result: int) -> None:
    """Store the result of a call that the run loop has not finished by itself."""
    context = task.context
    task.abi = task.program_abi
    if result < 0:
        result &= _WORD - 1 if context.bits == 64 else _LOW
    context.registers[RAX] = result
    if not context.modified:
        context.modified = RESULT


def _undefined(task: Task, trap: Trap) -> None:
    """Raise #UD for a `syscall` that the mode does not have."""
    from lbw.kernel.fault_signals import processor_fault

    context = task.context
    context.registers[RIP] -= 2
    context.modified = ALL
    trap.vector, trap.error_code = UD, 0
    processor_fault(task, trap)


assert INTERRUPT_64 not in (SYSCALL, INTERRUPT_32)
