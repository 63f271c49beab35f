"""Opening what is not a regular file or directory: FIFOs and device nodes, in any file system."""

from __future__ import annotations

from lbw.abi.errno import ENXIO, LinuxError
from lbw.abi.stat import S_IFBLK, S_IFCHR, S_IFIFO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.context import FsContext
    from lbw.vfs.dev.table import DeviceTable
    from lbw.vfs.file import File
    from lbw.vfs.location import Location


def special_opener(devices: DeviceTable) -> Callable[[FsContext, Location, int], File]:
    """Return what `Vfs.open_special` should be, with these device drivers."""

    def open_special(ctx: FsContext, location: Location, flags: int) -> File:
        """Open a FIFO or device.  ENXIO: a socket, or there is no such device, or a FIFO without a reader"""
        if not location.mount.id:  # a nameless file, through /proc/PID/fd: it knows itself how it is opened again
            return location.inode.open(flags)
        kind = location.kind
        if kind == S_IFIFO:
            from lbw.vfs.fifo import open_fifo

            return open_fifo(location.inode, flags, ctx.vfs.pipe_budget)
        if kind in (S_IFCHR, S_IFBLK):
            return devices.open(ctx, location.inode, flags)
        raise LinuxError(ENXIO)

    return open_special
