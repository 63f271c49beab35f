"""FUTEX_WAKE_OP: change a word, wake waiters of another one, and, if the first one's old value passes a test, its own.

The operation is carried out before the comparison is even decoded, so an unknown comparison (ENOSYS) has changed the
word; an unknown operation has not.  man 2 futex; Linux kernel/futex/waitwake.c futex_atomic_op_inuser
"""

from __future__ import annotations

from lbw.abi.errno import ENOSYS, LinuxError
from lbw.abi.futex import (
    FUTEX_OP_ADD,
    FUTEX_OP_ANDN,
    FUTEX_OP_CMP_EQ,
    FUTEX_OP_CMP_GE,
    FUTEX_OP_CMP_GT,
    FUTEX_OP_CMP_LE,
    FUTEX_OP_CMP_LT,
    FUTEX_OP_CMP_NE,
    FUTEX_OP_OPARG_SHIFT,
    FUTEX_OP_OR,
    FUTEX_OP_SET,
    FUTEX_OP_XOR,
)
from lbw.kernel.futexes.keys import futex_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.kernel.task import Task
    from lbw.mm.address_space import AddressSpace

OPERATIONS: dict[int, Callable[[int, int], int]] = {
    FUTEX_OP_SET: lambda old, operand: operand,
    FUTEX_OP_ADD: lambda old, operand: old + operand,
    FUTEX_OP_OR: lambda old, operand: old | operand,
    FUTEX_OP_ANDN: lambda old, operand: old & ~operand,
    FUTEX_OP_XOR: lambda old, operand: old ^ operand,
}
COMPARISONS: dict[int, Callable[[int, int], bool]] = {
    FUTEX_OP_CMP_EQ: lambda old, other: old == other,
    FUTEX_OP_CMP_NE: lambda old, other: old != other,
    FUTEX_OP_CMP_LT: lambda old, other: old < other,
    FUTEX_OP_CMP_LE: lambda old, other: old <= other,
    FUTEX_OP_CMP_GT: lambda old, other: old > other,
    FUTEX_OP_CMP_GE: lambda old, other: old >= other,
}


def wake_op(task: Task, address: int, other: int, private: int, count: int, other_count: int, encoded: int) -> int:
    """Do the `encoded` operation on the word at `other`, wake waiters of both words; return how many woke.

    EFAULT; EINVAL; ENOSYS: unknown operation or comparison
    """
    memory, futexes = task.memory, task.kernel.futexes
    source = futex_key(memory, address, private)
    target = futex_key(memory, other, private, write=True)
    passed = operate(memory, other, encoded)
    woken = futexes.wake(source, count)
    if passed:
        woken += futexes.wake(target, other_count)
    return woken


def operate(memory: AddressSpace, address: int, encoded: int) -> bool:
    """Change the word at `address`; return whether its old value passes the comparison.  ENOSYS, EFAULT"""
    operation, comparison = encoded >> 28 & 7, encoded >> 24 & 15
    operand, compared = _signed12(encoded >> 12), _signed12(encoded)
    if encoded >> 28 & FUTEX_OP_OPARG_SHIFT:
        operand = 1 << (operand & 31)
    change = OPERATIONS.get(operation)
    if change is None:
        raise LinuxError(ENOSYS)
    old = memory.read_u32(address)
    memory.write_u32(address, change(old, operand) & 0xFFFFFFFF)
    test = COMPARISONS.get(comparison)
    if test is None:
        raise LinuxError(ENOSYS)
    return test((old ^ 0x80000000) - 0x80000000, compared)


def _signed12(value: int) -> int:
    return ((value & 0xFFF) ^ 0x800) - 0x800
