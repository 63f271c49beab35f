"""Wait queues: the one readiness mechanism beneath blocking reads, select, poll, epoll and all that is pollable.

This is only the list; what waits (a task, a poll over many files, an epoll) lives above and is seen here as a `Waiter`
or a `Listener`. So a pipe, far below the scheduler, can say "something changed" without knowing what a task is.

A file has one queue (`File.queue`), tells what is ready now (`File.poll`), and wakes the queue whenever an answer of
`poll` *may* have changed for the better. Nothing else says readiness, for any kind of file:
- read, write and the like raise EAGAIN, and the caller waits on the queue and tries again;
- select and poll look at all files, and wait on the queues of all of them when none is ready;
- epoll listens at the queues of its files for as long as it has them. A wake puts a file on the ready list, and only
  `poll` says, when the list is fetched, whether it really is ready. So a fetch costs what is on the list, not what the
  epoll has.

Two ways to be on a queue. A *waiter* is removed when it is woken: it comes back by itself. A *listener* stays, and is
told of every wake; with `exclusive` only until one of them says that it had somebody to wake. Listeners are told
before waiters are woken, and they only note and wake: no task runs inside of a wake.

Rules. Files never block. A spurious wake-up is always allowed and a lost one never. A queue is fair: first come, first
woken. Whoever checks a condition and then waits does so without other tasks running in between, because a task switch
happens only at an `await`.

`wake_all(events)` may say which POLL* events it is about; 0 stands for any. It is a hint for those who asked for other
events, and matters where one queue serves both directions: an edge-triggered epoll that asked for POLLOUT is not to
hear of arriving data. Waiters are woken whatever it says.

Rejected: edge events with a payload (the payload would have to survive a signal between wake-up and run); a waiter that
epoll enters again after each wake (it would have to run before the next one, and order and fairness would depend on
when it did).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Waiter(Protocol):
        """Something that can be woken; waking twice is harmless."""

        def wake(self) -> None:
            """Make it runnable."""

    class Listener(Protocol):
        """Something that is told of every wake."""

        def notify(self, events: int) -> bool:
            """Note that `events` (0: any) may hold now; return whether somebody was woken for it."""


class WaitQueue:
    """A fair list of waiters, and those who listen."""

    __slots__ = ("_listeners", "_waiters")

    def __init__(self) -> None:
        self._waiters: dict[Waiter, None] = {}  # insertion order is arrival order
        self._listeners: dict[Listener, bool] | None = None  # with: whether it is exclusive; None: never had one

    def __len__(self) -> int:
        return len(self._waiters)

    def add(self, waiter: Waiter) -> None:
        """Enqueue `waiter`; it stays until it is woken or removed."""
        self._waiters[waiter] = None

    def remove(self, waiter: Waiter) -> None:
        """Forget `waiter`; harmless when it is not here."""
        self._waiters.pop(waiter, None)

    def listen(self, listener: Listener, exclusive: bool = False) -> None:
        """Tell `listener` of every wake from now on; `exclusive`: unless another exclusive one woke somebody for it."""
        if self._listeners is None:
            self._listeners = {}
        self._listeners[listener] = exclusive

    def unlisten(self, listener: Listener) -> None:
        """Forget `listener`; harmless when it is not here."""
        if self._listeners is not None:
            self._listeners.pop(listener, None)

    @property
    def listened(self) -> bool:
        """Whether somebody listens."""
        return bool(self._listeners)

    def wake_all(self, events: int = 0) -> int:
        """Tell every listener that `events` (POLL*, 0: any) may hold, and wake every waiter; return how many waited."""
        if self._listeners:
            self._tell(events)
        waiters = self._waiters
        if not waiters:
            return 0
        woken = list(waiters)
        waiters.clear()
        for waiter in woken:
            waiter.wake()
        return len(woken)

    def wake(self, count: int = 1) -> int:
        """Wake the `count` longest-waiting, and tell no listener; return how many were woken."""
        woken = 0
        while woken < count and self._waiters:
            waiter = next(iter(self._waiters))
            del self._waiters[waiter]
            waiter.wake()
            woken += 1
        return woken

    def _tell(self, events: int) -> None:
        assert self._listeners is not None
        served = False
        for listener, exclusive in list(self._listeners.items()):  # one that hears of it may leave
            if exclusive:
                served = served or listener.notify(events)
            else:
                listener.notify(events)
