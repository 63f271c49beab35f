"""Anonymous files in memory, which memfd_create makes: tmpfs inodes without a name, on a file system of their own."""

from __future__ import annotations

from lbw.abi.stat import S_IFREG
from lbw.vfs.tmpfs.filesystem import TmpFileSystem
from lbw.vfs.tmpfs.inode import TmpInode

MEMORY_FS = TmpFileSystem(dev=0x01)


class MemoryFile(TmpInode):
    """An anonymous file; its name is only for show."""

    __slots__ = ("name",)

    def __init__(self, name: bytes, permissions: int, uid: int, gid: int) -> None:
        super().__init__(MEMORY_FS, S_IFREG | permissions, uid, gid)
        self.name = name

    def link_text(self) -> bytes:
        """Return what readlink of /proc/PID/fd/N shows."""
        return b"/memfd:%s (deleted)" % self.name
