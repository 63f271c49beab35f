"""Where the `*at` calls begin: from a directory descriptor to a Location, and what their flags mean."""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ENOENT, ENOTDIR, LinuxError
from lbw.abi.fcntl import AT_EMPTY_PATH, AT_FDCWD
from lbw.vfs.operations import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task
    from lbw.vfs.location import Location


def start(task: Task, dirfd: int, path: bytes, empty_ok: bool = False) -> Location | None:
    """Return where `path` starts; None is the working directory (an absolute path needs no start at all).

    EBADF: no such descriptor; ENOTDIR: it is a pipe, a socket or the like, which has no place in the tree; ENOENT: an
    empty path, which is an error before `dirfd` is looked at.
    """
    if dirfd == AT_FDCWD or path[:1] == b"/":
        return None
    if not path and not empty_ok:
        raise LinuxError(ENOENT)
    location = task.files.get_any(dirfd).location
    if location is None:
        raise LinuxError(ENOTDIR)
    return location


def place(task: Task, dirfd: int, path: bytes, flags: int, follow: bool) -> Location:
    """Return what `dirfd` and `path` name; with AT_EMPTY_PATH and no path, the file open as `dirfd` itself."""
    if not path and flags & AT_EMPTY_PATH:
        if dirfd == AT_FDCWD:
            return task.fs.cwd
        location = task.files.get_any(dirfd).location
        if location is None:
            raise LinuxError(EINVAL)
        return location
    return resolve(task.fs, path, start(task, dirfd, path), follow)


def only(flags: int, allowed: int) -> None:
    """EINVAL when `flags` has a bit that is not `allowed`."""
    if flags & ~allowed:
        raise LinuxError(EINVAL)
