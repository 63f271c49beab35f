"""Alarms by processor time: for timers, limits and sleeps that go by what a task or a process has used.

One processor: nobody's time passes faster than real time. So an alarm sets a timer of the kernel for what is left,
looks again when that is due, and sets another one if the process has slept meanwhile. When it has not run at all since
the last look, the alarm goes dormant and sets none; the run loop rouses it when a task of the process has its turn.
An idle machine stays idle, and whoever has no alarms pays one test per turn.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.kernel.cpu_clocks import CpuClock
    from lbw.kernel.process import Process
    from lbw.kernel.timers import Timer

#: How soon an alarm looks again, at the earliest, ns.
PATIENCE = 500_000


class CpuAlarm:
    """Calls `callback` when `clock` shows a certain time."""

    __slots__ = ("_callback", "_clock", "_goal", "_seen", "_timer")

    def __init__(self, clock: CpuClock, callback: Callable[[], object]) -> None:
        self._clock = clock
        self._callback = callback
        self._goal = 0
        self._seen = -1  # what the clock showed at the last look
        self._timer: Timer | None = None

    def set(self, goal: int) -> None:
        """Call when the clock shows `goal` ns; soon, if it does already."""
        self.cancel()
        self._goal = goal
        self._seen = -1
        self.arm()

    def cancel(self) -> None:
        """Do not call any more."""
        process = self._clock.process
        if self._timer is not None:
            process.kernel.timers.cancel(self._timer)
            self._timer = None
        process.dormant_alarms.pop(self, None)

    def arm(self) -> None:
        """Look when the goal can be reached at the earliest."""
        kernel = self._clock.process.kernel
        left = max(self._goal - self._clock.read(), PATIENCE)
        self._timer = kernel.timers.add(kernel.clock.monotonic() + left, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.read()
        if now >= self._goal:
            self._callback()
        elif now == self._seen:
            self._clock.process.dormant_alarms[self] = None
        else:
            self._seen = now
            self.arm()


def rouse(process: Process) -> None:
    """A task of `process` is about to run: let its dormant alarms look again."""
    alarms, process.dormant_alarms = process.dormant_alarms, {}
    for alarm in alarms:
        alarm.arm()
