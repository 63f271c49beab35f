"""Extended attributes of files in memory.  man 7 xattr"""

from __future__ import annotations

from lbw.abi.errno import EEXIST, ENODATA, EOPNOTSUPP, LinuxError
from lbw.vfs.inode import Inode

XATTR_CREATE, XATTR_REPLACE = 1, 2


class XattrInode(Inode):
    """An inode that keeps its attributes in a dict, which most never need."""

    __slots__ = ("ctime", "xattrs")
    ctime: int
    xattrs: dict[bytes, bytes] | None

    def get_xattr(self, name: bytes) -> bytes:
        """Return the value."""
        if self.xattrs is None or name not in self.xattrs:
            raise LinuxError(ENODATA)
        return self.xattrs[name]

    def list_xattr(self) -> list[bytes]:
        """Return the names."""
        return list(self.xattrs or ())

    def set_xattr(self, name: bytes, value: bytes, flags: int) -> None:
        """Set the value of a user., trusted. or security. attribute."""
        if not name.startswith((b"user.", b"trusted.", b"security.")):
            raise LinuxError(EOPNOTSUPP)
        if self.xattrs is None:
            self.xattrs = {}
        if flags & XATTR_CREATE and name in self.xattrs:
            raise LinuxError(EEXIST)
        if flags & XATTR_REPLACE and name not in self.xattrs:
            raise LinuxError(ENODATA)
        self.xattrs[name] = value
        self.ctime = self.fs.now()

    def remove_xattr(self, name: bytes) -> None:
        """Remove the attribute."""
        if self.xattrs is None or name not in self.xattrs:
            raise LinuxError(ENODATA)
        del self.xattrs[name]
        self.ctime = self.fs.now()
