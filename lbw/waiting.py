"""Wait queues: where something waits, and who may wake it.

This is only the list; what waits (a task, a poll over many files) lives above and is seen here as a `Waiter`. So a
pipe, far below the scheduler, can say "something changed" without knowing what a task is.

Rules. Files never block: an operation that cannot proceed raises EAGAIN, and the caller waits on the file's queue and
tries again; therefore a spurious wake-up is always allowed and a lost one never. A queue is fair: first come, first
woken. Whoever checks a condition and then waits does so without other tasks running in between, because a task switch
happens only at an `await`.

Rejected: edge events with a payload (the payload would have to survive a signal between wake-up and run).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Waiter(Protocol):
        """Something that can be woken; waking twice is harmless."""

        def wake(self) -> None:
            """Make it runnable."""


class WaitQueue:
    """A fair list of waiters."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: dict[Waiter, None] = {}  # insertion order is arrival order

    def __len__(self) -> int:
        return len(self._waiters)

    def add(self, waiter: Waiter) -> None:
        """Enqueue `waiter`; it stays until it is woken or removed."""
        self._waiters[waiter] = None

    def remove(self, waiter: Waiter) -> None:
        """Forget `waiter`; harmless when it is not here."""
        self._waiters.pop(waiter, None)

    def wake_all(self) -> int:
        """Wake everybody; return how many."""
        waiters = self._waiters
        if not waiters:
            return 0
        woken = list(waiters)
        waiters.clear()
        for waiter in woken:
            waiter.wake()
        return len(woken)

    def wake(self, count: int = 1) -> int:
        """Wake the `count` longest-waiting; return how many were woken."""
        woken = 0
        while woken < count and self._waiters:
            waiter = next(iter(self._waiters))
            del self._waiters[waiter]
            waiter.wake()
            woken += 1
        return woken
