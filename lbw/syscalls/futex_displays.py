"""How strace shows the arguments of futex and futex_waitv.

Which of the six arguments of futex mean something depends on the operation; the others are left out.
"""

from __future__ import annotations

from lbw.abi import futex
from lbw.abi.futex import (
    FUTEX_32,
    FUTEX_BITSET_MATCH_ANY,
    FUTEX_CLOCK_REALTIME,
    FUTEX_FD,
    FUTEX_LOCK_PI,
    FUTEX_LOCK_PI2,
    FUTEX_OP_OPARG_SHIFT,
    FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE,
    FUTEX_TRYLOCK_PI,
    FUTEX_UNLOCK_PI,
    FUTEX_WAIT,
    FUTEX_WAIT_BITSET,
    FUTEX_WAIT_REQUEUE_PI,
    FUTEX_WAKE,
    FUTEX_WAKE_BITSET,
    FUTEX_WAKE_OP,
)
from lbw.syscalls.displays import LIMIT, Shown, Timespec, argument
from lbw.syscalls.formats import show_bits
from lbw.syscalls.parameters import Choice, Pointer, UInt, signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

_NAMES = (
    "WAIT WAKE FD REQUEUE CMP_REQUEUE WAKE_OP LOCK_PI UNLOCK_PI TRYLOCK_PI WAIT_BITSET WAKE_BITSET WAIT_REQUEUE_PI "
    "CMP_REQUEUE_PI LOCK_PI2"
)
_NUMBERS = {name: int(vars(futex)[f"FUTEX_{name}"]) for name in _NAMES.split()}

#: Operations that look at the time, and those of them that may use the real-time clock.
TIMED = frozenset((FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI, FUTEX_LOCK_PI2))
BY_REALTIME = frozenset((FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI2))

#: The operations by number, with their flags.
OPERATIONS: dict[int, str] = {}
for _name, _number in _NUMBERS.items():
    for _flag, _suffix in ((0, ""), (FUTEX_PRIVATE_FLAG, "_PRIVATE")):
        OPERATIONS[_number | _flag] = f"FUTEX_{_name}{_suffix}"
        if _number in BY_REALTIME:
            OPERATIONS[_number | _flag | FUTEX_CLOCK_REALTIME] = f"FUTEX_{_name}{_suffix}|FUTEX_CLOCK_REALTIME"

_LOCKS = (FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI)
_ONE_WORD = (FUTEX_WAIT, FUTEX_WAKE, FUTEX_FD, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET, *_LOCKS)
_WITHOUT_FOURTH = (FUTEX_WAKE, FUTEX_FD, FUTEX_WAKE_BITSET, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI)
_WITHOUT_LAST = (FUTEX_WAIT, FUTEX_WAKE, FUTEX_FD, FUTEX_REQUEUE, FUTEX_WAIT_REQUEUE_PI, *_LOCKS)
_BITS = (FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET)

_CHANGES = ("FUTEX_OP_SET", "FUTEX_OP_ADD", "FUTEX_OP_OR", "FUTEX_OP_ANDN", "FUTEX_OP_XOR")
_TESTS = tuple(f"FUTEX_OP_CMP_{name}" for name in ("EQ", "NE", "LT", "LE", "GT", "GE"))
_VECTOR_FLAGS = {FUTEX_32: "FUTEX_32", FUTEX_PRIVATE_FLAG: "FUTEX_PRIVATE_FLAG"}


def operation_of(task: Task) -> int:
    """Return the operation that is asked for, without its flags."""
    return argument(task, 1) & 0x7F


class Operation(Choice):
    """The operation and its flags."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        return self.names.get(signed(raw, 32)) or f"{raw & 0xFFFFFFFF:#x} /* FUTEX_??? */"


class Value(UInt):
    """The value that a word must have, or a number of waiters."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        return "" if operation_of(task) in _LOCKS else super().show(task, raw, result)


class TimeOrCount(Timespec):
    """A time, or a number of waiters."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        operation = operation_of(task)
        if operation in TIMED:
            return super().show(task, raw, result)
        return "" if operation in _WITHOUT_FOURTH else str(raw & 0xFFFFFFFF)


class SecondWord(Pointer):
    """The address of the other word."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        return "" if operation_of(task) in _ONE_WORD else super().show(task, raw, result)


class LastValue(UInt):
    """A set of bits, the value that a word must have, or what to do to one."""

    __slots__ = ()

    def show(self, task: Task, raw: int, result: int) -> str:
        operation, raw = operation_of(task), raw & 0xFFFFFFFF
        if operation in _WITHOUT_LAST:
            return ""
        if operation == FUTEX_WAKE_OP:
            return show_change(raw)
        if operation not in _BITS:
            return str(raw)
        return "FUTEX_BITSET_MATCH_ANY" if raw == FUTEX_BITSET_MATCH_ANY else f"{raw:#x}" if raw else "0"


def show_change(encoded: int) -> str:
    """Return the encoded operation of FUTEX_WAKE_OP."""
    change, test = encoded >> 28 & 7, encoded >> 24 & 15
    shift = "FUTEX_OP_OPARG_SHIFT<<28|" if encoded >> 28 & FUTEX_OP_OPARG_SHIFT else ""
    changed = f"{_CHANGES[change]}<<28" if change < len(_CHANGES) else f"{change:#x}<<28 /* FUTEX_OP_??? */"
    tested = f"{_TESTS[test]}<<24" if test < len(_TESTS) else f"{test:#x}<<24 /* FUTEX_OP_CMP_??? */"
    operand, compared = encoded >> 12 & 0xFFF, encoded & 0xFFF
    return f"{shift}{changed}|{_hex(operand)}<<12|{tested}|{_hex(compared)}"


def _hex(value: int) -> str:
    return f"{value:#x}" if value else "0"


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
            shown.append(f"{{val={_hex(value)}, uaddr={_hex(word) if word else 'NULL'}, flags={flags}}}")
        return "[" + ", ".join(shown) + (", ..." if count > LIMIT else "") + "]"
