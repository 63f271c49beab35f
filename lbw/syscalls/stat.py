"""Attributes read: stat, fstat, lstat, newfstatat, statx, access family, statfs.  man 2 stat, statx, access, statfs"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.fcntl import (
    AT_EACCESS,
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_NO_AUTOMOUNT,
    AT_STATX_SYNC_TYPE,
    AT_SYMLINK_NOFOLLOW,
)
from lbw.abi.fs import NAME_MAX
from lbw.abi.stat import (
    STATX_ATTR_AUTOMOUNT,
    STATX_ATTR_MOUNT_ROOT,
    STATX_BASIC_STATS,
    STATX_BTIME,
    STATX_MNT_ID,
)
from lbw.syscalls.displays import OutStruct
from lbw.syscalls.flag_names import ACCESS_FLAGS, ACCESS_MODES, AT_FLAGS, STATX_FLAGS, STATX_MASK
from lbw.syscalls.formats import show_stat, show_statx
from lbw.syscalls.parameters import DirFd, Fd, Flags, Out, Path
from lbw.syscalls.start import only, start
from lbw.syscalls.table import syscall
from lbw.vfs import operations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.kernel.task import Task
    from lbw.vfs.inode import Stat
    from lbw.vfs.location import Location

    #: Writes attributes as some struct stat; returns 0.
    Store = Callable[[Task, int, Stat], int]
    About = tuple[int, int, int, int, int, int, int, int, int]

#: struct statx: mask blksize attributes nlink uid gid mode ino size blocks attributes_mask, four times (seconds, ns),
#: rdev and dev (major, minor), mnt_id, dio alignments.
STATX = Struct("<IIQIIIH2xQQQQ" + "qI4x" * 4 + "IIIIQII96x")
SECOND = 1_000_000_000
ST_VALID = 0x20


def store_stat(task: Task, address: int, stat: Stat) -> int:
    """Write `stat` as struct stat of the ABI; return 0."""
    atime, mtime, ctime = stat.atime, stat.mtime, stat.ctime
    layout = task.abi.stat
    task.memory.write(
        address,
        layout.pack(
            stat.dev, stat.ino, stat.nlink, stat.mode, stat.uid, stat.gid, 0, stat.rdev, stat.size,
            stat.blksize, stat.blocks,
            atime // SECOND, atime % SECOND, mtime // SECOND, mtime % SECOND, ctime // SECOND, ctime % SECOND,
        ),
    )  # fmt: skip
    return 0


@syscall("stat", Path("pathname"), OutStruct("statbuf", show_stat))
def stat_(task: Task, path: bytes, statbuf: int, store: Store = store_stat) -> int:
    """Return the attributes of a file.  man 2 stat"""
    return store(task, statbuf, operations.stat(task.fs, path))


@syscall("lstat", Path("pathname"), OutStruct("statbuf", show_stat))
def lstat(task: Task, path: bytes, statbuf: int, store: Store = store_stat) -> int:
    """Return the attributes of a file, or of the symbolic link itself.  man 2 lstat"""
    return store(task, statbuf, operations.stat(task.fs, path, None, False))


@syscall("fstat", Fd("fd"), OutStruct("statbuf", show_stat))
def fstat(task: Task, fd: int, statbuf: int, store: Store = store_stat) -> int:
    """Return the attributes of an open file.  man 2 fstat"""
    return store(task, statbuf, task.files.get_any(fd).inode.stat())


@syscall(
    "newfstatat", DirFd("dirfd"), Path("pathname"), OutStruct("statbuf", show_stat), Flags("flags", AT_FLAGS)
)  # fmt: skip
def newfstatat(
    task: Task, dirfd: int, path: bytes, statbuf: int, flags: int, store: Store = store_stat
) -> int:  # fmt: skip
    """Return the attributes of a file, relative to `dirfd`; with AT_EMPTY_PATH of `dirfd` itself.  man 2 fstatat"""
    only(flags, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)
    if not path and flags & AT_EMPTY_PATH and dirfd != AT_FDCWD:
        return store(task, statbuf, task.files.get_any(dirfd).inode.stat())
    return store(task, statbuf, stat_at(task, dirfd, path, flags))


def stat_at(task: Task, dirfd: int, path: bytes, flags: int) -> Stat:
    """Return the attributes of what `dirfd` and `path` name."""
    empty_ok = bool(flags & AT_EMPTY_PATH)
    at = start(task, dirfd, path, empty_ok)
    return operations.stat(task.fs, path, at, not flags & AT_SYMLINK_NOFOLLOW, empty_ok)


@syscall(
    "statx", DirFd("dirfd"), Path("pathname"), Flags("flags", STATX_FLAGS), Flags("mask", STATX_MASK),
    OutStruct("statxbuf", show_statx),
)  # fmt: skip
def statx(task: Task, dirfd: int, path: bytes, flags: int, mask: int, buffer: int) -> int:
    """Return extended attributes of a file: birth time, mount, and which fields are valid.

    All basic fields are given, asked for or not, as Linux does for local file systems.  EINVAL: a reserved mask bit
    """
    only(flags, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)
    if mask & 0x80000000 or flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE:
        raise LinuxError(EINVAL)
    location: Location | None
    if not path and flags & AT_EMPTY_PATH and dirfd != AT_FDCWD:
        file = task.files.get_any(dirfd)
        location, stat = file.location, file.inode.stat()
    else:
        empty_ok = bool(flags & AT_EMPTY_PATH)
        at = start(task, dirfd, path, empty_ok)
        location = operations.resolve(task.fs, path, at, not flags & AT_SYMLINK_NOFOLLOW, empty_ok)
        stat = location.inode.stat()
    valid, mount, attributes = STATX_BASIC_STATS | STATX_MNT_ID, 0, 0
    if location is not None:
        mount = location.mount.id
        if location.parent is None:
            attributes = STATX_ATTR_MOUNT_ROOT
    if stat.btime:
        valid |= STATX_BTIME
    times = (part for time in (stat.atime, stat.btime, stat.ctime, stat.mtime) for part in divmod(time, SECOND))
    task.memory.write(
        buffer,
        STATX.pack(
            valid, stat.blksize, attributes, stat.nlink, stat.uid, stat.gid, stat.mode, stat.ino, stat.size,
            stat.blocks, STATX_ATTR_AUTOMOUNT | STATX_ATTR_MOUNT_ROOT, *times, *device(stat.rdev),
            *device(stat.dev), mount, 0, 0,
        ),
    )  # fmt: skip
    return 0


def device(number: int) -> tuple[int, int]:
    """Return (major, minor) of a device number.  man 3 makedev"""
    return number >> 8 & 0xFFF | number >> 32 & 0xFFFFF000, number & 0xFF | number >> 12 & 0xFFFFFF00


@syscall("access", Path("pathname"), Flags("mode", ACCESS_MODES))
def access(task: Task, path: bytes, mode: int) -> int:
    """Check whether the real user may access a file.  man 2 access"""
    return faccessat2(task, AT_FDCWD, path, mode, 0)


@syscall("faccessat", DirFd("dirfd"), Path("pathname"), Flags("mode", ACCESS_MODES))
def faccessat(task: Task, dirfd: int, path: bytes, mode: int) -> int:
    """As access, relative to `dirfd`.  man 2 faccessat"""
    return faccessat2(task, dirfd, path, mode, 0)


@syscall(
    "faccessat2", DirFd("dirfd"), Path("pathname"), Flags("mode", ACCESS_MODES), Flags("flags", ACCESS_FLAGS)
)  # fmt: skip
def faccessat2(task: Task, dirfd: int, path: bytes, mode: int, flags: int) -> int:
    """Check whether a user may access a file: the real one, or with AT_EACCESS the effective one.  man 2 faccessat"""
    only(mode, 7)
    only(flags, AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)
    if not path and flags & AT_EMPTY_PATH and dirfd != AT_FDCWD and task.files.get_any(dirfd).location is None:
        return 0  # a pipe or the like: made by us, mode 0600
    operations.access(
        task.fs, path, mode, start(task, dirfd, path, bool(flags & AT_EMPTY_PATH)),
        bool(flags & AT_EACCESS), not flags & AT_SYMLINK_NOFOLLOW, bool(flags & AT_EMPTY_PATH),
    )  # fmt: skip
    return 0


def store_statfs(task: Task, address: int, about: About) -> int:
    """Write struct statfs from what `operations.statfs` returns; return 0."""
    magic, size, blocks, free, files, free_files, longest, flags, dev = about
    layout = task.abi.statfs
    fsid = dev & 0x7FFFFFFF, dev >> 31 & 0x7FFFFFFF
    task.memory.write(
        address, layout.pack(magic, size, blocks, free, free, files, free_files, *fsid, longest, size, flags)
    )
    return 0


@syscall("statfs", Path("pathname"), Out("buf"))
def statfs(task: Task, path: bytes, buffer: int, store: Callable[[Task, int, About], int] = store_statfs) -> int:
    """Return sizes and type of the file system that holds a file.  man 2 statfs"""
    return store(task, buffer, operations.statfs(task.fs, operations.resolve(task.fs, path)))


@syscall("fstatfs", Fd("fd"), Out("buf"))
def fstatfs(task: Task, fd: int, buffer: int, store: Callable[[Task, int, About], int] = store_statfs) -> int:
    """Return sizes and type of the file system that holds an open file.  man 2 fstatfs"""
    file = task.files.get_any(fd)
    if file.location is not None:
        return store(task, buffer, operations.statfs(task.fs, file.location))
    fs = file.inode.fs  # a pipe or the like, on a file system that is mounted nowhere
    return store(task, buffer, (fs.magic, *fs.statfs(), NAME_MAX, ST_VALID, fs.dev))
