"""How strace shows the arguments of futex and futex_waitv."""

from __future__ import annotations

from lbw.abi import futex
from lbw.abi.futex import (
    FUTEX_32,
    FUTEX_CLOCK_REALTIME,
    FUTEX_CMD_MASK,
    FUTEX_LOCK_PI,
    FUTEX_LOCK_PI2,
    FUTEX_PRIVATE_FLAG,
    FUTEX_WAIT,
    FUTEX_WAIT_BITSET,
    FUTEX_WAIT_REQUEUE_PI,
)
from lbw.syscalls.displays import LIMIT, Shown, Timespec, argument
from lbw.syscalls.formats import show_bits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

_NAMES = (
    "WAIT WAKE FD REQUEUE CMP_REQUEUE WAKE_OP LOCK_PI UNLOCK_PI TRYLOCK_PI WAIT_BITSET WAKE_BITSET WAIT_REQUEUE_PI "
    "CMP_REQUEUE_PI LOCK_PI2"
)

#: The operations by number, with their flags.
OPERATIONS: dict[int, str] = {}
for _name in _NAMES.split():
    _number = vars(futex)[f"FUTEX_{_name}"]
    for _flag, _suffix in ((0, ""), (FUTEX_PRIVATE_FLAG, "_PRIVATE")):
        OPERATIONS[_number | _flag] = f"FUTEX_{_name}{_suffix}"
        OPERATIONS[_number | _flag | FUTEX_CLOCK_REALTIME] = f"FUTEX_{_name}{_suffix}|FUTEX_CLOCK_REALTIME"

_TIMED = (FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI, FUTEX_LOCK_PI2)
_VECTOR_FLAGS = {FUTEX_32: "FUTEX2_SIZE_U32", FUTEX_PRIVATE_FLAG: "FUTEX2_PRIVATE"}


class FutexTime(Timespec):
    """The fourth argument of futex: a time, or a number of waiters, as the operation says."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        if argument(task, 1) & 0xFFFFFFFF & FUTEX_CMD_MASK in _TIMED:
            return super().show(task, raw, result)
        return str(raw & 0xFFFFFFFF)


class FutexVector(Shown):
    """An array of struct futex_waitv; the next argument is its length."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        count = argument(task, 1) & 0xFFFFFFFF
        shown = []
        for index in range(min(count, LIMIT)):
            data = task.memory.read(address + 24 * index, 24)
            value, word = (int.from_bytes(data[at : at + 8], "little") for at in (0, 8))
            flags = show_bits(int.from_bytes(data[16:20], "little"), _VECTOR_FLAGS)
            shown.append(f"{{val={value:#x}, uaddr={word:#x}, flags={flags}}}")
        return "[" + ", ".join(shown) + (", ..." if count > LIMIT else "") + "]"
