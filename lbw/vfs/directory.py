"""Open directories: a snapshot of the entries, taken when reading starts at the beginning."""

from __future__ import annotations

from lbw.abi.errno import EINVAL, EISDIR, LinuxError
from lbw.abi.fcntl import SEEK_CUR, SEEK_SET
from lbw.abi.stat import S_IFDIR
from lbw.vfs.file import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.inode import Inode


class Directory(File):
    """An open directory. The file offset counts entries, `.` and `..` included."""

    __slots__ = ("_snapshot",)

    def __init__(self, inode: Inode, flags: int) -> None:
        super().__init__(inode, flags)
        self._snapshot: list[tuple[bytes, int, int]] | None = None

    def entries(self) -> list[tuple[bytes, int, int]]:
        """Return all entries with `.` and `..`; a new snapshot when the file offset is 0."""
        if self.offset == 0 or self._snapshot is None:
            self._snapshot = self._list()
        return self._snapshot

    def _list(self) -> list[tuple[bytes, int, int]]:
        location = self.location
        inode = self.inode
        own = inode.stat().ino
        above = own
        found = inode.entries()
        if location is not None:
            place = location
            while place.parent is None and place.mount.point is not None:
                place = place.mount.point
            if place.parent is not None:
                above = place.parent.inode.recent().ino
            if location.virtual:
                known = {entry[0] for entry in found}
                found = found + [
                    (name, child.inode.recent().ino, child.kind)
                    for name, child in location.virtual.items()
                    if name not in known
                ]
        return [(b".", own, S_IFDIR), (b"..", above, S_IFDIR), *found]

    def pread(self, views: list[memoryview], offset: int) -> int:
        """EISDIR."""
        raise LinuxError(EISDIR)

    def seek(self, offset: int, whence: int) -> int:
        """Move among the entries; SEEK_END makes no sense here."""
        if whence == SEEK_CUR:
            offset += self.offset
        elif whence != SEEK_SET:
            raise LinuxError(EINVAL)
        if offset < 0:
            raise LinuxError(EINVAL)
        self.offset = offset
        return offset

    def fsync(self, data_only: bool) -> None:
        """Make the entries durable."""
        self.inode.fs.sync()


class PathFile(File):
    """What O_PATH opens: a place, without access to what is there."""

    __slots__ = ()

    @property
    def readable(self) -> bool:
        """Never."""
        return False

    @property
    def writable(self) -> bool:
        """Never."""
        return False
