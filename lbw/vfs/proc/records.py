"""Files of many records: maps, smaps, numa_maps.  Linux fs/seq_file.c

A process may have 65530 mappings; its maps are 5 MB then. So text is made while it is read, not much
farther than somebody reads: whole records up to LIMIT at a time, so that no read takes long and none needs much memory.
The mappings may change in between: reading goes on at the address where it was, and never shows a mapping twice.

The address space is that of the time of opening, also when the process has executed another program since. When it is
gone the file is empty.
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.fcntl import SEEK_CUR, SEEK_SET
from lbw.vfs.file import File, scatter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lbw.mm.address_space import AddressSpace
    from lbw.mm.vma import Vma
    from lbw.vfs.inode import Inode

    #: Yields the records of an address space, from the first mapping that ends above an address on; and where to go on.
    Producer = Callable[[AddressSpace, int], Iterator[tuple[bytes, int]]]

#: So much text is made for one read at most, and at least, bytes: what is found out for smaps serves all of it.
LIMIT, LEAST = 1 << 16, 1 << 14


def mappings_from(memory: AddressSpace, address: int) -> Iterator[Vma]:
    """Yield the mappings that end above `address`, in order, whatever becomes of the list meanwhile."""
    vmas = memory.vmas
    while True:
        vma = vmas.find(address) or vmas.above(address)[0]
        if vma is None:
            return
        address = vma.end
        yield vma


class RecordFile(File):
    """An open file of records."""

    __slots__ = ("_address", "_memory", "_produce", "_start", "_text")

    def __init__(self, inode: Inode, flags: int, memory: AddressSpace, produce: Producer) -> None:
        super().__init__(inode, flags)
        self._memory = memory
        self._produce = produce
        self._rewind()

    def _rewind(self) -> None:
        self._start = 0  # the file offset of `_text`
        self._text = b""  # made last
        self._address = 0  # where the next record begins

    def pread(self, views: list[memoryview], offset: int) -> int:
        if not self._memory.users:
            return 0
        if offset < self._start:
            self._rewind()
        end = offset + min(sum(map(len, views)), LIMIT)
        if end > self._start + len(self._text):
            self._extend(offset, max(end, offset + LEAST))
        return scatter(memoryview(self._text)[offset - self._start :], views)

    def _extend(self, offset: int, end: int) -> None:
        """Make text up to file offset `end`; what is before `offset` is not kept."""
        position = self._start + len(self._text)
        if offset < position:
            parts = [self._text[offset - self._start :]]
            self._start = offset
        else:
            parts = []
            self._start = position
        for text, address in self._produce(self._memory, self._address):
            position += len(text)
            parts.append(text)
            self._address = address
            if position <= offset:
                self._start = position
                parts.clear()
            elif position >= end:
                break
        self._text = b"".join(parts)

    def seek(self, offset: int, whence: int) -> int:
        """EINVAL: the end of a text that is made while it is read is nowhere."""
        if whence not in (SEEK_SET, SEEK_CUR):
            raise LinuxError(EINVAL)
        return super().seek(offset, whence)
