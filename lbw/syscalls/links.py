"""Names: link, symlink, readlink, unlink, rename.  man 2 of each"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ENOENT, LinuxError
from lbw.abi.fcntl import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_REMOVEDIR,
    AT_SYMLINK_FOLLOW,
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    RENAME_WHITEOUT,
)
from lbw.syscalls.displays import OutPath
from lbw.syscalls.flag_names import AT_FLAGS, RENAME_FLAGS, UNLINK_FLAGS
from lbw.syscalls.parameters import DirFd, Flags, Int, Path
from lbw.syscalls.start import only, start
from lbw.syscalls.table import PARTIAL, syscall
from lbw.vfs import operations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task


@syscall("link", Path("oldpath"), Path("newpath"))
def link(task: Task, old: bytes, new: bytes) -> int:
    """Make another name for a file; a symbolic link is not followed.  man 2 link"""
    operations.link(task.fs, old, new)
    return 0


@syscall(
    "linkat", DirFd("olddirfd"), Path("oldpath"), DirFd("newdirfd"), Path("newpath"), Flags("flags", AT_FLAGS)
)  # fmt: skip
def linkat(task: Task, old_fd: int, old: bytes, new_fd: int, new: bytes, flags: int) -> int:
    """Make another name for a file, also for one without any (O_TMPFILE).  man 2 linkat"""
    only(flags, AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)
    follow, empty_ok = bool(flags & AT_SYMLINK_FOLLOW), bool(flags & AT_EMPTY_PATH)
    old_at = start(task, old_fd, old, empty_ok)
    try:
        new_at = start(task, new_fd, new)
    except LinuxError:
        operations.resolve(task.fs, old, old_at, follow, empty_ok)  # what is wrong with the old name counts first
        raise
    operations.link(task.fs, old, new, old_at, new_at, follow, empty_ok)
    return 0


@syscall("symlink", Path("target"), Path("linkpath"))
def symlink(task: Task, target: bytes, path: bytes) -> int:
    """Make a symbolic link.  man 2 symlink"""
    return symlinkat(task, target, AT_FDCWD, path)


@syscall("symlinkat", Path("target"), DirFd("newdirfd"), Path("linkpath"))
def symlinkat(task: Task, target: bytes, dirfd: int, path: bytes) -> int:
    """Make a symbolic link, relative to `newdirfd`.  ENOENT: an empty target.  man 2 symlinkat"""
    if not target:
        raise LinuxError(ENOENT)
    operations.symlink(task.fs, target, path, start(task, dirfd, path))
    return 0


@syscall("readlink", Path("pathname"), OutPath("buf"), Int("bufsiz"))
def readlink(task: Task, path: bytes, buf: int, size: int) -> int:
    """Read the target of a symbolic link, without a NUL, cut to the buffer.  man 2 readlink"""
    return readlinkat(task, AT_FDCWD, path, buf, size)


@syscall("readlinkat", DirFd("dirfd"), Path("pathname"), OutPath("buf"), Int("bufsiz"))
def readlinkat(task: Task, dirfd: int, path: bytes, buf: int, size: int) -> int:
    """Read the target of a symbolic link; with an empty path of `dirfd` itself.  man 2 readlinkat"""
    if size <= 0:
        raise LinuxError(EINVAL)
    target = operations.readlink(task.fs, path, start(task, dirfd, path, True))[:size]
    task.memory.write(buf, target)
    return len(target)


@syscall("unlink", Path("pathname"))
def unlink(task: Task, path: bytes) -> int:
    """Remove a name that is not a directory's.  man 2 unlink"""
    operations.unlink(task.fs, path)
    return 0


@syscall("unlinkat", DirFd("dirfd"), Path("pathname"), Flags("flags", UNLINK_FLAGS))
def unlinkat(task: Task, dirfd: int, path: bytes, flags: int) -> int:
    """Remove a name; with AT_REMOVEDIR an empty directory.  man 2 unlinkat"""
    only(flags, AT_REMOVEDIR)
    remove = operations.rmdir if flags else operations.unlink
    remove(task.fs, path, start(task, dirfd, path))
    return 0


@syscall("rename", Path("oldpath"), Path("newpath"))
def rename(task: Task, old: bytes, new: bytes) -> int:
    """Move a name, replacing what is there.  man 2 rename"""
    operations.rename(task.fs, old, new)
    return 0


@syscall("renameat", DirFd("olddirfd"), Path("oldpath"), DirFd("newdirfd"), Path("newpath"))
def renameat(task: Task, old_fd: int, old: bytes, new_fd: int, new: bytes) -> int:
    """As rename, relative to directories.  man 2 renameat"""
    return renameat2(task, old_fd, old, new_fd, new, 0)


@syscall(
    "renameat2", DirFd("olddirfd"), Path("oldpath"), DirFd("newdirfd"), Path("newpath"), Flags("flags", RENAME_FLAGS),
    support=PARTIAL, note="RENAME_WHITEOUT: EINVAL",
)  # fmt: skip
def renameat2(task: Task, old_fd: int, old: bytes, new_fd: int, new: bytes, flags: int) -> int:
    """As renameat; flags forbid replacing, or exchange the two names.  EINVAL: a flag not known, or both at once"""
    only(flags, RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)
    if flags & RENAME_EXCHANGE and flags != RENAME_EXCHANGE:
        raise LinuxError(EINVAL)
    operations.rename(task.fs, old, new, start(task, old_fd, old), start(task, new_fd, new), flags)
    return 0
