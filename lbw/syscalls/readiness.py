"""Waiting for several files, and what poll, select and epoll_wait have in common: time limits and signal masks.

The calls make pairs of a descriptor and the events that count for it; `scan` looks at them, and tells for a wait the
queues of the files. A first scan happens without waiting, so a call that finds something costs no coroutine. A
temporary signal mask matters only when nothing is ready: else Linux delivers nothing either. It matters for a call that
does not wait, too: a signal that the mask lets through ends it with EINTR.  man 2 poll, select
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.poll import POLLNVAL
from lbw.kernel.signal_send import restore_mask, set_blocked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from struct import Struct
    from typing import Any

    from lbw.kernel.task import Task
    from lbw.waiting import WaitQueue

    Watched = list[tuple[int, int]]

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
#: The longest wait that is counted, ns (292 years).
FOREVER = (1 << 63) - 1


def scan(task: Task, watched: Watched) -> tuple[int, list[int], dict[WaitQueue, None]]:
    """Return how many of `watched` are ready, the events of each, and where to wait when none is.

    POLLNVAL: not open, or opened with O_PATH; a negative descriptor is passed over.
    """
    found: list[int] = []
    note = found.append
    queues: dict[WaitQueue, None] = {}
    ready = 0
    get = task.files.get
    for fd, mask in watched:
        if fd < 0:
            note(0)
            continue
        try:
            file = get(fd)
        except LinuxError:
            note(POLLNVAL)
            ready += 1
            continue
        events = file.poll() & mask
        note(events)
        if events:
            ready += 1
        elif not ready and file.queue is not None:
            queues[file.queue] = None
    return ready, found, queues


async def wait_ready(task: Task, watched: Watched, deadline: int | None) -> tuple[int, list[int]]:
    """Wait until something is ready or `deadline` (monotonic ns) has passed; return what `scan` does."""
    while True:
        ready, found, queues = scan(task, watched)
        if ready or not await task.wait(*queues, deadline=deadline):
            return (ready, found) if ready else scan(task, watched)[:2]


def read_mask(task: Task, address: int, size: int) -> int | None:
    """Return a signal mask, None without one.  EINVAL: a size other than 8"""
    if not address:
        return None
    if size != 8:
        raise LinuxError(EINVAL)
    return task.memory.read_u64(address)


async def masked(task: Task, mask: int | None, call: Coroutine[Any, Any, int]) -> int:
    """Run a waiting call under a temporary signal mask; when it is interrupted, delivery restores the old one."""
    if mask is None:
        return await call
    task.signals.saved = task.signals.blocked
    set_blocked(task, mask)
    try:
        result = await call
    except LinuxError:
        restore_mask(task)
        raise
    restore_mask(task)
    return result


class Limit:
    """The timeout of ppoll, select and pselect6: a structure that the call updates with the time left."""

    __slots__ = ("address", "deadline", "layout", "micro", "nanoseconds", "task")

    def __init__(self, task: Task, address: int, layout: Struct, micro: bool = False) -> None:
        """Read the timespec, or timeval (`micro`), at `address`, 0: no limit.  EINVAL: negative or not normal"""
        self.task = task
        self.address = address
        self.layout = layout
        self.micro = micro
        self.nanoseconds: int | None = None
        self.deadline: int | None = None
        if address:
            seconds, part = task.memory.load(address, layout)
            if micro:
                part *= 1000  # more than a second of microseconds is allowed
            elif part >= SECOND:
                raise LinuxError(EINVAL)
            if seconds < 0 or part < 0:
                raise LinuxError(EINVAL)
            self.nanoseconds = seconds * SECOND + part
            self.deadline = min(task.kernel.clock.monotonic() + self.nanoseconds, FOREVER)

    def is_over(self, mask: int | None) -> bool:
        """Whether a call that has found nothing returns at once; not if its mask may let a signal through."""
        return self.nanoseconds == 0 and mask is None

    def finish(self, result: int) -> int:
        """Store the time left; return `result`. An address that has become bad is ignored, as on Linux."""
        if self.address and self.nanoseconds:
            assert self.deadline is not None
            left = max(0, self.deadline - self.task.kernel.clock.monotonic())
            seconds, part = divmod(left, SECOND)
            try:
                self.task.memory.store(self.address, self.layout, seconds, part // 1000 if self.micro else part)
            except LinuxError:
                pass
        return result
