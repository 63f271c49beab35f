"""Futexes and robust lists.  man 2 futex, set_robust_list"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EINVAL, ENOSYS, EPERM, ESRCH, LinuxError
from lbw.abi.futex import (
    FUTEX_BITSET_MATCH_ANY,
    FUTEX_CLOCK_REALTIME,
    FUTEX_CMP_REQUEUE,
    FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE,
    FUTEX_WAIT,
    FUTEX_WAIT_BITSET,
    FUTEX_WAKE,
    FUTEX_WAKE_BITSET,
    FUTEX_WAKE_OP,
)
from lbw.kernel.futex import wake_operation
from lbw.kernel.task import Interrupted
from lbw.syscalls.parameters import Choice, Out, Pid, Pointer, Size, UInt
from lbw.syscalls.sleep import duration_at
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from struct import Struct

    from lbw.kernel.task import Task

OPERATIONS = {
    FUTEX_WAIT: "FUTEX_WAIT", FUTEX_WAKE: "FUTEX_WAKE", FUTEX_REQUEUE: "FUTEX_REQUEUE",
    FUTEX_CMP_REQUEUE: "FUTEX_CMP_REQUEUE", FUTEX_WAKE_OP: "FUTEX_WAKE_OP",
    FUTEX_WAIT_BITSET: "FUTEX_WAIT_BITSET", FUTEX_WAKE_BITSET: "FUTEX_WAKE_BITSET",
}  # fmt: skip
OPERATIONS |= {number | FUTEX_PRIVATE_FLAG: f"{name}_PRIVATE" for number, name in OPERATIONS.items()}
OPERATIONS |= {
    FUTEX_WAIT_BITSET | flag | FUTEX_CLOCK_REALTIME: f"FUTEX_WAIT_BITSET{suffix}|FUTEX_CLOCK_REALTIME"
    for flag, suffix in ((0, ""), (FUTEX_PRIVATE_FLAG, "_PRIVATE"))
}


def count_of(value: int) -> int:
    """Return a number of waiters given as a C int; Linux wakes one even for zero."""
    return max(1, (value ^ 0x80000000) - 0x80000000)


@syscall(
    "futex", Pointer("uaddr"), Choice("futex_op", OPERATIONS), UInt("val"), Pointer("timeout"), Pointer("uaddr2"),
    UInt("val3"), support=PARTIAL, note="no priority inheritance (ENOSYS)",
)  # fmt: skip
def futex(
    task: Task, uaddr: int, futex_op: int, val: int, timeout: int, uaddr2: int, val3: int,
    layout: Struct | None = None,
) -> int | Awaitable[int]:  # fmt: skip
    """Wait for a word of memory to change, or wake those who wait.

    EAGAIN: the word is not what was expected; ETIMEDOUT; EINTR; EFAULT; EINVAL; ENOSYS: PI operations.  man 2 futex
    """
    private = bool(futex_op & FUTEX_PRIVATE_FLAG)
    realtime = bool(futex_op & FUTEX_CLOCK_REALTIME)
    operation = futex_op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)
    if realtime and operation not in (FUTEX_WAIT, FUTEX_WAIT_BITSET):
        raise LinuxError(ENOSYS)
    futexes = task.kernel.futexes
    if operation == FUTEX_WAKE:
        return futexes.wake(futexes.key(task, uaddr, private), count_of(val))
    if operation in (FUTEX_WAIT, FUTEX_WAIT_BITSET):
        deadline = None
        if timeout:
            deadline = futex_deadline(task, timeout, operation == FUTEX_WAIT_BITSET, realtime, layout)
        return futex_wait(
            task, uaddr, val, private, val3 if operation == FUTEX_WAIT_BITSET else FUTEX_BITSET_MATCH_ANY, deadline
        )
    if operation == FUTEX_WAKE_BITSET:
        if not val3:
            raise LinuxError(EINVAL)
        return futexes.wake(futexes.key(task, uaddr, private), count_of(val), val3)
    if operation in (FUTEX_REQUEUE, FUTEX_CMP_REQUEUE):
        source, target = futexes.key(task, uaddr, private), futexes.key(task, uaddr2, private)
        wake = (val ^ 0x80000000) - 0x80000000
        move = ((timeout & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000
        if wake < 0 or move < 0:
            raise LinuxError(EINVAL)
        if operation == FUTEX_CMP_REQUEUE and task.memory.read_u32(uaddr) != val3:
            raise LinuxError(EAGAIN)
        woken, moved = futexes.requeue(source, target, wake, move)
        return woken + moved
    if operation == FUTEX_WAKE_OP:
        source, target = futexes.key(task, uaddr, private), futexes.key(task, uaddr2, private)
        second = wake_operation(task, uaddr2, val3)
        woken = futexes.wake(source, count_of(val))
        return woken + (futexes.wake(target, count_of(timeout & 0xFFFFFFFF)) if second else 0)
    raise LinuxError(ENOSYS)


def futex_deadline(task: Task, address: int, absolute: bool, realtime: bool, layout: Struct | None = None) -> int:
    """Return the deadline that a timespec gives, in monotonic ns.  EFAULT, EINVAL"""
    time = duration_at(task, address, layout)
    clock = task.kernel.clock
    if not absolute:
        return clock.monotonic() + time
    return clock.monotonic() + time - clock.realtime() if realtime else time


async def futex_wait(task: Task, address: int, expected: int, private: bool, bitset: int, deadline: int | None) -> int:
    """Wait; a signal without handler lets a wait with a deadline go on where it was."""
    try:
        return await task.kernel.futexes.wait(task, address, expected, private, bitset, deadline)
    except Interrupted:
        if deadline is not None:
            task.restart_call = lambda: futex_wait(task, address, expected, private, bitset, deadline)
        raise


@syscall("set_robust_list", Pointer("head"), Size("len"))
def set_robust_list(task: Task, head: int, length: int) -> int:
    """Register the list of robust futexes that the thread holds.  EINVAL: wrong size.  man 2 set_robust_list"""
    if length != 3 * task.abi.word:
        raise LinuxError(EINVAL)
    task.robust_list = head
    return 0


@syscall("get_robust_list", Pid("pid"), Out("head_ptr"), Out("len_ptr"))
def get_robust_list(task: Task, pid: int, head_ptr: int, len_ptr: int) -> int:
    """Store address and size of a thread's list head.  ESRCH; EPERM: somebody else's thread.  man 2 get_robust_list"""
    target = task.kernel.tasks.get(pid) if pid else task
    if target is None:
        raise LinuxError(ESRCH)
    if target.process is not task.process and task.credentials.euid not in (0, target.credentials.ruid):
        raise LinuxError(EPERM)
    word = task.abi.pointer
    task.memory.store(len_ptr, word, 3 * task.abi.word)
    task.memory.store(head_ptr, word, target.robust_list)
    return 0
