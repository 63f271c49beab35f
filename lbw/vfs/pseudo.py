"""Generated and anonymous inodes: files that are on no disk.

`PseudoFileSystem` hands out device and inode numbers; `AnonymousInode` is an inode that has no name anywhere (a pipe,
an eventfd): /proc/PID/fd shows its `link_text` instead of a path. `TextInode` is a file whose text is made when
somebody reads: the first read of an open file description makes it, later reads see the same text, and a read from
offset 0 makes it anew, as Linux' seq_file does. `StaticDirectory` is a directory whose entries never change.
"""

from __future__ import annotations

from time import time_ns

from lbw.abi.errno import EINVAL, EIO, ENOENT, EPERM, LinuxError
from lbw.abi.fcntl import SEEK_CUR, SEEK_SET
from lbw.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from lbw.vfs.directory import Directory
from lbw.vfs.file import File, gather
from lbw.vfs.inode import FileSystem, Inode, Stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class PseudoFileSystem(FileSystem):
    """A file system without storage."""

    type_name = "anon_inodefs"

    def __init__(self, dev: int) -> None:
        self.dev = dev
        self.start = time_ns()
        self._last_ino = 0

    def next_ino(self) -> int:
        """Return an inode number never used before."""
        self._last_ino += 1
        return self._last_ino


class PseudoInode(Inode):
    """An inode whose attributes are kept here; all its times are those of its making."""

    __slots__ = ("changed", "gid", "ino", "permissions", "time", "uid")
    #: S_IF* of the class.
    type = S_IFREG

    def __init__(self, fs: FileSystem, ino: int, permissions: int, uid: int = 0, gid: int = 0) -> None:
        super().__init__(fs)
        self.ino = ino
        self.permissions = permissions
        self.uid = uid
        self.gid = gid
        self.time = self.changed = fs.now()

    def owner(self) -> tuple[int, int]:
        """Return user and group id."""
        return self.uid, self.gid

    @property
    def mode(self) -> int:
        return self.type | self.permissions

    def access_attributes(self) -> tuple[int, int, int]:
        return self.type | self.permissions, *self.owner()

    @property
    def is_directory(self) -> bool:
        return self.type == S_IFDIR

    def stat(self) -> Stat:
        time = self.time
        uid, gid = self.owner()
        return Stat(
            dev=self.fs.dev, ino=self.ino, mode=self.type | self.permissions, uid=uid, gid=gid,
            nlink=self.link_count(), blksize=self.fs.block_size,
            atime=time, mtime=time, ctime=self.changed, btime=time,
        )  # fmt: skip

    def link_count(self) -> int:
        """Return how many names there are."""
        return 1

    def set_attributes(
        self, *, mode: int | None = None, uid: int | None = None, gid: int | None = None,
        atime: int | None = None, mtime: int | None = None,
    ) -> None:  # fmt: skip
        if mode is not None:
            self.permissions = mode
        if uid is not None:
            self.uid = uid
        if gid is not None:
            self.gid = gid
        if mtime is not None:
            self.time = mtime
        self.changed = self.fs.now()


class Governed:
    """Mixed into inodes whose owner and permissions follow from what they show."""

    __slots__ = ()

    def set_attributes(
        self, *, mode: int | None = None, uid: int | None = None, gid: int | None = None,
        atime: int | None = None, mtime: int | None = None,
    ) -> None:  # fmt: skip
        """EPERM for the permissions; the rest is accepted and forgotten, as on Linux."""
        if mode is not None:
            raise LinuxError(EPERM)


class LinkInode(PseudoInode):
    """A symbolic link with a generated target."""

    __slots__ = ("produce",)
    type = S_IFLNK

    def __init__(self, fs: FileSystem, ino: int, produce: Callable[[], bytes], permissions: int = 0o777) -> None:
        super().__init__(fs, ino, permissions)
        self.produce = produce

    def readlink(self) -> bytes:
        return self.produce()


class AnonymousInode(PseudoInode):
    """An inode without a name."""

    __slots__ = ()

    def link_text(self) -> bytes:
        """Return what readlink of /proc/PID/fd/N shows."""
        raise NotImplementedError


class TextInode(PseudoInode):
    """A generated regular file. `produce` returns its text; `accept`, when given, takes what a write brought."""

    __slots__ = ("accept", "produce")

    def __init__(
        self, fs: FileSystem, ino: int, produce: Callable[[], bytes], permissions: int = 0o444,
        uid: int = 0, gid: int = 0, accept: Callable[[bytes], None] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(fs, ino, permissions, uid, gid)
        self.produce = produce
        self.accept = accept

    def open(self, flags: int) -> File:
        return TextFile(self, flags, self.produce, self.accept)

    def truncate(self, size: int) -> None:
        """Accept O_TRUNC without effect, as Linux does: `echo 1 > /proc/...` must work."""


class TextFile(File):
    """An open generated file."""

    __slots__ = ("_accept", "_produce", "_text")

    def __init__(
        self, inode: Inode, flags: int, produce: Callable[[], bytes], accept: Callable[[bytes], None] | None
    ) -> None:
        super().__init__(inode, flags)
        self._produce = produce
        self._accept = accept
        self._text: bytes | None = None

    def pread(self, views: list[memoryview], offset: int) -> int:
        text = self._text
        if text is None or not offset:
            text = self._text = self._produce()
        position = offset
        for view in views:
            piece = text[position : position + len(view)]
            view[: len(piece)] = piece
            position += len(piece)
        return position - offset if position > offset else 0

    def seek(self, offset: int, whence: int) -> int:
        """EINVAL: the end of a text that is made while it is read is nowhere."""
        if whence not in (SEEK_SET, SEEK_CUR):
            raise LinuxError(EINVAL)
        return super().seek(offset, whence)

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        if self._accept is None:
            raise LinuxError(EIO)
        data = gather(views)
        self._accept(data)
        return len(data)


class PseudoDirectory(PseudoInode):
    """A directory of generated entries; a subclass gives `lookup` and `entries`."""

    __slots__ = ()
    type = S_IFDIR

    def open(self, flags: int) -> File:
        return Directory(self, flags)

    def link_count(self) -> int:
        """Return two and the number of subdirectories: some programs look for no more than that."""
        return 2 + sum([kind == S_IFDIR for _, _, kind in self.entries()])

    # Names cannot be made: Linux answers as if the directory were gone.

    def create(self, name: bytes, mode: int, uid: int, gid: int, rdev: int = 0) -> Inode:
        """ENOENT."""
        raise LinuxError(ENOENT)

    def mkdir(self, name: bytes, mode: int, uid: int, gid: int) -> Inode:
        """ENOENT."""
        raise LinuxError(ENOENT)

    def symlink(self, name: bytes, target: bytes, uid: int, gid: int) -> Inode:
        """ENOENT."""
        raise LinuxError(ENOENT)

    def link(self, name: bytes, inode: Inode) -> None:
        """ENOENT."""
        raise LinuxError(ENOENT)

    def rename(self, name: bytes, directory: Inode, new_name: bytes, flags: int) -> None:
        """ENOENT: the new name cannot be made; EPERM: it is there and cannot be replaced."""
        directory.lookup(new_name)
        raise LinuxError(EPERM)


class PrivateDirectory(PseudoDirectory):
    """A directory whose file system alone decides what is in it: mkdir, symlink and link are EPERM."""

    __slots__ = ()

    def mkdir(self, name: bytes, mode: int, uid: int, gid: int) -> Inode:
        """EPERM."""
        raise LinuxError(EPERM)

    def symlink(self, name: bytes, target: bytes, uid: int, gid: int) -> Inode:
        """EPERM."""
        raise LinuxError(EPERM)

    def link(self, name: bytes, inode: Inode) -> None:
        """EPERM."""
        raise LinuxError(EPERM)


class StaticDirectory(PseudoDirectory):
    """A directory whose entries are given once."""

    __slots__ = ("children",)

    def __init__(self, fs: FileSystem, ino: int, permissions: int = 0o555) -> None:
        super().__init__(fs, ino, permissions)
        self.children: dict[bytes, PseudoInode] = {}

    def lookup(self, name: bytes) -> Inode:
        child = self.children.get(name)
        if child is None:
            raise LinuxError(ENOENT)
        return child

    def entries(self) -> list[tuple[bytes, int, int]]:
        return [(name, child.ino, child.mode & S_IFMT) for name, child in self.children.items()]
