"""eventfd: a counter that is read and written, and can be waited for.  man 2 eventfd

Reading takes the whole counter, or one of it (EFD_SEMAPHORE); a counter of zero is EAGAIN. Writing adds; the sum must
stay below 2^64 - 1, else it is EAGAIN.
"""

from __future__ import annotations

from itertools import count

from lbw.abi.errno import EAGAIN, EINVAL, LinuxError
from lbw.abi.eventfd import EFD_NONBLOCK, EFD_SEMAPHORE
from lbw.abi.fcntl import O_NONBLOCK, O_RDWR
from lbw.abi.poll import POLLERR, POLLIN, POLLOUT
from lbw.vfs.anonymous import AnonymousFile, SharedInode
from lbw.vfs.file import gather, scatter
from lbw.waiting import WaitQueue

#: No counter gets here (only the kernel itself could): it would read as an error.
OVERFLOW = (1 << 64) - 1

_INODE = SharedInode(b"anon_inode:[eventfd]")
_numbers = count()


class EventFile(AnonymousFile):
    """An eventfd that begins at `value`; `flags`: EFD_NONBLOCK, EFD_SEMAPHORE."""

    __slots__ = ("_number", "_semaphore", "queue", "value")

    def __init__(self, value: int, flags: int) -> None:
        super().__init__(_INODE, O_RDWR | (O_NONBLOCK if flags & EFD_NONBLOCK else 0))
        self.value = value
        self.queue: WaitQueue = WaitQueue()
        self._semaphore = bool(flags & EFD_SEMAPHORE)
        self._number = next(_numbers)

    def read(self, views: list[memoryview]) -> int:
        """Take the counter, eight bytes.  EINVAL: less room; EAGAIN: zero"""
        if sum(map(len, views)) < 8:
            raise LinuxError(EINVAL)
        value = self.value
        if not value:
            raise LinuxError(EAGAIN)
        taken = 1 if self._semaphore else value
        self.value = value - taken
        scatter(taken.to_bytes(8, "little"), views)
        self.queue.wake_all(POLLOUT)
        return 8

    def write(self, views: list[memoryview]) -> int:
        """Add to the counter.  EINVAL: not eight bytes, or 2^64 - 1; EAGAIN: the sum would be too large"""
        data = gather(views)
        added = int.from_bytes(data, "little")
        if len(data) != 8 or added == OVERFLOW:
            raise LinuxError(EINVAL)
        if self.value + added >= OVERFLOW:
            raise LinuxError(EAGAIN)
        self.value += added
        self.queue.wake_all(POLLIN)
        return 8

    def poll(self) -> int:
        value = self.value
        events = POLLIN if value else 0
        if value == OVERFLOW:
            events |= POLLERR
        return events | POLLOUT if value < OVERFLOW - 1 else events

    def fdinfo(self) -> bytes:
        return b"eventfd-count: %16x\neventfd-id: %d\neventfd-semaphore: %d\n" % (
            self.value, self._number, self._semaphore,
        )  # fmt: skip
