"""Time on i386: the calls with 64-bit seconds, and the oldest ones.

The calls without `time64` in their names have 32-bit seconds, which end in 2038: what the kernel stores there is cut,
as Linux does it. In what a program gives to a call with 64-bit seconds, the upper half of the nanoseconds is padding.
man 2 time, stime; Linux kernel/time/time.c
"""

from __future__ import annotations

from copy import copy
from functools import partial
from struct import Struct

from lbw.abi.errno import EPERM, LinuxError
from lbw.abi.i386 import I386
from lbw.abi.words import Words
from lbw.syscalls import clock, posix_timer, timerfd
from lbw.syscalls.attributes import utimensat
from lbw.syscalls.displays import OutStruct, Timespec
from lbw.syscalls.futex import futex
from lbw.syscalls.messages import recvmmsg
from lbw.syscalls.parameters import In
from lbw.syscalls.poll import ppoll
from lbw.syscalls.select import pselect6
from lbw.syscalls.signal import rt_sigtimedwait
from lbw.syscalls.signal_displays import show_itimerspec
from lbw.syscalls.sleep import clock_nanosleep
from lbw.syscalls.table import ROWS, own_call, variant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task
    from lbw.syscalls.parameters import Parameter
    from lbw.syscalls.table import Handler

#: struct old_timex32: as `lbw.syscalls.clock.TIMEX`, in words of 32 bits, 11 of them unused.
TIMEX32 = Struct("<I4ii4i2i7iii44x")


def widened(parameter: Parameter) -> Parameter:
    """Return `parameter` as the call with 64-bit seconds has it."""
    if isinstance(parameter, Timespec):
        parameter = copy(parameter)
        parameter.wide = True
    elif isinstance(parameter, OutStruct) and parameter.formatter is show_itimerspec:
        parameter = copy(parameter)
        parameter.formatter = partial(show_itimerspec, wide=True)
    return parameter


_WIDE: dict[str, Handler] = {
    "clock_gettime64": clock.clock_gettime,
    "clock_settime64": clock.clock_settime,
    "clock_getres_time64": clock.clock_getres,
    "clock_nanosleep_time64": clock_nanosleep,
    "timer_gettime64": posix_timer.timer_gettime,
    "timer_settime64": posix_timer.timer_settime,
    "timerfd_gettime64": timerfd.timerfd_gettime,
    "timerfd_settime64": timerfd.timerfd_settime,
    "utimensat_time64": utimensat,
    "pselect6_time64": pselect6,
    "ppoll_time64": ppoll,
    "rt_sigtimedwait_time64": rt_sigtimedwait,
    "futex_time64": futex,
    "recvmmsg_time64": recvmmsg,
}
for _name, _handler in _WIDE.items():
    _row = next(row for row in ROWS.values() if row.handler is _handler)
    variant(I386, _name, _handler, *map(widened, _row.parameters), fixed=(I386.timespec64,))

variant(I386, "clock_adjtime64", clock.clock_adjtime)
variant(I386, "clock_adjtime", clock.clock_adjtime, fixed=(TIMEX32,))
variant(I386, "adjtimex", clock.adjtimex, fixed=(TIMEX32,))


@own_call(I386, "stime", In("t"))
def stime(task: Task, address: int) -> int:
    """Refuse to set the time.  EFAULT, EPERM.  man 2 stime"""
    task.memory.load(address, Words(1))
    raise LinuxError(EPERM)
