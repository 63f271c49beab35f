"""Timers that are read.  man 2 timerfd_create, timerfd_settime, timerfd_gettime"""

from __future__ import annotations

from lbw.abi import clock as abi
from lbw.abi.capability import CAP_WAKE_ALARM
from lbw.abi.clock import TFD_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET
from lbw.abi.errno import EINVAL, EPERM, LinuxError
from lbw.kernel.clock import ALARM_CLOCKS
from lbw.kernel.timerfd import CLOCKS, TimerFile
from lbw.syscalls.displays import InStruct, OutStruct
from lbw.syscalls.flag_names import named
from lbw.syscalls.parameters import Fd, Flags
from lbw.syscalls.signal_displays import show_itimerspec
from lbw.syscalls.start import only
from lbw.syscalls.table import syscall
from lbw.syscalls.time_displays import ClockId
from lbw.syscalls.timespecs import load_itimerspec, store_itimerspec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from struct import Struct

    from lbw.kernel.task import Task

CREATE_FLAGS = named(abi, "TFD_CLOEXEC TFD_NONBLOCK")
SET_FLAGS = named(abi, "TFD_TIMER_ABSTIME TFD_TIMER_CANCEL_ON_SET")


@syscall("timerfd_create", ClockId("clockid"), Flags("flags", CREATE_FLAGS))
def timerfd_create(task: Task, clockid: int, flags: int) -> int:
    """Make a timer, disarmed.  EINVAL: clock or flags; EPERM: an alarm clock without CAP_WAKE_ALARM; EMFILE"""
    only(flags, TFD_CLOEXEC | TFD_NONBLOCK)
    if clockid not in CLOCKS:
        raise LinuxError(EINVAL)
    _check_alarm(task, clockid)
    return task.files.install(TimerFile(task.kernel, clockid, flags & TFD_NONBLOCK), bool(flags & TFD_CLOEXEC))


@syscall(
    "timerfd_settime",
    Fd("fd"),
    Flags("flags", SET_FLAGS),
    InStruct("new_value", show_itimerspec),
    OutStruct("old_value", show_itimerspec),
)
def timerfd_settime(
    task: Task, fd: int, flags: int, new_value: int, old_value: int, layout: Struct | None = None
) -> int:  # fmt: skip
    """Arm a timer, or disarm it with a value of zero.  EFAULT; EINVAL: flags, times, not a timerfd; EBADF; EPERM"""
    interval, value = load_itimerspec(task, new_value, layout)
    only(flags, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)
    file = _timer(task, fd)
    _check_alarm(task, file.clock_id)
    old = file.state()
    file.set(value, interval, flags)
    if old_value:
        store_itimerspec(task, old_value, *old, layout)
    return 0


@syscall("timerfd_gettime", Fd("fd"), OutStruct("curr_value", show_itimerspec))
def timerfd_gettime(task: Task, fd: int, curr_value: int, layout: Struct | None = None) -> int:
    """Store interval and remaining time.  EBADF; EINVAL: not a timerfd; EFAULT"""
    store_itimerspec(task, curr_value, *_timer(task, fd).state(), layout)
    return 0


def _timer(task: Task, fd: int) -> TimerFile:
    file = task.files.get(fd)
    if not isinstance(file, TimerFile):
        raise LinuxError(EINVAL)
    return file


def _check_alarm(task: Task, clock_id: int) -> None:
    if clock_id in ALARM_CLOCKS and not task.credentials.capable(CAP_WAKE_ALARM):
        raise LinuxError(EPERM)
