"""Standard streams of a program that Python code runs: captured output, input from bytes, nothing."""

from __future__ import annotations

from lbw.abi.fcntl import O_RDONLY, O_WRONLY
from lbw.abi.poll import POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from lbw.abi.stat import S_IFIFO
from lbw.vfs.file import File, gather, scatter
from lbw.vfs.inode import FileSystem, Inode, Stat

#: As in `subprocess`.
PIPE, STDOUT, DEVNULL = -1, -2, -3


class _StreamSystem(FileSystem):
    type_name = "pipefs"
    dev = 0xB


_SYSTEM = _StreamSystem()


class _StreamInode(Inode):
    __slots__ = ()

    def stat(self) -> Stat:
        """Look like a pipe."""
        return Stat(ino=id(self) & 0x7FFF_FFFF, mode=S_IFIFO | 0o600)

    def link_text(self) -> bytes:
        """Return what /proc/PID/fd shows."""
        return b"pipe:[%d]" % self.stat().ino


class Capture(File):
    """Everything the guest writes, kept."""

    __slots__ = ("data",)

    def __init__(self) -> None:
        super().__init__(_StreamInode(_SYSTEM), O_WRONLY)
        self.data = bytearray()

    def write(self, views: list[memoryview]) -> int:
        """Keep the bytes."""
        data = gather(views)
        self.data += data
        return len(data)

    def poll(self) -> int:
        """Always writable."""
        return POLLOUT | POLLWRNORM


class Feed(File):
    """Bytes for the guest to read, then end of file."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        super().__init__(_StreamInode(_SYSTEM), O_RDONLY)
        self._data = memoryview(data)

    def read(self, views: list[memoryview]) -> int:
        """Return the next bytes."""
        count = scatter(self._data, views) if self._data else 0
        self._data = self._data[count:]
        return count

    def poll(self) -> int:
        """Always readable."""
        return POLLIN | POLLRDNORM
