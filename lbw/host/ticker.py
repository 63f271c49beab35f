"""A ticker: calls a function every 10 ms, and when a timer is due, from a thread of its own, but only while armed.

The scheduler arms and disarms it on its hot path, so a repeated `arm` is one attribute test, and `disarm` only clears a
flag: the thread notices at its next tick and parks itself. While parked it costs nothing, not even a wake-up. The lock
exists for one race: the thread deciding to park while the scheduler arms.

`aim` names the next point in time at which the function is to be called before the tick. The thread is woken for it
only when it would sleep too long; that costs some 20 us, so whoever will not run anyhow (a task that begins to wait)
does not aim. What the function does may get lost (`engine.nudge`), so it is called again soon, until somebody aims
anew.
"""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread  # not threading: importing that costs a millisecond of start-up
from time import monotonic_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PERIOD = 0.010  # seconds
#: When to call again, ns.
RETRY = 300_000
#: No deadline.
NEVER = 1 << 62


class Ticker:
    """Calls `function` every `period` seconds while armed.

    The thread starts with the first `arm`, after `prepare`, which runs on the arming thread.
    """

    __slots__ = (
        "_aim", "_bell", "_closed", "_function", "_gate", "_lock", "_parked", "_prepare", "_started", "_wakes", "armed",
        "period",
    )  # fmt: skip

    def __init__(
        self, function: Callable[[], object], period: float = PERIOD, prepare: Callable[[], object] | None = None
    ) -> None:
        self.armed = False
        self._function = function
        self.period = int(period * 1e9)  # ns; may be changed, which counts from the next tick on
        self._prepare = prepare
        self._lock = allocate_lock()
        self._gate = allocate_lock()  # held while the thread may not run
        self._gate.acquire()
        self._bell = allocate_lock()  # released to wake the thread before its time
        self._bell.acquire()
        self._aim = NEVER  # monotonic ns, as what follows
        self._wakes = NEVER  # when the thread wakes up by itself, or earlier
        self._parked = False
        self._started = False
        self._closed = False

    def arm(self) -> None:
        """Let it tick; the first tick comes after at most one period."""
        if self.armed or self._closed:
            return
        self.armed = True
        with self._lock:
            if self._parked:
                self._parked = False
                self._gate.release()
            elif not self._started:
                self._started = True
                if self._prepare is not None:
                    self._prepare()
                start_new_thread(self._run, ())

    def aim(self, deadline: int) -> None:
        """Call the function soon after `deadline` (monotonic ns, or NEVER), if it is armed then, and no other one."""
        self._aim = deadline
        if deadline < self._wakes:
            self._wakes = deadline
            self._ring()

    def disarm(self) -> None:
        """Stop ticking; a tick that is under way may still come."""
        self.armed = False

    def close(self) -> None:
        """End the thread for good."""
        self._closed = True
        self.armed = False
        with self._lock:
            if self._parked:
                self._parked = False
                self._gate.release()
        self._ring()

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:
            pass  # it rings already

    def _run(self) -> None:
        tick = monotonic_ns() + self.period
        while not self._closed:
            now = monotonic_ns()
            wakes = self._wakes = min(tick, self._aim)  # an `aim` from here on rings
            if wakes > now and self._bell.acquire(True, (wakes - now) / 1e9):
                continue
            now = monotonic_ns()
            if now >= self._aim:
                self._aim = now + RETRY
            elif now < tick:
                continue  # it has moved
            if now >= tick:
                tick = now + self.period
            if self.armed:
                self._function()
                continue
            with self._lock:
                if self.armed or self._closed:
                    continue
                self._parked = True
                self._aim = self._wakes = NEVER
            self._gate.acquire()
            tick = monotonic_ns() + self.period
