"""System V shared memory.  man 2 shmget, shmop, shmctl

The handlers get the layouts of their ABI as the last argument; see `lbw.abi.ipc`.
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.ipc import (
    IPC_INFO,
    IPC_RMID,
    IPC_SET,
    IPC_STAT,
    SHM_INFO,
    SHM_LOCK,
    SHM_STAT,
    SHM_STAT_ANY,
    SHM_UNLOCK,
    SHMMIN,
    WIDE,
)
from lbw.abi.resource import RLIMIT_MEMLOCK
from lbw.ipc import shm as segments
from lbw.syscalls.ipc_displays import SHM_COMMANDS, Command, Key, Structure, get_flags, shmat_flags
from lbw.syscalls.parameters import Int, Pointer, Size
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.ipc import IpcLayouts
    from lbw.ipc.shm import Segment
    from lbw.kernel.task import Task

_INT_MAX = 0x7FFF_FFFF


@syscall("shmget", Key("key"), Size("size"), get_flags("shmflg", "SHM_HUGETLB", "SHM_NORESERVE"))
def shmget(task: Task, key: int, size: int, flags: int) -> int:
    """Find or make a segment; return its id.  EACCES, EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC, EPERM.  man 2 shmget"""
    table, who = task.kernel.ipc.segments, task.credentials

    def check(found: Segment) -> None:
        if found.size < size:
            raise LinuxError(EINVAL)

    return table.obtain(key, flags, who, lambda: table.make(key, size, flags, who), check)


@syscall("shmat", Int("shmid"), Pointer("shmaddr"), shmat_flags("shmflg"))
def shmat(task: Task, number: int, address: int, flags: int) -> int:
    """Attach a segment; return its address.  EACCES, EINVAL, ENOMEM.  man 2 shmop"""
    segment = task.kernel.ipc.segments.find(number)
    return segments.attach(segment, task.memory, task.credentials, address, flags)


@syscall("shmdt", Pointer("shmaddr"))
def shmdt(task: Task, address: int) -> int:
    """Detach a segment.  EINVAL: none is attached at this address.  man 2 shmop"""
    segments.detach(task.memory, address)
    return 0


@syscall("shmctl", Int("shmid"), Command("cmd", SHM_COMMANDS), Structure("buf", 1, SHM_STAT, SHM_STAT_ANY))
def shmctl(task: Task, number: int, command: int, buffer: int, layouts: IpcLayouts = WIDE) -> int:
    """Look at, change, remove or lock a segment, or look at the limits.

    EACCES, EFAULT, EINVAL, ENOMEM, EPERM.  man 2 shmctl
    """
    if number < 0 or command < 0:
        raise LinuxError(EINVAL)
    table, who = task.kernel.ipc.segments, task.credentials
    if command in (IPC_STAT, SHM_STAT, SHM_STAT_ANY):
        segment = table.find(number) if command == IPC_STAT else table.at(number)
        if command != SHM_STAT_ANY:
            segment.require(who, 0o444)
        task.memory.store(
            buffer, layouts.shmid_ds, *segment.permissions, segment.size, segment.attach_time, segment.detach_time,
            segment.changed, segment.creator, segment.last_pid, segment.attachments,
        )  # fmt: skip
        return 0 if command == IPC_STAT else segment.id
    if command == IPC_INFO:
        largest = table.size_limit if layouts.word == 8 else min(table.size_limit, _INT_MAX)
        limits = largest, SHMMIN, table.count_limit, table.count_limit, table.page_limit
        task.memory.store(buffer, layouts.shminfo, *limits)
        return table.highest
    if command == SHM_INFO:
        resident = sum(segment.memory.resident for segment in table.values())
        task.memory.store(buffer, layouts.shm_info, len(table), table.all_pages, resident, 0, 0, 0)
        return table.highest
    if command == IPC_SET:
        values = task.memory.load(buffer, layouts.shmid_ds)
        segment = table.find(number)
        segment.require_owner(who)
        segment.update(values[1], values[2], values[5])
        segment.changed = table.around.now()
    elif command == IPC_RMID:
        segment = table.find(number)
        segment.require_owner(who)
        segment.remove()
    elif command in (SHM_LOCK, SHM_UNLOCK):
        segment = table.find(number)
        segment.lock(who, command == SHM_LOCK, task.process.limits.soft(RLIMIT_MEMLOCK))
    else:
        raise LinuxError(EINVAL)
    return 0


