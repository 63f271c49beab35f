"""POSIX timers of a process.  man 2 timer_create, timer_settime, timer_getoverrun

A timer has at most one signal queued. What expires while that one is still pending is an overrun, counted in the
siginfo itself, so that the handler reads the right number however late it runs.

Timers are not inherited by fork and deleted by execve. The clocks of processor time are not offered.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EINVAL, LinuxError
from lbw.abi.resource import RLIMIT_SIGPENDING
from lbw.abi.signal import SI_TIMER
from lbw.kernel.clock import MONOTONIC_CLOCKS, REALTIME_CLOCKS
from lbw.kernel.signal_send import send_signal
from lbw.signals.siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task
    from lbw.kernel.timers import Timer

#: DELAYTIMER_MAX.
MAX_OVERRUN = 2**31 - 1


class PosixTimer:
    """One timer. Times in ns; `interval` 0 means that it expires once."""

    __slots__ = (
        "_due",
        "_info",
        "_timer",
        "clock",
        "identifier",
        "interval",
        "overrun",
        "process",
        "signo",
        "thread",
        "value",
    )

    def __init__(
        self, process: Process, identifier: int, clock: int, signo: int, value: int, thread: Task | None
    ) -> None:  # fmt: skip
        self.process = process
        self.identifier = identifier
        self.clock = clock  # CLOCK_*
        self.signo = signo  # 0: SIGEV_NONE
        self.value = value  # sigval
        self.thread = thread  # SIGEV_THREAD_ID; None: any thread
        self.interval = 0
        self.overrun = 0  # of the signal that was sent last
        self._due = 0  # monotonic
        self._info: SigInfo | None = None
        self._timer: Timer | None = None

    @property
    def remaining(self) -> int:
        """Time until the next expiry, at least 1; 0 when it is not armed."""
        return max(1, self._due - self.process.kernel.clock.monotonic()) if self._timer is not None else 0

    def set(self, value: int, interval: int, absolute: bool) -> None:
        """Expire in `value` (0: never), or when the clock shows `value`, then every `interval`."""
        self.cancel()
        self.interval = interval
        self.overrun = 0
        self._info = None
        if not value:
            return
        clock = self.process.kernel.clock
        now = clock.monotonic()
        if not absolute:
            self._due = now + value
        elif self.clock in REALTIME_CLOCKS:
            self._due = now + value - clock.realtime()
        else:
            self._due = value
        self._timer = self.process.kernel.timers.add(self._due, self._expire)

    def cancel(self) -> None:
        """Disarm it."""
        if self._timer is not None:
            self.process.kernel.timers.cancel(self._timer)
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        process = self.process
        expired = 1
        if self.interval:
            expired += max(0, process.kernel.clock.monotonic() - self._due) // self.interval
            self._due += expired * self.interval
            self._timer = process.kernel.timers.add(self._due, self._expire)
        if not self.signo:
            return
        target = self.thread if self.thread is not None else process
        queue = self.thread.signals.pending if self.thread is not None else process.pending
        if self._info is not None and queue.holds(self._info):
            self.overrun = min(self.overrun + expired, MAX_OVERRUN)
            self._info.overrun = self.overrun
            return
        self.overrun = expired - 1
        self._info = SigInfo(self.signo, SI_TIMER, timer=self.identifier, overrun=self.overrun, value=self.value)
        try:
            send_signal(target, self._info)
        except LinuxError:  # the queue is full: an expiry like any other that nobody noticed
            self._info = None


def create_timer(process: Process, clock: int, signo: int, value: int, thread: Task | None) -> PosixTimer:
    """Return a new timer, disarmed.  EINVAL: the clock; EAGAIN: as many as RLIMIT_SIGPENDING allows signals"""
    if clock not in REALTIME_CLOCKS and clock not in MONOTONIC_CLOCKS:
        raise LinuxError(EINVAL)
    if len(process.timers) >= process.limits.soft(RLIMIT_SIGPENDING):
        raise LinuxError(EAGAIN)
    identifier = 0
    while ("posix", identifier) in process.timers:
        identifier += 1
    timer = PosixTimer(process, identifier, clock, signo, value, thread)
    process.timers["posix", identifier] = timer
    return timer


def find_timer(process: Process, identifier: int) -> PosixTimer:
    """Return a timer by its number.  EINVAL"""
    timer = process.timers.get(("posix", identifier))
    if not isinstance(timer, PosixTimer):
        raise LinuxError(EINVAL)
    return timer


def delete_timer(timer: PosixTimer) -> None:
    """Disarm and forget it. A signal that it has sent stays pending."""
    timer.cancel()
    del timer.process.timers["posix", timer.identifier]


def delete_timers(process: Process) -> None:
    """Delete all (execve)."""
    for timer in list(process.timers.values()):
        if isinstance(timer, PosixTimer):
            delete_timer(timer)
