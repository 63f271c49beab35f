"""The scheduler: who runs next, and for how long.

Each task has a *virtual time*: the processor time it has had, divided by the weight of its nice value. Who has had the
least runs next, so in the long run everybody gets a share in proportion to the weight (as on Linux a step of nice is
a factor of 1.25), and one that mostly sleeps runs soon after it wakes. A task that was away does not save up what it
did not use: it starts again a little before those that ran (`CREDIT`). Equal times go first come, first served.

Tasks switch only at three places: at the `await` of a system call, at the end of a time slice, and when they exit. The
ticker interrupts the running guest every time slice. It costs, so it runs only while there is something to do beside
the guest: another task is ready, a timer is pending, or host descriptors are watched.

Rejected: taking turns regardless of what was used (it was so; a task that sleeps often waited for all that compute, and
nice values meant nothing); a tree in place of the heap (a task in the queue never changes its place).
"""

from __future__ import annotations

from heapq import heappop, heappush

from lbw.kernel.task import DEAD, PARKED, READY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from lbw.kernel.clock import Clock
    from lbw.kernel.task import Task

    class Ticker(Protocol):
        """Calls `engine.interrupt` once per time slice while it is armed."""

        period: int  # ns

        def arm(self) -> None:
            """Start ticking; harmless when it does."""

        def aim(self, deadline: int) -> None:
            """Call it at `deadline` (monotonic ns) as well."""

        def disarm(self) -> None:
            """Stop ticking; harmless when it did."""


#: How far before the others a task may begin that was away, ns of virtual time: less than a slice.
CREDIT = 3_000_000


class Scheduler:
    """The run queue."""

    __slots__ = ("_clock", "_serial", "_yielded", "aims", "least", "queue", "running", "ticker", "ticking")

    def __init__(self, clock: Clock, ticker: Ticker | None = None) -> None:
        self.queue: list[tuple[float, int, Task]] = []  # a heap
        self.running: Task | None = None  # who has the processor; the run loop keeps this
        self.ticker = ticker
        self.ticking = False
        self.aims = True  # deadlines are the host's time
        self._clock = clock
        self.least = 0.0  # the virtual time of who was taken last: where new tasks begin
        self._serial = 0
        self._yielded: Task | None = None

    def ready(self, task: Task) -> None:
        """Put `task` into the run queue."""
        task.state = READY
        time = task.virtual_time
        if task is self.running:
            time += self.passed(task, self._clock.processor() - task.slice_start)
        elif time < self.least - CREDIT:
            time = task.virtual_time = self.least - CREDIT
        self._serial += 1
        heappush(self.queue, (time, self._serial, task))
        if not self.ticking and self.running is not None:  # else the run loop sees to it when it has taken a task
            self.start_ticking()

    def give_way(self, task: Task) -> None:
        """Put the running `task` into the queue, and take another one next, if there is any."""
        self._yielded = task
        self.ready(task)

    def next(self) -> Task | None:
        """Take the first task that can run, or None. Tasks of stopped processes are parked on the way."""
        queue = self.queue
        yielded, self._yielded = self._yielded, None
        aside = None
        while queue:
            entry = heappop(queue)
            task = entry[2]
            if task.state != READY:
                continue
            if task.process.stop_signal:
                task.state = PARKED
                continue
            if task is yielded and aside is None:
                aside = entry
                continue
            if aside is not None:
                heappush(queue, aside)
            elif entry[0] > self.least:
                self.least = entry[0]
            return task
        return aside[2] if aside is not None else None

    @staticmethod
    def passed(task: Task, time: int) -> float:
        """Return how much virtual time `task` uses in `time` ns."""
        return time * task.rate

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

    def aim(self, deadline: int) -> None:
        """Have the running guest interrupted soon after `deadline` (monotonic ns) too; the last one counts."""
        if not self.ticking:
            self.start_ticking()
        if self.ticker is not None and self.aims:
            self.ticker.aim(deadline)

    def stop_ticking(self) -> None:
        """Leave the running guest alone."""
        if self.ticking and self.ticker is not None:
            self.ticking = False
            self.ticker.disarm()
