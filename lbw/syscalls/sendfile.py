"""Copying between files inside the kernel: sendfile, copy_file_range.  man 2 of each

Bytes go through one buffer. The input is advanced by what the output took, so a full output, a signal or a full disk
loses nothing. What concerns pipes is in `lbw.syscalls.splice`.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EAGAIN, EBADF, EINVAL, EISDIR, EOVERFLOW, EPIPE, ESPIPE, EXDEV, LinuxError
from lbw.abi.fcntl import O_APPEND, O_NONBLOCK, SEEK_CUR
from lbw.abi.poll import POLLOUT
from lbw.abi.stat import S_IFBLK, S_IFCHR, S_IFDIR, S_IFMT, S_IFREG
from lbw.kernel.task import Interrupted
from lbw.syscalls.parameters import Fd, Flags, Pointer, Size
from lbw.syscalls.start import only
from lbw.syscalls.table import syscall
from lbw.syscalls.transfer import MAX_COUNT, MAX_OFFSET, room_below_limit, send_sigpipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task
    from lbw.vfs.file import File

BUFFER = 1 << 17
#: An offset in memory (loff_t).
OFFSET = Struct("<q")


class Cursor:
    """Where one side of a copy stands: at an offset in guest memory, or at the file offset."""

    __slots__ = ("address", "file", "layout", "offset", "task")

    def __init__(self, task: Task, file: File, address: int, layout: Struct = OFFSET) -> None:
        """Read the offset at `address` (0: use the file offset).  EFAULT; EINVAL: negative"""
        self.task = task
        self.file = file
        self.address = address
        self.layout = layout
        self.offset = task.memory.load(address, layout)[0] if address else file.offset
        if self.offset < 0:
            raise LinuxError(EINVAL)

    def advance(self, count: int) -> None:
        """Move on."""
        self.offset += count

    def settle(self) -> None:
        """Store the offset where it came from."""
        if self.address:
            self.task.memory.store(self.address, self.layout, self.offset)
        else:
            self.file.offset = self.offset


def put(task: Task, file: File, data: memoryview) -> int:
    """Write at the file offset what goes now.  EAGAIN; EPIPE, with SIGPIPE"""
    try:
        return file.write([data])
    except LinuxError as error:
        if error.errno == EPIPE:
            send_sigpipe(task)
        raise


@syscall("sendfile", Fd("out_fd"), Fd("in_fd"), Pointer("offset"), Size("count"))
def sendfile(
    task: Task, out_fd: int, in_fd: int, offset: int, count: int, layout: Struct = OFFSET, furthest: int = MAX_OFFSET
) -> int | Awaitable[int]:
    """Copy from a regular file to any file, up to the offset `furthest`.

    EINVAL: the input is something else, or the output appends; EOVERFLOW: it stands behind `furthest`
    """
    from lbw.vfs.pipe import PipeEnd

    if offset:
        task.memory.read(offset, layout.size)  # EFAULT even for a bad descriptor
    source = task.files.get(in_fd)
    if source.flags & 1:
        raise LinuxError(EBADF)
    if offset and isinstance(source, PipeEnd):
        raise LinuxError(ESPIPE)
    cursor = Cursor(task, source, offset, layout)
    target = task.files.get(out_fd)
    if not target.flags + 1 & 2:
        raise LinuxError(EBADF)
    if target.flags & O_APPEND and not isinstance(target, PipeEnd):
        raise LinuxError(EINVAL)
    if not count and (isinstance(target, PipeEnd) or not isinstance(source, PipeEnd)):
        return 0
    if isinstance(target, PipeEnd) and not target.pipe.readers:
        send_sigpipe(task)
        raise LinuxError(EPIPE)
    if not seekable(source):
        full = isinstance(target, PipeEnd) and target.flags & O_NONBLOCK and not target.poll() & POLLOUT
        raise LinuxError(EAGAIN if full else EINVAL)
    count = room_below_limit(task, target, None, min(count, MAX_COUNT))
    if cursor.offset + count > furthest:
        if cursor.offset >= furthest:
            raise LinuxError(EOVERFLOW)
        count = furthest - cursor.offset
    done, more = send_some(task, cursor, target, count, 0)
    if not more:
        cursor.settle()
        return done
    if target.flags & O_NONBLOCK or target.queue is None:
        if not done:
            raise LinuxError(EAGAIN)
        cursor.settle()
        return done
    return send_rest(task, cursor, target, count, done)


def seekable(source: File) -> bool:
    """Whether sendfile can read it: it loses nothing when the output takes less than was read."""
    kind = source.inode.mode & S_IFMT
    if kind in (S_IFREG, S_IFBLK):
        return True
    if kind != S_IFCHR or not source.can_be_spliced:
        return False
    try:
        source.seek(0, SEEK_CUR)
    except LinuxError:
        return False
    return True


def send_some(task: Task, cursor: Cursor, target: File, count: int, done: int) -> tuple[int, bool]:
    """Copy until the end, `count` or a full output; return the count so far and whether waiting gets further."""
    buffer = memoryview(bytearray(min(BUFFER, count - done)))
    while done < count:
        piece = buffer[: count - done]
        try:
            length = cursor.file.pread([piece], cursor.offset)
            if not length:
                break
            written = put(task, target, piece[:length])
        except LinuxError as error:
            if error.errno == EAGAIN:
                return done, True
            if done:
                break
            raise
        if not written:
            break
        cursor.advance(written)
        done += written
    return done, False


async def send_rest(task: Task, cursor: Cursor, target: File, count: int, done: int) -> int:
    """Go on with a sendfile whose output is full."""
    target.acquire()
    cursor.file.acquire()
    try:
        more = True
        while more:
            assert target.queue is not None
            try:
                await task.wait(target.queue)
            except Interrupted:
                if not done:
                    raise
                break
            done, more = send_some(task, cursor, target, count, done)
        cursor.settle()
        return done
    finally:
        target.release()
        cursor.file.release()


@syscall(
    "copy_file_range", Fd("fd_in"), Pointer("off_in"), Fd("fd_out"), Pointer("off_out"), Size("len"),
    Flags("flags", {}),
)  # fmt: skip
def copy_file_range(task: Task, in_fd: int, in_at: int, out_fd: int, out_at: int, length: int, flags: int) -> int:
    """Copy from one regular file to another.  EINVAL: they overlap, or another type of file; EISDIR; EBADF; EXDEV"""
    source, target = task.files.get(in_fd), task.files.get(out_fd)
    reading, writing = Cursor(task, source, in_at), Cursor(task, target, out_at)
    only(flags, 0)
    for file in (source, target):
        kind = file.inode.mode & S_IFMT
        if kind != S_IFREG:
            raise LinuxError(EISDIR if kind == S_IFDIR else EINVAL)
    if source.flags & 1 or not target.flags + 1 & 2 or target.flags & O_APPEND:
        raise LinuxError(EBADF)
    if source.inode.fs is not target.inode.fs:
        raise LinuxError(EXDEV)
    length = min(length, MAX_COUNT, max(0, source.inode.stat().size - reading.offset))
    one, other = source.inode.stat(), target.inode.stat()
    if (one.dev, one.ino) == (other.dev, other.ino) and abs(reading.offset - writing.offset) < length:
        raise LinuxError(EINVAL)
    length = room_below_limit(task, target, writing.offset, length)
    done = 0
    buffer = memoryview(bytearray(min(BUFFER, length)))
    while done < length:
        piece = buffer[: length - done]
        try:
            count = source.pread([piece], reading.offset)
            written = target.pwrite([piece[:count]], writing.offset) if count else 0
        except LinuxError:
            if done:
                break
            raise
        if not written:
            break
        done += written
        reading.advance(written)
        writing.advance(written)
    if done:
        reading.settle()
        writing.settle()
    return done
