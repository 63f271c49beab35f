"""Interval timers of a process: real time, its own time, and its own time with the kernel's.  man 2 setitimer

All three stand on the kernel's timers. Processor time cannot run faster than real time on one processor, so a timer of
processor time sets a real one for what is left, looks again when that expires, and sets another if the process slept.
"""

from __future__ import annotations

from lbw.abi.clock import ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL
from lbw.abi.signal import SIGALRM, SIGPROF, SIGVTALRM
from lbw.kernel.cpu_clocks import running_time
from lbw.kernel.signal_send import kernel_info, send_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process
    from lbw.kernel.timers import Timer

_SIGNALS = {ITIMER_REAL: SIGALRM, ITIMER_VIRTUAL: SIGVTALRM, ITIMER_PROF: SIGPROF}

#: How soon a timer of processor time looks again, at the earliest, ns.
_PATIENCE = 1_000_000


class IntervalTimer:
    """One of the three timers of a process. Times in ns; `interval` 0 means that it expires once."""

    __slots__ = ("_due", "_timer", "interval", "process", "which")

    def __init__(self, process: Process, which: int) -> None:
        self.process = process
        self.which = which  # ITIMER_*
        self.interval = 0
        self._due = 0  # on the clock that `_now` reads
        self._timer: Timer | None = None

    @property
    def remaining(self) -> int:
        """Time until the next expiry, at least 1; 0 when it is not armed."""
        return max(1, self._due - self._now()) if self._timer is not None else 0

    def set(self, value: int, interval: int) -> None:
        """Expire in `value` (0: never), then every `interval`."""
        self.cancel()
        self.interval = interval
        if value:
            self._due = self._now() + value
            self._arm()

    def cancel(self) -> None:
        """Disarm it."""
        if self._timer is not None:
            self.process.kernel.timers.cancel(self._timer)
            self._timer = None

    def _now(self) -> int:
        process = self.process
        if self.which == ITIMER_REAL:
            return process.kernel.clock.monotonic()
        usage = process.total_usage()
        used = usage.user_time + sum(running_time(task) for task in process.threads)
        return used + usage.system_time if self.which == ITIMER_PROF else used

    def _arm(self) -> None:
        kernel = self.process.kernel
        if self.which == ITIMER_REAL:
            deadline = self._due
        else:
            deadline = kernel.clock.monotonic() + max(self._due - self._now(), _PATIENCE)
        self._timer = kernel.timers.add(deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        process = self.process
        if not process.threads or process.exiting is not None:
            return
        now = self._now()
        if now < self._due:
            self._arm()
            return
        if self.interval:  # missed periods are not made up for
            self._due += self.interval * ((now - self._due) // self.interval + 1)
            self._arm()
        send_signal(process, kernel_info(_SIGNALS[self.which]))


def interval_timer(process: Process, which: int) -> IntervalTimer:
    """Return timer `which` of `process`."""
    key = ("interval", which)
    timer = process.timers.get(key)
    if not isinstance(timer, IntervalTimer):
        timer = process.timers[key] = IntervalTimer(process, which)
    return timer
