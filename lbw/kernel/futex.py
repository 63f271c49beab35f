"""Futexes: waiting for a word of memory to change.  man 2 futex

The table maps a key to its waiters, in order of arrival. The key of a private futex is (address space, address), that
of a shared one (object, offset in it), so that two processes that map the same page meet.

No wake-up is lost: between the comparison of the word and the entry in the table no other task runs. A waiter is
woken exactly once, by whoever takes it out of the table; a requeued one is only moved.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EFAULT, EINVAL, ENOSYS, ETIMEDOUT, LinuxError
from lbw.abi.futex import (
    FUTEX_BITSET_MATCH_ANY,
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
from lbw.abi.x86_64 import X86_64
from lbw.kernel.task import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from lbw.kernel.task import Task


class FutexWaiter:
    """A task that waits for one futex."""

    __slots__ = ("bitset", "key", "task", "woken")

    def __init__(self, task: Task, key: Hashable, bitset: int) -> None:
        self.task = task
        self.key = key
        self.bitset = bitset
        self.woken = False


class Futexes:
    """All futexes that somebody waits for."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: dict[Hashable, dict[FutexWaiter, None]] = {}

    def __len__(self) -> int:
        return sum(len(waiters) for waiters in self._waiters.values())

    def key(self, task: Task, address: int, private: bool) -> Hashable:
        """Return the identity of the futex at `address` in the memory of `task`.

        EINVAL: not a multiple of 4; EFAULT: not an address, or, if shared, not mapped
        """
        if address & 3:
            raise LinuxError(EINVAL)
        if address >= X86_64.task_size:  # a 64-bit kernel looks no closer, whatever the ABI
            raise LinuxError(EFAULT)
        memory = task.memory
        if not private:
            vma = memory.find(address)
            if vma is None:
                raise LinuxError(EFAULT)
            if vma.shared and vma.backing is not None:
                return (vma.backing.identity, vma.offset + address - vma.start)
        return (id(memory), address)

    async def wait(
        self, task: Task, address: int, expected: int, private: bool, bitset: int, deadline: int | None
    ) -> int:
        """Wait until woken, if the word at `address` is `expected`.

        `deadline` is monotonic ns.  EAGAIN: the word differs; ETIMEDOUT; EFAULT; EINVAL: no bit in `bitset`
        """
        if not bitset:
            raise LinuxError(EINVAL)
        key = self.key(task, address, private)
        if task.memory.read_u32(address) != expected:
            raise LinuxError(EAGAIN)
        waiter = FutexWaiter(task, key, bitset)
        self._waiters.setdefault(key, {})[waiter] = None
        try:
            while not waiter.woken:
                if not await task.wait(deadline=deadline) and not waiter.woken:
                    raise LinuxError(ETIMEDOUT)
        except Interrupted:
            if not waiter.woken:  # else the wake-up came after the signal, and nobody else got it
                raise
        finally:
            if not waiter.woken:
                self._remove(waiter)
        return 0

    def _remove(self, waiter: FutexWaiter) -> None:
        waiters = self._waiters[waiter.key]
        del waiters[waiter]
        if not waiters:
            del self._waiters[waiter.key]

    def wake(self, key: Hashable, count: int, bitset: int = FUTEX_BITSET_MATCH_ANY) -> int:
        """Wake up to `count` waiters that share a bit with `bitset`; return how many."""
        waiters = self._waiters.get(key)
        if not waiters:
            return 0
        woken = 0
        for waiter in [waiter for waiter in waiters if waiter.bitset & bitset]:
            if woken >= count:
                break
            self._remove(waiter)
            waiter.woken = True
            waiter.task.wake()
            woken += 1
        return woken

    def requeue(self, source: Hashable, target: Hashable, wake: int, move: int) -> tuple[int, int]:
        """Wake `wake` waiters of `source` and move `move` of the others to `target`; return both numbers."""
        woken = self.wake(source, wake)
        moved = 0
        for waiter in list(self._waiters.get(source, ())):
            if moved >= move:
                break
            self._remove(waiter)
            waiter.key = target
            self._waiters.setdefault(target, {})[waiter] = None
            moved += 1
        return woken, moved


def wake_operation(task: Task, address: int, encoded: int) -> bool:
    """Do the FUTEX_WAKE_OP operation on the word at `address`; return whether its old value passes the comparison.

    ENOSYS: unknown operation or comparison; EFAULT
    """
    operation, comparison = encoded >> 28 & 7, encoded >> 24 & 15
    operand, compared = _signed12(encoded >> 12), _signed12(encoded)
    if encoded >> 31 & 1:
        operand = 1 << (operand & 31)
    old = task.memory.read_u32(address)
    if operation == FUTEX_OP_SET:
        new = operand
    elif operation == FUTEX_OP_ADD:
        new = old + operand
    elif operation == FUTEX_OP_OR:
        new = old | operand
    elif operation == FUTEX_OP_ANDN:
        new = old & ~operand
    elif operation == FUTEX_OP_XOR:
        new = old ^ operand
    else:
        raise LinuxError(ENOSYS)
    task.memory.write_u32(address, new & 0xFFFFFFFF)
    value = (old ^ 0x80000000) - 0x80000000
    if comparison == FUTEX_OP_CMP_EQ:
        return value == compared
    if comparison == FUTEX_OP_CMP_NE:
        return value != compared
    if comparison == FUTEX_OP_CMP_LT:
        return value < compared
    if comparison == FUTEX_OP_CMP_GE:
        return value >= compared
    if comparison == FUTEX_OP_CMP_LE:
        return value <= compared
    if comparison == FUTEX_OP_CMP_GT:
        return value > compared
    raise LinuxError(ENOSYS)


def _signed12(value: int) -> int:
    return ((value & 0xFFF) ^ 0x800) - 0x800


assert FUTEX_OP_OPARG_SHIFT == 8
