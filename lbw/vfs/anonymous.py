"""What eventfd, epoll, signalfd and their kind share: they are all open descriptions of one inode without a name.

On Linux the inode is one for all of them, so it has no type, and says nothing about what is behind the description;
`/proc/PID/fd/N` names that. Opening it once more is ENXIO, and its mode and owner cannot be changed.
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ENODEV, ENXIO, EOPNOTSUPP, ESPIPE, LinuxError
from lbw.vfs.file import File
from lbw.vfs.pseudo import AnonymousInode, PseudoFileSystem

ANONYMOUS_FS = PseudoFileSystem(dev=0x0E)
_INO = ANONYMOUS_FS.next_ino()


class SharedInode(AnonymousInode):
    """The inode as one kind of file sees it; `text` is what its link shows (`anon_inode:[eventfd]`)."""

    __slots__ = ("_text",)
    type = 0

    def __init__(self, text: bytes) -> None:
        super().__init__(ANONYMOUS_FS, _INO, 0o600)
        self._text = text

    def link_text(self) -> bytes:
        return self._text

    def open(self, flags: int) -> File:
        """ENXIO."""
        raise LinuxError(ENXIO)

    def set_attributes(
        self, *, mode: int | None = None, uid: int | None = None, gid: int | None = None,
        atime: int | None = None, mtime: int | None = None,
    ) -> None:  # fmt: skip
        """EOPNOTSUPP."""
        raise LinuxError(EOPNOTSUPP)


class AnonymousFile(File):
    """An open description of the shared inode: no offset, no data unless a subclass has some."""

    __slots__ = ()

    def read(self, views: list[memoryview]) -> int:
        """EINVAL."""
        raise LinuxError(EINVAL)

    def write(self, views: list[memoryview]) -> int:
        """EINVAL."""
        raise LinuxError(EINVAL)

    def pread(self, views: list[memoryview], offset: int) -> int:
        """ESPIPE."""
        raise LinuxError(ESPIPE)

    def seek(self, offset: int, whence: int) -> int:
        """Accept everything and stay at 0."""
        return 0

    def allocate(self, mode: int, offset: int, length: int) -> None:
        """ENODEV."""
        raise LinuxError(ENODEV)
