"""An open file description of a terminal."""

from __future__ import annotations

from lbw.abi.errno import EBADF, EIO, ENODEV, ENOTTY, ESPIPE, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_NONBLOCK, O_RDONLY, O_WRONLY
from lbw.abi.ioctl import TIOCSPGRP
from lbw.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from lbw.abi.signal import SIGTTIN
from lbw.vfs.file import File, gather, scatter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.file import GuestMemory
    from lbw.vfs.inode import Inode
    from lbw.vfs.tty.tty import Tty
    from lbw.waiting import WaitQueue

#: Most bytes that a write looks at in one step: more than any terminal takes at once.
STEP = 65536


class TtyFile(File):
    """An open terminal."""

    __slots__ = ("_generation", "queue", "tty")
    has_timer = True

    def __init__(self, inode: Inode, flags: int, tty: Tty) -> None:
        super().__init__(inode, flags)
        self.tty = tty
        self._generation = tty.generation
        self.queue: WaitQueue = tty.queue

    @property
    def hung_up(self) -> bool:
        """Whether the terminal was hung up after it was opened."""
        return self._generation != self.tty.generation

    def close(self) -> None:
        self.tty.closed()

    # Reading. What waits for a terminal, with its timer, is `lbw.syscalls.terminal_read`.

    def read(self, views: list[memoryview]) -> int:
        if self.flags & O_ACCMODE == O_WRONLY:
            raise LinuxError(EBADF)
        if self._generation != self.tty.generation:
            return 0
        self.tty.check_foreground(SIGTTIN)
        return self.read_on(views)

    def read_on(self, views: list[memoryview], patient: bool = True) -> int:
        """Read after waiting: the caller was in the foreground when it began. Not `patient`: VTIME is over."""
        tty = self.tty
        if self._generation != tty.generation:
            return 0
        length = len(views[0]) if len(views) == 1 else sum(map(len, views))
        count = scatter(tty.read(length, patient, self.flags & O_NONBLOCK != 0), views)
        tty.last_read = self.inode.fs.now()
        return count

    @property
    def available(self) -> int:
        """How many bytes a read without VMIN would get now; 0 in canonical mode and after a hang-up."""
        discipline = self.tty.discipline
        return 0 if discipline.canonical or self.hung_up else discipline.available()

    @property
    def patience(self) -> int | None:
        """How long, in ns, a read that got EAGAIN waits for the first or next byte (VTIME); None: for ever."""
        discipline = self.tty.discipline
        if discipline.canonical or (discipline.minimum and not discipline.available()):
            return None
        return discipline.patience or None

    # Writing

    def write(self, views: list[memoryview]) -> int:
        if self.flags & O_ACCMODE == O_RDONLY:
            raise LinuxError(EBADF)
        tty = self.tty
        if self._generation != tty.generation:
            raise LinuxError(EIO)
        count = tty.write(beginning(views))
        tty.last_write = self.inode.fs.now()
        return count

    def seek(self, offset: int, whence: int) -> int:
        raise LinuxError(ESPIPE)

    def allocate(self, mode: int, offset: int, length: int) -> None:
        raise LinuxError(ENODEV)

    def poll(self) -> int:
        tty = self.tty
        if self._generation != tty.generation:
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
        if tty.writable:
            events |= POLLOUT | POLLWRNORM
        return events

    def ioctl(self, request: int, argument: int, memory: GuestMemory) -> int:
        from lbw.vfs.tty.ioctls import IOCTLS

        request &= 0xFFFFFFFF
        if self.hung_up:
            raise LinuxError(ENOTTY if request == TIOCSPGRP else EIO)
        handler = IOCTLS.get(request)
        if handler is None:
            return super().ioctl(request, argument, memory)
        return handler(self.tty, self, argument, memory)


def beginning(views: list[memoryview]) -> bytes:
    """Return the bytes of `views`, or the first of them: a big write is done in steps."""
    if len(views) == 1:
        return views[0][:STEP].tobytes()
    taken, total = 0, 0
    for view in views:
        taken += 1
        total += len(view)
        if total >= STEP:
            break
    return gather(views[:taken])[:STEP]
