"""The memory devices, major 1: null, zero, full, random, urandom.  man 4 null, full, random"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ENODEV, ENOSPC, LinuxError
from lbw.vfs.file import File
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.context import FsContext
    from lbw.vfs.dev.table import Driver
    from lbw.vfs.file import GuestMemory
    from lbw.vfs.inode import Inode

#: ioctl of random: return the entropy estimate, in bits.
RNDGETENTCNT = 0x80045200
#: What a Linux that has been up for a second always says.
ENTROPY_BITS = 256


class NullFile(File):
    """Nothing to read; takes everything."""

    __slots__ = ()
    can_be_spliced = False

    def read(self, views: list[memoryview]) -> int:
        return 0

    def write(self, views: list[memoryview]) -> int:
        return sum(map(len, views))

    def pread(self, views: list[memoryview], offset: int) -> int:
        return self.read(views)

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        return self.write(views)

    def seek(self, offset: int, whence: int) -> int:
        """Stay at 0, wherever one seeks."""
        return 0

    def allocate(self, mode: int, offset: int, length: int) -> None:
        raise LinuxError(ENODEV)


class ZeroFile(NullFile):
    """Endless zeros. Mapping it gives anonymous memory."""

    __slots__ = ()
    can_be_spliced = True
    #: For mmap: map anonymous memory instead of pages of this file.
    anonymous_mapping = True

    def read(self, views: list[memoryview]) -> int:
        for view in views:
            view[:] = bytes(len(view))
        return sum(map(len, views))


class FullFile(ZeroFile):
    """Endless zeros, and no room for any."""

    __slots__ = ()
    anonymous_mapping = False

    def write(self, views: list[memoryview]) -> int:
        raise LinuxError(ENOSPC)


class RandomFile(NullFile):
    """Random bytes; what is written only stirs."""

    __slots__ = ("_random",)
    queue: WaitQueue | None = WaitQueue()  # epoll takes it, and it is always ready, so nobody ever waits here

    def __init__(self, inode: Inode, flags: int, random: Callable[[int], bytes]) -> None:
        super().__init__(inode, flags)
        self._random = random

    def read(self, views: list[memoryview]) -> int:
        for view in views:
            view[:] = self._random(len(view))
        return sum(map(len, views))

    def ioctl(self, request: int, argument: int, memory: GuestMemory) -> int:
        if request == RNDGETENTCNT:
            memory.write(argument, ENTROPY_BITS.to_bytes(4, "little"))
            return 0
        if request >> 8 & 0xFF == ord("R"):
            raise LinuxError(EINVAL)
        return super().ioctl(request, argument, memory)


class UnlimitedRandomFile(RandomFile):
    """/dev/urandom, which epoll does not take."""

    __slots__ = ()
    queue = None


def _driver(kind: type[File]) -> Driver:
    def open_memory_device(ctx: FsContext, inode: Inode, flags: int) -> File:
        return kind(inode, flags)

    return open_memory_device


def _random_driver(kind: type[RandomFile]) -> Driver:
    def open_random_device(ctx: FsContext, inode: Inode, flags: int) -> File:
        return kind(inode, flags, ctx.vfs.random)

    return open_random_device


#: Drivers by minor number.
MEMORY_DEVICES: dict[int, Driver] = {
    3: _driver(NullFile),
    5: _driver(ZeroFile),
    7: _driver(FullFile),
    8: _random_driver(RandomFile),
    9: _random_driver(UnlimitedRandomFile),
}
