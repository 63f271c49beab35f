"""Sleeping.  man 2 nanosleep, clock_nanosleep, restart_syscall"""

from __future__ import annotations

from lbw.abi.capability import CAP_WAKE_ALARM
from lbw.abi.clock import CLOCK_THREAD_CPUTIME_ID, TIMER_ABSTIME
from lbw.abi.errno import EINTR, EINVAL, EOPNOTSUPP, EPERM, LinuxError
from lbw.kernel.clock import ALARM_CLOCKS, MONOTONIC_CLOCKS, REALTIME_CLOCKS, TIMER_CLOCKS
from lbw.kernel.clock_changes import SETTABLE
from lbw.kernel.cpu_alarm import CpuAlarm
from lbw.kernel.cpu_clocks import find_cpu_clock, is_cpu_clock, is_descriptor_clock
from lbw.kernel.task import Interrupted
from lbw.syscalls.displays import Timespec
from lbw.syscalls.parameters import Flags, Out
from lbw.syscalls.start import only
from lbw.syscalls.table import NO_HANDLER, syscall
from lbw.syscalls.time_displays import ClockId
from lbw.syscalls.timespecs import SECOND, duration_at
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from struct import Struct

    from lbw.kernel.cpu_clocks import CpuClock
    from lbw.kernel.task import Task



@syscall("nanosleep", Timespec("req"), Out("rem"), restart=NO_HANDLER)
def nanosleep(task: Task, req: int, rem: int) -> Awaitable[int]:
    """Sleep; when a handler ends the sleep, store what was left.  EINTR, EFAULT, EINVAL.  man 2 nanosleep"""
    duration = duration_at(task, req)
    return sleep_until(task, task.kernel.clock.monotonic() + duration, rem)


@syscall("clock_nanosleep", ClockId("clockid"), Flags("flags", {TIMER_ABSTIME: "TIMER_ABSTIME"}),
         Timespec("request"),
         Out("remain"), restart=NO_HANDLER)  # fmt: skip
def clock_nanosleep(
    task: Task, clockid: int, flags: int, request: int, remain: int, layout: Struct | None = None
) -> Awaitable[int]:
    """Sleep for a time, or until one, by some clock.

    EINTR, EFAULT; EINVAL: no such clock, the caller's own processor time, nanoseconds; EOPNOTSUPP: a clock that only
    tells time; EPERM: an alarm clock without CAP_WAKE_ALARM.  man 2 clock_nanosleep
    """
    absolute = bool(flags & TIMER_ABSTIME)
    if is_cpu_clock(clockid) and clockid != CLOCK_THREAD_CPUTIME_ID:
        time = duration_at(task, request, layout)
        if clockid < 0 and clockid & 4 and ~(clockid >> 3) in (0, task.tid):
            raise LinuxError(EINVAL)
        clock = find_cpu_clock(task, clockid)
        if absolute:
            return sleep_cpu_time(task, clock, time, 0)
        return sleep_cpu_time(task, clock, clock.read() + time, remain, layout, relative=True)
    if clockid not in TIMER_CLOCKS:
        known = clockid in MONOTONIC_CLOCKS | REALTIME_CLOCKS or clockid == CLOCK_THREAD_CPUTIME_ID
        raise LinuxError(EOPNOTSUPP if known or is_descriptor_clock(clockid) else EINVAL)
    time = duration_at(task, request, layout)
    if clockid in ALARM_CLOCKS:
        only(flags, TIMER_ABSTIME)
        if not task.credentials.capable(CAP_WAKE_ALARM):
            raise LinuxError(EPERM)
    if not absolute:
        return sleep_until(task, task.kernel.clock.monotonic() + time, remain, layout)
    return sleep_absolute(task, clockid, time)


async def sleep_until(task: Task, deadline: int, remaining: int, layout: Struct | None = None) -> int:
    """Sleep until `deadline` (monotonic ns); if interrupted, store what is left at `remaining` (0: nowhere)."""
    try:
        while await task.wait(deadline=deadline):
            pass
    except Interrupted:
        if remaining:
            left = deadline - task.kernel.clock.monotonic()
            if left <= 0:
                return 0
            task.memory.store(remaining, layout or task.abi.timespec, *divmod(left, SECOND))
        task.restart_call = lambda: sleep_until(task, deadline, remaining, layout)
        raise
    return 0


async def sleep_absolute(task: Task, clock_id: int, time: int) -> int:
    """Sleep until a clock shows `time`, also if it is set meanwhile; beginning again does no harm."""
    kernel = task.kernel
    if clock_id not in SETTABLE:
        deadline = kernel.clock.deadline(clock_id, time)
        while await task.wait(deadline=deadline):
            pass
        return 0
    changed = WaitQueue()
    kernel.clock_changes.follow(changed.wake_all)
    try:
        while await task.wait(changed, deadline=kernel.clock.deadline(clock_id, time)):
            pass
    finally:
        kernel.clock_changes.leave(changed.wake_all)
    return 0


async def sleep_cpu_time(
    task: Task, clock: CpuClock, goal: int, remaining: int, layout: Struct | None = None, *, relative: bool = False
) -> int:
    """Sleep until others have brought a clock of processor time to `goal` ns; as `sleep_until` if interrupted."""
    reached = WaitQueue()
    alarm = CpuAlarm(clock, reached.wake_all)
    try:
        while clock.read() < goal:
            alarm.set(goal)
            await task.wait(reached)
    except Interrupted:
        if relative:
            if remaining:
                left = max(0, goal - clock.read())
                task.memory.store(remaining, layout or task.abi.timespec, *divmod(left, SECOND))
            task.restart_call = lambda: sleep_cpu_time(task, clock, goal, remaining, layout, relative=True)
        raise
    finally:
        alarm.cancel()
    return 0


@syscall("restart_syscall", restart=NO_HANDLER)
def restart_syscall(task: Task) -> int | Awaitable[int]:
    """Go on with a call that was stopped and continued.  EINTR: there is none.  man 2 restart_syscall"""
    call, task.restart_call = task.restart_call, None
    if call is None:
        raise LinuxError(EINTR)
    return call()
