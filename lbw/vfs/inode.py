"""Inodes, file systems and what they promise: the floor on which every file system stands.

An inode is a file of a file system, without a name. Names are `bytes`, single components, never empty, `.`, `..` or
with a slash or NUL: the path walk has seen to that. Permission checks, mount points, symlink following, trailing
slashes and read-only mounts are the walk's and the operations' business, not the inode's; what a file system must
check itself is what only it can know (the entry exists, the directory is not empty, no space left).

Every method raises `LinuxError`. The defaults are what Linux answers when a file system lacks the operation, so a file
system overrides only what it offers.
"""

from __future__ import annotations

from time import time_ns

from lbw.abi.errno import EINVAL, EISDIR, ENODEV, ENOTDIR, EPERM, LinuxError
from lbw.abi.stat import S_IFDIR, S_IFMT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from lbw.mm.backing import MappedObject
    from lbw.mm.page_cache import PageCache
    from lbw.vfs.file import File


class Stat:
    """Attributes of an inode.  man 7 inode. Sizes in bytes, `blocks` in units of 512, times in ns since the epoch."""

    __slots__ = (
        "atime", "blksize", "blocks", "btime", "ctime", "dev", "gid", "ino", "mode", "mtime", "nlink", "rdev", "size",
        "uid",
    )  # fmt: skip

    def __init__(
        self, *, ino: int, mode: int, dev: int = 0, nlink: int = 1, uid: int = 0, gid: int = 0, rdev: int = 0,
        size: int = 0, blksize: int = 4096, blocks: int = 0, atime: int = 0, mtime: int = 0, ctime: int = 0,
        btime: int = 0,
    ) -> None:  # fmt: skip
        self.dev = dev  # as makedev(3) encodes it
        self.ino = ino
        self.mode = mode  # type and permission bits
        self.nlink = nlink
        self.uid = uid
        self.gid = gid
        self.rdev = rdev
        self.size = size
        self.blksize = blksize
        self.blocks = blocks
        self.atime = atime
        self.mtime = mtime
        self.ctime = ctime
        self.btime = btime


class FileSystem:
    """A file system instance (a superblock)."""

    #: Its name in /proc/filesystems and /proc/mounts.
    type_name = "none"
    magic = 0
    read_only = False
    #: st_blksize of what is not stored on a disk.
    block_size = 4096

    root: Inode
    dev: int  # st_dev of all its inodes

    #: The time, ns since the epoch, with which it stamps its inodes.
    now: Callable[[], int] = staticmethod(time_ns)

    def statfs(self) -> tuple[int, int, int, int, int]:
        """Return (block size, blocks, free blocks, files, free files).  man 2 statfs"""
        return 4096, 0, 0, 0, 0

    def sync(self) -> None:
        """Write everything back."""

    def use_cache(self, pages: PageCache) -> None:
        """Learn who keeps pages of files: what changes a file must change them too."""

    def close(self) -> None:
        """Let everything of the host go; nobody uses the file system any more."""


class Inode:
    """A file of a file system, whatever its names are."""

    __slots__ = ("fs",)

    def __init__(self, fs: FileSystem) -> None:
        self.fs = fs

    # What every inode has

    def stat(self) -> Stat:
        """Return fresh attributes."""
        raise NotImplementedError

    def recent(self) -> Stat:
        """Return attributes as fresh as the last lookup of this inode; the walk has just done one."""
        return self.stat()

    def refresh(self) -> None:
        """Make `recent` and `access_attributes` fresh when no lookup has."""

    def access_attributes(self) -> tuple[int, int, int]:
        """Return (mode, uid, gid) as fresh as `recent`, for permission checks."""
        status = self.recent()
        return status.mode, status.uid, status.gid

    @property
    def mode(self) -> int:
        """Type and permission bits; cheap when the file system can make it so."""
        return self.stat().mode

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory."""
        return self.mode & S_IFMT == S_IFDIR

    def set_attributes(
        self, *, mode: int | None = None, uid: int | None = None, gid: int | None = None,
        atime: int | None = None, mtime: int | None = None,
    ) -> None:  # fmt: skip
        """Change attributes; `mode` gives permission bits only, times are in ns. Updates ctime."""
        raise LinuxError(EPERM)

    def open(self, flags: int) -> File:
        """Return a new open file description. `flags` are O_*; creating, truncating and permissions are done."""
        raise LinuxError(EINVAL)

    def open_truncated(self, flags: int) -> File:
        """Empty the file and open it (O_TRUNC), in one step where that is cheaper."""
        self.truncate(0)
        return self.open(flags)

    def is_open_for_writing(self) -> bool:
        """Whether some description can write (then it cannot be executed)."""
        return False

    def identity(self) -> Hashable:
        """Return a key that changes when the content may have changed: the loader's key."""
        raise LinuxError(EINVAL)

    # Regular files

    def mapped(self, cache: PageCache) -> MappedObject:
        """Return what mappings of this file show: its pages.  ENODEV: it cannot be mapped"""
        raise LinuxError(ENODEV)

    def truncate(self, size: int) -> None:
        """Set the size in bytes; the gap reads as zeros."""
        raise LinuxError(EISDIR if self.is_directory else EINVAL)

    # Symbolic links

    def readlink(self) -> bytes:
        """Return the target.  EINVAL: not a symbolic link"""
        raise LinuxError(EINVAL)

    def magic_link(self) -> object | None:
        """Return the Location that a /proc "magic" link leads to directly, or None for ordinary links."""
        return None

    # Directories

    def lookup(self, name: bytes) -> Inode:
        """Return the inode of an entry.  ENOENT"""
        raise LinuxError(ENOTDIR)

    def revalidate(self, name: bytes, known: Inode) -> Inode:
        """Return what `lookup` would, knowing that it was `known` before: the same object while it still is."""
        return self.lookup(name)

    def entries(self) -> list[tuple[bytes, int, int]]:
        """Return (name, inode number, file type S_IF*) of all entries, without `.` and `..`."""
        raise LinuxError(ENOTDIR)

    def create(self, name: bytes, mode: int, uid: int, gid: int, rdev: int = 0) -> Inode:
        """Make an entry of the type in `mode`: regular file, FIFO, socket or device node.  EEXIST"""
        raise LinuxError(EPERM)

    def create_open(self, name: bytes, mode: int, uid: int, gid: int, flags: int) -> tuple[Inode, File]:
        """Make a regular file and open it, whatever its mode permits, in one step where that is cheaper.  EEXIST"""
        inode = self.create(name, mode, uid, gid)
        return inode, inode.open(flags)

    def mkdir(self, name: bytes, mode: int, uid: int, gid: int) -> Inode:
        """Make a directory.  EEXIST"""
        raise LinuxError(EPERM)

    def symlink(self, name: bytes, target: bytes, uid: int, gid: int) -> Inode:
        """Make a symbolic link.  EEXIST"""
        raise LinuxError(EPERM)

    def link(self, name: bytes, inode: Inode) -> None:
        """Make another name for `inode`, which is of this file system.  EEXIST, EMLINK"""
        raise LinuxError(EPERM)

    def unlink(self, name: bytes) -> None:
        """Remove an entry that is not a directory.  ENOENT, EISDIR"""
        raise LinuxError(EPERM)

    def rmdir(self, name: bytes) -> None:
        """Remove an empty directory.  ENOENT, ENOTDIR, ENOTEMPTY"""
        raise LinuxError(EPERM)

    def rename(self, name: bytes, directory: Inode, new_name: bytes, flags: int) -> None:
        """Move an entry to `directory` (same file system), replacing what rename(2) allows; RENAME_* flags.

        ENOENT, EEXIST, ENOTEMPTY, EISDIR, ENOTDIR; EINVAL: flag not supported
        """
        raise LinuxError(EPERM)

    def tmpfile(self, mode: int, uid: int, gid: int) -> Inode:
        """Make an unnamed regular file (O_TMPFILE).  EOPNOTSUPP"""
        from lbw.abi.errno import EOPNOTSUPP

        raise LinuxError(EOPNOTSUPP)

    # Extended attributes (man 7 xattr)

    def get_xattr(self, name: bytes) -> bytes:
        """Return the value.  ENODATA, EOPNOTSUPP"""
        from lbw.abi.errno import EOPNOTSUPP

        raise LinuxError(EOPNOTSUPP)

    def list_xattr(self) -> list[bytes]:
        """Return the names."""
        return []

    def set_xattr(self, name: bytes, value: bytes, flags: int) -> None:
        """Set the value; XATTR_CREATE (1), XATTR_REPLACE (2).  EEXIST, ENODATA, EOPNOTSUPP"""
        from lbw.abi.errno import EOPNOTSUPP

        raise LinuxError(EOPNOTSUPP)

    def remove_xattr(self, name: bytes) -> None:
        """Remove the attribute.  ENODATA, EOPNOTSUPP"""
        from lbw.abi.errno import EOPNOTSUPP

        raise LinuxError(EOPNOTSUPP)
