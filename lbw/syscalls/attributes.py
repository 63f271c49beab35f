"""Attributes changed: modes, owners, times, sizes.  man 2 chmod, chown, utimensat, truncate, fallocate"""

from __future__ import annotations

from lbw.abi.errno import EBADF, EFAULT, EFBIG, EINVAL, EISDIR, ENODEV, EOPNOTSUPP, ESPIPE, LinuxError
from lbw.abi.fcntl import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    FALLOC_FL_COLLAPSE_RANGE,
    FALLOC_FL_INSERT_RANGE,
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_UNSHARE_RANGE,
    FALLOC_FL_ZERO_RANGE,
    O_LARGEFILE,
)
from lbw.abi.inotify import IN_MODIFY
from lbw.abi.resource import RLIM_INFINITY, RLIMIT_FSIZE
from lbw.abi.signal import SIGXFSZ
from lbw.abi.stat import S_IFBLK, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG
from lbw.syscalls.displays import Id, Timespec
from lbw.syscalls.flag_names import AT_FLAGS, FALLOCATE_MODES
from lbw.syscalls.parameters import DirFd, Fd, Flags, Long, Mode, Offset, OptionalPath, Path
from lbw.syscalls.start import only, place
from lbw.syscalls.table import syscall
from lbw.syscalls.transfer import MAX_OFFSET, send_self
from lbw.vfs import operations
from lbw.vfs.opening import MAX_SMALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from struct import Struct

    from lbw.kernel.task import Task
    from lbw.vfs.inode import Inode

UTIME_NOW = (1 << 30) - 1
UTIME_OMIT = (1 << 30) - 2
SECOND = 1_000_000_000


# Modes


@syscall("chmod", Path("pathname"), Mode("mode"))
def chmod(task: Task, path: bytes, mode: int) -> int:
    """Change permission bits.  man 2 chmod"""
    return fchmodat2(task, AT_FDCWD, path, mode, 0)


@syscall("fchmod", Fd("fd"), Mode("mode"))
def fchmod(task: Task, fd: int, mode: int) -> int:
    """Change permission bits of an open file.  man 2 fchmod"""
    file = task.files.get(fd)
    if file.location is None:
        operations.set_mode(task.fs, file.inode, mode & 0o7777)
    else:
        operations.chmod(task.fs, file.location, mode & 0o7777)
    return 0


@syscall("fchmodat", DirFd("dirfd"), Path("pathname"), Mode("mode"))
def fchmodat(task: Task, dirfd: int, path: bytes, mode: int) -> int:
    """Change permission bits, relative to `dirfd`.  man 2 fchmodat"""
    return fchmodat2(task, dirfd, path, mode, 0)


@syscall("fchmodat2", DirFd("dirfd"), Path("pathname"), Mode("mode"), Flags("flags", AT_FLAGS))
def fchmodat2(task: Task, dirfd: int, path: bytes, mode: int, flags: int) -> int:
    """Change permission bits.  EOPNOTSUPP: of a symbolic link itself.  man 2 fchmodat"""
    only(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)
    operations.chmod(task.fs, place(task, dirfd, path, flags, not flags & AT_SYMLINK_NOFOLLOW), mode & 0o7777)
    return 0


# Owners


@syscall("chown", Path("pathname"), Id("owner"), Id("group"))
def chown(task: Task, path: bytes, owner: int, group: int) -> int:
    """Change owner and group; -1 leaves one as it is.  man 2 chown"""
    return fchownat(task, AT_FDCWD, path, owner, group, 0)


@syscall("lchown", Path("pathname"), Id("owner"), Id("group"))
def lchown(task: Task, path: bytes, owner: int, group: int) -> int:
    """As chown, of a symbolic link itself.  man 2 lchown"""
    return fchownat(task, AT_FDCWD, path, owner, group, AT_SYMLINK_NOFOLLOW)


@syscall("fchown", Fd("fd"), Id("owner"), Id("group"))
def fchown(task: Task, fd: int, owner: int, group: int) -> int:
    """Change owner and group of an open file.  man 2 fchown"""
    file = task.files.get(fd)
    if file.location is None:
        operations.set_owner(task.fs, file.inode, kept(owner), kept(group))
    else:
        operations.chown(task.fs, file.location, kept(owner), kept(group))
    return 0


@syscall("fchownat", DirFd("dirfd"), Path("pathname"), Id("owner"), Id("group"), Flags("flags", AT_FLAGS))
def fchownat(task: Task, dirfd: int, path: bytes, owner: int, group: int, flags: int) -> int:
    """Change owner and group, relative to `dirfd`.  man 2 fchownat"""
    only(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)
    location = place(task, dirfd, path, flags, not flags & AT_SYMLINK_NOFOLLOW)
    operations.chown(task.fs, location, kept(owner), kept(group))
    return 0


def kept(number: int) -> int:
    """Return the id, or -1 for (uid_t)-1: leave it."""
    return -1 if number == 0xFFFFFFFF else number


# Times


def set_times(
    task: Task, dirfd: int, path: bytes | None, times: tuple[int | None, int | None], flags: int, now: bool = False,
    valid: bool = True,
) -> int:  # fmt: skip
    """Set access and modification time, in ns; None leaves one as it is. No path means the open file `dirfd`.

    `now`: both are the current time, which whoever may write the file may set. EINVAL: not `valid`, once the file is
    found.
    """
    only(flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)
    if path is None:
        if dirfd == AT_FDCWD:
            raise LinuxError(EFAULT)
        if flags:
            raise LinuxError(EINVAL)
        file = task.files.get(dirfd)
        location = file.location
        if location is None:
            if not valid:
                raise LinuxError(EINVAL)
            operations.set_times(task.fs, file.inode, *times, now)
            return 0
    else:
        location = place(task, dirfd, path, flags, not flags & AT_SYMLINK_NOFOLLOW)
    if not valid:
        raise LinuxError(EINVAL)
    operations.utimens(task.fs, location, *times, now)
    return 0


def touch(task: Task, dirfd: int, path: bytes | None, flags: int = 0) -> int:
    """Set both times to the current time."""
    time = task.kernel.clock.realtime()
    return set_times(task, dirfd, path, (time, time), flags, True)


@syscall(
    "utimensat", DirFd("dirfd"), OptionalPath("pathname"), Timespec("times", 2), Flags("flags", AT_FLAGS)
)  # fmt: skip
def utimensat(
    task: Task, dirfd: int, path: bytes | None, times: int, flags: int, layout: Struct | None = None
) -> int:  # fmt: skip
    """Set access and modification time; UTIME_NOW, UTIME_OMIT; NULL times mean now.  man 2 utimensat"""
    if not times:
        return touch(task, dirfd, path, flags)
    layout = layout or task.abi.timespec
    chosen: list[int | None] = []
    all_now = valid = True
    for index in range(2):
        seconds, part = task.memory.load(times + index * layout.size, layout)
        all_now = all_now and part == UTIME_NOW
        if part == UTIME_OMIT:
            chosen.append(None)
        elif part == UTIME_NOW:
            chosen.append(task.kernel.clock.realtime())
        elif 0 <= part < SECOND:
            chosen.append(seconds * SECOND + part)
        else:
            valid = False
            chosen.append(0)
    if chosen == [None, None]:
        return 0  # before the path is even looked at, as Linux does
    return set_times(task, dirfd, path, (chosen[0], chosen[1]), flags, all_now, valid)


@syscall("futimesat", DirFd("dirfd"), OptionalPath("pathname"), Timespec("times", 2, micro=True))
def futimesat(task: Task, dirfd: int, path: bytes | None, times: int) -> int:
    """Set access and modification time, in microseconds.  man 2 futimesat"""
    if not times:
        return touch(task, dirfd, path)
    chosen = []
    for index in range(2):
        seconds, part = task.memory.load(times + index * task.abi.timeval.size, task.abi.timeval)
        if not 0 <= part < 1_000_000:
            raise LinuxError(EINVAL)
        chosen.append(seconds * SECOND + part * 1000)
    return set_times(task, dirfd, path, (chosen[0], chosen[1]), 0)


@syscall("utimes", Path("pathname"), Timespec("times", 2, micro=True))
def utimes(task: Task, path: bytes, times: int) -> int:
    """Set access and modification time, in microseconds.  man 2 utimes"""
    return futimesat(task, AT_FDCWD, path, times)


@syscall("utime", Path("pathname"), Timespec("times"))
def utime(task: Task, path: bytes, times: int) -> int:
    """Set access and modification time, in seconds.  man 2 utime"""
    if not times:
        return touch(task, AT_FDCWD, path)
    word = task.abi.word
    data = task.memory.read(times, 2 * word)
    seconds = [int.from_bytes(data[i : i + word], "little", signed=True) * SECOND for i in (0, word)]
    return set_times(task, AT_FDCWD, path, (seconds[0], seconds[1]), 0)


# Sizes


def check_size(task: Task, inode: Inode, size: int) -> None:
    """EFBIG, and SIGXFSZ: `size` is beyond RLIMIT_FSIZE, and more than the file has."""
    limit = task.process.limits.soft(RLIMIT_FSIZE)
    if limit != RLIM_INFINITY and size > limit and size > inode.stat().size:
        send_self(task, SIGXFSZ)
        raise LinuxError(EFBIG)


@syscall("truncate", Path("path"), Long("length"))
def truncate(task: Task, path: bytes, length: int) -> int:
    """Set the size of a file.  EISDIR; EINVAL: not a regular file, or negative.  man 2 truncate"""
    if length < 0:
        raise LinuxError(EINVAL)
    location = operations.resolve(task.fs, path)
    kind = location.kind
    if kind != S_IFREG:
        raise LinuxError(EISDIR if kind == S_IFDIR else EINVAL)
    check_size(task, location.inode, length)
    operations.truncate(task.fs, location, length)
    return 0


@syscall("ftruncate", Fd("fd"), Long("length"))
def ftruncate(task: Task, fd: int, length: int) -> int:
    """Set the size of an open file.  EINVAL: no regular file, not writable, negative, above 2 GB of a small one"""
    if length < 0:
        raise LinuxError(EINVAL)
    file = task.files.get(fd)
    if file.inode.mode & S_IFMT != S_IFREG or not file.flags + 1 & 2:
        raise LinuxError(EINVAL)
    if length > MAX_SMALL and not file.flags & O_LARGEFILE:
        raise LinuxError(EINVAL)
    check_size(task, file.inode, length)
    file.inode.truncate(length)
    if task.fs.vfs.notifier is not None and file.location is not None:
        task.fs.vfs.notifier.changed(file.location, IN_MODIFY)
    return 0


@syscall("fallocate", Fd("fd"), Flags("mode", FALLOCATE_MODES), Offset("offset"), Offset("len"))
def fallocate(task: Task, fd: int, mode: int, offset: int, length: int) -> int:
    """Reserve, zero or punch a range of a file.  EOPNOTSUPP: a mode that the file system lacks.  man 2 fallocate"""
    file = task.files.get(fd)
    if offset < 0 or length <= 0:
        raise LinuxError(EINVAL)
    actions = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE
    if mode & ~(actions | FALLOC_FL_KEEP_SIZE | FALLOC_FL_UNSHARE_RANGE):
        raise LinuxError(EOPNOTSUPP)
    if (mode & actions).bit_count() > 1 or (mode & FALLOC_FL_PUNCH_HOLE and not mode & FALLOC_FL_KEEP_SIZE):
        raise LinuxError(EOPNOTSUPP)
    if mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE) and mode & ~actions:
        raise LinuxError(EINVAL)
    if not file.flags + 1 & 2:
        raise LinuxError(EBADF)
    kind = file.inode.mode & S_IFMT
    if kind == S_IFIFO:
        raise LinuxError(ESPIPE)
    if kind == S_IFDIR:
        raise LinuxError(EISDIR)
    if kind not in (S_IFREG, S_IFBLK):
        raise LinuxError(ENODEV)
    if offset + length > MAX_OFFSET:
        raise LinuxError(EFBIG)
    if not mode & FALLOC_FL_KEEP_SIZE:
        check_size(task, file.inode, offset + length)
    file.allocate(mode, offset, length)
    return 0
