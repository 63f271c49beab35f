"""POSIX timers.  man 2 timer_create, timer_settime, timer_getoverrun, timer_delete"""

from __future__ import annotations

from struct import Struct

from lbw.abi.capability import CAP_WAKE_ALARM
from lbw.abi.clock import TIMER_ABSTIME
from lbw.abi.errno import EINVAL, EPERM, LinuxError
from lbw.abi.signal import NSIG, SIGALRM
from lbw.kernel.clock import ALARM_CLOCKS
from lbw.kernel.posix_timers import create_timer, delete_timer, find_timer
from lbw.syscalls.displays import InStruct, OutInts, OutStruct
from lbw.syscalls.parameters import Flags, Int
from lbw.syscalls.signal_displays import show_itimerspec
from lbw.syscalls.table import syscall
from lbw.syscalls.time_displays import ClockId, SigEvent
from lbw.syscalls.timespecs import load_itimerspec, store_itimerspec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, SIGEV_THREAD_ID = 0, 1, 2, 4

#: struct sigevent, by word size: value, signo, notify, tid.
_SIGEVENT = {8: Struct("<Qiii"), 4: Struct("<Iiii")}
_ID = Struct("<i")


@syscall("timer_create", ClockId("clockid"), SigEvent("sevp"), OutInts("timerid", 1))
def timer_create(task: Task, clockid: int, sevp: int, timerid: int) -> int:
    """Create a timer, disarmed; without `sevp` it sends SIGALRM with its number as value.

    EINVAL: clock, kind of notification, signal or thread; EOPNOTSUPP: a clock that only tells time; EPERM: an alarm
    clock without CAP_WAKE_ALARM; EAGAIN: RLIMIT_SIGPENDING; EFAULT.  man 2 timer_create
    """
    signo, value, notify, thread = SIGALRM, 0, SIGEV_SIGNAL, None
    if clockid in ALARM_CLOCKS and not task.credentials.capable(CAP_WAKE_ALARM):
        raise LinuxError(EPERM)
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
    timer = create_timer(task, clockid, signo, value, thread)
    timer.notify = notify
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
    interval, value = load_itimerspec(task, new_value, layout)
    timer = find_timer(task.process, timerid)
    old = (timer.interval, timer.remaining)
    timer.set(value, interval, bool(flags & TIMER_ABSTIME))
    if old_value:
        store_itimerspec(task, old_value, *old, layout)
    return 0


@syscall("timer_gettime", Int("timerid"), OutStruct("curr_value", show_itimerspec))
def timer_gettime(task: Task, timerid: int, curr_value: int, layout: Struct | None = None) -> int:
    """Store interval and remaining time of a timer.  man 2 timer_gettime"""
    timer = find_timer(task.process, timerid)
    store_itimerspec(task, curr_value, timer.interval, timer.remaining, layout)
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

