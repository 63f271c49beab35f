"""Open files of tmpfs."""

from __future__ import annotations

from lbw.abi.errno import EINVAL, EOPNOTSUPP, LinuxError
from lbw.abi.fcntl import (
    FALLOC_FL_KEEP_SIZE,
    FALLOC_FL_PUNCH_HOLE,
    O_NOATIME,
    SEEK_DATA,
    SEEK_HOLE,
)
from lbw.vfs.file import File
from lbw.vfs.permissions import clear_privileges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.tmpfs.content import Content
    from lbw.vfs.tmpfs.inode import TmpInode


class TmpFile(File):
    """A regular file."""

    __slots__ = ("content",)

    inode: TmpInode

    def __init__(self, inode: TmpInode, flags: int) -> None:
        super().__init__(inode, flags)
        assert inode.content is not None
        self.content: Content = inode.content
        inode.opens += 1
        inode.content.held = True
        if self.writable:
            inode.writers += 1

    def close(self) -> None:
        """Note that one description less is there."""
        inode = self.inode
        inode.opens -= 1
        if self.writable:
            inode.writers -= 1
        inode.free_if_unused()

    def pread(self, views: list[memoryview], offset: int) -> int:
        """Read at `offset`."""
        total = 0
        for view in views:
            count = self.content.read_into(view, offset + total)
            total += count
            if count < len(view):
                break
        inode = self.inode
        if (inode.atime <= inode.mtime or inode.atime <= inode.ctime) and not self.flags & O_NOATIME:  # relatime
            inode.atime = inode.fs.now()
        return total

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        """Write at `offset`."""
        total = 0
        for view in views:
            try:
                count = self.content.write(view, offset + total)
            except LinuxError:
                if total:
                    break
                raise
            total += count
            if count < len(view):
                break
        if total:
            self._changed()
        return total

    def _changed(self) -> None:
        inode = self.inode
        inode.mtime = inode.ctime = inode.fs.now()
        if self.strips_privileges:
            clear_privileges(inode)

    def seek(self, offset: int, whence: int) -> int:
        """Move the file offset."""
        if whence in (SEEK_DATA, SEEK_HOLE):
            self.offset = self.content.seek(offset, whence == SEEK_HOLE)
            return self.offset
        return super().seek(offset, whence)

    def allocate(self, mode: int, offset: int, length: int) -> None:
        """Reserve or punch space; other modes are not for tmpfs (EOPNOTSUPP), as on Linux."""
        if offset < 0 or length <= 0:
            raise LinuxError(EINVAL)
        keep = bool(mode & FALLOC_FL_KEEP_SIZE)
        kind = mode & ~FALLOC_FL_KEEP_SIZE
        content = self.content
        if kind == FALLOC_FL_PUNCH_HOLE and keep:
            content.punch(offset, length)
        elif not kind:
            content.allocate(offset, length)
            if not keep and offset + length > content.size:
                content.truncate(offset + length)
        else:
            raise LinuxError(EOPNOTSUPP)
        self._changed()

    def fsync(self, data_only: bool) -> None:
        """Do nothing: there is nothing more durable."""
