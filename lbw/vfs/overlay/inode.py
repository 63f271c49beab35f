"""Inodes of the overlay: attributes and content. Names are in `lbw.vfs.overlay.names`.

An inode that is as it was has only `lower`. `touch` gives it attributes of its own (`own`) and makes the file system
remember it; `own_content` gives a regular file content of its own (`upper`, a file of the storage).
"""

from __future__ import annotations

from lbw.abi.errno import EEXIST, EINVAL, ENODATA, ENODEV, EOPNOTSUPP, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_RDONLY, O_RDWR, SEEK_DATA, SEEK_HOLE
from lbw.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from lbw.vfs.directory import Directory
from lbw.vfs.inode import Stat
from lbw.vfs.overlay.file import OverlayFile
from lbw.vfs.overlay.names import OverlayNames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from lbw.mm.backing import MappedObject
    from lbw.mm.page_cache import PageCache
    from lbw.vfs.file import File
    from lbw.vfs.inode import Inode

COPY_BYTES = 1 << 20
XATTR_CREATE, XATTR_REPLACE = 1, 2


class OverlayInode(OverlayNames):
    """An inode of the lower file system, perhaps changed, or a new one."""

    __slots__ = ()

    # Attributes

    @property
    def mode(self) -> int:
        """Type and permission bits."""
        return self.own.mode if self.own is not None else self.lower.mode  # type: ignore[union-attr]

    def access_attributes(self) -> tuple[int, int, int]:
        """Return (mode, uid, gid)."""
        own = self.own
        if own is None:
            return self.lower.access_attributes()  # type: ignore[union-attr]  # one of the two is there
        return own.mode, own.uid, own.gid

    def refresh(self) -> None:
        """Look at the lower inode again."""
        if self.own is None:
            assert self.lower is not None
            self.lower.refresh()

    def stat(self) -> Stat:
        """Return the attributes."""
        self.refresh()
        return self.recent()

    def recent(self) -> Stat:
        """Return the attributes."""
        own = self.own
        if own is None:
            assert self.lower is not None
            return self.lower.recent()
        result = Stat.__new__(Stat)
        for name in Stat.__slots__:
            setattr(result, name, getattr(own, name))
        if self.upper is not None:
            real = self.upper.stat()
            result.size, result.blocks = real.size, real.blocks
            result.atime, result.mtime = real.atime, real.mtime
            result.ctime = max(own.ctime, real.mtime)
        return result

    def set_attributes(
        self, *, mode: int | None = None, uid: int | None = None, gid: int | None = None,
        atime: int | None = None, mtime: int | None = None,
    ) -> None:  # fmt: skip
        """Change attributes, in memory."""
        own = self.touch()
        if mode is not None:
            own.mode = own.mode & S_IFMT | mode & 0o7777
        if uid is not None:
            own.uid = uid
        if gid is not None:
            own.gid = gid
        if atime is not None:
            own.atime = atime
        if mtime is not None:
            own.mtime = mtime
        if self.upper is not None and (atime is not None or mtime is not None):
            self.upper.set_attributes(atime=atime, mtime=mtime)
        own.ctime = self.fs.now()

    # Content

    def open(self, flags: int) -> File:
        """Open, copying the content first when it is going to be written."""
        if self.mode & S_IFMT == S_IFDIR:
            return Directory(self, flags)
        if self.mode & S_IFMT != S_IFREG:
            raise LinuxError(EINVAL)
        if flags & O_ACCMODE != O_RDONLY:
            self.own_content(None)
        real = self.upper or self.lower
        assert real is not None
        return OverlayFile(self, flags, real.open(flags))

    def truncate(self, size: int) -> None:
        """Set the size; only what stays is copied."""
        if self.mode & S_IFMT != S_IFREG:
            super().truncate(size)
            return
        upper = self.own_content(size)
        upper.truncate(size)
        own = self.touch()
        own.ctime = self.fs.now()

    def own_content(self, limit: int | None) -> Inode:
        """Return the file of the storage, copying up to `limit` bytes there if they are still below.  ENOSPC"""
        if self.upper is not None:
            return self.upper
        own = self.touch()
        storage = self.fs.storage.root
        name = b"%d" % self.fs.next_number()
        upper = storage.create(name, S_IFREG | 0o600, 0, 0)
        if self.lower is not None:
            try:
                self._copy(self.lower, upper, own.size if limit is None else min(limit, own.size))
                upper.set_attributes(atime=own.atime, mtime=own.mtime)
            except LinuxError:
                storage.unlink(name)
                raise
        self.upper = upper
        self.upper_name = name
        return upper

    @staticmethod
    def _copy(lower: Inode, upper: Inode, size: int) -> None:
        """Stream the first `size` bytes, leaving holes holes."""
        source = lower.open(O_RDONLY).acquire()
        target = upper.open(O_RDWR).acquire()
        try:
            buffer = memoryview(bytearray(min(COPY_BYTES, max(size, 1))))
            position = 0
            while position < size:
                try:
                    position = source.seek(position, SEEK_DATA)
                    end = min(source.seek(position, SEEK_HOLE), size)
                except LinuxError:
                    break  # ENXIO: only a hole is left
                while position < end:
                    count = source.pread([buffer[: min(len(buffer), end - position)]], position)
                    if not count:
                        break
                    done = 0
                    while done < count:
                        done += target.pwrite([buffer[done:count]], position + done)
                    position += count
            upper.truncate(size)
        finally:
            source.release()
            target.release()

    def free_if_unused(self) -> None:
        """Give back the storage of a file that has neither names nor open descriptions."""
        if self.upper is not None and not self.opens and self.own is not None and not self.own.nlink:
            self.fs.storage.root.unlink(self.upper_name)
            self.upper = None

    def identity(self) -> Hashable:
        """Return what changes with the content."""
        if self.upper is not None:
            return "overlay", self.upper.identity()
        assert self.lower is not None
        return self.lower.identity()

    def mapped(self, cache: PageCache) -> MappedObject:
        """Return the pages of the file that has the content now: a mapping from before a copy keeps the one below."""
        real = self.upper or self.lower
        if real is None:
            raise LinuxError(ENODEV)
        return real.mapped(cache)

    def is_open_for_writing(self) -> bool:
        """Whether some description can write."""
        return self.upper is not None and self.upper.is_open_for_writing()

    def readlink(self) -> bytes:
        """Return the target."""
        if self.mode & S_IFMT != S_IFLNK:
            raise LinuxError(EINVAL)
        return self.target if self.lower is None else self.lower.readlink()

    # Extended attributes

    def _xattrs(self) -> dict[bytes, bytes]:
        """Return the attributes, from below the first time."""
        if self.xattrs is None:
            self.xattrs = {}
            if self.lower is not None:
                for name in self.lower.list_xattr():
                    self.xattrs[name] = self.lower.get_xattr(name)
        return self.xattrs

    def get_xattr(self, name: bytes) -> bytes:
        """Return the value."""
        if self.xattrs is None and self.lower is not None:
            return self.lower.get_xattr(name)
        if name not in self._xattrs():
            raise LinuxError(ENODATA)
        return self._xattrs()[name]

    def list_xattr(self) -> list[bytes]:
        """Return the names."""
        return self.lower.list_xattr() if self.xattrs is None and self.lower is not None else list(self._xattrs())

    def set_xattr(self, name: bytes, value: bytes, flags: int) -> None:
        """Set the value of a user., trusted. or security. attribute."""
        if not name.startswith((b"user.", b"trusted.", b"security.")):
            raise LinuxError(EOPNOTSUPP)
        known = self._xattrs()
        if flags & XATTR_CREATE and name in known:
            raise LinuxError(EEXIST)
        if flags & XATTR_REPLACE and name not in known:
            raise LinuxError(ENODATA)
        known[name] = value
        self.touch().ctime = self.fs.now()

    def remove_xattr(self, name: bytes) -> None:
        """Remove the attribute."""
        if name not in self._xattrs():
            raise LinuxError(ENODATA)
        del self._xattrs()[name]
        self.touch().ctime = self.fs.now()
