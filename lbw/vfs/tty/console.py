"""/dev/console where lbw has no terminal: what is written goes to lbw's standard error, reading reads its input."""

from __future__ import annotations

from lbw.abi.errno import EBADF, ENXIO, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_RDONLY, O_WRONLY
from lbw.vfs.file import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.inode import Inode


class StreamConsole(File):
    """An open console of two streams. It waits as its input does."""

    __slots__ = ("_input", "_output", "queue")

    def __init__(self, inode: Inode, flags: int, source: File | None, sink: File | None) -> None:
        super().__init__(inode, flags)
        self._input, self._output = source, sink
        first = source or sink
        self.queue = first.queue if first is not None else None

    def close(self) -> None:
        for stream in (self._input, self._output):
            if stream is not None:
                stream.close()

    def read(self, views: list[memoryview]) -> int:
        if self._input is None:
            raise LinuxError(EBADF)
        return self._input.read(views)

    def write(self, views: list[memoryview]) -> int:
        if self._output is None:
            raise LinuxError(EBADF)
        return self._output.write(views)

    def poll(self) -> int:
        events = 0
        for stream in (self._input, self._output):
            if stream is not None:
                events |= stream.poll()
        return events


def open_console(inode: Inode, flags: int, stream: Callable[[int], File | None]) -> File:
    """Open lbw's own streams as a console; `stream(0)` and `stream(2)` are they.  ENXIO: lbw was started without"""
    access = flags & O_ACCMODE
    source = stream(0) if access != O_WRONLY else None
    sink = stream(2) if access != O_RDONLY else None
    if (source is None and access != O_WRONLY) or (sink is None and access != O_RDONLY):
        raise LinuxError(ENXIO)
    return StreamConsole(inode, flags, source, sink)
