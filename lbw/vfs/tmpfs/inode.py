"""Inodes of tmpfs: everything an inode can be, in one class; what it is, its mode says."""

from __future__ import annotations

from lbw.abi.errno import (
    EEXIST,
    EINVAL,
    EISDIR,
    ENODEV,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    EPERM,
    LinuxError,
)
from lbw.abi.fcntl import F_SEAL_EXEC, RENAME_EXCHANGE, RENAME_NOREPLACE
from lbw.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from lbw.cpu.contracts import PAGE
from lbw.vfs.directory import Directory
from lbw.vfs.inode import Inode, Stat
from lbw.vfs.tmpfs.content import Content
from lbw.vfs.tmpfs.file import TmpFile
from lbw.vfs.tmpfs.xattrs import XattrInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from lbw.mm.backing import MappedObject
    from lbw.mm.page_cache import PageCache
    from lbw.vfs.file import File
    from lbw.vfs.tmpfs.filesystem import TmpFileSystem

#: What a directory entry adds to the size of its directory, as in Linux.
ENTRY_SIZE = 20


class TmpInode(XattrInode):
    """A file in memory."""

    __slots__ = (
        "_mode", "atime", "btime", "content", "gid", "ino", "mtime", "names", "nlink", "opens", "rdev",
        "target", "uid", "writers",
    )  # fmt: skip

    fs: TmpFileSystem

    def __init__(self, fs: TmpFileSystem, mode: int, uid: int, gid: int, rdev: int = 0, target: bytes = b"") -> None:
        self.fs = fs
        self.ino = fs.next_ino()
        self._mode = mode
        self.uid = uid
        self.gid = gid
        self.rdev = rdev
        self.target = target
        self.nlink = 0  # grows with its names
        self.atime = self.mtime = self.ctime = self.btime = self.fs.now()
        self.names: dict[bytes, TmpInode] | None = {} if mode & S_IFMT == S_IFDIR else None
        self.content = Content(fs) if mode & S_IFMT == S_IFREG else None
        self.xattrs = None
        self.opens = 0  # descriptions
        self.writers = 0  # descriptions that can write

    def __del__(self) -> None:
        self.fs.used_files -= 1

    # Attributes

    @property
    def mode(self) -> int:
        """Type and permission bits."""
        return self._mode

    def access_attributes(self) -> tuple[int, int, int]:
        """Return (mode, uid, gid)."""
        return self._mode, self.uid, self.gid

    def stat(self) -> Stat:
        """Return the attributes."""
        if self.content is not None:
            self.settle()
            size, blocks = self.content.size, self.content.resident * (PAGE // 512)
        elif self.names is not None:
            size, blocks = ENTRY_SIZE * (len(self.names) + 2), 0
        else:
            size, blocks = len(self.target), 0
        return Stat(
            ino=self.ino, mode=self._mode, dev=self.fs.dev, nlink=self.nlink, uid=self.uid, gid=self.gid,
            rdev=self.rdev, size=size, blksize=PAGE, blocks=blocks,
            atime=self.atime, mtime=self.mtime, ctime=self.ctime, btime=self.btime,
        )  # fmt: skip

    def set_attributes(
        self, *, mode: int | None = None, uid: int | None = None, gid: int | None = None,
        atime: int | None = None, mtime: int | None = None,
    ) -> None:  # fmt: skip
        """Change attributes.  EPERM: sealed against execute permissions"""
        content = self.content
        if content is not None:
            if mode is not None and content.seals & F_SEAL_EXEC and (mode ^ self._mode) & 0o111:
                raise LinuxError(EPERM)
            self.settle()
        if mode is not None:
            self._mode = self._mode & S_IFMT | mode & 0o7777
        if uid is not None:
            self.uid = uid
        if gid is not None:
            self.gid = gid
        if atime is not None:
            self.atime = atime
        if mtime is not None:
            self.mtime = mtime
        self.ctime = self.fs.now()

    # Files and links

    def open(self, flags: int) -> File:
        """Open a regular file or directory."""
        if self.names is not None:
            return Directory(self, flags)
        if self.content is None:
            raise LinuxError(EINVAL)
        return TmpFile(self, flags)

    def identity(self) -> Hashable:
        """Return what changes with the content."""
        assert self.content is not None
        return self.fs.dev, self.ino, self.content.key()

    def is_open_for_writing(self) -> bool:
        """Whether some description can write, or a mapping that was made through one."""
        return self.writers > 0 or (self.content is not None and self.content.is_writable())

    def mapped(self, cache: PageCache) -> MappedObject:
        """Return the content itself.  ENODEV: it is no file, or lies in the memory of another machine"""
        if self.content is None or self.fs.frames is not cache.frames:
            raise LinuxError(ENODEV)
        self.accessed()
        return self.content

    def accessed(self) -> None:
        """Note a read (relatime)."""
        if self.atime <= self.mtime or self.atime <= self.ctime:
            self.atime = self.fs.now()

    def settle(self) -> None:
        """Take note of what mappings have written."""
        content = self.content
        if content is not None and content.stamped:
            self.mtime = self.ctime = max(self.mtime, content.stamped)
            content.stamped = 0

    def truncate(self, size: int) -> None:
        """Set the size."""
        if self.content is None:
            super().truncate(size)
            return
        self.content.truncate(size)
        self.mtime = self.ctime = self.fs.now()

    def free_if_unused(self) -> None:
        """Give back the content of a file that has neither names nor open descriptions; mappings keep it."""
        if not self.nlink and not self.opens and self.content is not None:
            self.content.let_go()

    def readlink(self) -> bytes:
        """Return the target."""
        if self._mode & S_IFMT != S_IFLNK:
            raise LinuxError(EINVAL)
        return self.target

    # Directories

    def _entries(self) -> dict[bytes, TmpInode]:
        if self.names is None:
            raise LinuxError(ENOTDIR)
        return self.names

    def lookup(self, name: bytes) -> TmpInode:
        """Return the inode of an entry."""
        if self.names is None:
            raise LinuxError(ENOTDIR)
        inode = self.names.get(name)
        if inode is None:
            raise LinuxError(ENOENT)
        return inode

    def entries(self) -> list[tuple[bytes, int, int]]:
        """Return the entries, oldest first."""
        return [(name, inode.ino, inode._mode & S_IFMT) for name, inode in self._entries().items()]

    def _add(self, name: bytes, inode: TmpInode) -> TmpInode:
        names = self._entries()
        if name in names:
            raise LinuxError(EEXIST)
        if self.nlink == 0:
            raise LinuxError(ENOENT)  # this directory was removed
        names[name] = inode
        inode.nlink += 1
        if inode.names is not None:
            inode.nlink = 2
            self.nlink += 1
        self.mtime = self.ctime = self.fs.now()
        return inode

    def _check_new(self, name: bytes) -> None:
        if name in self._entries():
            raise LinuxError(EEXIST)

    def create(self, name: bytes, mode: int, uid: int, gid: int, rdev: int = 0) -> TmpInode:
        """Make a regular file, FIFO, socket or device node."""
        self._check_new(name)
        return self._add(name, TmpInode(self.fs, mode, uid, gid, rdev))

    def mkdir(self, name: bytes, mode: int, uid: int, gid: int) -> TmpInode:
        """Make a directory."""
        self._check_new(name)
        return self._add(name, TmpInode(self.fs, S_IFDIR | mode & 0o7777, uid, gid))

    def symlink(self, name: bytes, target: bytes, uid: int, gid: int) -> TmpInode:
        """Make a symbolic link."""
        self._check_new(name)
        return self._add(name, TmpInode(self.fs, S_IFLNK | 0o777, uid, gid, 0, target))

    def link(self, name: bytes, inode: Inode) -> None:
        """Make another name."""
        assert isinstance(inode, TmpInode)
        self._add(name, inode)
        inode.ctime = self.ctime

    def tmpfile(self, mode: int, uid: int, gid: int) -> TmpInode:
        """Make a file without a name."""
        return TmpInode(self.fs, S_IFREG | mode & 0o7777, uid, gid)

    def unlink(self, name: bytes) -> None:
        """Remove a name."""
        inode = self.lookup(name)
        if inode.names is not None:
            raise LinuxError(EISDIR)
        self._drop(name, inode)

    def rmdir(self, name: bytes) -> None:
        """Remove an empty directory."""
        inode = self.lookup(name)
        if inode.names is None:
            raise LinuxError(ENOTDIR)
        if inode.names:
            raise LinuxError(ENOTEMPTY)
        self._drop(name, inode)

    def _drop(self, name: bytes, inode: TmpInode) -> None:
        del self._entries()[name]
        if inode.names is not None:
            inode.nlink = 0
            self.nlink -= 1
        else:
            inode.nlink -= 1
            inode.free_if_unused()
        self.mtime = self.ctime = inode.ctime = self.fs.now()

    def rename(self, name: bytes, directory: Inode, new_name: bytes, flags: int) -> None:
        """Move an entry."""
        assert isinstance(directory, TmpInode)
        inode = self.lookup(name)
        names, new_names = self._entries(), directory._entries()
        victim = new_names.get(new_name)
        if flags & RENAME_EXCHANGE:
            if victim is None:
                raise LinuxError(ENOENT)
            names[name], new_names[new_name] = victim, inode
            difference = (inode.names is not None) - (victim.names is not None)
            self.nlink -= difference
            directory.nlink += difference
        else:
            if victim is inode:
                return
            if victim is not None:
                if flags & RENAME_NOREPLACE:
                    raise LinuxError(EEXIST)
                if victim.names is not None:
                    if inode.names is None:
                        raise LinuxError(EISDIR)
                    directory.rmdir(new_name)
                elif inode.names is not None:
                    raise LinuxError(ENOTDIR)
                else:
                    directory.unlink(new_name)
            elif directory.nlink == 0:
                raise LinuxError(ENOENT)
            del names[name]
            new_names[new_name] = inode
            if inode.names is not None:
                self.nlink -= 1
                directory.nlink += 1
        now = self.fs.now()
        self.mtime = self.ctime = directory.mtime = directory.ctime = inode.ctime = now
