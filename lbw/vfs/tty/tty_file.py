"""An open file description of a terminal."""

from __future__ import annotations

from lbw.abi.errno import EBADF, ENODEV, ESPIPE, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_NONBLOCK, O_RDONLY, O_WRONLY
from lbw.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from lbw.vfs.file import File, gather, scatter
from lbw.vfs.tty.tty import BACKLOG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.file import GuestMemory
    from lbw.vfs.inode import Inode
    from lbw.vfs.tty.tty import Tty
    from lbw.waiting import WaitQueue


class TtyFile(File):
    """An open terminal."""

    __slots__ = ("queue", "tty")

    def __init__(self, inode: Inode, flags: int, tty: Tty) -> None:
        super().__init__(inode, flags)
        self.tty = tty
        self.queue: WaitQueue = tty.queue

    def read(self, views: list[memoryview]) -> int:
        return self._read(views, patient=True)

    def _read(self, views: list[memoryview], patient: bool) -> int:
        flags = self.flags
        if flags & O_ACCMODE == O_WRONLY:
            raise LinuxError(EBADF)
        length = len(views[0]) if len(views) == 1 else sum(map(len, views))
        return scatter(self.tty.read(length, patient, flags & O_NONBLOCK != 0), views)

    @property
    def patience(self) -> int | None:
        """How long, in ns, a read that got EAGAIN waits before it calls `expire` (VTIME); None: for ever."""
        discipline = self.tty.discipline
        if discipline.canonical or (discipline.minimum and not discipline.available()):
            return None
        return discipline.patience or None

    def expire(self, views: list[memoryview]) -> int:
        """Read after `patience` is over: what is there, maybe nothing."""
        return self._read(views, patient=False)

    def write(self, views: list[memoryview]) -> int:
        if self.flags & O_ACCMODE == O_RDONLY:
            raise LinuxError(EBADF)
        return self.tty.write(gather(views))

    def seek(self, offset: int, whence: int) -> int:
        raise LinuxError(ESPIPE)

    def allocate(self, mode: int, offset: int, length: int) -> None:
        raise LinuxError(ENODEV)

    def poll(self) -> int:
        tty = self.tty
        if tty.dead:
            return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLHUP | POLLERR
        discipline, events = tty.discipline, 0
        if discipline.canonical:
            ready = discipline.readable()
        else:
            ready = discipline.available() >= (1 if discipline.patience else discipline.minimum or 1)
        if ready:
            events = POLLIN | POLLRDNORM
        else:
            tty.resume_input()
        if not discipline.output.stopped and len(discipline.output.waiting) < BACKLOG:
            events |= POLLOUT | POLLWRNORM
        return events

    def ioctl(self, request: int, argument: int, memory: GuestMemory) -> int:
        from lbw.vfs.tty.ioctls import IOCTLS

        handler = IOCTLS.get(request & 0xFFFFFFFF)
        if handler is None:
            return super().ioctl(request, argument, memory)
        return handler(self.tty, self, argument, memory)
