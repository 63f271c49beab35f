"""When somebody sets the host's clock: who waits for a time of day is told.

Nothing in the guest can set a clock, and hosts do not say portably when theirs was set, so the difference between the
clock of day and the monotonic clock is looked at once a second; only while somebody asks for it (an absolute timer or
sleep by CLOCK_REALTIME), so an idle machine stays idle.

A difference that grows slowly is no jump: it is compared with that of the last look.

Rejected: a timerfd of the host with TFD_TIMER_CANCEL_ON_SET (Linux only).
"""

from __future__ import annotations

from lbw.abi.clock import CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_TAI

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.kernel.kernel import Kernel
    from lbw.kernel.timers import Timer

#: How often is looked, and what counts as set, ns.
PERIOD, JUMP = 1_000_000_000, 1_000_000
#: Clocks that can be set.
SETTABLE = frozenset({CLOCK_REALTIME, CLOCK_REALTIME_ALARM, CLOCK_TAI})


class ClockChanges:
    """Who wants to know that the clock of day was set."""

    __slots__ = ("_followers", "_kernel", "_offset", "_timer", "count")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._followers: dict[Callable[[], object], None] = {}
        self._offset = 0
        self._timer: Timer | None = None
        self.count = 0  # of changes seen

    def follow(self, function: Callable[[], object]) -> None:
        """Call `function` after each change, until `leave`."""
        if not self._followers:
            self._offset = self._difference()
            self._arm()
        self._followers[function] = None

    def leave(self, function: Callable[[], object]) -> None:
        """Do not call it any more; harmless when it was not called for."""
        self._followers.pop(function, None)
        if not self._followers and self._timer is not None:
            self._kernel.timers.cancel(self._timer)
            self._timer = None

    def look(self) -> None:
        """See now whether the clock was set, and tell."""
        if not self._followers:
            return
        offset = self._difference()
        if abs(offset - self._offset) >= JUMP:
            self.count += 1
            self._offset = offset
            for function in list(self._followers):
                function()
        self._offset = offset

    def _difference(self) -> int:
        clock = self._kernel.clock
        return clock.realtime() - clock.monotonic()

    def _arm(self) -> None:
        self._timer = self._kernel.timers.add(self._kernel.clock.monotonic() + PERIOD, self._due)

    def _due(self) -> None:
        self._arm()
        self.look()
