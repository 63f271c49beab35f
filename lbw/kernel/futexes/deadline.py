"""Deadlines of waits for futexes: a point of time on a clock, which somebody may set meanwhile.

A deadline by the monotonic clock is one for the timers. One by the real-time clock is looked at again after each change
of that clock (`lbw.kernel.clock_changes`), as Linux does: who waits until noon does not care how noon came about.
"""

from __future__ import annotations

from lbw.kernel.clock_changes import SETTABLE
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task


class Deadline:
    """The moment when clock `clock_id` shows `time` (ns)."""

    __slots__ = ("clock_id", "time")

    def __init__(self, clock_id: int, time: int) -> None:
        self.clock_id = clock_id  # CLOCK_MONOTONIC, or one that can be set
        self.time = time


async def wait_until(task: Task, deadline: Deadline) -> bool:
    """Wait until somebody wakes `task`, or spuriously; False: `deadline` has passed first.  Interrupted"""
    if deadline.clock_id not in SETTABLE:
        return await task.wait(deadline=deadline.time)
    kernel = task.kernel
    changed = WaitQueue()
    kernel.clock_changes.follow(changed.wake_all)
    try:
        return await task.wait(changed, deadline=kernel.clock.deadline(deadline.clock_id, deadline.time))
    finally:
        kernel.clock_changes.leave(changed.wake_all)
