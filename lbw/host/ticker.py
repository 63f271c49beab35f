"""A ticker: calls a function every 10 ms from a thread of its own, but only while armed.

The scheduler arms and disarms it on its hot path, so a repeated `arm` is one attribute test, and `disarm` only clears a
flag: the thread notices at its next tick and parks itself. While parked it costs nothing, not even a wake-up. The lock
exists for one race: the thread deciding to park while the scheduler arms.
"""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread  # not threading: importing that costs a millisecond of start-up
from time import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PERIOD = 0.010  # seconds


class Ticker:
    """Calls `function` every `period` seconds while armed.

    The thread starts with the first `arm`, after `prepare`, which runs on the arming thread.
    """

    __slots__ = ("_closed", "_function", "_gate", "_lock", "_parked", "_period", "_prepare", "_started", "armed")

    def __init__(
        self, function: Callable[[], object], period: float = PERIOD, prepare: Callable[[], object] | None = None
    ) -> None:
        self.armed = False
        self._function = function
        self._period = period
        self._prepare = prepare
        self._lock = allocate_lock()
        self._gate = allocate_lock()  # held while the thread may not run
        self._gate.acquire()
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

    def _run(self) -> None:
        while not self._closed:
            sleep(self._period)
            if self.armed:
                self._function()
                continue
            with self._lock:
                if self.armed or self._closed:
                    continue
                self._parked = True
            self._gate.acquire()
