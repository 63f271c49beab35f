"""Places that no file system has: where something is to be mounted and the root below must not be changed."""

from __future__ import annotations

from lbw.abi.errno import ENOENT, EROFS, LinuxError
from lbw.abi.stat import S_IFDIR, S_IFREG
from lbw.vfs.directory import Directory
from lbw.vfs.inode import FileSystem, Inode, Stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.file import File


class VirtualFileSystem(FileSystem):
    """All virtual places of a tree. Their entries are in `Location.virtual`."""

    type_name = "none"
    read_only = True
    dev = 0x7F

    def __init__(self) -> None:
        self._count = 1
        self.root = VirtualInode(self, 1, S_IFDIR | 0o755)

    def make(self, directory: bool) -> VirtualInode:
        """Return a new place."""
        self._count += 1
        return VirtualInode(self, self._count, S_IFDIR | 0o755 if directory else S_IFREG | 0o644)


class VirtualInode(Inode):
    """A directory without entries of its own, or an empty file."""

    __slots__ = ("_status",)

    def __init__(self, fs: FileSystem, ino: int, mode: int) -> None:
        super().__init__(fs)
        now = fs.now()
        nlink = 2 if mode & S_IFDIR else 1
        self._status = Stat(ino=ino, mode=mode, dev=fs.dev, nlink=nlink, atime=now, mtime=now, ctime=now)

    def stat(self) -> Stat:
        """Return the attributes, which never change."""
        return self._status

    def open(self, flags: int) -> File:
        """Open for listing."""
        return Directory(self, flags)

    def lookup(self, name: bytes) -> Inode:
        """Find nothing: what is here, the locations know."""
        raise LinuxError(ENOENT)

    def entries(self) -> list[tuple[bytes, int, int]]:
        """Return nothing."""
        return []

    def create(self, name: bytes, mode: int, uid: int, gid: int, rdev: int = 0) -> Inode:
        """EROFS."""
        raise LinuxError(EROFS)

    def mkdir(self, name: bytes, mode: int, uid: int, gid: int) -> Inode:
        """EROFS."""
        raise LinuxError(EROFS)

    def symlink(self, name: bytes, target: bytes, uid: int, gid: int) -> Inode:
        """EROFS."""
        raise LinuxError(EROFS)
