"""Clocks: the time of the guest, in ns.

`Clock` is the one place where the kernel reads the host's time: the monotonic clock for all that waits, and what
programs are shown of the others. Tests and deterministic runs put another object in its place, and move time
themselves: whoever overrides `monotonic`, `realtime` and `processor` has overridden all.

The clocks of processor time are not the host's: `lbw.kernel.cpu_clocks`.
"""

from __future__ import annotations

from time import monotonic_ns, perf_counter_ns, time_ns

from lbw.abi.clock import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_REALTIME_COARSE,
    CLOCK_TAI,
)
from lbw.abi.errno import EINVAL, LinuxError
from lbw.host.clock import atomic_ns, raw_ns, uptime_ns

REALTIME_CLOCKS = frozenset({CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_REALTIME_ALARM, CLOCK_TAI})
MONOTONIC_CLOCKS = frozenset(
    {CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM}
)
#: Clocks that wake a suspended machine, which takes a capability.
ALARM_CLOCKS = frozenset({CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM})
#: Clocks that timers and sleeps may go by.
TIMER_CLOCKS = ALARM_CLOCKS | {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI}


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

    def raw(self) -> int:
        """Monotonic time that nobody adjusts."""
        return self.monotonic()

    def boottime(self) -> int:
        """Monotonic time, with what the machine was suspended."""
        return self.monotonic()

    def atomic(self) -> int:
        """International atomic time."""
        return self.realtime()

    def read(self, clock_id: int) -> int:
        """Return what a program sees that asks for the clock CLOCK_*.  EINVAL: none, or one of processor time"""
        if clock_id in (CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE):
            return self.monotonic()
        if clock_id in (CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_REALTIME_ALARM):
            return self.realtime()
        if clock_id in (CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM):
            return self.boottime()
        if clock_id == CLOCK_MONOTONIC_RAW:
            return self.raw()
        if clock_id == CLOCK_TAI:
            return self.atomic()
        raise LinuxError(EINVAL)

    def deadline(self, clock_id: int, time: int) -> int:
        """Return when clock `clock_id` of TIMER_CLOCKS will show `time` if nobody sets it, on the monotonic clock."""
        if clock_id == CLOCK_MONOTONIC:
            return time
        return self.monotonic() + time - self.read(clock_id)


class HostClock(Clock):
    """The host's clocks, those that programs do not wait for included."""

    __slots__ = ()

    def raw(self) -> int:
        return raw_ns()

    def boottime(self) -> int:
        return uptime_ns()

    def atomic(self) -> int:
        return atomic_ns()
