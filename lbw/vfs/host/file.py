"""Open files of the host: bytes go straight between the host's file and guest memory (preadv, pwritev)."""

from __future__ import annotations

from lbw.abi.errno import EINVAL, EOPNOTSUPP, LinuxError
from lbw.abi.fcntl import (
    FALLOC_FL_COLLAPSE_RANGE,
    FALLOC_FL_INSERT_RANGE,
    FALLOC_FL_PUNCH_HOLE,
    FALLOC_FL_ZERO_RANGE,
    O_APPEND,
    SEEK_DATA,
    SEEK_HOLE,
)
from lbw.host import files
from lbw.host.files import MOST_VIEWS, append, preadv, pwritev
from lbw.mm.writeback import write_back
from lbw.vfs.file import File
from lbw.vfs.host.errors import linux_error
from lbw.vfs.host.source import stamp_of
from lbw.vfs.permissions import clear_privileges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.mm.cached_file import CachedFile
    from lbw.vfs.host.content import HostContent


class HostFile(File):
    """A regular file."""

    __slots__ = ("descriptor", "errors_known")

    inode: HostContent

    def __init__(self, inode: HostContent, flags: int, descriptor: int) -> None:
        super().__init__(inode, flags)
        self.descriptor = descriptor
        self.errors_known = 0  # the number of the last failed write-back that fsync need not tell
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
        offset = self.offset
        try:
            if len(views) <= MOST_VIEWS:
                count = preadv(self.descriptor, views, offset)
            else:
                count = self._in_parts(preadv, views, offset)
        except OSError as error:
            raise linux_error(error) from None
        cached = self.inode.cached
        if cached is not None and cached.dirty:
            cached.show_dirty(views, offset, count)
        self.offset = offset + count
        return count

    def pread(self, views: list[memoryview], offset: int) -> int:
        """Read at `offset`."""
        try:
            many = len(views) > MOST_VIEWS
            count = self._in_parts(preadv, views, offset) if many else preadv(self.descriptor, views, offset)
        except OSError as error:
            raise linux_error(error) from None
        cached = self.inode.cached
        if cached is not None and cached.dirty:
            cached.show_dirty(views, offset, count)
        return count

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
        if self.inode.cached is not None:
            self._after_write(views, self.offset - count, count)
        return count

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        """Write at `offset`."""
        self._before_write(views)
        try:
            if len(views) <= MOST_VIEWS:
                count = pwritev(self.descriptor, views, offset)
            else:
                count = self._in_parts(pwritev, views, offset)
        except OSError as error:
            raise linux_error(error) from None
        if self.inode.cached is not None:
            self._after_write(views, offset, count)
        return count

    def _in_parts(
        self, move: Callable[[int, list[memoryview], int], int], views: list[memoryview], offset: int
    ) -> int:
        """Do what `move` does (preadv, pwritev) with more views than one call of the host takes."""
        total = 0
        for start in range(0, len(views), MOST_VIEWS):
            part = views[start : start + MOST_VIEWS]
            count = move(self.descriptor, part, offset + total)
            total += count
            if count < sum(map(len, part)):
                break
        return total

    def _before_write(self, views: list[memoryview] | None) -> None:
        inode = self.inode
        inode.written()
        if inode.cached is not None:
            inode.cached.before_change(stamp_of(files.fstat(self.descriptor)))
        if self.strips_privileges and inode.mode & 0o6000 and (views is None or any(map(len, views))):
            inode.ask()
            clear_privileges(inode)

    def _after_write(self, views: list[memoryview], offset: int, count: int) -> None:
        """Let the pages in the cache take what was written."""
        cached = self.inode.cached
        if cached is not None:
            cached.written(views, offset, count)
            self._settled(cached)

    def _settled(self, cached: CachedFile) -> None:
        """Let the cache know how the file is after a change."""
        self.inode.status = status = files.fstat(self.descriptor)
        cached.adopt(stamp_of(status))

    def seek(self, offset: int, whence: int) -> int:
        """Move the file offset; SEEK_DATA and SEEK_HOLE ask the host."""
        if whence not in (SEEK_DATA, SEEK_HOLE):
            return super().seek(offset, whence)
        if self.inode.cached is not None:
            write_back(self.inode.cached)  # where programs have stored is no hole
        try:
            self.offset = files.seek_data(self.descriptor, offset, whence == SEEK_HOLE)
        except OSError as error:
            raise linux_error(error) from None
        return self.offset

    def allocate(self, mode: int, offset: int, length: int) -> None:
        """Reserve or punch space."""
        if offset < 0 or length <= 0:
            raise LinuxError(EINVAL)
        cached = self.inode.cached
        moves = mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)
        if cached is not None and moves:
            write_back(cached)
            if cached.dirty:
                raise LinuxError(cached.error)
        self._before_write(None)
        self._allocate(mode, offset, length)
        if cached is None:
            return
        size = files.fstat(self.descriptor).st_size
        if moves:
            cached.shifted(offset, size)
        else:
            if mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE):
                cached.punched(offset, length)
            if size != cached.size:
                cached.resized(size)
        self._settled(cached)

    def _allocate(self, mode: int, offset: int, length: int) -> None:
        from lbw.host.files_linux import fallocate

        try:
            fallocate(self.descriptor, mode, offset, length)
        except OSError as error:
            if linux_error(error).errno != EOPNOTSUPP or mode:
                raise linux_error(error) from None
            if files.fstat(self.descriptor).st_size < offset + length:  # a host without: at least the size
                files.truncate(self.descriptor, offset + length)

    def fsync(self, data_only: bool) -> None:
        """Make the data, and what the database holds, durable. A write-back that failed is told once."""
        cached = self.inode.cached
        if cached is not None and cached.dirty:
            write_back(cached)
        self.inode.fs.sync()
        try:
            files.sync(self.descriptor, data_only)
        except OSError as error:
            raise linux_error(error) from None
        if cached is not None:
            failed = cached.error_since(self.errors_known)
            if failed:
                self.errors_known = cached.error_serial
                raise LinuxError(failed)
