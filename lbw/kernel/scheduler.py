"""The scheduler: a run queue, round robin, with time slices.

Tasks switch only at three places: at the `await` of a system call, at the end of a time slice, and when they exit. A
task that becomes ready goes to the end of the queue.

The ticker interrupts the running guest every time slice. It costs, so it runs only while there is something to do
beside the guest: another task is ready, a timer is pending, or host descriptors are watched.
"""

from __future__ import annotations

from collections import deque

from lbw.kernel.task import DEAD, PARKED, READY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from lbw.kernel.task import Task

    class Ticker(Protocol):
        """Calls `engine.interrupt` once per time slice while it is armed."""

        def arm(self) -> None:
            """Start ticking; harmless when it does."""

        def disarm(self) -> None:
            """Stop ticking; harmless when it did."""


class Scheduler:
    """The run queue."""

    __slots__ = ("busy", "queue", "ticker", "ticking")

    def __init__(self, ticker: Ticker | None = None) -> None:
        self.queue: deque[Task] = deque()
        self.busy = False  # a task has the processor; the run loop keeps this
        self.ticker = ticker
        self.ticking = False

    def ready(self, task: Task) -> None:
        """Put `task` at the end of the run queue."""
        task.state = READY
        self.queue.append(task)
        if self.busy and not self.ticking:  # else the run loop sees to it when it has taken a task
            self.start_ticking()

    def next(self) -> Task | None:
        """Take the first task that can run, or None. Tasks of stopped processes are parked on the way."""
        queue = self.queue
        while queue:
            task = queue.popleft()
            if task.state != READY:
                continue
            if task.process.stop_signal:
                task.state = PARKED
                continue
            return task
        return None

    def unpark(self, task: Task) -> None:
        """Let a task of a process that continues run again."""
        if task.state == PARKED:
            self.ready(task)

    def forget(self, task: Task) -> None:
        """Never run `task` again."""
        task.state = DEAD

    def start_ticking(self) -> None:
        """Have the running guest interrupted at the end of its time slice."""
        if not self.ticking and self.ticker is not None:
            self.ticking = True
            self.ticker.arm()

    def stop_ticking(self) -> None:
        """Leave the running guest alone."""
        if self.ticking and self.ticker is not None:
            self.ticking = False
            self.ticker.disarm()
