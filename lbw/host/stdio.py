"""Streams that lbw inherited from whoever started it: descriptors 0, 1 and 2, and others like them.

Their open file descriptions are shared with the parent, so O_NONBLOCK may not be set on them: the shell that started
lbw would inherit it. Instead readiness is asked for before each read or write, and a write to something that can fill
up is cut into pieces that are known to fit. All functions raise `OSError`; BlockingIOError means "not now".
"""

from __future__ import annotations

import os
import stat
import sys

from lbw.host.poller import READABLE, WRITABLE, Poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: A pipe that poll calls writable takes this much without blocking (PIPE_BUF on Linux, on POSIX at least 512).
PIPE_PIECE = 4096 if sys.platform == "linux" else 512
#: The same for a terminal: there is no promise, but drivers have far more room than this when they claim some.
TERMINAL_PIECE = 1024

FILE, PIPE, TERMINAL, SOCKET, DEVICE = range(5)


class InheritedStream:
    """An inherited descriptor `fd` of the host."""

    __slots__ = ("_piece", "_poller", "_wanted", "fd", "kind", "seekable")

    def __init__(self, fd: int) -> None:
        """Look at `fd`.  OSError: it is not open"""
        self.fd = fd
        mode = os.fstat(fd).st_mode
        if os.isatty(fd):
            self.kind = TERMINAL
        elif stat.S_ISREG(mode):
            self.kind = FILE
        elif stat.S_ISFIFO(mode):
            self.kind = PIPE
        elif stat.S_ISSOCK(mode):
            self.kind = SOCKET
        else:
            self.kind = DEVICE
        self.seekable = self.kind == FILE
        self._piece = {FILE: 0, DEVICE: 0, TERMINAL: TERMINAL_PIECE}.get(self.kind, PIPE_PIECE)
        self._poller = Poller()
        self._wanted = 0

    def ready(self, events: int) -> int:
        """Return which of `events` (READABLE, WRITABLE) hold now; files are always ready."""
        if self.seekable:
            return events
        if self._wanted != events:
            self._wanted = events
            self._poller.set(self.fd, events)
        found = self._poller.wait(0)
        return found[0][1] if found else 0

    def trouble(self) -> tuple[bool, bool]:
        """Return whether the other side hung up, and whether writing would fail."""
        if sys.platform != "win32" and not self.seekable:
            import select

            poller = select.poll()
            poller.register(self.fd, 0)
            for _, found in poller.poll(0):
                return bool(found & select.POLLHUP), bool(found & select.POLLERR)
        return False, False

    def read_into(self, views: Sequence[memoryview]) -> int:
        """Read what is there; 0: end of file.  BlockingIOError: nothing yet"""
        if not self.ready(READABLE):
            raise BlockingIOError
        if sys.platform != "win32":
            return os.readv(self.fd, views)
        view = views[0]
        data = os.read(self.fd, len(view))
        view[: len(data)] = data
        return len(data)

    def read(self, length: int) -> bytes:
        """Like `read_into`, into a new object."""
        if not self.ready(READABLE):
            raise BlockingIOError
        return os.read(self.fd, length)

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write what fits now; return how much.  BlockingIOError: nothing fits; BrokenPipeError: nobody reads"""
        piece = self._piece
        if not piece:
            return os.write(self.fd, data)
        done, length = 0, len(data)
        with memoryview(data) as view:
            while done < length:
                if not self.ready(WRITABLE):
                    break
                try:
                    with view[done : done + piece] as part:
                        done += os.write(self.fd, part)
                except OSError:
                    if done:
                        break
                    raise
        if not done and length:
            raise BlockingIOError
        return done

    def available(self) -> int:
        """Return how many bytes wait to be read."""
        if self.seekable:
            return max(0, os.fstat(self.fd).st_size - os.lseek(self.fd, 0, os.SEEK_CUR))
        if sys.platform != "win32":
            from fcntl import ioctl
            from termios import FIONREAD

            return int.from_bytes(ioctl(self.fd, FIONREAD, bytes(4)), sys.byteorder)
        return 0

    def stat(self) -> os.stat_result:
        """Return the attributes of what the descriptor refers to."""
        return os.fstat(self.fd)

    def seek(self, offset: int, whence: int) -> int:
        """Move the file offset, which the parent shares."""
        return os.lseek(self.fd, offset, whence)

    def pread_into(self, views: Sequence[memoryview], offset: int) -> int:
        """Read at `offset`."""
        if sys.platform != "win32":
            return os.preadv(self.fd, views, offset)
        before = os.lseek(self.fd, 0, os.SEEK_CUR)
        try:
            os.lseek(self.fd, offset, os.SEEK_SET)
            return self.read_into(views)
        finally:
            os.lseek(self.fd, before, os.SEEK_SET)

    def pwrite(self, data: bytes, offset: int) -> int:
        """Write at `offset`."""
        if sys.platform != "win32":
            return os.pwrite(self.fd, data, offset)
        before = os.lseek(self.fd, 0, os.SEEK_CUR)
        try:
            os.lseek(self.fd, offset, os.SEEK_SET)
            return os.write(self.fd, data)
        finally:
            os.lseek(self.fd, before, os.SEEK_SET)

    def truncate(self, size: int) -> None:
        """Set the size of a file."""
        os.ftruncate(self.fd, size)

    def sync(self) -> None:
        """Make the data durable."""
        os.fsync(self.fd)

    def access(self) -> tuple[bool, bool, bool]:
        """Return whether the descriptor reads, writes, and appends."""
        if sys.platform != "win32":
            from fcntl import F_GETFL, fcntl

            flags = fcntl(self.fd, F_GETFL)
            mode = flags & os.O_ACCMODE
            return mode != os.O_WRONLY, mode != os.O_RDONLY, bool(flags & os.O_APPEND)
        return self.fd == 0, self.fd != 0, False


def is_open(fd: int) -> bool:
    """Whether descriptor `fd` is open."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


_closed: frozenset[int] | None = None


def occupy_standard() -> frozenset[int]:
    """Return which of 0, 1, 2 were closed when lbw started, after opening the null device in their place.

    Otherwise the next file that lbw opens would become the guest's standard stream. The command line calls it before
    anything is opened; later calls return the same answer.
    """
    global _closed
    if _closed is None:
        _closed = frozenset(fd for fd in (0, 1, 2) if not is_open(fd))
        for fd in sorted(_closed):
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != fd:
                os.dup2(opened, fd)
                os.close(opened)
    return _closed
