"""What the files of this machine are to exec: images and scripts, each looked at once.

In memory the key is the inode's identity, which changes with the file's content; so a warm exec reads nothing at all.
Behind it stands the store of `lbw.loader.store`, which spares the next run of lbw the parsing.
"""

from __future__ import annotations

from lbw.abi.errno import ENOEXEC, LinuxError
from lbw.abi.fcntl import O_RDONLY
from lbw.loader.elf import parse
from lbw.loader.image import Image
from lbw.loader.script import Script, parse_script
from lbw.loader.store import HEAD, key_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from lbw.abi.x86_64 import Abi
    from lbw.loader.store import ImageStore
    from lbw.vfs.file import File
    from lbw.vfs.inode import Inode

#: How many files are remembered; the oldest are forgotten first.
REMEMBERED = 1024


class InodeSource:
    """The content of an inode, for parsing.

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


class Images:
    """The cache of what files are; one per machine."""

    __slots__ = ("_limit", "_machines", "_seen", "_store", "abis")

    def __init__(self, abis: tuple[Abi, ...], store: ImageStore | None = None) -> None:
        self.abis = abis
        self._machines = tuple((abi.elf_machine, abi.word) for abi in abis)
        self._limit = max(abi.task_size for abi in abis)
        self._store = store
        self._seen: dict[Hashable, Image | Script] = {}

    def look(self, inode: Inode) -> Image | Script:
        """Return what the regular file `inode` is.

        FormatError: it cannot be executed, and why; LinuxError ENOEXEC: not a file that can be mapped, EIO
        """
        try:
            identity = inode.identity()
        except LinuxError:
            raise LinuxError(ENOEXEC) from None
        known = self._seen.get(identity)
        if known is None:
            source = InodeSource(inode)
            source.open()
            try:
                known = self._examine(source)
            finally:
                source.close()
            if len(self._seen) >= REMEMBERED:
                del self._seen[next(iter(self._seen))]
            self._seen[identity] = known
        return known

    def _examine(self, source: InodeSource) -> Image | Script:
        head = source.read(0, HEAD)
        if head[:2] == b"#!":
            return parse_script(head)
        store = self._store
        key = key_of(head) if store is not None else b""
        image = store.get(key) if store is not None else None
        if image is not None and (image.machine, image.word) in self._machines:
            image.check(source.size(), self._limit)
            return image
        extent = 0

        def read(offset: int, length: int) -> bytes:
            nonlocal extent
            end = offset + length
            extent = max(extent, end)
            return head[offset:end] if end <= len(head) else source.read(offset, length)

        image = parse(read, self._machines)
        image.check(source.size(), self._limit)
        if store is not None and extent <= len(head):
            store.put(key, image)
        return image
