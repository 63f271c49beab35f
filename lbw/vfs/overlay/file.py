"""Open files of the overlay: an open file of the lower file system or of the storage, with the overlay's inode."""

from __future__ import annotations

from lbw.abi.fcntl import SEEK_DATA, SEEK_HOLE
from lbw.vfs.file import File
from lbw.vfs.permissions import clear_privileges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.overlay.inode import OverlayInode


class OverlayFile(File):
    """A regular file."""

    __slots__ = ("real",)

    inode: OverlayInode

    def __init__(self, inode: OverlayInode, flags: int, real: File) -> None:
        super().__init__(inode, flags)
        self.real = real.acquire()
        inode.opens += 1

    def close(self) -> None:
        """Close the file below."""
        self.real.release()
        inode = self.inode
        inode.opens -= 1
        inode.free_if_unused()

    def pread(self, views: list[memoryview], offset: int) -> int:
        """Read at `offset`."""
        return self.real.pread(views, offset)

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        """Write at `offset`."""
        count = self.real.pwrite(views, offset)
        if count and self.strips_privileges:
            clear_privileges(self.inode)
        return count

    def seek(self, offset: int, whence: int) -> int:
        """Move the file offset."""
        if whence in (SEEK_DATA, SEEK_HOLE):
            self.offset = self.real.seek(offset, whence)
            return self.offset
        return super().seek(offset, whence)

    def allocate(self, mode: int, offset: int, length: int) -> None:
        """Reserve or punch space."""
        self.real.allocate(mode, offset, length)
        if self.inode.own is not None:
            self.inode.own.ctime = self.inode.fs.now()

    def fsync(self, data_only: bool) -> None:
        """Do nothing: changes do not outlive lbw."""
