"""Timers: callbacks at points of monotonic time.

A heap; a cancelled timer stays in it, marked, until it comes up or until marks outnumber the living. Callbacks run
between traps, never inside another task's system call, and may add and cancel timers.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Timer:
    """A pending callback. `callback` is None once it ran or was cancelled."""

    __slots__ = ("callback", "deadline")

    def __init__(self, deadline: int, callback: Callable[[], None]) -> None:
        self.deadline = deadline
        self.callback: Callable[[], None] | None = callback


class Timers:
    """All pending timers. `on_add` is told the deadline of one that a running task adds, when that is the earliest."""

    __slots__ = ("_cancelled", "_heap", "_serial", "on_add")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._serial = 0
        self._cancelled = 0
        self.on_add: Callable[[int], None] | None = None

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def add(self, deadline: int, callback: Callable[[], None], *, waits: bool = False) -> Timer:
        """Run `callback` soon after `deadline` (monotonic ns). `waits`: whoever adds it does not run on now."""
        timer = Timer(deadline, callback)
        self._serial += 1
        heappush(self._heap, (deadline, self._serial, timer))
        if self.on_add is not None and not waits and self.next_deadline() == deadline:
            self.on_add(deadline)
        return timer

    def cancel(self, timer: Timer) -> None:
        """Make sure that `timer` does not run any more; harmless when it did."""
        if timer.callback is None:
            return
        timer.callback = None
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapify(self._heap)
            self._cancelled = 0

    def next_deadline(self) -> int | None:
        """Return when the earliest timer is due, or None."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def run_due(self, now: int) -> int:
        """Run the timers that are due at `now`, earliest first; return how many.

        A timer that a callback adds waits for the next round even when it is due, so that a period of zero cannot
        hang lbw.
        """
        due = []
        heap = self._heap
        while heap and (heap[0][0] <= now or heap[0][2].callback is None):
            timer = heappop(heap)[2]
            if timer.callback is None:
                self._cancelled -= 1
            else:
                due.append(timer)
        ran = 0
        for timer in due:
            callback, timer.callback = timer.callback, None
            if callback is None:  # cancelled by an earlier callback, and counted as if it were in the heap
                self._cancelled -= 1
            else:
                callback()
                ran += 1
        return ran
