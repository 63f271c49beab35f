"""select and pselect6: three sets of bits, made into what poll waits for.  man 2 select

A set may have a bit for each of a million descriptors, so it is looked at byte by byte, never as one large integer.
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.poll import (
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLOUT,
    POLLPRI,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
)
from lbw.syscalls.array_displays import FdSet
from lbw.syscalls.displays import Timespec
from lbw.syscalls.parameters import Int, Pointer
from lbw.syscalls.readiness import Limit, masked, read_mask, scan, wait_ready
from lbw.syscalls.table import NO_HANDLER, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from struct import Struct

    from lbw.kernel.task import Task

#: What select's three sets mean (Linux fs/select.c). An O_PATH descriptor, with POLLNVAL, is ready for everything.
READ_EVENTS = POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR | POLLNVAL
WRITE_EVENTS = POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR | POLLNVAL
EXCEPTIONAL_EVENTS = POLLPRI | POLLNVAL


#: Which bits are set in a byte.
_BITS = [[bit for bit in range(8) if byte >> bit & 1] for byte in range(256)]


class Sets:
    """The three descriptor sets of select."""

    __slots__ = ("length", "task", "wanted", "watched")

    def __init__(self, task: Task, count: int, readfds: int, writefds: int, exceptfds: int) -> None:
        """Read the sets.  EINVAL: negative count; EBADF: a descriptor that is not open"""
        if count < 0:
            raise LinuxError(EINVAL)
        files = task.files.items()
        count = min(count, max(files[-1][0] + 1 if files else 0, 64))
        word = task.abi.word
        self.task = task
        self.length = (count + 8 * word - 1) // (8 * word) * word
        self.wanted: list[tuple[int, int, list[int]]] = []  # address, events, descriptors
        masks: dict[int, int] = {}
        for address, events in ((readfds, READ_EVENTS), (writefds, WRITE_EVENTS), (exceptfds, EXCEPTIONAL_EVENTS)):
            if address:
                data = task.memory.read(address, self.length)
                fds = [8 * index + bit for index, byte in enumerate(data) if byte for bit in _BITS[byte]]
                while fds and fds[-1] >= count:
                    fds.pop()
                self.wanted.append((address, events, fds))
                for fd in fds:
                    masks[fd] = masks.get(fd, 0) | events
        for fd in masks:
            task.files.get_any(fd)
        self.watched = list(masks.items())

    def store(self, found: list[int]) -> int:
        """Write the sets back, given the events of `watched`; return how many bits are set."""
        total = 0
        happened = {fd: events for (fd, _), events in zip(self.watched, found, strict=True) if events}
        for address, events, fds in self.wanted:
            data = bytearray(self.length)
            for fd in fds:
                if happened.get(fd, 0) & events:
                    data[fd >> 3] |= 1 << (fd & 7)
                    total += 1
            self.task.memory.write(address, bytes(data))
        return total


def select_until(task: Task, sets: Sets, limit: Limit, mask: int | None) -> int | Awaitable[int]:
    """Wait until a descriptor of the sets is ready or the time is over."""
    ready, found, _ = scan(task, sets.watched)
    if ready or limit.is_over(mask):
        return limit.finish(sets.store(found))

    async def wait() -> int:
        try:
            return sets.store((await wait_ready(task, sets.watched, limit.deadline))[1])
        finally:
            limit.finish(0)

    return masked(task, mask, wait())


@syscall(
    "select", Int("nfds"), FdSet("readfds"), FdSet("writefds"), FdSet("exceptfds"), Timespec("timeout", micro=True),
    restart=NO_HANDLER,
)  # fmt: skip
def select(task: Task, count: int, readfds: int, writefds: int, exceptfds: int, timeout: int) -> int | Awaitable[int]:
    """Wait until a descriptor is ready; the sets and the time left are stored.  man 2 select"""
    limit = Limit(task, timeout, task.abi.timeval, True)
    return select_until(task, Sets(task, count, readfds, writefds, exceptfds), limit, None)


@syscall(
    "pselect6", Int("nfds"), FdSet("readfds"), FdSet("writefds"), FdSet("exceptfds"), Timespec("timeout"),
    Pointer("sigmask"), restart=NO_HANDLER,
)  # fmt: skip
def pselect6(
    task: Task, count: int, readfds: int, writefds: int, exceptfds: int, timeout: int, sigmask: int,
    layout: Struct | None = None,
) -> int | Awaitable[int]:  # fmt: skip
    """As select, under a signal mask: `sigmask` is the address of its address and size.  man 2 pselect"""
    mask = None
    if sigmask:
        mask = read_mask(task, *task.memory.load(sigmask, task.abi.iovec))  # a pointer and a size, like an iovec
    limit = Limit(task, timeout, layout or task.abi.timespec)
    return select_until(task, Sets(task, count, readfds, writefds, exceptfds), limit, mask)
