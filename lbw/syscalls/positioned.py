"""Reading and writing at an offset, and with RWF_* flags.  man 2 pread, man 2 preadv2

The file offset stays where it is, and nothing is waited for; but offset -1 of the calls with flags means the file
offset, and then they are as readv and writev.
"""

from __future__ import annotations

from lbw.abi.errno import EBADF, EFAULT, EINVAL, EOPNOTSUPP, ESPIPE, LinuxError
from lbw.abi.fcntl import (
    O_APPEND,
    RWF_APPEND,
    RWF_ATOMIC,
    RWF_DSYNC,
    RWF_HIPRI,
    RWF_NOAPPEND,
    RWF_NOWAIT,
    RWF_SUPPORTED,
    RWF_SYNC,
)
from lbw.abi.resource import RLIM_INFINITY, RLIMIT_FSIZE
from lbw.abi.stat import S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK
from lbw.syscalls.displays import InBuffer, Iovec, OutIovec
from lbw.syscalls.flag_names import RWF_FLAGS
from lbw.syscalls.parameters import Fd, Flags, Int, Offset, OutBuffer, Position, Size
from lbw.syscalls.readwrite import for_reading, for_writing, read_nowhere, read_vector, write_vector
from lbw.syscalls.table import syscall
from lbw.syscalls.transfer import CHUNK, at_offset, load_iovec, pull_at, push_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task
    from lbw.vfs.file import File

#: Offsets from here on need a look at the end of what an offset can be.
FAR = 1 << 62


def positioned(task: Task, fd: int, offset: int, access: int) -> File:
    """Return the description behind `fd` for access (1: read, 2: write) at `offset`.

    EINVAL: negative; EBADF: not open for this; ESPIPE: a pipe or socket, whatever it is open for.
    """
    if offset < 0:
        raise LinuxError(EINVAL)
    file = task.files.get(fd)
    if not file.flags + 1 & access:
        raise LinuxError(ESPIPE if file.inode.mode & S_IFMT in (S_IFIFO, S_IFSOCK) else EBADF)
    return file


@syscall("pread64", Fd("fd"), OutBuffer("buf"), Size("count"), Offset("offset"))
def pread64(task: Task, fd: int, buf: int, count: int, offset: int) -> int | Awaitable[int]:
    """Read at `offset`; the file offset stays.  man 2 pread"""
    file = positioned(task, fd, offset, 1)
    if count > CHUNK or offset > FAR:
        return at_offset(pull_at, task, file, [(buf, count)], offset)
    try:
        return file.pread(task.memory.views(buf, count, True) if count else [], offset)
    except LinuxError as error:
        if error.errno != EFAULT:
            raise
        return read_nowhere(task, seekable(file), [(buf, count)], offset)


@syscall("pwrite64", Fd("fd"), InBuffer("buf", 2), Size("count"), Offset("offset"))
def pwrite64(task: Task, fd: int, buf: int, count: int, offset: int) -> int | Awaitable[int]:
    """Write at `offset`; the file offset stays.  man 2 pwrite"""
    file = positioned(task, fd, offset, 2)
    limited = task.process.limits.soft(RLIMIT_FSIZE) != RLIM_INFINITY
    if limited or count > CHUNK or offset > FAR or file.flags & O_APPEND:
        return at_offset(push_at, task, file, [(buf, count)], offset)
    try:
        return file.pwrite(task.memory.views(buf, count, False) if count else [], offset)
    except LinuxError as error:
        if error.errno == EFAULT:
            seekable(file)
        raise


@syscall("preadv", Fd("fd"), OutIovec("iov", 2), Int("iovcnt"), Position("pos"))
def preadv(task: Task, fd: int, iov: int, count: int, offset: int) -> int | Awaitable[int]:
    """Read into several buffers at an offset.  man 2 preadv"""
    return read_vector_at(task, fd, iov, count, offset, 0)


@syscall("pwritev", Fd("fd"), Iovec("iov", 2), Int("iovcnt"), Position("pos"))
def pwritev(task: Task, fd: int, iov: int, count: int, offset: int) -> int | Awaitable[int]:
    """Write from several buffers at an offset.  man 2 pwritev"""
    file = seekable(positioned(task, fd, offset, 2))
    vector = load_iovec(task, iov, count)
    return at_offset(push_at, task, file, vector, offset) if any(length for _, length in vector) else 0


def seekable(file: File) -> File:
    """Return `file`.  ESPIPE: it is a pipe or socket"""
    if file.inode.mode & S_IFMT in (S_IFIFO, S_IFSOCK):
        raise LinuxError(ESPIPE)
    return file


def read_vector_at(task: Task, fd: int, iov: int, count: int, offset: int, flags: int) -> int | Awaitable[int]:
    """Read into several buffers at `offset`, with RWF_* flags."""
    file = seekable(positioned(task, fd, offset, 1))
    vector = load_iovec(task, iov, count)
    if not any(length for _, length in vector):
        return 0
    check_flags(file, flags)
    return at_offset(pull_at, task, file, vector, offset)


def check_flags(file: File, flags: int) -> None:
    """EOPNOTSUPP: an unknown RWF_* flag, or RWF_ATOMIC, which needs a device that can; EINVAL: a contradiction"""
    if flags & (~RWF_SUPPORTED | RWF_ATOMIC) or (flags & ~RWF_HIPRI and file.inode.is_directory):
        raise LinuxError(EOPNOTSUPP)
    if flags & RWF_APPEND and flags & RWF_NOAPPEND:
        raise LinuxError(EINVAL)


@syscall(
    "preadv2", Fd("fd"), OutIovec("iov", 2), Int("iovcnt"), Position("pos"), Flags("flags", RWF_FLAGS)
)
def preadv2(task: Task, fd: int, iov: int, count: int, offset: int, flags: int) -> int | Awaitable[int]:
    """As preadv, with flags; offset -1 means the file offset.  EOPNOTSUPP: an unknown flag.  man 2 preadv2"""
    if offset != -1:
        return read_vector_at(task, fd, iov, count, offset, flags)
    file = for_reading(task, fd)
    vector = load_iovec(task, iov, count)
    if any(length for _, length in vector):
        check_flags(file, flags)
    return read_vector(task, file, vector, bool(flags & RWF_NOWAIT))


@syscall("pwritev2", Fd("fd"), Iovec("iov", 2), Int("iovcnt"), Position("pos"), Flags("flags", RWF_FLAGS))
def pwritev2(task: Task, fd: int, iov: int, count: int, offset: int, flags: int) -> int | Awaitable[int]:
    """As pwritev, with flags; offset -1 means the file offset.

    RWF_APPEND writes at the end for this once, RWF_NOAPPEND not there in spite of O_APPEND.  EOPNOTSUPP: an unknown
    flag.  man 2 pwritev2
    """
    file = for_writing(task, fd) if offset == -1 else seekable(positioned(task, fd, offset, 2))
    vector = load_iovec(task, iov, count)
    if not any(length for _, length in vector):
        return 0
    check_flags(file, flags)
    appends = bool(flags & RWF_APPEND or (file.flags & O_APPEND and not flags & RWF_NOAPPEND))
    result: int | Awaitable[int]
    if offset == -1 and (appends == bool(file.flags & O_APPEND) or file.inode.mode & S_IFMT != S_IFREG):
        result = write_vector(task, file, vector, bool(flags & RWF_NOWAIT))
    else:
        at = file.inode.stat().size if appends else file.offset if offset == -1 else offset
        result = push_at(task, file, vector, at, False)
        if offset == -1:
            file.offset = at + result
    if flags & (RWF_DSYNC | RWF_SYNC) and isinstance(result, int):
        file.fsync(not flags & RWF_SYNC)
    return result
