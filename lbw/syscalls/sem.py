"""System V semaphores.  man 2 semget, semop, semctl

A call that waits is never restarted after a signal handler, whatever SA_RESTART says (man 7 signal).
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import E2BIG, EAGAIN, EFBIG, EINTR, EINVAL, ERANGE, LinuxError
from lbw.abi.ipc import (
    GETALL,
    GETNCNT,
    GETPID,
    GETVAL,
    GETZCNT,
    IPC_INFO,
    IPC_RMID,
    IPC_SET,
    IPC_STAT,
    SEM_INFO,
    SEM_STAT,
    SEM_STAT_ANY,
    SEM_UNDO,
    SEMAEM,
    SEMBUF,
    SEMINFO,
    SEMVMX,
    SETALL,
    SETVAL,
    WIDE,
)
from lbw.ipc.sem import Pending
from lbw.kernel.task import Interrupted
from lbw.syscalls.displays import Timespec
from lbw.syscalls.ipc_displays import SEM_COMMANDS, Command, Key, SemArgument, Sembufs, get_flags
from lbw.syscalls.parameters import Int, UInt, signed
from lbw.syscalls.table import NEVER, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.abi.ipc import IpcLayouts
    from lbw.ipc.sem import SemaphoreSet
    from lbw.kernel.task import Task

SECOND = 1_000_000_000
#: What old members of struct seminfo say (include/uapi/linux/sem.h).
_SEMUSZ, _SEMUME = 20, 500
_READING = (GETALL, GETVAL, GETPID, GETNCNT, GETZCNT)


@syscall("semget", Key("key"), Int("nsems"), get_flags("semflg"))
def semget(task: Task, key: int, count: int, flags: int) -> int:
    """Find or make a set; return its id.  EACCES, EEXIST, EINVAL, ENOENT, ENOSPC.  man 2 semget"""
    table, who = task.kernel.ipc.semaphores, task.credentials
    if not 0 <= count <= table.size_limit:
        raise LinuxError(EINVAL)

    def check(found: SemaphoreSet) -> None:
        if len(found.values) < count:
            raise LinuxError(EINVAL)

    return table.obtain(key, flags, who, lambda: table.make(key, count, flags, who), check)


@syscall("semop", Int("semid"), Sembufs("sops"), UInt("nsops"), restart=NEVER)
def semop(task: Task, number: int, operations: int, count: int) -> int | Awaitable[int]:
    """Do operations on semaphores, all or none.  man 2 semop"""
    return semtimedop(task, number, operations, count, 0)


@syscall("semtimedop", Int("semid"), Sembufs("sops"), UInt("nsops"), Timespec("timeout"), restart=NEVER)
def semtimedop(
    task: Task, number: int, address: int, count: int, timeout: int, layout: Struct | None = None
) -> int | Awaitable[int]:
    """As semop; wait no longer than `timeout`.

    E2BIG: more than 500 operations; EACCES; EAGAIN: it would wait, or the time is over; EFAULT; EFBIG: no such
    semaphore; EIDRM; EINTR; EINVAL; ERANGE
    """
    limit = task.memory.load(timeout, layout or task.abi.timespec) if timeout else None
    table = task.kernel.ipc.semaphores
    if count > table.operations_limit:
        raise LinuxError(E2BIG)
    if not count:
        raise LinuxError(EINVAL)
    operations = list(SEMBUF.iter_unpack(task.memory.read(address, count * SEMBUF.size)))
    if limit is not None and (limit[0] < 0 or not 0 <= limit[1] < SECOND):
        raise LinuxError(EINVAL)
    target = table.find(number)
    if any(which >= len(target.values) for which, _, _ in operations):
        raise LinuxError(EFBIG)
    undo = None
    if any(flags & SEM_UNDO for _, _, flags in operations):
        undo = task.shared_undo_list().of(target)
    pending = Pending(operations, task.process.pid, undo)
    target.require(task.credentials, 0o222 if pending.alters else 0o444)
    if target.operate(pending):
        return 0
    deadline = None if limit is None else task.kernel.clock.monotonic() + limit[0] * SECOND + limit[1]
    return wait_for_operation(task, target, pending, deadline)


async def wait_for_operation(task: Task, target: SemaphoreSet, pending: Pending, deadline: int | None) -> int:
    """Wait until others have let `pending` through."""
    try:
        while pending.result is None:
            if not await task.wait(pending.queue, deadline=deadline) and pending.result is None:
                raise LinuxError(EAGAIN)
    except Interrupted:
        if pending.result is None:
            raise LinuxError(EINTR) from None  # whatever the signal does: it is not begun again
    finally:
        target.forget(pending)
    if pending.result:
        raise LinuxError(pending.result)
    return 0


@syscall(
    "semctl", Int("semid"), Int("semnum"), Command("cmd", SEM_COMMANDS), SemArgument("arg", 2, SEM_STAT, SEM_STAT_ANY)
)
def semctl(task: Task, number: int, which: int, command: int, argument: int, layouts: IpcLayouts = WIDE) -> int:
    """Look at, set or remove semaphores, or look at the limits.

    EACCES, EFAULT, EINVAL, EPERM, ERANGE: a value above 32767.  man 2 semctl
    """
    table, who, memory = task.kernel.ipc.semaphores, task.credentials, task.memory
    if number < 0:
        raise LinuxError(EINVAL)
    if command in (IPC_INFO, SEM_INFO):
        return tell_limits(task, command, argument)
    if command in (IPC_STAT, SEM_STAT, SEM_STAT_ANY):
        target = table.find(number) if command == IPC_STAT else table.at(number)
        if command != SEM_STAT_ANY:
            target.require(who, 0o444)
        memory.store(
            argument, layouts.semid_ds, *target.permissions, target.operated, target.changed, len(target.values)
        )
        return 0 if command == IPC_STAT else target.id
    if command in _READING:
        return read_values(task, table.find(number), which, command, argument)
    if command == SETVAL:
        value = signed(argument, 32)
        if not 0 <= value <= SEMVMX:
            raise LinuxError(ERANGE)
        target = table.find(number)
        which = target.number(which)
        target.require(who, 0o222)
        target.set_values(which, [value], task.process.pid)
    elif command == SETALL:
        target = table.find(number)
        target.require(who, 0o222)
        count = len(target.values)
        values = list(Struct(f"<{count}H").unpack(memory.read(argument, 2 * count)))
        if max(values) > SEMVMX:
            raise LinuxError(ERANGE)
        target.set_values(0, values, task.process.pid)
    elif command == IPC_SET:
        fields = memory.load(argument, layouts.semid_ds)
        target = table.find(number)
        target.require_owner(who)
        target.update(fields[1], fields[2], fields[5])
        target.changed = table.around.now()
    elif command == IPC_RMID:
        target = table.find(number)
        target.require_owner(who)
        table.remove(target)
    else:
        raise LinuxError(EINVAL)
    return 0


def read_values(task: Task, target: SemaphoreSet, which: int, command: int, argument: int) -> int:
    """GETALL and what tells of one semaphore."""
    target.require(task.credentials, 0o444)
    if command == GETALL:
        task.memory.write(argument, Struct(f"<{len(target.values)}H").pack(*target.values))
        return 0
    which = target.number(which)
    if command == GETVAL:
        return target.values[which]
    if command == GETPID:
        return target.pids[which]
    return target.waiting(which, command == GETZCNT)


def tell_limits(task: Task, command: int, address: int) -> int:
    """IPC_INFO, SEM_INFO."""
    table = task.kernel.ipc.semaphores
    used = (len(table), table.all_semaphores) if command == SEM_INFO else (_SEMUSZ, SEMAEM)
    most = 32000 * 32000  # of undo structures, and of what semmap counts
    task.memory.store(
        address, SEMINFO, most, table.count_limit, table.semaphores_limit, most, table.size_limit,
        table.operations_limit, _SEMUME, used[0], SEMVMX, used[1],
    )  # fmt: skip
    return table.highest
