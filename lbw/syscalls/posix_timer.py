"""POSIX timers.  man 2 timer_create, timer_settime, timer_getoverrun, timer_delete"""

from __future__ import annotations

from struct import Struct

from lbw.abi.clock import TIMER_ABSTIME
from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.signal import NSIG, SIGALRM
from lbw.kernel.posix_timers import create_timer, delete_timer, find_timer
from lbw.syscalls.displays import InStruct, OutStruct
from lbw.syscalls.parameters import Flags, In, Int, Out
from lbw.syscalls.signal_displays import show_itimerspec
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, SIGEV_THREAD_ID = 0, 1, 2, 4

#: struct sigevent, by word size: value, signo, notify, tid.
_SIGEVENT = {8: Struct("<Qiii"), 4: Struct("<Iiii")}
_ID = Struct("<i")
_BILLION = 10**9


@syscall(
    "timer_create", Int("clockid"), In("sevp"), Out("timerid"), support=PARTIAL, note="no clocks of processor time"
)
def timer_create(task: Task, clockid: int, sevp: int, timerid: int) -> int:
    """Create a timer, disarmed; without `sevp` it sends SIGALRM with its number as value.

    EINVAL: clock, kind of notification, signal or thread.  man 2 timer_create
    """
    signo, value, thread = SIGALRM, 0, None
    if sevp:
        value, signo, notify, tid = task.memory.load(sevp, _SIGEVENT[task.abi.word])
        if notify == SIGEV_THREAD_ID | SIGEV_SIGNAL:
            thread = task.kernel.tasks.get(tid)
            if thread is None or thread.process is not task.process:
                raise LinuxError(EINVAL)
        elif notify not in (SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD):
            raise LinuxError(EINVAL)
        if notify == SIGEV_NONE:
            signo = 0
        elif not 1 <= signo <= NSIG:
            raise LinuxError(EINVAL)
    timer = create_timer(task.process, clockid, signo, value, thread)
    if not sevp:
        timer.value = timer.identifier
    try:
        task.memory.store(timerid, _ID, timer.identifier)
    except LinuxError:
        delete_timer(timer)
        raise
    return 0


@syscall(
    "timer_settime",
    Int("timerid"),
    Flags("flags", {TIMER_ABSTIME: "TIMER_ABSTIME"}),
    InStruct("new_value", show_itimerspec),
    OutStruct("old_value", show_itimerspec),
)
def timer_settime(
    task: Task, timerid: int, flags: int, new_value: int, old_value: int, layout: Struct | None = None
) -> int:  # fmt: skip
    """Arm a timer, or disarm it with a value of zero.  EINVAL: the timer, nanoseconds.  man 2 timer_settime"""
    if not new_value:
        raise LinuxError(EINVAL)
    layout = layout or task.abi.timespec
    interval = _time(*task.memory.load(new_value, layout))
    value = _time(*task.memory.load(new_value + layout.size, layout))
    timer = find_timer(task.process, timerid)
    old = (timer.interval, timer.remaining)
    timer.set(value, interval, bool(flags & TIMER_ABSTIME))
    if old_value:
        _store(task, old_value, *old, layout)
    return 0


@syscall("timer_gettime", Int("timerid"), OutStruct("curr_value", show_itimerspec))
def timer_gettime(task: Task, timerid: int, curr_value: int, layout: Struct | None = None) -> int:
    """Store interval and remaining time of a timer.  man 2 timer_gettime"""
    timer = find_timer(task.process, timerid)
    _store(task, curr_value, timer.interval, timer.remaining, layout or task.abi.timespec)
    return 0


@syscall("timer_getoverrun", Int("timerid"))
def timer_getoverrun(task: Task, timerid: int) -> int:
    """Return how often the timer expired beside its last signal.  man 2 timer_getoverrun"""
    return find_timer(task.process, timerid).overrun


@syscall("timer_delete", Int("timerid"))
def timer_delete(task: Task, timerid: int) -> int:
    """Delete a timer.  EINVAL: there is none.  man 2 timer_delete"""
    delete_timer(find_timer(task.process, timerid))
    return 0


def _time(seconds: int, nanoseconds: int) -> int:
    """Return a struct timespec in ns.  EINVAL"""
    if seconds < 0 or not 0 <= nanoseconds < _BILLION:
        raise LinuxError(EINVAL)
    return int(seconds * _BILLION + nanoseconds)


def _store(task: Task, address: int, interval: int, left: int, layout: Struct) -> None:
    task.memory.store(address, layout, *divmod(interval, _BILLION))
    task.memory.store(address + layout.size, layout, *divmod(left, _BILLION))
