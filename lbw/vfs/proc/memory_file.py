"""Files that are an address space: what they have in common, and /proc/PID/mem, where the file offset is an address.

Access is forced (`lbw.mm.remote`): whoever may open the file may read what the program itself cannot, and set
breakpoints in its text. A stack grows if the transfer begins below it, as for an access of the program. The address
space is that of the time of opening; when it is gone, there is nothing to read.

man 5 proc; Linux fs/proc/base.c, mem_rw
"""

from __future__ import annotations

from lbw.abi.errno import EFAULT, EINVAL, EIO, LinuxError
from lbw.abi.fcntl import SEEK_CUR, SEEK_SET
from lbw.cpu.contracts import PAGE
from lbw.mm.faults import SegmentationFault
from lbw.mm.remote import copy_in, copy_out
from lbw.mm.stack import grow_stack
from lbw.vfs.file import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.mm.address_space import AddressSpace
    from lbw.vfs.inode import Inode


class MemoryFile(File):
    """An open /proc/PID/mem."""

    __slots__ = ("_memory",)

    has_size = False

    def __init__(self, inode: Inode, flags: int, memory: AddressSpace) -> None:
        super().__init__(inode, flags)
        self._memory = memory

    def seek(self, offset: int, whence: int) -> int:
        """Addresses of the upper half are negative offsets, and allowed.  EINVAL: memory has no end to seek from"""
        if whence not in (SEEK_SET, SEEK_CUR):
            raise LinuxError(EINVAL)
        self.offset = offset if whence == SEEK_SET else self.offset + offset
        return self.offset

    def pread(self, views: list[memoryview], offset: int) -> int:
        """EIO: nothing that could be read is there."""
        return self._move(views, offset, copy_out)

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        """EIO: nothing that could be written is there."""
        return self._move(views, offset, copy_in)

    def _move(
        self, views: list[memoryview], address: int, move: Callable[[AddressSpace, int, memoryview, bool], None]
    ) -> int:  # fmt: skip
        memory, done = self._memory, 0
        if not memory.users:
            return 0
        if any(views) and memory.vmas.find(address) is None:
            try:
                grow_stack(memory, address)
            except SegmentationFault:
                raise LinuxError(EIO) from None
        for view in views:
            while view:
                part = view[: PAGE - (address & PAGE - 1)]
                try:
                    move(memory, address, part, True)
                except LinuxError as error:
                    if done:
                        return done
                    raise LinuxError(EIO if error.errno == EFAULT else error.errno) from None
                address += len(part)
                done += len(part)
                view = view[len(part) :]
        return done
