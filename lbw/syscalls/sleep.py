"""Sleeping.  man 2 nanosleep, clock_nanosleep, restart_syscall"""

from __future__ import annotations

from lbw.abi.capability import CAP_WAKE_ALARM
from lbw.abi.clock import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_TAI,
    TIMER_ABSTIME,
)
from lbw.abi.errno import EINTR, EINVAL, EOPNOTSUPP, EPERM, LinuxError
from lbw.kernel.clock import MONOTONIC_CLOCKS, REALTIME_CLOCKS
from lbw.kernel.cpu_clocks import process_time
from lbw.kernel.task import Interrupted
from lbw.syscalls.displays import Timespec
from lbw.syscalls.parameters import Choice, Flags, Out
from lbw.syscalls.table import NO_HANDLER, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from struct import Struct

    from lbw.kernel.task import Task

CLOCKS = {
    CLOCK_REALTIME: "CLOCK_REALTIME", CLOCK_MONOTONIC: "CLOCK_MONOTONIC",
    CLOCK_PROCESS_CPUTIME_ID: "CLOCK_PROCESS_CPUTIME_ID",
    CLOCK_BOOTTIME: "CLOCK_BOOTTIME", CLOCK_TAI: "CLOCK_TAI",
}  # fmt: skip
ALARMS = frozenset({CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM})
SLEEPABLE = ALARMS | {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI}
SECOND = 1_000_000_000

#: A longer sleep is cut to this, ns: nobody will see its end, as with KTIME_MAX in Linux.
FOREVER = 1 << 62


def duration_at(task: Task, address: int, layout: Struct | None = None) -> int:
    """Return the timespec at `address` in ns.  EFAULT; EINVAL: negative, or a second and more of nanoseconds"""
    seconds, nanoseconds = task.memory.load(address, layout or task.abi.timespec)
    if seconds < 0 or not 0 <= nanoseconds < SECOND:
        raise LinuxError(EINVAL)
    return min(int(seconds) * SECOND + int(nanoseconds), FOREVER)


@syscall("nanosleep", Timespec("req"), Out("rem"), restart=NO_HANDLER)
def nanosleep(task: Task, req: int, rem: int) -> Awaitable[int]:
    """Sleep; when a handler ends the sleep, store what was left.  EINTR, EFAULT, EINVAL.  man 2 nanosleep"""
    duration = duration_at(task, req)
    return sleep_until(task, task.kernel.clock.monotonic() + duration, rem)


@syscall("clock_nanosleep", Choice("clockid", CLOCKS), Flags("flags", {TIMER_ABSTIME: "TIMER_ABSTIME"}),
         Timespec("request"),
         Out("remain"), restart=NO_HANDLER)  # fmt: skip
def clock_nanosleep(
    task: Task, clockid: int, flags: int, request: int, remain: int, layout: Struct | None = None
) -> Awaitable[int]:
    """Sleep for a time, or until one, by some clock.

    EINTR; EINVAL: no such clock; EOPNOTSUPP: a clock that only tells time.
    man 2 clock_nanosleep
    """
    clock = task.kernel.clock
    absolute = bool(flags & TIMER_ABSTIME)
    if clockid == CLOCK_PROCESS_CPUTIME_ID:
        time = duration_at(task, request, layout)
        return sleep_cpu_time(task, time if absolute else process_time(task.process) + time)
    if clockid not in SLEEPABLE:
        known = clockid in MONOTONIC_CLOCKS or clockid in REALTIME_CLOCKS or clockid == 3
        raise LinuxError(EOPNOTSUPP if known else EINVAL)
    if clockid in ALARMS and not task.credentials.capable(CAP_WAKE_ALARM):
        raise LinuxError(EPERM)
    time = duration_at(task, request, layout)
    now = clock.monotonic()
    if not absolute:
        return sleep_until(task, now + time, remain, layout)
    return sleep_absolute(task, now + time - clock.realtime() if clockid in REALTIME_CLOCKS else time)


async def sleep_until(task: Task, deadline: int, remaining: int, layout: Struct | None = None) -> int:
    """Sleep until `deadline` (monotonic ns); if interrupted, store what is left at `remaining` (0: nowhere)."""
    try:
        while await task.wait(deadline=deadline):
            pass
    except Interrupted:
        if remaining:
            left = max(0, deadline - task.kernel.clock.monotonic())
            task.memory.store(remaining, layout or task.abi.timespec, *divmod(left, SECOND))
        task.restart_call = lambda: sleep_until(task, deadline, remaining, layout)
        raise
    return 0


async def sleep_absolute(task: Task, deadline: int) -> int:
    """Sleep until `deadline`; beginning again does no harm."""
    while await task.wait(deadline=deadline):
        pass
    return 0


async def sleep_cpu_time(task: Task, goal: int) -> int:
    """Sleep until the other threads of the process have brought its CPU time to `goal` ns."""
    while (left := goal - process_time(task.process)) > 0:
        await task.wait(deadline=task.kernel.clock.monotonic() + left)  # it cannot pass faster than real time
    return 0


@syscall("restart_syscall", restart=NO_HANDLER)
def restart_syscall(task: Task) -> int | Awaitable[int]:
    """Go on with a call that was stopped and continued.  EINTR: there is none.  man 2 restart_syscall"""
    call, task.restart_call = task.restart_call, None
    if call is None:
        raise LinuxError(EINTR)
    return call()
