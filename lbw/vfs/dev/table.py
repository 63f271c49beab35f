"""The device table: which driver stands behind a device number, in whatever file system its node lies.

A driver is a factory of open file descriptions. Drivers that need the kernel (/dev/tty is the terminal of the caller's
session) are registered by who builds the machine; the memory devices are always there.
"""

from __future__ import annotations

from lbw.abi.errno import ENXIO, LinuxError
from lbw.abi.stat import S_IFBLK, S_IFCHR, S_IFMT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.context import FsContext
    from lbw.vfs.devpts.filesystem import DevptsFileSystem
    from lbw.vfs.file import File
    from lbw.vfs.inode import Inode

    Driver = Callable[[FsContext, Inode, int], File]


def makedev(major: int, minor: int) -> int:
    """Return the device number as st_rdev holds it.  man 3 makedev"""
    return (major & 0xFFFFF000) << 32 | (major & 0xFFF) << 8 | (minor & 0xFFFFFF00) << 12 | minor & 0xFF


def major_of(device: int) -> int:
    """Return the major number."""
    return device >> 32 & 0xFFFFF000 | device >> 8 & 0xFFF


def minor_of(device: int) -> int:
    """Return the minor number."""
    return device >> 12 & 0xFFFFFF00 | device & 0xFF


class DeviceTable:
    """Drivers by type and device number, and the names of the majors for /proc/devices."""

    def __init__(self) -> None:
        from lbw.vfs.dev.memory import MEMORY_DEVICES

        self._drivers: dict[tuple[int, int], Driver] = {}
        self._whole: dict[tuple[int, int], Driver] = {}
        self.terminals: DevptsFileSystem | None = None  # where terminals are numbered
        self.majors: dict[int, dict[int, list[str]]] = {S_IFCHR: {}, S_IFBLK: {}}
        for minor, driver in MEMORY_DEVICES.items():
            self.register(1, minor, driver, "mem")

    def register(self, major: int, minor: int, driver: Driver, name: str = "", kind: int = S_IFCHR) -> None:
        """Put `driver` behind a device number; `name` is what /proc/devices calls it."""
        self._drivers[kind, makedev(major, minor)] = driver
        names = self.majors[kind].setdefault(major, [])
        if name and name not in names:
            names.append(name)

    def register_major(self, major: int, driver: Driver, name: str, kind: int = S_IFCHR) -> None:
        """Put `driver` behind all numbers of `major` that have no driver of their own."""
        self._whole[kind, major] = driver
        self.majors[kind].setdefault(major, []).append(name)

    @property
    def terminal_count(self) -> int:
        """How many pseudo-terminals there are."""
        return self.terminals.count if self.terminals is not None else 0

    def open(self, ctx: FsContext, inode: Inode, flags: int) -> File:
        """Open the device node `inode`.  ENXIO: there is no such device"""
        stat = inode.stat()
        kind = stat.mode & S_IFMT
        driver = self._drivers.get((kind, stat.rdev)) or self._whole.get((kind, major_of(stat.rdev)))
        if driver is None:
            raise LinuxError(ENXIO)
        return driver(ctx, inode, flags)
