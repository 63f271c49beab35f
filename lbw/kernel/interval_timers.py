"""Interval timers of a process: real time, its own time, and its own time with the kernel's.  man 2 setitimer"""

from __future__ import annotations

from lbw.abi.clock import ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL
from lbw.abi.signal import SIGALRM, SIGPROF, SIGVTALRM
from lbw.kernel.cpu_alarm import CpuAlarm
from lbw.kernel.cpu_clocks import PROF, VIRTUAL, CpuClock
from lbw.kernel.signal_send import kernel_info, send_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process
    from lbw.kernel.timers import Timer

_SIGNALS = {ITIMER_REAL: SIGALRM, ITIMER_VIRTUAL: SIGVTALRM, ITIMER_PROF: SIGPROF}
_CLOCKS = {ITIMER_VIRTUAL: VIRTUAL, ITIMER_PROF: PROF}


class IntervalTimer:
    """One of the three timers of a process. Times in ns; `interval` 0 means that it expires once."""

    __slots__ = ("_alarm", "_armed", "_clock", "_due", "_timer", "interval", "process", "which")

    def __init__(self, process: Process, which: int) -> None:
        self.process = process
        self.which = which  # ITIMER_*
        self.interval = 0
        self._armed = False
        self._due = 0  # on the clock that `_now` reads
        self._clock = CpuClock(process, None, _CLOCKS.get(which, PROF))
        self._alarm = CpuAlarm(self._clock, self._expire)
        self._timer: Timer | None = None

    @property
    def remaining(self) -> int:
        """Time until the next expiry, at least 1; 0 when it is not armed."""
        return max(1, self._due - self._now()) if self._armed else 0

    def set(self, value: int, interval: int) -> None:
        """Expire in `value` (0: never), then every `interval`."""
        self.cancel()
        self.interval = interval
        if value:
            self._due = self._now() + value
            self._arm()

    def cancel(self) -> None:
        """Disarm it."""
        self._armed = False
        self._alarm.cancel()
        if self._timer is not None:
            self.process.kernel.timers.cancel(self._timer)
            self._timer = None

    def _now(self) -> int:
        return self.process.kernel.clock.monotonic() if self.which == ITIMER_REAL else self._clock.read()

    def _arm(self) -> None:
        self._armed = True
        if self.which == ITIMER_REAL:
            self._timer = self.process.kernel.timers.add(self._due, self._expire)
        else:
            self._alarm.set(self._due)

    def _expire(self) -> None:
        self._timer = None
        self._armed = False
        process = self.process
        if not process.threads or process.exiting is not None:
            return
        if self.interval:  # missed periods are not made up for
            self._due += self.interval * ((self._now() - self._due) // self.interval + 1)
            self._arm()
        send_signal(process, kernel_info(_SIGNALS[self.which]))


def interval_timer(process: Process, which: int) -> IntervalTimer:
    """Return timer `which` of `process`."""
    key = ("interval", which)
    timer = process.timers.get(key)
    if not isinstance(timer, IntervalTimer):
        timer = process.timers[key] = IntervalTimer(process, which)
    return timer
