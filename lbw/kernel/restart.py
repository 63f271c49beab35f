"""Restarting interrupted system calls.  man 7 signal, "Interruption of system calls ... by signal handlers"

The run loop ends an interrupted call with `task.interrupted` set to the call's restart rule and the result still
open. Delivery knows whether a handler will run; it calls `settle` before it saves the registers in a signal frame.
When no handler runs, the run loop settles on the way back to the guest.
"""

from __future__ import annotations

from lbw.abi.errno import EINTR
from lbw.abi.signal import SA_RESTART
from lbw.cpu.contracts import RAX, RESULT, RIP, UNMODIFIED
from lbw.kernel.task import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

#: RESTART: restarted if the handler has SA_RESTART, else EINTR.  NO_HANDLER: restarted only when no handler runs.
#: NEVER: always EINTR.  ALWAYS: restarted whatever the handler says (ERESTARTNOINTR).
RESTART, NO_HANDLER, NEVER, ALWAYS = range(4)

WORD = (1 << 64) - 1


class RestartAlways(Interrupted):
    """Raised in place of Interrupted by a call that a signal must not end, whatever its row says."""

    rule = ALWAYS


def settle(task: Task, handler_flags: int | None) -> None:
    """Decide how an interrupted call goes on; `handler_flags`: SA_* of the handler about to run, None: there is none.

    Harmless when no call was interrupted.
    """
    rule = task.interrupted
    if rule is None:
        return
    task.interrupted = None
    registers = task.context.registers
    if handler_flags is None:
        if task.restart_call is not None:
            number = task.abi.numbers["restart_syscall"]
        else:
            number = task.call if rule != NEVER else -1
    else:
        # What goes on through restart_syscall (a sleep) is never begun again from the start: its time would be, too.
        again = rule == ALWAYS or (rule == RESTART and handler_flags & SA_RESTART and task.restart_call is None)
        task.restart_call = None
        number = task.call if again else -1
    task.abi = task.program_abi
    if number < 0:
        registers[RAX] = -EINTR & (WORD if task.context.bits == 64 else WORD >> 32)
    else:
        registers[RAX] = number
        registers[RIP] = (registers[RIP] - 2) & WORD  # `syscall` and `int 0x80` are two bytes long
    if task.context.modified == UNMODIFIED:
        task.context.modified = RESULT
