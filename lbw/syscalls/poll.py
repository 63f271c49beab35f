"""Waiting for several files: poll, ppoll, select, pselect6.

All four become a list of `Watched` entries, which `scan` looks at: it returns how many are ready and, for a wait,
the queues of the files. A first scan happens without waiting, so a poll that finds something costs no coroutine. A
temporary signal mask matters only for a wait: when something is ready, Linux delivers nothing either.  man 2 poll,
select
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.poll import (
    POLLERR,
    POLLHUP,
    POLLNVAL,
)
from lbw.abi.resource import RLIMIT_NOFILE
from lbw.kernel.signal_send import restore_mask, set_blocked
from lbw.kernel.task import Interrupted
from lbw.syscalls.array_displays import PollFds
from lbw.syscalls.displays import SigSet, Timespec
from lbw.syscalls.parameters import Int, Size, UInt
from lbw.syscalls.table import NO_HANDLER, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from struct import Struct
    from typing import Any

    from lbw.kernel.task import Task
    from lbw.waiting import WaitQueue

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
#: The longest wait that is counted, ns (292 years).
FOREVER = (1 << 63) - 1

ALWAYS = POLLERR | POLLHUP | POLLNVAL


class Watched:
    """A descriptor, what is wanted of it, and what was found."""

    __slots__ = ("events", "fd", "found", "mask")

    def __init__(self, fd: int, events: int, mask: int) -> None:
        self.fd = fd
        self.events = events  # as the guest wrote them
        self.mask = mask  # what counts
        self.found = 0


def scan(task: Task, watched: list[Watched]) -> tuple[int, list[WaitQueue]]:
    """Fill in `found`; return how many entries have something, and where to wait when none has."""
    ready = 0
    queues: dict[WaitQueue, None] = {}
    get = task.files.get
    for entry in watched:
        entry.found = 0
        if entry.fd < 0:
            continue
        try:
            file = get(entry.fd)
        except LinuxError:
            entry.found = POLLNVAL
            ready += 1
            continue
        found = entry.found = file.poll() & entry.mask
        if found:
            ready += 1
        elif not ready and file.queue is not None:
            queues[file.queue] = None
    return ready, list(queues)


async def wait_ready(task: Task, watched: list[Watched], deadline: int | None) -> int:
    """Wait until an entry is ready or `deadline` (monotonic ns) has passed; return how many are ready."""
    while True:
        ready, queues = scan(task, watched)
        if ready:
            return ready
        if not await task.wait(*queues, deadline=deadline):
            return scan(task, watched)[0]


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


# poll


def load_pollfds(task: Task, fds: int, count: int) -> list[Watched]:
    """Read an array of struct pollfd.  EINVAL: more than RLIMIT_NOFILE of them"""
    if count > task.process.limits.soft(RLIMIT_NOFILE):
        raise LinuxError(EINVAL)
    layout = task.abi.pollfd
    data = task.memory.read(fds, count * layout.size) if count else b""
    return [Watched(fd, events, events & 0xFFFF | ALWAYS) for fd, events, _ in layout.iter_unpack(data)]


def store_pollfds(task: Task, fds: int, watched: list[Watched], ready: int) -> int:
    """Write `revents` back; return `ready`."""
    pack = task.abi.pollfd.pack
    if watched:
        task.memory.write(fds, b"".join([pack(e.fd, e.events, (e.found ^ 0x8000) - 0x8000) for e in watched]))
    return ready


@syscall("poll", PollFds("fds"), UInt("nfds"), Int("timeout"), restart=NO_HANDLER)
def poll(task: Task, fds: int, count: int, timeout: int) -> int | Awaitable[int]:
    """Wait until a file is ready; `timeout` in ms, negative: no limit.  man 2 poll"""
    watched = load_pollfds(task, fds, count)
    ready, _ = scan(task, watched)
    if ready or not timeout:
        return store_pollfds(task, fds, watched, ready)
    deadline = None if timeout < 0 else task.kernel.clock.monotonic() + timeout * MILLISECOND
    return poll_until(task, fds, watched, deadline)


async def poll_until(task: Task, fds: int, watched: list[Watched], deadline: int | None) -> int:
    """Wait for the files of a poll; a restart goes on to the same deadline."""
    try:
        ready = await wait_ready(task, watched, deadline)
    except Interrupted:
        task.restart_call = lambda: poll_until(task, fds, watched, deadline)
        raise
    return store_pollfds(task, fds, watched, ready)


def read_mask(task: Task, address: int, size: int) -> int | None:
    """Return a signal mask, None without one.  EINVAL: a size other than 8"""
    if not address:
        return None
    if size != 8:
        raise LinuxError(EINVAL)
    return task.memory.read_u64(address)


@syscall(
    "ppoll", PollFds("fds"), UInt("nfds"), Timespec("tmo_p"), SigSet("sigmask"), Size("sigsetsize"), restart=NO_HANDLER
)
def ppoll(
    task: Task, fds: int, count: int, timeout: int, sigmask: int, size: int, layout: Struct | None = None
) -> int | Awaitable[int]:
    """As poll, under a signal mask; the time that is left is stored.  man 2 ppoll"""
    limit = Limit(task, timeout, layout or task.abi.timespec)
    mask = read_mask(task, sigmask, size)
    watched = load_pollfds(task, fds, count)
    ready, _ = scan(task, watched)
    if ready or limit.nanoseconds == 0:
        return limit.finish(store_pollfds(task, fds, watched, ready))

    async def wait() -> int:
        try:
            found = await wait_ready(task, watched, limit.deadline)
            return store_pollfds(task, fds, watched, found)
        finally:
            limit.finish(0)

    return masked(task, mask, wait())


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
