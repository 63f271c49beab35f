"""Times in guest memory: struct timespec and itimerspec to ns and back."""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from struct import Struct

    from lbw.kernel.task import Task

SECOND = 1_000_000_000
#: A longer time is cut to this, ns: nobody will see its end, as with KTIME_MAX in Linux.
FOREVER = (1 << 63) - 1


def duration(seconds: int, nanoseconds: int) -> int:
    """Return a struct timespec in ns.  EINVAL: negative, or a second and more of nanoseconds"""
    if seconds < 0 or not 0 <= nanoseconds < SECOND:
        raise LinuxError(EINVAL)
    return min(int(seconds) * SECOND + int(nanoseconds), FOREVER)


def duration_at(task: Task, address: int, layout: Struct | None = None) -> int:
    """Return the timespec at `address` in ns.  EFAULT, EINVAL"""
    return duration(*task.memory.load(address, layout or task.abi.timespec))


def load_itimerspec(task: Task, address: int, layout: Struct | None = None) -> tuple[int, int]:
    """Return (interval, value) of the itimerspec at `address` in ns.  EFAULT, EINVAL"""
    layout = layout or task.abi.timespec
    interval = task.memory.load(address, layout)
    value = task.memory.load(address + layout.size, layout)
    return duration(*interval), duration(*value)


def store_itimerspec(task: Task, address: int, interval: int, value: int, layout: Struct | None = None) -> None:
    """Store an itimerspec; both in ns.  EFAULT"""
    layout = layout or task.abi.timespec
    first = layout.pack(*divmod(interval, SECOND))
    task.memory.write(address, first + layout.pack(*divmod(value, SECOND)))
