"""Futexes and robust lists.  man 2 futex, futex_waitv, set_robust_list

The operations that every program uses are decoded first, and their code is loaded from the start; the others bring
theirs along when they are called.

Times. FUTEX_WAIT has a relative one, all others an absolute one: of the monotonic clock, or with FUTEX_CLOCK_REALTIME
of the real-time clock, which FUTEX_LOCK_PI always means. A wait with a time that a signal without a handler interrupts
goes on through restart_syscall until the same deadline; with a handler it is EINTR. A wait for ever follows SA_RESTART.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.capability import CAP_SYS_PTRACE
from lbw.abi.clock import CLOCK_MONOTONIC, CLOCK_REALTIME
from lbw.abi.errno import EINVAL, ENOSYS, EPERM, ESRCH, LinuxError
from lbw.abi.futex import (
    FUTEX_32,
    FUTEX_BITSET_MATCH_ANY,
    FUTEX_CLOCK_REALTIME,
    FUTEX_CMD_MASK,
    FUTEX_CMP_REQUEUE,
    FUTEX_CMP_REQUEUE_PI,
    FUTEX_LOCK_PI,
    FUTEX_LOCK_PI2,
    FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE,
    FUTEX_TRYLOCK_PI,
    FUTEX_UNLOCK_PI,
    FUTEX_WAIT,
    FUTEX_WAIT_BITSET,
    FUTEX_WAIT_REQUEUE_PI,
    FUTEX_WAITV_MAX,
    FUTEX_WAKE,
    FUTEX_WAKE_BITSET,
    FUTEX_WAKE_OP,
)
from lbw.kernel.futexes.deadline import Deadline
from lbw.kernel.futexes.keys import futex_key
from lbw.kernel.futexes.table import check_word
from lbw.kernel.task import Interrupted
from lbw.syscalls.displays import Timespec
from lbw.syscalls.futex_displays import (
    BY_REALTIME,
    OPERATIONS,
    TIMED,
    FutexVector,
    LastValue,
    Operation,
    SecondWord,
    TimeOrCount,
    Value,
)
from lbw.syscalls.parameters import Choice, Flags, Out, Pid, Pointer, Size, UInt
from lbw.syscalls.table import PARTIAL, syscall
from lbw.syscalls.timespecs import duration_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.futexes.keys import Key
    from lbw.kernel.task import Task

#: struct futex_waitv: expected value, address, flags, reserved
WAITV = Struct("<QQII")


def c_int(value: int) -> int:
    """Return the low 32 bits as a C int."""
    return ((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


@syscall(
    "futex", Pointer("uaddr"), Operation("futex_op", OPERATIONS), Value("val"), TimeOrCount("timeout"),
    SecondWord("uaddr2"), LastValue("val3"), support=PARTIAL, note="waiters lend the owner of a lock no priority",
)  # fmt: skip
def futex(
    task: Task, uaddr: int, futex_op: int, val: int, timeout: int, uaddr2: int, val3: int,
    layout: Struct | None = None,
) -> int | Awaitable[int]:  # fmt: skip
    """Wait for a word of memory to change, or wake those who wait.

    EAGAIN: the word is not what was expected; ETIMEDOUT; EINTR; EFAULT; EINVAL; ENOSYS: no such operation; of locks:
    EDEADLK, ESRCH, EPERM.  man 2 futex
    """
    private = futex_op & FUTEX_PRIVATE_FLAG
    operation = futex_op & FUTEX_CMD_MASK
    if operation == FUTEX_WAKE and not futex_op & FUTEX_CLOCK_REALTIME:
        return task.kernel.futexes.wake(futex_key(task.memory, uaddr, private), c_int(val))
    deadline = None
    if timeout and operation in TIMED:
        deadline = futex_deadline(task, timeout, futex_op, layout)
    if futex_op & FUTEX_CLOCK_REALTIME and operation not in BY_REALTIME:
        raise LinuxError(ENOSYS)
    if operation == FUTEX_WAIT:
        return wait(task, uaddr, private, val, FUTEX_BITSET_MATCH_ANY, deadline)
    if operation == FUTEX_WAIT_BITSET:
        return wait(task, uaddr, private, val, val3, deadline)
    if operation == FUTEX_WAKE_BITSET:
        if not val3:
            raise LinuxError(EINVAL)
        return task.kernel.futexes.wake(futex_key(task.memory, uaddr, private), c_int(val), val3)
    if operation in (FUTEX_REQUEUE, FUTEX_CMP_REQUEUE):
        from lbw.kernel.futexes.requeue import requeue

        expected = val3 if operation == FUTEX_CMP_REQUEUE else None
        return requeue(task, uaddr, uaddr2, private, c_int(val), c_int(timeout), expected)
    if operation == FUTEX_WAKE_OP:
        from lbw.kernel.futexes.wake_op import wake_op

        return wake_op(task, uaddr, uaddr2, private, c_int(val), c_int(timeout), val3)
    return lock_operation(task, operation, private, uaddr, uaddr2, val, timeout, val3, deadline)


def lock_operation(
    task: Task, operation: int, private: int, address: int, other: int, val: int, val2: int, val3: int,
    deadline: Deadline | None,
) -> int | Awaitable[int]:  # fmt: skip
    """Do an operation of locks with priority inheritance.  ENOSYS: there is no such operation"""
    from lbw.kernel.futexes import priority, priority_requeue

    if operation in (FUTEX_LOCK_PI, FUTEX_LOCK_PI2):
        return priority.lock(task, address, private, deadline)
    if operation == FUTEX_TRYLOCK_PI:
        return priority.lock(task, address, private, None, only_try=True)
    if operation == FUTEX_UNLOCK_PI:
        return priority.unlock(task, address, private)
    if operation == FUTEX_WAIT_REQUEUE_PI:
        return priority_requeue.wait_requeue(task, address, other, private, val, deadline)
    if operation == FUTEX_CMP_REQUEUE_PI:
        return priority_requeue.requeue_to_lock(task, address, other, private, c_int(val), c_int(val2), val3)
    raise LinuxError(ENOSYS)


def futex_deadline(task: Task, address: int, futex_op: int, layout: Struct | None) -> Deadline:
    """Return the deadline that the timespec at `address` means for an operation.  EFAULT, EINVAL"""
    time = duration_at(task, address, layout)
    operation = futex_op & FUTEX_CMD_MASK
    if operation == FUTEX_WAIT:
        return Deadline(CLOCK_MONOTONIC, task.kernel.clock.monotonic() + time)
    realtime = futex_op & FUTEX_CLOCK_REALTIME or operation == FUTEX_LOCK_PI
    return Deadline(CLOCK_REALTIME if realtime else CLOCK_MONOTONIC, time)


def wait(
    task: Task, address: int, private: int, expected: int, bitset: int, deadline: Deadline | None
) -> Awaitable[int]:  # fmt: skip
    """Wait for a wake-up if the word is `expected`.  EAGAIN, EFAULT, EINVAL, ETIMEDOUT"""
    if not bitset:
        raise LinuxError(EINVAL)
    memory = task.memory
    key = futex_key(memory, address, private)
    check_word(memory, address, expected)
    if deadline is None:
        return task.kernel.futexes.wait(task, key, bitset, None)
    return wait_until(task, address, private, expected, bitset, deadline, key)


async def wait_until(
    task: Task, address: int, private: int, expected: int, bitset: int, deadline: Deadline, key: Key
) -> int:
    """Wait at most until `deadline`; a signal without handler lets the wait go on where it was."""
    try:
        return await task.kernel.futexes.wait(task, key, bitset, deadline)
    except Interrupted:
        task.restart_call = lambda: wait(task, address, private, expected, bitset, deadline)
        raise


@syscall(
    "futex_waitv", FutexVector("waiters"), UInt("nr_futexes"), Flags("flags", {}), Timespec("timeout", wide=True),
    Choice("clockid", {CLOCK_REALTIME: "CLOCK_REALTIME", CLOCK_MONOTONIC: "CLOCK_MONOTONIC"}),
    note="32-bit words, without NUMA",
)  # fmt: skip
def futex_waitv(task: Task, waiters: int, count: int, flags: int, timeout: int, clockid: int) -> Awaitable[int]:
    """Wait for any of up to 128 words, until an absolute time; return the index of one that was woken.

    EAGAIN: a word is not what was expected; EINVAL, EFAULT, ETIMEDOUT, EINTR.  man 2 futex_waitv
    """
    from lbw.kernel.futexes.vector import wait_any

    if flags or not 0 < count <= FUTEX_WAITV_MAX or not waiters:
        raise LinuxError(EINVAL)
    deadline = None
    if timeout:
        if clockid not in (CLOCK_MONOTONIC, CLOCK_REALTIME):
            raise LinuxError(EINVAL)
        deadline = Deadline(clockid, duration_at(task, timeout, task.abi.timespec64))
    words = []
    for index in range(count):
        expected, address, kind, reserved = task.memory.load(waiters + index * WAITV.size, WAITV)
        if kind & ~FUTEX_PRIVATE_FLAG != FUTEX_32 or reserved or expected >> 32:
            raise LinuxError(EINVAL)
        words.append((address, expected, kind & FUTEX_PRIVATE_FLAG))
    return wait_any(task, words, deadline)


@syscall("set_robust_list", Pointer("head"), Size("len"))
def set_robust_list(task: Task, head: int, length: int) -> int:
    """Register the list of robust futexes that the thread holds.  EINVAL: wrong size.  man 2 set_robust_list"""
    if length != 3 * task.abi.word:
        raise LinuxError(EINVAL)
    task.robust_lists[task.abi.word] = head
    return 0


@syscall("get_robust_list", Pid("pid"), Out("head_ptr"), Out("len_ptr"))
def get_robust_list(task: Task, pid: int, head_ptr: int, len_ptr: int) -> int:
    """Store address and size of a thread's list head.  ESRCH; EPERM: somebody else's thread.  man 2 get_robust_list"""
    target = task.kernel.tasks.get(pid) if pid else task
    if target is None:
        raise LinuxError(ESRCH)
    if not may_look_at(task, target):
        raise LinuxError(EPERM)
    word = task.abi.word
    task.memory.store(len_ptr, task.abi.pointer, 3 * word)
    task.memory.store(head_ptr, task.abi.pointer, target.robust_lists.get(word, 0))
    return 0


def may_look_at(task: Task, target: Task) -> bool:
    """Whether `task` may read the state of `target`: ptrace_may_access with PTRACE_MODE_READ_REALCREDS."""
    ours, theirs = task.credentials, target.credentials
    if task.process is target.process or ours.capable(CAP_SYS_PTRACE):
        return True
    return (
        target.process.dumpable == 1
        and ours.ruid == theirs.ruid == theirs.euid == theirs.suid
        and ours.rgid == theirs.rgid == theirs.egid == theirs.sgid
    )
