"""Reading, writing, seeking.

The fast path is: descriptor, views of guest memory, one call of the file. A file that has nothing yet says EAGAIN;
only then an `async def` of `lbw.syscalls.transfer` takes over, waits on the file's queue and tries again, so a call
that does not block pays nothing for blocking. Requests above `File.step` go there too.

Access: the low two bits of `file.flags` plus one have bit 0 for readable and bit 1 for writable, as Linux's
OPEN_FMODE. Calls that name an offset are in `lbw.syscalls.positioned`.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EBADF, EFAULT, EINVAL, EISDIR, EPIPE, LinuxError
from lbw.abi.fcntl import O_NONBLOCK
from lbw.abi.poll import POLLHUP, POLLIN
from lbw.abi.resource import RLIM_INFINITY, RLIMIT_FSIZE
from lbw.abi.socket import MSG_DONTWAIT
from lbw.abi.stat import S_IFDIR, S_IFIFO, S_IFMT, S_IFREG
from lbw.abi.x86_64 import X86_64
from lbw.kernel.task import Interrupted
from lbw.net.socket import as_socket
from lbw.syscalls.displays import InBuffer, Iovec, OutIovec
from lbw.syscalls.flag_names import SEEK_WHENCE
from lbw.syscalls.parameters import Choice, Fd, Int, Long, OutBuffer, Size
from lbw.syscalls.socket_transfer import read_socket, write_socket
from lbw.syscalls.table import syscall
from lbw.syscalls.transfer import (
    in_turns,
    interrupted,
    load_iovec,
    pull,
    push,
    room_below_limit,
    section,
    send_sigpipe,
    total_of,
    turn,
    wait_and_pull,
    wait_and_push,
)
from lbw.vfs.pipe import PipeEnd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task
    from lbw.syscalls.transfer import Iov
    from lbw.vfs.file import File


#: The last way to seek, SEEK_HOLE.
SEEK_MAX = 4


@syscall("read", Fd("fd"), OutBuffer("buf"), Size("count"))
def read(task: Task, fd: int, buf: int, count: int) -> int | Awaitable[int]:
    """Read at the file offset; return the bytes read, 0 at the end.  man 2 read"""
    file = task.files.get(fd)
    if file.flags & 1:
        raise LinuxError(EBADF)
    if count > file.step:
        return read_vector(task, file, [(buf, count)], False)
    if type(file) is PipeEnd and file.is_idle and count:  # saves the attempt
        if file.flags & O_NONBLOCK:
            raise LinuxError(EAGAIN)
        return wait_and_pull(task, file, [(buf, count)])
    try:
        return file.read(task.memory.views(buf, count, True) if count else [])
    except LinuxError as error:
        if error.errno == EFAULT and not must_wait(file):
            return read_nowhere(task, file, [(buf, count)], file.offset)
        if error.errno not in (EAGAIN, EFAULT) or file.queue is None:
            raise
        if file.flags & O_NONBLOCK:
            raise LinuxError(EAGAIN) from None
    except Interrupted:  # a background job that reads from its terminal
        return interrupted()
    return wait_and_pull(task, file, [(buf, count)]) if count else 0


@syscall("write", Fd("fd"), InBuffer("buf", 2), Size("count"))
def write(task: Task, fd: int, buf: int, count: int) -> int | Awaitable[int]:
    """Write at the file offset; return the bytes written.  man 2 write"""
    file = task.files.get(fd)
    if not file.flags + 1 & 2:
        raise LinuxError(EBADF)
    if count > file.step or task.process.limits.soft(RLIMIT_FSIZE) != RLIM_INFINITY:
        return write_vector(task, file, [(buf, count)], False)
    try:
        done = file.write(task.memory.views(buf, count, False) if count else [])
    except LinuxError as error:
        if error.errno == EPIPE:
            send_sigpipe(task)
        if error.errno != EAGAIN or file.flags & O_NONBLOCK or file.queue is None:
            raise
        done = 0
    except Interrupted:
        return interrupted()
    if done == count or file.queue is None or file.flags & O_NONBLOCK:
        return done
    iov = [(buf, count)]
    done, full = push(task, file, iov, count, done)  # short of room, or did the buffer run into a bad page?
    return wait_and_push(task, file, iov, count, done) if full else done


def must_wait(file: File) -> bool:
    """Whether a read finds nothing yet: then it waits before it touches its buffer."""
    return file.queue is not None and not file.poll() & (POLLIN | POLLHUP)


def read_nowhere(task: Task, file: File, iov: Iov, offset: int) -> int:
    """Return what a read into a bad buffer gives: 0 at the end of a file, which needs no buffer.  EFAULT; EISDIR"""
    kind = file.inode.mode & S_IFMT
    if any(base + length > X86_64.task_size for base, length in iov):
        raise LinuxError(EFAULT)  # no address of a program at all: that is looked at first
    if kind == S_IFREG and not file.pread([memoryview(bytearray(1))], offset):
        return 0
    if kind == S_IFIFO and not file.poll() & POLLIN:
        return 0
    raise LinuxError(EISDIR if kind == S_IFDIR else EFAULT)


def read_vector(task: Task, file: File, iov: list[tuple[int, int]], nowait: bool) -> int | Awaitable[int]:
    """Read into `iov` at the file offset."""
    if file.is_socket:
        return read_socket(task, as_socket(file), iov, MSG_DONTWAIT if nowait else 0)
    if not any(length for _, length in iov):
        return 0
    if file.queue is None and total_of(iov) > turn(task):
        return in_turns(task, file, iov, lambda part, _: pull(task, file, part))
    try:
        return pull(task, file, iov)
    except LinuxError as error:
        if error.errno == EFAULT and not must_wait(file):
            return read_nowhere(task, file, iov, file.offset)
        if error.errno not in (EAGAIN, EFAULT) or file.queue is None:
            raise
        if nowait or file.flags & O_NONBLOCK:
            raise LinuxError(EAGAIN) from None
    except Interrupted:
        return interrupted()
    return wait_and_pull(task, file, iov)


def write_vector(task: Task, file: File, iov: list[tuple[int, int]], nowait: bool) -> int | Awaitable[int]:
    """Write `iov` at the file offset."""
    if file.is_socket:
        return write_socket(task, as_socket(file), iov, MSG_DONTWAIT if nowait else 0)
    if not any(length for _, length in iov):
        return 0
    total = room_below_limit(task, file, None, sum(length for _, length in iov))
    if file.queue is None and total > turn(task):
        iov = section(iov, 0, total)
        return in_turns(task, file, iov, lambda part, _: push(task, file, part, total_of(part), 0)[0])
    try:
        done, more = push(task, file, iov, total, 0)
    except Interrupted:
        return interrupted()
    if not more:
        return done
    if nowait or file.flags & O_NONBLOCK or file.queue is None:
        if not done:
            raise LinuxError(EAGAIN)
        return done
    return wait_and_push(task, file, iov, total, done)


def for_reading(task: Task, fd: int) -> File:
    """Return the description behind `fd`.  EBADF: not open for reading"""
    file = task.files.get(fd)
    if file.flags & 1:
        raise LinuxError(EBADF)
    return file


def for_writing(task: Task, fd: int) -> File:
    """Return the description behind `fd`.  EBADF: not open for writing"""
    file = task.files.get(fd)
    if not file.flags + 1 & 2:
        raise LinuxError(EBADF)
    return file


@syscall("readv", Fd("fd"), OutIovec("iov", 2), Int("iovcnt"))
def readv(task: Task, fd: int, iov: int, count: int) -> int | Awaitable[int]:
    """Read into several buffers.  EINVAL: more than 1024 of them.  man 2 readv"""
    file = for_reading(task, fd)
    return read_vector(task, file, load_iovec(task, iov, count), False)


@syscall("writev", Fd("fd"), Iovec("iov", 2), Int("iovcnt"))
def writev(task: Task, fd: int, iov: int, count: int) -> int | Awaitable[int]:
    """Write from several buffers.  EINVAL: more than 1024 of them.  man 2 writev"""
    file = for_writing(task, fd)
    vectors = load_iovec(task, iov, count)
    return write_vector(task, file, vectors, False) if any(length for _, length in vectors) else 0


@syscall("lseek", Fd("fd"), Long("offset"), Choice("whence", SEEK_WHENCE))
def lseek(task: Task, fd: int, offset: int, whence: int) -> int:
    """Move the file offset; return the new one.  EINVAL; ESPIPE: a pipe or socket.  man 2 lseek"""
    file = task.files.get(fd)
    if whence > SEEK_MAX:
        raise LinuxError(EINVAL)
    return file.seek(offset, whence)
