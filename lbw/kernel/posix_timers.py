"""POSIX timers of a process.  man 2 timer_create, timer_settime, timer_getoverrun

A timer has at most one signal queued, for which room was set aside when the timer was made (RLIMIT_SIGPENDING). While
that signal is pending the timer is not armed: when it is taken, the expirations in between are counted as overruns, and
the next one is armed. So the handler reads the right number however late it runs, and an interval of a nanosecond costs
no more than its handler. A signal that the process ignores is not pending; then the timer goes on, but not at every
nanosecond.

A timer for a time of day moves with the clock when that is set (`lbw.kernel.clock_changes`). Timers are not inherited
by fork and deleted by execve.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EINVAL, EOPNOTSUPP, LinuxError
from lbw.abi.resource import RLIMIT_SIGPENDING
from lbw.abi.signal import SI_TIMER
from lbw.kernel.clock import MONOTONIC_CLOCKS, REALTIME_CLOCKS, TIMER_CLOCKS
from lbw.kernel.clock_changes import SETTABLE
from lbw.kernel.cpu_alarm import CpuAlarm
from lbw.kernel.cpu_clocks import CpuClock, find_cpu_clock, is_cpu_clock
from lbw.kernel.signal_send import queue_account, send_signal
from lbw.kernel.task import DEAD
from lbw.signals.siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task
    from lbw.kernel.timers import Timer

#: DELAYTIMER_MAX.
MAX_OVERRUN = 2**31 - 1
#: A timer whose signal is ignored expires at most so often, ns: a tick of Linux.
_TICK = 4_000_000


class PosixTimer:
    """One timer. Times in ns; `interval` 0 means that it expires once."""

    __slots__ = (
        "_account", "_alarm", "_armed", "_clock", "_due", "_expired", "_goal", "_info", "_sent", "_timer", "clock",
        "identifier", "interval", "notify", "overrun", "process", "signo", "thread", "value",
    )  # fmt: skip

    def __init__(
        self, process: Process, identifier: int, clock: int, signo: int, value: int, thread: Task | None,
        cpu_clock: CpuClock | None = None,
    ) -> None:  # fmt: skip
        self.process = process
        self.identifier = identifier
        self.clock = clock  # CLOCK_*, or negative for the processor time of somebody
        self.signo = signo  # 0: SIGEV_NONE
        self.notify = 0  # SIGEV_*, for /proc/PID/timers
        self.value = value  # sigval
        self.thread = thread  # SIGEV_THREAD_ID; None: any thread
        self.interval = 0
        self.overrun = 0  # of the signal that was taken last
        self._clock = cpu_clock
        self._alarm = CpuAlarm(cpu_clock, self._expire) if cpu_clock is not None else None
        self._armed = False
        self._due = 0  # on the monotonic clock, or on that of processor time
        self._goal: int | None = None  # on a clock that can be set
        self._expired = 0  # since the last signal was taken, beside the one that it is for
        self._info: SigInfo | None = None  # the pending signal
        self._sent: SigInfo | None = None  # the last one, which may be pending from before the timer was set anew
        self._timer: Timer | None = None
        self._account = queue_account(process)
        self._account.used += 1

    @property
    def remaining(self) -> int:
        """Time until the next expiry, at least 1; 0 when there is none."""
        now = self._now()
        if self.interval and (self._info is not None or (self._armed and not self.signo)):
            self._expired += self._forward(now)
        elif not self._armed or (not self.signo and now >= self._due):
            return 0
        return max(1, self._due - now)

    def set(self, value: int, interval: int, absolute: bool) -> None:
        """Expire in `value` (0: never), or when the clock shows `value`, then every `interval`."""
        self.disarm()
        self.interval = interval
        self.overrun = self._expired = 0
        self._info = self._goal = None
        if not value:
            return
        if not absolute:
            self._due = self._now() + value
        elif self._clock is not None:
            self._due = value
        else:
            self._due = self.process.kernel.clock.deadline(self.clock, value)
            if self.clock in SETTABLE:
                self._goal = value
                self.process.kernel.clock_changes.follow(self._clock_set)
        self._arm()

    def disarm(self) -> None:
        """Let it not expire."""
        self._armed = False
        if self._alarm is not None:
            self._alarm.cancel()
        if self._timer is not None:
            self.process.kernel.timers.cancel(self._timer)
            self._timer = None
        if self._goal is not None:
            self.process.kernel.clock_changes.leave(self._clock_set)

    def cancel(self) -> None:
        """Disarm it for good. A signal that it has sent stays pending."""
        self.disarm()
        self._info = None
        self._account.used -= 1

    def taken(self, info: SigInfo) -> None:
        """The pending signal is about to be delivered: count, and go on."""
        if info is not self._info:
            return  # the timer was set or deleted meanwhile
        self._info = self._sent = None
        if self.interval:
            self._expired += self._forward(self._now())
            self._arm()
        info.overrun = self.overrun = min(self._expired, MAX_OVERRUN)
        self._expired = 0

    def _now(self) -> int:
        return self.process.kernel.clock.monotonic() if self._clock is None else self._clock.read()

    def _forward(self, now: int) -> int:
        """Move the next expiry beyond `now`, by whole intervals; return how many expirations that leaves behind.

        The expiry that a pending signal is for has been counted, and `_due` already shows the one after it.
        """
        if now < self._due:
            return 0
        count = (now - self._due) // self.interval + 1
        self._due += count * self.interval
        if self._goal is not None:
            self._goal += count * self.interval
        return count

    def _arm(self) -> None:
        self._armed = True
        if not self.signo:
            return  # nobody is told: looking is enough
        if self._alarm is not None:
            self._alarm.set(self._due)
        else:
            self._timer = self.process.kernel.timers.add(self._due, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._armed = False
        process, thread = self.process, self.thread
        if not process.threads or process.exiting is not None or (thread is not None and thread.state == DEAD):
            return
        if self.interval:
            self._due += self.interval
            if self._goal is not None:
                self._goal += self.interval
        queue = thread.signals.pending if thread is not None else process.pending
        if self._sent is not None and queue.holds(self._sent):
            self._info = self._sent
            return
        info = SigInfo(self.signo, SI_TIMER, timer=self.identifier, value=self.value, source=self)
        send_signal(thread if thread is not None else process, info)
        if queue.holds(info):
            self._info = self._sent = info
        elif self.interval:  # ignored
            self._expired += self._forward(self._now() + max(0, _TICK - self.interval))
            self._arm()

    def _clock_set(self) -> None:
        """The clock of day was set."""
        if self._goal is not None and self._timer is not None:
            self.process.kernel.timers.cancel(self._timer)
            self._due = self.process.kernel.clock.deadline(self.clock, self._goal)
            self._arm()


def create_timer(
    task: Task, clock: int, signo: int, value: int, thread: Task | None = None
) -> PosixTimer:
    """Return a new timer, disarmed.

    EINVAL: the clock; EOPNOTSUPP: a clock that only tells time; EAGAIN: as many as RLIMIT_SIGPENDING allows signals
    """
    process = task.process
    cpu_clock = None
    if is_cpu_clock(clock):
        cpu_clock = find_cpu_clock(task, clock)
    elif clock not in TIMER_CLOCKS:
        raise LinuxError(EOPNOTSUPP if clock in REALTIME_CLOCKS | MONOTONIC_CLOCKS else EINVAL)
    if queue_account(process).used >= process.limits.soft(RLIMIT_SIGPENDING):
        raise LinuxError(EAGAIN)
    identifier = process.next_timer
    while ("posix", identifier) in process.timers:
        identifier = identifier + 1 & MAX_OVERRUN
    process.next_timer = identifier + 1 & MAX_OVERRUN
    timer = PosixTimer(process, identifier, clock, signo, value, thread, cpu_clock)
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
