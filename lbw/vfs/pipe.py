"""Pipes: open file descriptions at the ends of a queue.  man 7 pipe

`make_pipe` makes an anonymous one; FIFOs are the same ends around a queue that a file system's inode names
(`lbw.vfs.fifo`). The queue itself, its capacity and its wake-ups are `lbw.vfs.pipe_queue`.
"""

from __future__ import annotations

from lbw.abi.errno import EBADF, EINVAL, ENXIO, ESPIPE, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY
from lbw.abi.fs import PIPEFS_MAGIC
from lbw.abi.ioctl import FIONREAD
from lbw.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from lbw.abi.stat import S_IFIFO
from lbw.vfs.file import File
from lbw.vfs.pipe_queue import PIPE_BUF, Pipe
from lbw.vfs.pseudo import AnonymousInode, PseudoFileSystem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.file import GuestMemory
    from lbw.vfs.inode import Inode
    from lbw.vfs.pipe_budget import PipeBudget
    from lbw.waiting import WaitQueue


class PipeEnd(File):
    """An open file description of a pipe or FIFO; `pipe` is the queue, `opening` is for FIFOs (`lbw.vfs.fifo`)."""

    __slots__ = ("_reader_opens", "_writer_opens", "opening", "pipe", "queue", "seen_writer")

    def __init__(self, inode: Inode, pipe: Pipe, flags: int) -> None:
        super().__init__(inode, flags)
        self.pipe = pipe
        access = flags & O_ACCMODE
        #: A FIFO that no writer has opened yet is not hung up.
        self.seen_writer = pipe.writers > 0
        self._writer_opens = pipe.writer_opens
        self._reader_opens = pipe.reader_opens
        self.queue: WaitQueue = pipe.attach(access)
        #: Where open(2) must wait until `opened` is true; None: the open is complete.
        self.opening: WaitQueue | None = None

    @property
    def opened(self) -> bool:
        """Whether the other side was opened since this end was."""
        pipe = self.pipe
        if self.flags & O_ACCMODE == O_RDONLY:
            return pipe.writer_opens != self._writer_opens
        return pipe.reader_opens != self._reader_opens

    @property
    def is_idle(self) -> bool:
        """Whether it is empty, with somebody who may write: a read has to wait."""
        pipe = self.pipe
        return not pipe.content and pipe.writers > 0

    def close(self) -> None:
        self.pipe.detach(self.flags & O_ACCMODE)

    def read(self, views: list[memoryview]) -> int:
        if self.flags & O_ACCMODE == O_WRONLY:
            raise LinuxError(EBADF)
        return self.pipe.read(views)

    def write(self, views: list[memoryview]) -> int:
        flags = self.flags
        if flags & O_ACCMODE == O_RDONLY:
            raise LinuxError(EBADF)
        return self.pipe.write(views, flags & O_DIRECT != 0)

    def seek(self, offset: int, whence: int) -> int:
        raise LinuxError(ESPIPE)

    def poll(self) -> int:
        pipe, access, events = self.pipe, self.flags & O_ACCMODE, 0
        if access != O_WRONLY:
            if pipe.content:
                events = POLLIN | POLLRDNORM
            if not pipe.writers and (self.seen_writer or pipe.writer_opens != self._writer_opens):
                events |= POLLHUP
        if access != O_RDONLY:
            if pipe.capacity - len(pipe.content) >= PIPE_BUF:
                events |= POLLOUT | POLLWRNORM
            if not pipe.readers:
                events |= POLLERR
        return events

    def ioctl(self, request: int, argument: int, memory: GuestMemory) -> int:
        if request == FIONREAD:
            memory.write(argument, len(self.pipe.content).to_bytes(4, "little"))
            return 0
        return super().ioctl(request, argument, memory)


class PipeFileSystem(PseudoFileSystem):
    """Where anonymous pipes have their inodes."""

    type_name = "pipefs"
    magic = PIPEFS_MAGIC


class PipeInode(AnonymousInode):
    """The inode of an anonymous pipe. Opening it (through /proc/PID/fd) gives another end, without waiting."""

    __slots__ = ("pipe",)
    type = S_IFIFO

    def __init__(self, fs: PipeFileSystem, pipe: Pipe, uid: int, gid: int) -> None:
        super().__init__(fs, fs.next_ino(), 0o600, uid, gid)
        self.pipe = pipe

    def open(self, flags: int) -> PipeEnd:
        if flags & O_ACCMODE == O_ACCMODE:
            raise LinuxError(EINVAL)
        end = PipeEnd(self, self.pipe, flags)
        end.seen_writer = True
        return end

    def link_text(self) -> bytes:
        return b"pipe:[%d]" % self.ino


PIPE_FS = PipeFileSystem(dev=0x0D)


def make_pipe(
    flags: int = 0, uid: int = 0, gid: int = 0, budget: PipeBudget | None = None
) -> tuple[PipeEnd, PipeEnd]:
    """Return the reader and the writer of a new pipe; `flags`: O_NONBLOCK, and O_DIRECT for the writer.  man 2 pipe"""
    pipe = Pipe(budget)
    inode = PipeInode(PIPE_FS, pipe, uid, gid)
    # Both are counted before either is looked at, so neither is a lonely end.
    reader = PipeEnd(inode, pipe, O_RDONLY | flags & O_NONBLOCK)
    return reader, PipeEnd(inode, pipe, O_WRONLY | flags & (O_NONBLOCK | O_DIRECT))


def open_end(inode: Inode, pipe: Pipe, flags: int) -> PipeEnd:
    """Open a FIFO.  ENXIO: O_WRONLY | O_NONBLOCK without a reader.  man 7 fifo

    Never waits: when open(2) has to, the end comes back with `opening` set, and the caller waits on that queue until
    `opened`. The end counts from now on, so that two openers find each other.
    """
    access = flags & O_ACCMODE
    if access == O_ACCMODE:
        raise LinuxError(EINVAL)
    if access == O_WRONLY and flags & O_NONBLOCK and not pipe.readers:
        raise LinuxError(ENXIO)
    end = PipeEnd(inode, pipe, flags)
    if access != O_RDWR and not flags & O_NONBLOCK and not (pipe.writers if access == O_RDONLY else pipe.readers):
        end.opening = end.queue
    return end
