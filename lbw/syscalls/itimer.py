"""Interval timers and alarm.  man 2 setitimer, alarm"""

from __future__ import annotations

from lbw.abi.clock import ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL
from lbw.abi.errno import EINVAL, LinuxError
from lbw.kernel.interval_timers import interval_timer
from lbw.syscalls.displays import InStruct, OutStruct
from lbw.syscalls.parameters import Choice, UInt
from lbw.syscalls.signal_displays import show_itimerval
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

TIMERS = {ITIMER_REAL: "ITIMER_REAL", ITIMER_VIRTUAL: "ITIMER_VIRTUAL", ITIMER_PROF: "ITIMER_PROF"}

_SECOND, _MICROSECOND = 10**9, 1000


@syscall("alarm", UInt("seconds"))
def alarm(task: Task, seconds: int) -> int:
    """Send SIGALRM in `seconds` (0: not at all); return the seconds that were left until the last one.  man 2 alarm"""
    timer = interval_timer(task.process, ITIMER_REAL)
    left = timer.remaining
    timer.set(seconds * _SECOND, 0)
    return max(1, (left + _SECOND // 2) // _SECOND) if left else 0


@syscall("getitimer", Choice("which", TIMERS), OutStruct("curr_value", show_itimerval))
def getitimer(task: Task, which: int, curr_value: int) -> int:
    """Store interval and remaining time of a timer.  EINVAL: no such timer.  man 2 getitimer"""
    if which not in TIMERS:
        raise LinuxError(EINVAL)
    timer = interval_timer(task.process, which)
    _store(task, curr_value, timer.interval, timer.remaining)
    return 0


@syscall(
    "setitimer", Choice("which", TIMERS), InStruct("new_value", show_itimerval), OutStruct("old_value", show_itimerval)
)
def setitimer(task: Task, which: int, new_value: int, old_value: int) -> int:
    """Arm a timer; without `new_value` disarm it.  EINVAL: no such timer, bad microseconds.  man 2 setitimer"""
    value = interval = 0
    if new_value:
        fields = task.memory.load(new_value, task.abi.itimerval)
        interval, value = _time(*fields[:2]), _time(*fields[2:])
    if which not in TIMERS:
        raise LinuxError(EINVAL)
    timer = interval_timer(task.process, which)
    old_interval, left = timer.interval, timer.remaining
    timer.set(value, interval)
    if old_value:
        _store(task, old_value, old_interval, left)
    return 0


def _time(seconds: int, microseconds: int) -> int:
    """Return a struct timeval in ns.  EINVAL"""
    if seconds < 0 or not 0 <= microseconds < 10**6:
        raise LinuxError(EINVAL)
    return seconds * _SECOND + microseconds * _MICROSECOND


def _store(task: Task, address: int, interval: int, left: int) -> None:
    left_us = -(-left // _MICROSECOND)  # never 0 while it is armed
    interval_us = interval // _MICROSECOND
    task.memory.store(address, task.abi.itimerval, *divmod(interval_us, 10**6), *divmod(left_us, 10**6))
