"""`lbw.host.files` for hosts without openat: a directory handle is its full path.

Each step looks at the entry without following it, so a link that stands still is never followed; only somebody who
swaps a directory for a link between the look and the use, from outside of lbw, gets past it.
"""

from __future__ import annotations

import errno
import os
import stat


def _join(directory: int | bytes, name: bytes) -> bytes:
    assert isinstance(directory, bytes)
    if b"\\" in name or b":" in name:  # on Windows these lead elsewhere
        raise OSError(errno.EINVAL, "name")
    return os.path.join(directory, name)


def open_root(path: bytes) -> int | bytes:
    """Return a handle of the directory at `path`."""
    if not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, "not a directory")
    return os.path.realpath(path)


def open_directory(directory: int | bytes, name: bytes) -> int | bytes:
    """Return a handle of a subdirectory."""
    path = _join(directory, name)
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "not a directory")
    return path


def close_directory(directory: int | bytes) -> None:
    """Free a handle: nothing is held."""


def stat_directory(directory: int | bytes) -> os.stat_result:
    """Return the attributes of the directory itself."""
    return os.lstat(directory)  # type: ignore[arg-type]


def lstat_at(directory: int | bytes, name: bytes) -> os.stat_result:
    """Return the attributes of an entry."""
    return os.lstat(_join(directory, name))


def open_at(directory: int | bytes, name: bytes, flags: int, mode: int = 0o600) -> int:
    """Open a file; `flags` are the host's."""
    path = _join(directory, name)
    if os.path.islink(path):
        raise OSError(errno.ELOOP, "symbolic link")
    return os.open(path, flags | getattr(os, "O_BINARY", 0), mode)


def mkdir_at(directory: int | bytes, name: bytes, mode: int) -> None:
    """Make a directory."""
    os.mkdir(_join(directory, name), mode)


def mknod_at(directory: int | bytes, name: bytes, mode: int, rdev: int) -> None:
    """Refuse: no such host can."""
    raise OSError(errno.EPERM, "no special files on this host")


def symlink_at(target: bytes, directory: int | bytes, name: bytes) -> None:
    """Make a symbolic link."""
    os.symlink(target, _join(directory, name))


def readlink_at(directory: int | bytes, name: bytes) -> bytes:
    """Return the target of a symbolic link, with slashes."""
    return os.readlink(_join(directory, name)).replace(b"\\", b"/")


def link_at(source: int | bytes, name: bytes, directory: int | bytes, new_name: bytes) -> None:
    """Make another name."""
    os.link(_join(source, name), _join(directory, new_name))


def unlink_at(directory: int | bytes, name: bytes) -> None:
    """Remove a name that is not a directory."""
    os.unlink(_join(directory, name))


def rmdir_at(directory: int | bytes, name: bytes) -> None:
    """Remove an empty directory."""
    os.rmdir(_join(directory, name))


def rename_at(source: int | bytes, name: bytes, directory: int | bytes, new_name: bytes) -> None:
    """Move an entry."""
    os.replace(_join(source, name), _join(directory, new_name))


def chmod_at(directory: int | bytes, name: bytes, mode: int) -> None:
    """Set permission bits, as far as the host has them."""
    os.chmod(_join(directory, name), mode)


def chown_at(directory: int | bytes, name: bytes, uid: int, gid: int) -> None:
    """Refuse: the host has no such owners."""
    raise OSError(errno.EPERM, "no owners on this host")


def utimens_at(directory: int | bytes, name: bytes, atime: int, mtime: int) -> None:
    """Set times, in ns."""
    os.utime(_join(directory, name), ns=(atime, mtime))


def free_space(directory: int | bytes) -> tuple[int, int, int, int, int]:
    """Return (block size, blocks, free blocks, files, free files)."""
    import shutil

    assert isinstance(directory, bytes)
    usage = shutil.disk_usage(os.fsdecode(directory))
    return 4096, usage.total // 4096, usage.free // 4096, 0, 0


def list_directory(directory: int | bytes) -> list[tuple[bytes, int, int]]:
    """Return (name, inode number, S_IF* type) of all entries."""
    result = []
    assert isinstance(directory, bytes)
    with os.scandir(directory) as iterator:
        for entry in iterator:
            kind = stat.S_IFLNK if entry.is_symlink() else stat.S_IFDIR if entry.is_dir() else stat.S_IFREG
            result.append((entry.name, entry.inode(), kind))
    return result
