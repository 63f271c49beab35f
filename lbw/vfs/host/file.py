"""Open files of the host: bytes go straight between the host's file and guest memory (preadv, pwritev)."""

from __future__ import annotations

from lbw.abi.errno import EINVAL, EOPNOTSUPP, LinuxError
from lbw.abi.fcntl import O_APPEND, SEEK_DATA, SEEK_HOLE
from lbw.host import files
from lbw.host.files import MOST_VIEWS, append, preadv, pwritev
from lbw.vfs.file import File
from lbw.vfs.host.errors import linux_error
from lbw.vfs.permissions import clear_privileges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.host.inode import HostInode


class HostFile(File):
    """A regular file."""

    __slots__ = ("descriptor",)

    inode: HostInode

    def __init__(self, inode: HostInode, flags: int, descriptor: int) -> None:
        super().__init__(inode, flags)
        self.descriptor = descriptor
        inode.files.append(self)

    def close(self) -> None:
        """Close the host's descriptor."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            inode = self.inode
            inode.files.remove(self)
            if inode.fs.doomed:
                inode.drop_doomed_row()
            files.close(descriptor)

    def read(self, views: list[memoryview]) -> int:
        """Read at the file offset and advance it."""
        try:
            if len(views) <= MOST_VIEWS:
                count = preadv(self.descriptor, views, self.offset)
            else:
                count = self._read_many(views, self.offset)
        except OSError as error:
            raise linux_error(error) from None
        self.offset += count
        return count

    def pread(self, views: list[memoryview], offset: int) -> int:
        """Read at `offset`."""
        try:
            if len(views) <= MOST_VIEWS:
                return preadv(self.descriptor, views, offset)
            return self._read_many(views, offset)
        except OSError as error:
            raise linux_error(error) from None

    def _read_many(self, views: list[memoryview], offset: int) -> int:
        total = 0
        for start in range(0, len(views), MOST_VIEWS):
            part = views[start : start + MOST_VIEWS]
            count = preadv(self.descriptor, part, offset + total)
            total += count
            if count < sum(map(len, part)):
                break
        return total

    def write(self, views: list[memoryview]) -> int:
        """Write at the file offset, or at the end with O_APPEND, and advance it."""
        if not self.flags & O_APPEND:
            count = self.pwrite(views, self.offset)
            self.offset += count
            return count
        self._before_write(views)
        try:
            count = 0
            for start in range(0, len(views), MOST_VIEWS):
                count += append(self.descriptor, views[start : start + MOST_VIEWS])
            self.offset = files.fstat(self.descriptor).st_size
        except OSError as error:
            raise linux_error(error) from None
        return count

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        """Write at `offset`."""
        self._before_write(views)
        try:
            if len(views) <= MOST_VIEWS:
                return pwritev(self.descriptor, views, offset)
            total = 0
            for start in range(0, len(views), MOST_VIEWS):
                part = views[start : start + MOST_VIEWS]
                count = pwritev(self.descriptor, part, offset + total)
                total += count
                if count < sum(map(len, part)):
                    break
            return total
        except OSError as error:
            raise linux_error(error) from None

    def _before_write(self, views: list[memoryview] | None) -> None:
        inode = self.inode
        inode.written()
        if self.strips_privileges and inode.mode & 0o6000 and (views is None or any(map(len, views))):
            inode.refresh()
            clear_privileges(inode)

    def seek(self, offset: int, whence: int) -> int:
        """Move the file offset; SEEK_DATA and SEEK_HOLE ask the host."""
        if whence not in (SEEK_DATA, SEEK_HOLE):
            return super().seek(offset, whence)
        try:
            self.offset = files.seek_data(self.descriptor, offset, whence == SEEK_HOLE)
        except OSError as error:
            raise linux_error(error) from None
        return self.offset

    def allocate(self, mode: int, offset: int, length: int) -> None:
        """Reserve or punch space."""
        from lbw.host.files_linux import fallocate

        if offset < 0 or length <= 0:
            raise LinuxError(EINVAL)
        self._before_write(None)
        try:
            fallocate(self.descriptor, mode, offset, length)
        except OSError as error:
            if linux_error(error).errno != EOPNOTSUPP or mode:
                raise linux_error(error) from None
            if files.fstat(self.descriptor).st_size < offset + length:  # a host without: at least the size
                files.truncate(self.descriptor, offset + length)

    def fsync(self, data_only: bool) -> None:
        """Make the data, and what the database holds, durable."""
        self.inode.fs.sync()
        try:
            files.sync(self.descriptor, data_only)
        except OSError as error:
            raise linux_error(error) from None
