"""poll and ppoll: an array of struct pollfd, of which only `revents` is ever written.  man 2 poll

Another thread may change `fd` and `events` while the call waits, so they are not stored back; nor could a program tell
apart who wrote them. A million entries are few calls: the array is unpacked in one go, and `revents` is written with
two strided assignments for each run of pages.
"""

from __future__ import annotations

from lbw.abi.errno import EFAULT, EINVAL, LinuxError
from lbw.abi.poll import POLLERR, POLLHUP, POLLNVAL
from lbw.abi.resource import RLIMIT_NOFILE
from lbw.kernel.task import Interrupted
from lbw.syscalls.array_displays import PollFds
from lbw.syscalls.displays import SigSet, Timespec
from lbw.syscalls.parameters import Int, Size, UInt
from lbw.syscalls.readiness import MILLISECOND, Limit, masked, read_mask, scan, wait_ready
from lbw.syscalls.table import NO_HANDLER, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from struct import Struct

    from lbw.kernel.task import Task
    from lbw.syscalls.readiness import Watched

ALWAYS = POLLERR | POLLHUP | POLLNVAL

#: Bytes of a struct pollfd, and where its `revents` are; the same in every ABI.
ENTRY, REVENTS = 8, 6


def load_pollfds(task: Task, fds: int, count: int) -> Watched:
    """Read an array of struct pollfd.  EINVAL: more than RLIMIT_NOFILE of them"""
    if count > task.process.limits.soft(RLIMIT_NOFILE):
        raise LinuxError(EINVAL)
    data = task.memory.read(fds, count * ENTRY) if count else b""
    return [(fd, events & 0xFFFF | ALWAYS) for fd, events, _ in task.abi.pollfd.iter_unpack(data)]


def store_revents(task: Task, fds: int, found: list[int]) -> None:
    """Write the `revents` of all entries.  EFAULT"""
    size = len(found) * ENTRY
    if not size:
        return
    # The lower and the upper bytes each: so it does not matter where a page ends.
    planes = (bytes([events & 0xFF for events in found]), bytes([events >> 8 for events in found]))
    start = 0
    for view in task.memory.views(fds, size, True):
        end = start + len(view)
        for place, values in enumerate(planes, REVENTS):
            first, last = -((place - start) // ENTRY), -((place - end) // ENTRY)  # rounded up
            view[first * ENTRY + place - start :: ENTRY] = values[first:last]
        start = end
    if start < size:
        raise LinuxError(EFAULT)


@syscall("poll", PollFds("fds"), UInt("nfds"), Int("timeout"), restart=NO_HANDLER)
def poll(task: Task, fds: int, count: int, timeout: int) -> int | Awaitable[int]:
    """Wait until a file is ready; `timeout` in ms, negative: no limit.  man 2 poll"""
    watched = load_pollfds(task, fds, count)
    ready, found, _ = scan(task, watched)
    if ready or not timeout:
        store_revents(task, fds, found)
        return ready
    deadline = None if timeout < 0 else task.kernel.clock.monotonic() + timeout * MILLISECOND
    return poll_until(task, fds, watched, deadline)


async def poll_until(task: Task, fds: int, watched: Watched, deadline: int | None) -> int:
    """Wait for the files of a poll; a restart goes on to the same deadline."""
    try:
        ready, found = await wait_ready(task, watched, deadline)
    except Interrupted:
        store_revents(task, fds, [0] * len(watched))
        task.restart_call = lambda: poll_until(task, fds, watched, deadline)
        raise
    store_revents(task, fds, found)
    return ready


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
    ready, found, _ = scan(task, watched)
    if ready or limit.is_over(mask):
        store_revents(task, fds, found)
        return limit.finish(ready)

    async def wait() -> int:
        try:
            ready, found = await wait_ready(task, watched, limit.deadline)
        except Interrupted:
            store_revents(task, fds, [0] * len(watched))
            raise
        finally:
            limit.finish(0)
        store_revents(task, fds, found)
        return ready

    return masked(task, mask, wait())
