"""timerfd: a timer whose expirations are read.  man 2 timerfd_create

A periodic timer that nobody reads costs nothing: after an expiration it is not armed again before somebody looks, and
then the expirations in between are counted.

A timer for a time of day moves with the clock when that is set. With TFD_TIMER_CANCEL_ON_SET the next read fails
(ECANCELED) instead. `lbw.kernel.clock_changes` notices.
"""

from __future__ import annotations

from lbw.abi.clock import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    TFD_TIMER_ABSTIME,
    TFD_TIMER_CANCEL_ON_SET,
)
from lbw.abi.errno import EAGAIN, ECANCELED, EINVAL, LinuxError
from lbw.abi.fcntl import O_RDWR
from lbw.abi.poll import POLLIN
from lbw.kernel.clock_changes import SETTABLE
from lbw.vfs.anonymous import AnonymousFile, SharedInode
from lbw.vfs.file import scatter
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.kernel import Kernel
    from lbw.kernel.timers import Timer

CLOCKS = frozenset({CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM})
_SECOND = 10**9
_INODE = SharedInode(b"anon_inode:[timerfd]")


class TimerFile(AnonymousFile):
    """An open timerfd. Times in ns."""

    __slots__ = ("_canceled", "_due", "_expired", "_goal", "_kernel", "_set_flags", "_ticks", "_timer", "clock_id",
                 "interval", "queue")  # fmt: skip

    def __init__(self, kernel: Kernel, clock_id: int, flags: int) -> None:
        """`clock_id` is one of CLOCKS; `flags`: O_NONBLOCK."""
        super().__init__(_INODE, O_RDWR | flags)
        self._kernel = kernel
        self.clock_id = clock_id
        self.queue: WaitQueue = WaitQueue()
        self.interval = 0
        self._set_flags = 0
        self._goal = 0  # what the clock shows then, of an absolute timer
        self._due = 0  # on the monotonic clock
        self._ticks = 0  # expirations not yet read
        self._expired = False  # since somebody looked last, and so not armed
        self._canceled = False
        self._timer: Timer | None = None

    def close(self) -> None:
        self._disarm()

    def set(self, value: int, interval: int, flags: int) -> None:
        """Expire in `value` (0: never), or when the clock shows `value`, then every `interval`."""
        self._disarm()
        self.interval, self._set_flags = interval, flags
        self._ticks = 0
        self._expired = self._canceled = False
        clock = self._kernel.clock
        absolute = flags & TFD_TIMER_ABSTIME
        if absolute and self.clock_id in SETTABLE and (value or flags & TFD_TIMER_CANCEL_ON_SET):
            self._kernel.clock_changes.follow(self._clock_set)
        if not value:
            return
        if absolute:
            self._goal = value
            self._due = clock.deadline(self.clock_id, value)
        else:
            self._due = clock.monotonic() + value
        self._arm()

    def state(self) -> tuple[int, int]:
        """Return the interval, and the time until the next expiration: 0 when it is not armed."""
        self._catch_up()
        if self._timer is None:
            return self.interval, 0
        return self.interval, max(1, self._due - self._kernel.clock.monotonic())

    def read(self, views: list[memoryview]) -> int:
        """Take the number of expirations.  EINVAL: no room; EAGAIN: none; ECANCELED: the clock was set"""
        if sum(map(len, views)) < 8:
            raise LinuxError(EINVAL)
        if self._set_flags & TFD_TIMER_CANCEL_ON_SET:
            self._kernel.clock_changes.look()
        if self._canceled:
            self._canceled = self._expired = False
            self._ticks = 0
            raise LinuxError(ECANCELED)
        self._catch_up()
        if not self._ticks:
            raise LinuxError(EAGAIN)
        scatter(self._ticks.to_bytes(8, "little"), views)
        self._ticks = 0
        return 8

    def poll(self) -> int:
        return POLLIN if self._ticks else 0

    def fdinfo(self) -> bytes:
        ticks = self._ticks
        interval, value = self.state()
        return b"clockid: %d\nticks: %d\nsettime flags: 0%o\nit_value: (%d, %d)\nit_interval: (%d, %d)\n" % (
            self.clock_id, ticks, self._set_flags, *divmod(value, _SECOND), *divmod(interval, _SECOND),
        )  # fmt: skip

    def _arm(self) -> None:
        self._timer = self._kernel.timers.add(self._due, self._expire)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._kernel.timers.cancel(self._timer)
            self._timer = None
        self._kernel.clock_changes.leave(self._clock_set)

    def _expire(self) -> None:
        self._timer = None
        self._expired = True
        self._ticks += 1
        self.queue.wake_all(POLLIN)

    def _catch_up(self) -> None:
        """Count what a periodic timer has missed since it expired, and arm it again."""
        if not self._expired:
            return
        self._expired = False
        if self.interval:
            missed = max(0, self._kernel.clock.monotonic() - self._due) // self.interval
            self._ticks += missed
            step = (missed + 1) * self.interval
            self._due += step
            self._goal += step
            self._arm()

    def _clock_set(self) -> None:
        """The clock of day was set."""
        if self._set_flags & TFD_TIMER_CANCEL_ON_SET:
            self._canceled = True
            self._ticks += 1
            self.queue.wake_all(POLLIN)
        elif self._timer is not None:
            self._kernel.timers.cancel(self._timer)
            self._due = self._kernel.clock.deadline(self.clock_id, self._goal)
            self._arm()
