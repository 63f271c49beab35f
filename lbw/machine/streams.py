"""Standard streams of a program that Python code runs: captured output, input from bytes, nothing."""

from __future__ import annotations

from lbw.abi.errno import EACCES, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_RDONLY, O_WRONLY
from lbw.abi.poll import POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from lbw.abi.stat import S_IFIFO
from lbw.vfs.file import File, gather, scatter
from lbw.vfs.pseudo import AnonymousInode, PseudoFileSystem
from lbw.waiting import WaitQueue

#: As in `subprocess`.
PIPE, STDOUT, DEVNULL = -1, -2, -3

_STREAMS = PseudoFileSystem(0xB)


class _StreamInode(AnonymousInode):
    """What all descriptors of one stream have in common: the bytes. It looks like a pipe."""

    __slots__ = ("data", "output")

    type = S_IFIFO

    def __init__(self, data: bytearray, output: bool) -> None:
        super().__init__(_STREAMS, _STREAMS.next_ino(), 0o600)
        self.data = data
        self.output = output

    def open(self, flags: int) -> File:
        """Open /dev/stdout and the like.  EACCES: the wrong direction"""
        if flags & O_ACCMODE != (O_WRONLY if self.output else O_RDONLY):
            raise LinuxError(EACCES)
        return Capture(self) if self.output else Feed(self)

    def link_text(self) -> bytes:
        """Return what /proc/PID/fd shows."""
        return b"pipe:[%d]" % self.stat().ino


class Capture(File):
    """Everything the guest writes, kept."""

    __slots__ = ("queue",)

    inode: _StreamInode

    def __init__(self, inode: _StreamInode | None = None) -> None:
        super().__init__(inode or _StreamInode(bytearray(), True), O_WRONLY)
        self.queue: WaitQueue = WaitQueue()  # epoll takes it, as it takes pipes

    @property
    def data(self) -> bytes:
        """What has come so far."""
        return bytes(self.inode.data)

    def write(self, views: list[memoryview]) -> int:
        """Keep the bytes."""
        data = gather(views)
        self.inode.data += data
        return len(data)

    def poll(self) -> int:
        """Always writable."""
        return POLLOUT | POLLWRNORM


class Feed(File):
    """Bytes for the guest to read, then end of file."""

    __slots__ = ("queue",)

    inode: _StreamInode

    def __init__(self, source: bytes | _StreamInode) -> None:
        inode = source if isinstance(source, _StreamInode) else _StreamInode(bytearray(source), False)
        super().__init__(inode, O_RDONLY)
        self.queue: WaitQueue = WaitQueue()

    def read(self, views: list[memoryview]) -> int:
        """Return the next bytes."""
        data = self.inode.data
        count = scatter(bytes(data[: sum(map(len, views))]), views)
        del data[:count]
        return count

    def poll(self) -> int:
        """Always readable."""
        return POLLIN | POLLRDNORM
