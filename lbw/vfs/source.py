"""The content of an inode, as the page cache and the loader read it."""

from __future__ import annotations

from lbw.abi.fcntl import O_RDONLY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.file import File
    from lbw.vfs.inode import Inode


class InodeSource:
    """The content of an inode, for the page cache and for parsing.

    Between `open` and `close` the file is kept open, because it may lose its name while programs still run from it.
    """

    __slots__ = ("_file", "_inode")

    def __init__(self, inode: Inode) -> None:
        self._inode = inode
        self._file: File | None = None

    def open(self) -> None:
        """Keep the file open until `close`."""
        if self._file is None:
            self._file = self._inode.open(O_RDONLY).acquire()

    def close(self) -> None:
        """Undo `open`."""
        if self._file is not None:
            self._file.release()
            self._file = None

    def size(self) -> int:
        """Return the size of the file in bytes."""
        return self._inode.stat().size

    def read_into(self, view: memoryview, offset: int) -> int:
        """Fill `view` from `offset`; return how many bytes there were."""
        if self._file is not None:
            return self._file.pread([view], offset)
        self.open()
        try:
            return self.read_into(view, offset)
        finally:
            self.close()

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes at `offset`; fewer than `length` only at the end of the file."""
        if offset >= 1 << 63:
            return b""
        buffer = bytearray(length)
        view, done = memoryview(buffer), 0
        while done < length:
            count = self.read_into(view[done:], offset + done)
            if count <= 0:
                break
            done += count
        return bytes(buffer[:done])
