"""Who dies when memory runs out, and what may be said about it: oom_score, oom_score_adj, oom_adj.  man 5 proc

oom_adj is the old scale, from -17 to 15; both set the same thing.
"""

from __future__ import annotations

from lbw.abi.capability import CAP_SYS_RESOURCE
from lbw.abi.errno import EACCES, EINVAL, LinuxError
from lbw.cpu.contracts import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.proc.process import TaskEntry

#: What oom_score_adj may be, to both sides of 0.
RANGE = 1000
#: What oom_adj may be.
OLD_LEAST, OLD_MOST = -17, 15


def score(entry: TaskEntry) -> bytes:
    """Return how soon the process dies when memory runs out: 0 to about 2000, 666 for a small one."""
    view = entry.view
    memory = view.memory
    if memory is None or view.oom_adjustment == -RANGE:
        return b"0\n"
    total = max(entry.source.status().total // PAGE, 1)
    pages = memory.mmu.resident + memory.mmu.tables
    return b"%d\n" % (max(1000 + pages * 1000 // total + view.oom_adjustment, 0) * 2 // 3)


def adjustment(entry: TaskEntry) -> bytes:
    """Return what is added to that, in thousandths of the memory."""
    return b"%d\n" % entry.view.oom_adjustment


def old_adjustment(entry: TaskEntry) -> bytes:
    """Return the same on the old scale."""
    value = entry.view.oom_adjustment
    if value == RANGE:
        return b"%d\n" % OLD_MOST
    return b"%d\n" % int(value * -OLD_LEAST / RANGE)


def adjust(entry: TaskEntry, data: bytes) -> None:
    """Set it.  EINVAL: no number from -1000 to 1000; EACCES: less than root allowed, without CAP_SYS_RESOURCE"""
    value = _number(data)
    if abs(value) > RANGE:
        raise LinuxError(EINVAL)
    _adjust(entry, value, entry.view.oom_least)


def adjust_old(entry: TaskEntry, data: bytes) -> None:
    """Set it on the old scale.  EINVAL; EACCES: less than it is, without CAP_SYS_RESOURCE"""
    old = _number(data)
    if not OLD_LEAST <= old <= OLD_MOST:
        raise LinuxError(EINVAL)
    value = RANGE if old == OLD_MOST else int(old * RANGE / -OLD_LEAST)
    _adjust(entry, value, entry.view.oom_adjustment)


def _number(data: bytes) -> int:
    try:
        return int(data.strip())
    except ValueError:
        raise LinuxError(EINVAL) from None


def _adjust(entry: TaskEntry, value: int, least: int) -> None:
    caller = entry.source.current
    privileged = caller is None or caller.credentials.capable(CAP_SYS_RESOURCE)
    if value < least and not privileged:
        raise LinuxError(EACCES)
    entry.view.adjust_oom(value, privileged)
