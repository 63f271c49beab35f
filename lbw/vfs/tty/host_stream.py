"""Pipes, files and sockets that lbw inherited, as files of the guest: the streams that are not terminals.

The host's file offset is shared with whoever started lbw, as Linux does it between processes: `(lbw run head -1; cat) <
file` goes on where the guest stopped, so plain read, write and lseek are used. Opening such a stream once more
(/dev/stdin, /proc/self/fd/0) gives a file of its own offset for files, and the same stream for everything else.
"""

from __future__ import annotations

from lbw.abi.errno import EACCES, EAGAIN, EBADF, EINVAL, ESPIPE, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_APPEND, O_LARGEFILE, O_RDONLY, O_RDWR, O_WRONLY, SEEK_CUR, SEEK_END, SEEK_SET
from lbw.abi.ioctl import FIONREAD
from lbw.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from lbw.host.events import READABLE, WRITABLE
from lbw.host.stdio import FILE, PIPE, SOCKET, InheritedStream
from lbw.vfs.file import File, gather
from lbw.vfs.host.errors import linux_error
from lbw.vfs.inode import Stat
from lbw.vfs.pseudo import AnonymousInode, PseudoFileSystem
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from lbw.host.events import HostEvents
    from lbw.vfs.file import GuestMemory


class StreamFileSystem(PseudoFileSystem):
    """Where inherited streams have their inodes."""

    type_name = "hoststream"


STREAM_FS = StreamFileSystem(dev=0x0F)


class StreamInode(AnonymousInode):
    """The inode of an inherited descriptor; its owner is the guest's root."""

    __slots__ = ("events", "stream")

    def __init__(self, stream: InheritedStream, events: HostEvents) -> None:
        found = stream.stat()
        super().__init__(STREAM_FS, found.st_ino, found.st_mode & 0o7777)
        self.stream = stream
        self.events = events

    @property
    def mode(self) -> int:
        return self.stream.stat().st_mode

    @property
    def is_directory(self) -> bool:
        return False

    def stat(self) -> Stat:
        found = self.stream.stat()
        return Stat(
            dev=found.st_dev, ino=found.st_ino, mode=found.st_mode, nlink=found.st_nlink,
            rdev=getattr(found, "st_rdev", 0), size=found.st_size, blksize=getattr(found, "st_blksize", 4096),
            blocks=getattr(found, "st_blocks", (found.st_size + 511) // 512),
            atime=found.st_atime_ns, mtime=found.st_mtime_ns, ctime=found.st_ctime_ns, btime=found.st_ctime_ns,
        )  # fmt: skip

    def identity(self) -> Hashable:
        if not self.stream.seekable:
            raise LinuxError(EINVAL)
        found = self.stream.stat()
        return "stream", found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size

    def truncate(self, size: int) -> None:
        try:
            self.stream.truncate(size)
        except OSError as error:
            raise linux_error(error) from None

    def open(self, flags: int) -> File:
        readable, writable, _ = self.stream.access()
        access = flags & O_ACCMODE
        if (access != O_WRONLY and not readable) or (access != O_RDONLY and not writable):
            raise LinuxError(EACCES)
        return HostStream(self, flags, own_offset=self.stream.seekable)

    def link_text(self) -> bytes:
        kind = {PIPE: b"pipe", SOCKET: b"socket", FILE: b"file"}.get(self.stream.kind, b"device")
        return b"%s:[%d]" % (kind, self.stat().ino)


class HostStream(File):
    """An open inherited stream."""

    __slots__ = ("_offset", "_own_offset", "_reading", "_stream", "_writing", "queue")

    inode: StreamInode

    def __init__(self, inode: StreamInode, flags: int, own_offset: bool = False) -> None:
        self._stream = inode.stream
        self._own_offset = True  # `File` sets an offset, which is not to be the host's
        super().__init__(inode, flags)
        self._own_offset = own_offset or not self._stream.seekable
        self._reading = 0  # tokens of watches
        self._writing = 0
        self.queue: WaitQueue | None = None if self._stream.seekable else WaitQueue()

    @property
    def offset(self) -> int:
        """The file offset: the host's, where it is shared (copy_file_range and sendfile move it from outside)."""
        return self._offset if self._own_offset else self._stream.seek(0, SEEK_CUR)

    @offset.setter
    def offset(self, value: int) -> None:
        if self._own_offset:
            self._offset = value
        else:
            self._stream.seek(value, SEEK_SET)

    def close(self) -> None:
        events = self.inode.events
        events.unwatch(self._reading)
        events.unwatch(self._writing)

    # Waiting

    def _watch_reading(self) -> None:
        if not self._reading:
            self._reading = self.inode.events.watch(self._stream.fd, READABLE, self._readable)

    def _watch_writing(self) -> None:
        if not self._writing:
            self._writing = self.inode.events.watch(self._stream.fd, WRITABLE, self._writable)

    def _readable(self) -> None:
        self._reading = 0
        if self.queue is not None:
            self.queue.wake_all()

    def _writable(self) -> None:
        self._writing = 0
        if self.queue is not None:
            self.queue.wake_all()

    def poll(self) -> int:
        flags = self.flags & O_ACCMODE
        wanted = (READABLE if flags != O_WRONLY else 0) | (WRITABLE if flags != O_RDONLY else 0)
        ready, events = self._stream.ready(wanted), 0
        if ready & READABLE:
            events = POLLIN | POLLRDNORM
        elif wanted & READABLE:
            self._watch_reading()
        if ready & WRITABLE:
            events |= POLLOUT | POLLWRNORM
        elif wanted & WRITABLE:
            self._watch_writing()
        hung_up, broken = self._stream.trouble()
        if hung_up and self._stream.kind == PIPE and not self._pending():
            events &= ~(POLLIN | POLLRDNORM)
        return events | (POLLHUP if hung_up else 0) | (POLLERR if broken else 0)

    def _pending(self) -> int:
        try:
            return self._stream.available()
        except OSError:
            return 0

    # Data

    def read(self, views: list[memoryview]) -> int:
        if self.flags & O_ACCMODE == O_WRONLY:
            raise LinuxError(EBADF)
        if self._own_offset and self._stream.seekable:
            return super().read(views)
        try:
            count = self._stream.read_into(views)
            if count and self.queue is not None and self.queue.listened:
                self._watch_reading()  # an edge-triggered epoll does not ask again, and wants to hear of what follows
            return count
        except BlockingIOError:
            self._watch_reading()
            raise LinuxError(EAGAIN) from None
        except OSError as error:
            raise linux_error(error) from None

    def write(self, views: list[memoryview]) -> int:
        if self.flags & O_ACCMODE == O_RDONLY:
            raise LinuxError(EBADF)
        if self._own_offset and self._stream.seekable:
            return super().write(views)
        data = views[0] if len(views) == 1 else gather(views)
        try:
            done = self._stream.write(data)
            if done < len(data) and self.queue is not None:
                self._watch_writing()  # whoever wants to write the rest waits on the queue
            return done
        except BlockingIOError:
            self._watch_writing()
            raise LinuxError(EAGAIN) from None
        except OSError as error:
            raise linux_error(error) from None

    def pread(self, views: list[memoryview], offset: int) -> int:
        if not self._stream.seekable:
            raise LinuxError(ESPIPE)
        try:
            return self._stream.pread_into(views, offset)
        except OSError as error:
            raise linux_error(error) from None

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        if not self._stream.seekable:
            raise LinuxError(ESPIPE)
        try:
            return self._stream.pwrite(gather(views), offset)
        except OSError as error:
            raise linux_error(error) from None

    def seek(self, offset: int, whence: int) -> int:
        if not self._stream.seekable:
            raise LinuxError(ESPIPE)
        if self._own_offset:
            return super().seek(offset, whence)
        if whence not in (SEEK_SET, SEEK_CUR, SEEK_END):
            raise LinuxError(EINVAL)
        try:
            return self._stream.seek(offset, whence)
        except OSError as error:
            raise linux_error(error) from None

    # The rest

    def ioctl(self, request: int, argument: int, memory: GuestMemory) -> int:
        if request == FIONREAD:
            try:
                count = self._stream.available()
            except OSError as error:
                raise linux_error(error) from None
            memory.write(argument, count.to_bytes(4, "little"))
            return 0
        return super().ioctl(request, argument, memory)

    def fsync(self, data_only: bool) -> None:
        try:
            self._stream.sync()
        except OSError as error:
            raise linux_error(error) from None


def host_stream(fd: int, events: HostEvents) -> HostStream:
    """Return the open file of inherited descriptor `fd`, with its access mode.  OSError: it is not open"""
    stream = InheritedStream(fd)
    readable, writable, append = stream.access()
    mode = O_LARGEFILE | (O_RDWR if readable and writable else O_WRONLY if writable else O_RDONLY)
    return HostStream(StreamInode(stream, events), mode | (O_APPEND if append else 0))


