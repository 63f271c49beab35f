"""Files of the host as sources of the page cache: a descriptor of lbw's own, while mappings or dirty pages need it.

It is a duplicate of one that the program has open, where that allows what is needed: so it works for files that have no
name any more, and for those that may not be opened again.
"""

from __future__ import annotations

import os

from lbw.abi.fcntl import FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, O_ACCMODE, O_RDWR
from lbw.host import files
from lbw.host.files import MOST_VIEWS
from lbw.vfs.host.errors import linux_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.file_pages import Stamp
    from lbw.vfs.host.attributes import HostAttributes


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what tells one content of a file from another."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


class HostSource:
    """The content of a host file."""

    __slots__ = ("_descriptor", "_inode", "_writable")

    def __init__(self, inode: HostAttributes) -> None:
        self._inode = inode
        self._descriptor = -1
        self._writable = False

    def stamp(self) -> Stamp:
        """Return the stamp that the file has now."""
        if self._descriptor < 0:
            self._inode.ask()
            return stamp_of(self._inode.status)
        try:
            return stamp_of(files.fstat(self._descriptor))
        except OSError as error:
            raise linux_error(error) from None

    def is_deleted(self) -> bool:
        """Tell whether the file, which is open, has lost its last name."""
        return files.fstat(self._descriptor).st_nlink == 0

    def open(self, writable: bool) -> None:
        """Keep the file open until `close`; may be called again to make it writable."""
        if self._descriptor >= 0 and (self._writable or not writable):
            return
        try:
            descriptor = self._take(writable)
        except OSError as error:
            raise linux_error(error) from None
        self.close()
        self._descriptor, self._writable = descriptor, writable

    def _take(self, writable: bool) -> int:
        for file in self._inode.files:
            if file.flags & O_ACCMODE == O_RDWR or (not writable and file.readable):
                return os.dup(file.descriptor)
        return self._inode.reopen(os.O_RDWR if writable else os.O_RDONLY)

    def close(self) -> None:
        """Undo `open`."""
        descriptor, self._descriptor = self._descriptor, -1
        self._writable = False
        if descriptor >= 0:
            files.close(descriptor)

    def read_at(self, views: list[memoryview], offset: int) -> int:
        """Read at `offset`; return the bytes read, 0 only at the end of the file."""
        try:
            return files.preadv(self._descriptor, views[:MOST_VIEWS], offset)
        except OSError as error:
            raise linux_error(error) from None

    def write_at(self, views: list[memoryview], offset: int) -> int:
        """Write at `offset`; return the bytes written."""
        self._inode.written()
        try:
            return files.pwritev(self._descriptor, views[:MOST_VIEWS], offset)
        except OSError as error:
            raise linux_error(error) from None

    def sync(self, data_only: bool) -> None:
        """Make what was written durable."""
        try:
            files.sync(self._descriptor, data_only)
        except OSError as error:
            raise linux_error(error) from None

    def punch(self, offset: int, length: int) -> None:
        """Make a range a hole.  EOPNOTSUPP"""
        from lbw.host.files_linux import fallocate

        self._inode.written()
        try:
            fallocate(self._descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length)
        except OSError as error:
            raise linux_error(error) from None

    def modified_at(self, time: int) -> None:
        """Set the time of the last modification, ns, if the host lets us."""
        try:
            status = files.fstat(self._descriptor)
            if status.st_mtime_ns != time:
                files.utimens_open(self._descriptor, status.st_atime_ns, time)
        except OSError:
            pass  # the file is somebody else's: it keeps the time of the write-back
