"""Opening and closing: open, openat, openat2, creat, close, close_range.

Opening a FIFO waits for its other end; the path walk and the opening itself never wait.
"""

from __future__ import annotations

from lbw.abi.errno import E2BIG, EAGAIN, EINVAL, EOPNOTSUPP, EXDEV, LinuxError
from lbw.abi.fcntl import (
    __O_TMPFILE,
    AT_FDCWD,
    O_ACCMODE,
    O_APPEND,
    O_CLOEXEC,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_LARGEFILE,
    O_NOCTTY,
    O_NOFOLLOW,
    O_NONBLOCK,
    O_PATH,
    O_RDWR,
    O_TMPFILE,
    O_TRUNC,
    O_WRONLY,
    RESOLVE_BENEATH,
    RESOLVE_CACHED,
    RESOLVE_IN_ROOT,
)
from lbw.syscalls.flag_names import (
    CLOSE_RANGE_CLOEXEC,
    CLOSE_RANGE_FLAGS,
    CLOSE_RANGE_UNSHARE,
    OPEN_FLAGS,
    RESOLVE_FLAGS,
)
from lbw.syscalls.parameters import DirFd, Fd, Flags, In, Mode, Path, Size, UInt
from lbw.syscalls.start import only, start
from lbw.syscalls.table import PARTIAL, syscall
from lbw.vfs.operations import open_file
from lbw.vfs.pipe import PipeEnd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task
    from lbw.vfs.file import File

#: All flags that open(2) knows; it ignores others, openat2(2) refuses them.
VALID = 0
for _flag in (*OPEN_FLAGS, O_ACCMODE, __O_TMPFILE):
    VALID |= _flag
#: What needs no second look.
ORDINARY = O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
#: With O_PATH only these count.
PATH_FLAGS = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC


def checked(flags: int) -> int:
    """Return `flags` as the kernel acts on them.  EINVAL: a combination that open(2) refuses"""
    flags &= VALID
    if flags & O_PATH:
        return flags & PATH_FLAGS
    if flags & __O_TMPFILE:
        if flags & O_TMPFILE != O_TMPFILE or flags & O_CREAT or not flags & (O_WRONLY | O_RDWR):
            raise LinuxError(EINVAL)
    elif flags & (O_CREAT | O_DIRECTORY) == O_CREAT | O_DIRECTORY:
        raise LinuxError(EINVAL)
    return flags


@syscall("openat", DirFd("dirfd"), Path("pathname"), Flags("flags", OPEN_FLAGS), Mode("mode"))
def openat(
    task: Task, dirfd: int, path: bytes, flags: int, mode: int, always: int = O_LARGEFILE
) -> int | Awaitable[int]:
    """Open a file, relative to `dirfd`, with the flags `always` too; return its descriptor.  man 2 open"""
    if flags & ~ORDINARY:
        flags = checked(flags)
    at = None if dirfd == AT_FDCWD else start(task, dirfd, path)
    file = open_file(task.fs, path, flags | always, mode & 0o7777, at)
    if file.queue is not None and isinstance(file, PipeEnd) and file.opening is not None:
        return wait_for_peer(task, file, flags)
    return install(task, file, flags)


def install(task: Task, file: File, flags: int) -> int:
    """Give a new file a descriptor; when there is none left, close it again.  EMFILE"""
    try:
        return task.files.install(file, flags & O_CLOEXEC != 0)
    except LinuxError:
        file.acquire().release()
        raise


async def wait_for_peer(task: Task, end: PipeEnd, flags: int) -> int:
    """Wait until the other side of a FIFO is opened too; a signal undoes the opening.  man 7 fifo"""
    end.acquire()
    try:
        while not end.opened:
            assert end.opening is not None
            await task.wait(end.opening)
        end.opening = None
        return task.files.install(end, flags & O_CLOEXEC != 0)
    finally:
        end.release()


@syscall("open", Path("pathname"), Flags("flags", OPEN_FLAGS), Mode("mode"))
def open_(task: Task, path: bytes, flags: int, mode: int, always: int = O_LARGEFILE) -> int | Awaitable[int]:
    """Open a file; return its descriptor.  man 2 open"""
    return openat(task, AT_FDCWD, path, flags, mode, always)


@syscall("creat", Path("pathname"), Mode("mode"))
def creat(task: Task, path: bytes, mode: int) -> int | Awaitable[int]:
    """Create or empty a file and open it for writing.  man 2 creat"""
    return openat(task, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode)


@syscall(
    "openat2", DirFd("dirfd"), Path("pathname"), In("how"), Size("size"),
    support=PARTIAL, note="RESOLVE_BENEATH, RESOLVE_IN_ROOT and the like: EOPNOTSUPP",
)  # fmt: skip
def openat2(task: Task, dirfd: int, path: bytes, how: int, size: int) -> int | Awaitable[int]:
    """Open a file as `struct open_how` says; unknown flags are errors.

    E2BIG: a larger struct than known with something in its tail; EAGAIN: RESOLVE_CACHED, as Linux may always answer.
    man 2 openat2
    """
    if size < 24:
        raise LinuxError(EINVAL)
    if size > 4096:
        raise LinuxError(E2BIG)
    data = task.memory.read(how, size)
    if any(data[24:]):
        raise LinuxError(E2BIG)
    flags, mode, limits = (int.from_bytes(data[i : i + 8], "little") for i in (0, 8, 16))
    only(flags, VALID)
    only(limits, sum(RESOLVE_FLAGS))
    if mode & ~0o7777 or (mode and not flags & (O_CREAT | __O_TMPFILE)):
        raise LinuxError(EINVAL)
    if flags & O_PATH:
        only(flags, PATH_FLAGS)
    if limits & RESOLVE_BENEATH and limits & RESOLVE_IN_ROOT:
        raise LinuxError(EINVAL)
    if limits & RESOLVE_CACHED:
        raise LinuxError(EAGAIN)
    if limits & RESOLVE_BENEATH and path[:1] == b"/":
        raise LinuxError(EXDEV)
    if limits:
        raise LinuxError(EOPNOTSUPP)
    return openat(task, dirfd, path, flags, mode)


@syscall("close", Fd("fd"))
def close(task: Task, fd: int) -> int:
    """Close a descriptor.  man 2 close"""
    task.files.close(fd)
    return 0


@syscall("close_range", UInt("first"), UInt("last"), Flags("flags", CLOSE_RANGE_FLAGS))
def close_range(task: Task, first: int, last: int, flags: int) -> int:
    """Close the descriptors from `first` to `last`, or mark them close-on-exec.  man 2 close_range"""
    only(flags, CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE)
    if first > last:
        raise LinuxError(EINVAL)
    if flags & CLOSE_RANGE_UNSHARE:
        unshare(task)
    files = task.files
    for fd, _ in list(files.items()):
        if first <= fd <= last:
            if flags & CLOSE_RANGE_CLOEXEC:
                files.set_close_on_exec(fd, True)
            else:
                files.close(fd)
    return 0


def unshare(task: Task) -> None:
    """Give the task a descriptor table of its own."""
    files = task.files
    if files.users > 1:
        task.files = files.fork()
        files.release()
