"""Files of the host: the calls that differ between hosts, with one portable face.

Everything goes by (directory, name), where `directory` is a handle that `open_directory` gave and `name` is one
component, and nothing here follows a symbolic link: so a link that is swapped in at the wrong moment can never lead
out of the directory. A handle is a descriptor (O_PATH where there is one). Hosts without openat (Windows) use full
paths as handles (`lbw.host.files_by_path`), where that promise is only as good as a check before each use.

All functions raise `OSError`.
"""

from __future__ import annotations

import os
import stat as _stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    #: What `open_directory` returns.
    Handle = int | bytes

BY_DESCRIPTOR = os.open in os.supports_dir_fd and os.stat in os.supports_dir_fd

O_CLOEXEC: int = getattr(os, "O_CLOEXEC", 0)
O_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
O_NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)
O_BINARY: int = getattr(os, "O_BINARY", 0)
O_DIRECTORY: int = getattr(os, "O_DIRECTORY", 0)
O_PATH: int = getattr(os, "O_PATH", 0)
O_TMPFILE: int = getattr(os, "O_TMPFILE", 0)
O_SYNC: int = getattr(os, "O_SYNC", 0)
O_DSYNC: int = getattr(os, "O_DSYNC", 0)
#: Never wait for the other end of a FIFO or for a device, never become its controlling terminal.
_SAFE = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_BINARY | int(getattr(os, "O_NOCTTY", 0))
_DIRECTORY = (O_PATH or os.O_RDONLY) | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

fstat = os.fstat
close = os.close
truncate = os.ftruncate
#: Buffers that one preadv or pwritev takes.
MOST_VIEWS = 1024


def user() -> tuple[int, int]:
    """Return the effective user and group of this process; 0, 0 on hosts without such numbers."""
    return (os.geteuid(), os.getegid()) if hasattr(os, "geteuid") else (0, 0)


def is_privileged() -> bool:
    """Whether this process may give files away and act on everybody's."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def descriptor_limit() -> int:
    """Return how many descriptors this process may have open."""
    try:
        import resource
    except ImportError:
        return 512
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 20)


if BY_DESCRIPTOR:
    _stat_at = os.stat

    def open_root(path: bytes) -> Handle:
        """Return a handle of the directory at `path`, links followed: the only call that takes a path."""
        return os.open(path, (O_PATH or os.O_RDONLY) | O_DIRECTORY | O_CLOEXEC)

    def open_directory(directory: Handle, name: bytes) -> Handle:
        """Return a handle of a subdirectory."""
        return os.open(name, _DIRECTORY, dir_fd=directory)  # type: ignore[arg-type]

    def close_directory(directory: Handle) -> None:
        """Free a handle."""
        os.close(directory)  # type: ignore[arg-type]

    def stat_directory(directory: Handle) -> os.stat_result:
        """Return the attributes of the directory itself."""
        return os.fstat(directory)  # type: ignore[arg-type]

    def lstat_at(directory: Handle, name: bytes) -> os.stat_result:
        """Return the attributes of an entry."""
        return _stat_at(name, dir_fd=directory, follow_symlinks=False)  # type: ignore[arg-type]

    def open_at(directory: Handle, name: bytes, flags: int, mode: int = 0o600) -> int:
        """Open a file; `flags` are the host's."""
        return os.open(name, flags | _SAFE, mode, dir_fd=directory)  # type: ignore[arg-type]

    def mkdir_at(directory: Handle, name: bytes, mode: int) -> None:
        """Make a directory."""
        os.mkdir(name, mode, dir_fd=directory)  # type: ignore[arg-type]

    def mknod_at(directory: Handle, name: bytes, mode: int, rdev: int) -> None:
        """Make a FIFO, a socket or a device node."""
        os.mknod(name, mode, rdev, dir_fd=directory)  # type: ignore[arg-type]

    def symlink_at(target: bytes, directory: Handle, name: bytes) -> None:
        """Make a symbolic link."""
        os.symlink(target, name, dir_fd=directory)  # type: ignore[arg-type]

    def readlink_at(directory: Handle, name: bytes) -> bytes:
        """Return the target of a symbolic link."""
        return os.readlink(name, dir_fd=directory)  # type: ignore[arg-type]

    def link_at(source: Handle, name: bytes, directory: Handle, new_name: bytes) -> None:
        """Make another name."""
        os.link(name, new_name, src_dir_fd=source, dst_dir_fd=directory, follow_symlinks=False)  # type: ignore[arg-type]

    def unlink_at(directory: Handle, name: bytes) -> None:
        """Remove a name that is not a directory."""
        os.unlink(name, dir_fd=directory)  # type: ignore[arg-type]

    def rmdir_at(directory: Handle, name: bytes) -> None:
        """Remove an empty directory."""
        os.rmdir(name, dir_fd=directory)  # type: ignore[arg-type]

    def rename_at(source: Handle, name: bytes, directory: Handle, new_name: bytes) -> None:
        """Move an entry."""
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=directory)  # type: ignore[arg-type]

    def chmod_at(directory: Handle, name: bytes, mode: int) -> None:
        """Set permission bits."""
        os.chmod(name, mode, dir_fd=directory, follow_symlinks=False)  # type: ignore[arg-type]

    def chown_at(directory: Handle, name: bytes, uid: int, gid: int) -> None:
        """Set the owner; -1 keeps."""
        os.chown(name, uid, gid, dir_fd=directory, follow_symlinks=False)  # type: ignore[arg-type]

    def utimens_at(directory: Handle, name: bytes, atime: int, mtime: int) -> None:
        """Set times, in ns."""
        os.utime(name, ns=(atime, mtime), dir_fd=directory, follow_symlinks=False)  # type: ignore[arg-type]

    def free_space(directory: Handle) -> tuple[int, int, int, int, int]:
        """Return (block size, blocks, free blocks, files, free files)."""
        status = os.statvfs(directory)
        return status.f_frsize, status.f_blocks, status.f_bavail, status.f_files, status.f_favail

    def list_directory(directory: Handle) -> list[tuple[bytes, int, int]]:
        """Return (name, inode number, S_IF* type) of all entries in the host's order."""
        descriptor = os.open(b".", os.O_RDONLY | O_DIRECTORY | O_CLOEXEC, dir_fd=directory)  # type: ignore[arg-type]
        try:
            with os.scandir(descriptor) as iterator:
                return [(os.fsencode(entry.name), entry.inode(), _kind(entry)) for entry in iterator]
        finally:
            os.close(descriptor)

else:  # pragma: no cover - hosts without openat
    from lbw.host.files_by_path import (  # noqa: F401  # the other half of this module's face
        chmod_at,
        chown_at,
        close_directory,
        free_space,
        link_at,
        list_directory,
        lstat_at,
        mkdir_at,
        mknod_at,
        open_at,
        open_directory,
        open_root,
        readlink_at,
        rename_at,
        rmdir_at,
        stat_directory,
        symlink_at,
        unlink_at,
        utimens_at,
    )


def _kind(entry: os.DirEntry[str]) -> int:
    if entry.is_file(follow_symlinks=False):
        return _stat.S_IFREG
    if entry.is_dir(follow_symlinks=False):
        return _stat.S_IFDIR
    if entry.is_symlink():
        return _stat.S_IFLNK
    try:
        return _stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return 0  # DT_UNKNOWN: it went away meanwhile


preadv: Callable[[int, Sequence[memoryview], int], int]
pwritev: Callable[[int, Sequence[memoryview], int], int]
if hasattr(os, "preadv"):
    preadv = os.preadv
    pwritev = os.pwritev
else:

    def _preadv(descriptor: int, views: Sequence[memoryview], offset: int) -> int:
        """Read into `views` from `offset`; return the bytes read."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        total = 0
        for view in views:
            data = os.read(descriptor, len(view))
            view[: len(data)] = data
            total += len(data)
            if len(data) < len(view):
                break
        return total

    def _pwritev(descriptor: int, views: Sequence[memoryview], offset: int) -> int:
        """Write `views` at `offset`; return the bytes written."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        return sum(os.write(descriptor, view) for view in views)

    preadv, pwritev = _preadv, _pwritev


_RWF_APPEND: int = getattr(os, "RWF_APPEND", 0)


def append(descriptor: int, views: Sequence[memoryview]) -> int:
    """Write `views` at the end of the file, in one step where the host can; return the bytes written."""
    if _RWF_APPEND:
        return os.pwritev(descriptor, views, 0, _RWF_APPEND)
    return pwritev(descriptor, views, os.fstat(descriptor).st_size)


def seek_data(descriptor: int, offset: int, hole: bool) -> int:
    """Return the next offset with data, or of a hole, at or after `offset`.  ENXIO: beyond the end"""
    if hasattr(os, "SEEK_DATA"):
        return os.lseek(descriptor, offset, os.SEEK_HOLE if hole else os.SEEK_DATA)
    size = os.fstat(descriptor).st_size  # a host without sparse files: all data, one hole at the end
    if offset >= size:
        import errno

        raise OSError(errno.ENXIO, "beyond the end")
    return size if hole else offset


def sync(descriptor: int, data_only: bool) -> None:
    """Make the file durable."""
    if data_only and hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


# By descriptor of an open file


def descriptor_path(descriptor: int) -> bytes:
    """Return a path that leads to an open file (Linux's /proc).  EOPNOTSUPP"""
    if not O_PATH:
        import errno

        raise OSError(errno.EOPNOTSUPP, "no /proc/self/fd on this host")
    return b"/proc/self/fd/%d" % descriptor


def open_again(descriptor: int, flags: int) -> int:
    """Open the file of a descriptor once more, even when it has no name."""
    return os.open(descriptor_path(descriptor), flags | _SAFE & ~O_NOFOLLOW)


def link_open(descriptor: int, directory: Handle, name: bytes) -> None:
    """Give an open file a name."""
    os.link(descriptor_path(descriptor), name, dst_dir_fd=directory, follow_symlinks=True)  # type: ignore[arg-type]


def chmod_open(descriptor: int, mode: int) -> None:
    """Set permission bits."""
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)


def chown_open(descriptor: int, uid: int, gid: int) -> None:
    """Set the owner; -1 keeps."""
    os.fchown(descriptor, uid, gid)


def utimens_open(descriptor: int, atime: int, mtime: int) -> None:
    """Set times, in ns."""
    os.utime(descriptor, ns=(atime, mtime))


# Extended attributes, by path


def _no_xattrs() -> OSError:
    import errno

    return OSError(errno.EOPNOTSUPP, "no extended attributes on this host")


def get_xattr(path: bytes, attribute: bytes) -> bytes:
    """Return the value."""
    if not hasattr(os, "getxattr"):
        raise _no_xattrs()
    return os.getxattr(path, attribute)


def set_xattr(path: bytes, attribute: bytes, value: bytes, flags: int) -> None:
    """Set the value."""
    if not hasattr(os, "setxattr"):
        raise _no_xattrs()
    os.setxattr(path, attribute, value, flags)


def remove_xattr(path: bytes, attribute: bytes) -> None:
    """Remove the attribute."""
    if not hasattr(os, "removexattr"):
        raise _no_xattrs()
    os.removexattr(path, attribute)


def list_xattr(path: bytes) -> list[bytes]:
    """Return the names."""
    return [os.fsencode(name) for name in os.listxattr(path)] if hasattr(os, "listxattr") else []
