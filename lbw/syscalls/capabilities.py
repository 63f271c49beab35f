"""Capability sets of a task.  man 2 capget, man 7 capabilities"""

from __future__ import annotations

from struct import Struct

from lbw.abi.capability import (
    _LINUX_CAPABILITY_VERSION_1,
    _LINUX_CAPABILITY_VERSION_2,
    _LINUX_CAPABILITY_VERSION_3,
    CAP_SETPCAP,
)
from lbw.abi.errno import EINVAL, EPERM, ESRCH, LinuxError
from lbw.syscalls.identity import commit
from lbw.syscalls.parameters import In, Out
from lbw.syscalls.table import syscall
from lbw.vfs.credentials import ALL_CAPABILITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

HEADER = Struct("<Ii")  # version, pid
VERSION = Struct("<I")
SETS = Struct("<III")  # effective, permitted, inheritable: 32 bits of each
#: How many `SETS` follow in each version.
LENGTHS = {_LINUX_CAPABILITY_VERSION_1: 1, _LINUX_CAPABILITY_VERSION_2: 2, _LINUX_CAPABILITY_VERSION_3: 2}


def read_header(task: Task, address: int) -> tuple[int, int]:
    """Return (number of structures, pid); an unknown version is replaced by the one we prefer.  EINVAL"""
    version, pid = task.memory.load(address, HEADER)
    if version not in LENGTHS:
        task.memory.store(address, VERSION, _LINUX_CAPABILITY_VERSION_3)
        raise LinuxError(EINVAL)
    return LENGTHS[version], pid


@syscall("capget", In("hdrp"), Out("datap"))
def capget(task: Task, header: int, data: int) -> int:
    """Store the capability sets of a thread.  man 2 capget: EINVAL, ESRCH. No `data`: asks for the version"""
    try:
        length, pid = read_header(task, header)
    except LinuxError as error:
        if error.errno == EINVAL and not data:
            return 0
        raise
    if not data:
        return 0
    if pid < 0:
        raise LinuxError(EINVAL)
    target = task.kernel.tasks.get(pid) if pid else task
    if target is None:
        raise LinuxError(ESRCH)
    who = target.credentials
    for index in range(length):
        words = [value >> 32 * index & 0xFFFFFFFF for value in (who.effective, who.permitted, who.inheritable)]
        task.memory.store(data + index * SETS.size, SETS, *words)
    return 0


@syscall("capset", In("hdrp"), In("datap"))
def capset(task: Task, header: int, data: int) -> int:
    """Set the capability sets of the calling thread.  man 2 capset: EINVAL, EPERM"""
    length, pid = read_header(task, header)
    if pid not in (0, task.tid):
        raise LinuxError(EPERM)
    effective = permitted = inheritable = 0
    for index in range(length):
        words = task.memory.load(data + index * SETS.size, SETS)
        effective |= words[0] << 32 * index
        permitted |= words[1] << 32 * index
        inheritable |= words[2] << 32 * index
    effective, permitted, inheritable = (value & ALL_CAPABILITIES for value in (effective, permitted, inheritable))

    old = task.credentials
    if inheritable & ~(old.inheritable | old.permitted) and not old.capable(CAP_SETPCAP):
        raise LinuxError(EPERM)
    if inheritable & ~(old.inheritable | old.bounding) or permitted & ~old.permitted or effective & ~permitted:
        raise LinuxError(EPERM)
    new = old.copy()
    new.effective, new.permitted, new.inheritable = effective, permitted, inheritable
    new.ambient &= permitted & inheritable
    commit(task, new)
    return 0
