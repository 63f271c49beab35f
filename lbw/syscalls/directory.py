"""Directories: reading, making, removing, and where a task stands in the tree.

Positions in a directory are indexes into a snapshot, which the open directory takes when reading starts at offset 0;
so they stay true while entries come and go, until rewinddir(3).
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EINVAL, ENAMETOOLONG, ENOENT, ENOTDIR, EOVERFLOW, EPERM, ERANGE, LinuxError
from lbw.abi.fcntl import AT_FDCWD
from lbw.abi.fs import PATH_MAX
from lbw.abi.stat import S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK
from lbw.syscalls.array_displays import Dirents
from lbw.syscalls.displays import DeviceNumber, OutString
from lbw.syscalls.parameters import DirFd, Fd, Mode, Path, Size, UInt
from lbw.syscalls.start import start
from lbw.syscalls.table import syscall
from lbw.vfs import operations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.kernel.task import Task
    from lbw.vfs.file import File

#: struct linux_dirent64 up to the name: ino, off, reclen, type.
DIRENT64 = Struct("<QqHB")


def open_directory(task: Task, fd: int) -> File:
    """Return the open directory `fd`.  EBADF, ENOTDIR; ENOENT: it was removed"""
    file = task.files.get(fd)
    if file.inode.mode & S_IFMT != S_IFDIR:
        raise LinuxError(ENOTDIR)
    if file.location is not None and file.location.deleted:
        raise LinuxError(ENOENT)
    return file


def read_entries(task: Task, fd: int, dirp: int, count: int, record: Callable[[bytes, int, int, int], bytes]) -> int:
    """Store as many records as fit in `count` bytes; return the bytes stored, 0 at the end.

    `record` makes one of name, inode number, next position and file type (DT_*).  EINVAL: not even one fits
    """
    file = open_directory(task, fd)
    position = file.offset
    records: list[bytes] = []
    used = 0
    for name, ino, kind in file.entries()[position:]:
        entry = record(name, ino, position + 1, kind >> 12)
        if used + len(entry) > count:
            if not records:
                raise LinuxError(EINVAL)
            break
        position += 1
        used += len(entry)
        records.append(entry)
    if records:
        task.memory.write(dirp, b"".join(records))
        file.offset = position
    return used


def dirent64(name: bytes, ino: int, position: int, kind: int) -> bytes:
    """Return a struct linux_dirent64."""
    length = (len(name) + 27) & ~7  # 19 bytes of header, the name, a NUL
    return DIRENT64.pack(ino, position, length, kind) + name.ljust(length - 19, b"\0")


@syscall("getdents64", Fd("fd"), Dirents("dirp"), UInt("count"))
def getdents64(task: Task, fd: int, dirp: int, count: int) -> int:
    """Read directory entries; return the bytes stored, 0 at the end.  EINVAL: not even one fits.  man 2 getdents"""
    return read_entries(task, fd, dirp, count, dirent64)


@syscall("getdents", Fd("fd"), Dirents("dirp", old=True), UInt("count"))
def getdents(task: Task, fd: int, dirp: int, count: int) -> int:
    """Read directory entries in the old format, with the type in a record's last byte.  EOVERFLOW: an inode number"""
    word = task.abi.word

    def dirent(name: bytes, ino: int, position: int, kind: int) -> bytes:
        if ino >> 8 * word:
            raise LinuxError(EOVERFLOW)
        length = (2 * word + 2 + len(name) + 2 + word - 1) & -word
        head = ino.to_bytes(word, "little") + position.to_bytes(word, "little") + length.to_bytes(2, "little")
        return (head + name).ljust(length - 1, b"\0") + bytes((kind,))

    return read_entries(task, fd, dirp, count, dirent)


@syscall("mkdir", Path("pathname"), Mode("mode"))
def mkdir(task: Task, path: bytes, mode: int) -> int:
    """Make a directory.  man 2 mkdir"""
    return mkdirat(task, AT_FDCWD, path, mode)


@syscall("mkdirat", DirFd("dirfd"), Path("pathname"), Mode("mode"))
def mkdirat(task: Task, dirfd: int, path: bytes, mode: int) -> int:
    """Make a directory, relative to `dirfd`.  man 2 mkdirat"""
    operations.mkdir(task.fs, path, mode & 0o1777, start(task, dirfd, path))
    return 0


@syscall("rmdir", Path("pathname"))
def rmdir(task: Task, path: bytes) -> int:
    """Remove an empty directory.  man 2 rmdir"""
    operations.rmdir(task.fs, path)
    return 0


@syscall("mknod", Path("pathname"), Mode("mode"), DeviceNumber("dev"))
def mknod(task: Task, path: bytes, mode: int, dev: int) -> int:
    """Make a file, FIFO, socket or device node.  man 2 mknod"""
    return mknodat(task, AT_FDCWD, path, mode, dev)


@syscall("mknodat", DirFd("dirfd"), Path("pathname"), Mode("mode"), DeviceNumber("dev"))
def mknodat(task: Task, dirfd: int, path: bytes, mode: int, dev: int) -> int:
    """Make a file, FIFO, socket or device node, relative to `dirfd`.  EPERM: a directory; EINVAL: no such type"""
    kind = mode & S_IFMT or S_IFREG
    if kind == S_IFDIR:
        raise LinuxError(EPERM)
    if kind not in (S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK):
        raise LinuxError(EINVAL)
    number = dev if kind in (S_IFCHR, S_IFBLK) else 0
    operations.mknod(task.fs, path, kind | mode & 0o7777, number, start(task, dirfd, path))
    return 0


@syscall("chdir", Path("path"))
def chdir(task: Task, path: bytes) -> int:
    """Change the working directory.  man 2 chdir"""
    operations.chdir(task.fs, operations.resolve(task.fs, path))
    return 0


@syscall("fchdir", Fd("fd"))
def fchdir(task: Task, fd: int) -> int:
    """Make an open directory the working directory.  man 2 fchdir"""
    location = task.files.get_any(fd).location
    if location is None:
        raise LinuxError(ENOTDIR)
    operations.chdir(task.fs, location)
    return 0


@syscall("getcwd", OutString("buf"), Size("size"))
def getcwd(task: Task, buf: int, size: int) -> int:
    """Store the path of the working directory; return its length with the NUL.

    ERANGE: the buffer is too small; ENAMETOOLONG: longer than PATH_MAX, whatever the buffer (libc then finds the path
    itself); ENOENT: the directory was removed.  man 2 getcwd
    """
    cwd = task.fs.cwd
    if cwd.deleted:
        raise LinuxError(ENOENT)
    path = operations.path_of(task.fs, cwd) + b"\0"
    if len(path) > PATH_MAX:
        raise LinuxError(ENAMETOOLONG)
    if len(path) > size:
        raise LinuxError(ERANGE)
    task.memory.write(buf, path)
    return len(path)


@syscall("chroot", Path("path"))
def chroot(task: Task, path: bytes) -> int:
    """Change the root directory.  EPERM: without CAP_SYS_CHROOT.  man 2 chroot"""
    operations.chroot(task.fs, operations.resolve(task.fs, path))
    return 0
