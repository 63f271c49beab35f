"""Clocks: the time of the guest, in ns.

Tests put another object with the same methods in place of `Clock`, and move time themselves.
"""

from __future__ import annotations

from time import monotonic_ns, perf_counter_ns, time_ns

from lbw.abi.clock import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_REALTIME_COARSE,
    CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID,
)
from lbw.abi.errno import EINVAL, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

REALTIME_CLOCKS = frozenset({CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_REALTIME_ALARM, CLOCK_TAI})
MONOTONIC_CLOCKS = frozenset(
    {CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM}
)
CPU_CLOCKS = frozenset({CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID})


class Clock:
    """The clocks of the machine."""

    __slots__ = ("boot",)

    def __init__(self) -> None:
        self.boot = monotonic_ns()  # when lbw started, on the monotonic clock

    def monotonic(self) -> int:
        """Time since some fixed point; never goes back."""
        return monotonic_ns()

    def realtime(self) -> int:
        """Time since the epoch."""
        return time_ns()

    def processor(self) -> int:
        """A fine clock for accounting."""
        return perf_counter_ns()


def read_clock(task: Task, clock_id: int) -> int:
    """Return the time of a clock, as `task` sees it.  EINVAL: no such clock"""
    clock = task.kernel.clock
    if clock_id in MONOTONIC_CLOCKS:
        return clock.monotonic()
    if clock_id in REALTIME_CLOCKS:
        return clock.realtime()
    if clock_id == CLOCK_THREAD_CPUTIME_ID:
        return task.user_time + task.system_time + running_time(task)
    if clock_id == CLOCK_PROCESS_CPUTIME_ID:
        return process_time(task)
    if clock_id < 0 and clock_id & 7 in (2, 6):  # a CPU clock of a process or thread: man 3 clock_getcpuclockid
        number = ~(clock_id >> 3)
        target = task.kernel.tasks.get(number) if number else task
        if target is None:
            raise LinuxError(EINVAL)
        if clock_id & 4:
            return target.user_time + target.system_time + running_time(target)
        return process_time(target)
    raise LinuxError(EINVAL)


def running_time(task: Task) -> int:
    """Return how long `task` runs already in the current time slice."""
    if task.kernel.current is not task:
        return 0
    return task.kernel.clock.processor() - task.slice_start


def process_time(task: Task) -> int:
    """Return the processor time of the process of `task`."""
    usage = task.process.total_usage()
    return usage.user_time + usage.system_time + running_time(task)
