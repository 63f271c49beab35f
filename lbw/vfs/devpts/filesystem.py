"""devpts: a directory that has a node for each terminal there is, and `ptmx`, which makes them.

Opening ptmx, here or as /dev/ptmx, makes a pair with the lowest free number; the node of its slave belongs to who
opened it (group tty, mode 0620) and goes away when the master is closed. The number is in use until both sides are
closed.
Nodes are made by nobody else, and removed by nobody else; their owner and permissions can be changed.

lbw's own terminal, when it was started on one, is the first of them.

A slave is opened by its node here only: a node with the same number anywhere else is EIO, as on Linux.
"""

from __future__ import annotations

from lbw.abi.errno import EACCES, EIO, ENOENT, ENOSPC, EPERM, LinuxError
from lbw.abi.fcntl import O_NOCTTY
from lbw.abi.fs import DEVPTS_SUPER_MAGIC
from lbw.abi.stat import S_IFCHR, S_IFMT, S_IFREG
from lbw.vfs.dev.table import makedev
from lbw.vfs.pseudo import PrivateDirectory, PseudoFileSystem, PseudoInode
from lbw.vfs.tty.jobs import JobControl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.context import FsContext
    from lbw.vfs.dev.table import DeviceTable
    from lbw.vfs.file import File
    from lbw.vfs.inode import Inode, Stat
    from lbw.vfs.location import Location
    from lbw.vfs.tty.tty import Tty

#: Major numbers of masters and slaves.
PTM_MAJOR, PTS_MAJOR = 128, 136
#: Permissions and group of new slaves: mesg y for group tty, as Debian mounts it (gid=5,mode=620).
SLAVE_MODE, TTY_GID = 0o620, 5
#: Pairs there may be (/proc/sys/kernel/pty/max), and how many of them are reserved for other instances (reserve).
MAX_PAIRS, RESERVED = 4096, 1024
#: Inode numbers: the root, ptmx, the first slave.
ROOT_INO, PTMX_INO, FIRST_INO = 1, 2, 3
#: A terminal's times change when they are this old, ns: `who` is to tell who is idle, not how one types.
COARSE = 8_000_000_000


class PtsInode(PseudoInode):
    """/dev/pts/N."""

    __slots__ = ("_access_time", "_write_time", "tty")
    type = S_IFCHR

    def __init__(self, fs: DevptsFileSystem, index: int, tty: Tty, uid: int, gid: int) -> None:
        super().__init__(fs, FIRST_INO + index, SLAVE_MODE, uid, gid)
        self.tty: Tty | None = tty  # None: the master is closed
        self._access_time = self._write_time = self.time

    def link_count(self) -> int:
        return 0 if self.tty is None else 1

    def stat(self) -> Stat:
        stat = super().stat()
        stat.rdev = makedev(PTS_MAJOR, self.ino - FIRST_INO)
        tty = self.tty
        if tty is not None:
            if tty.last_read // COARSE > self._access_time // COARSE:
                self._access_time = tty.last_read
            if tty.last_write // COARSE > self._write_time // COARSE:
                self._write_time = tty.last_write
        stat.atime, stat.mtime = self._access_time, self._write_time
        return stat

    def set_attributes(
        self, *, mode: int | None = None, uid: int | None = None, gid: int | None = None,
        atime: int | None = None, mtime: int | None = None,
    ) -> None:  # fmt: skip
        super().set_attributes(mode=mode, uid=uid, gid=gid)
        self._access_time = self._access_time if atime is None else atime
        self._write_time = self._write_time if mtime is None else mtime


class PtmxInode(PseudoInode):
    """/dev/pts/ptmx: mode 0 as Debian mounts it; programs use /dev/ptmx."""

    __slots__ = ()
    type = S_IFCHR

    def stat(self) -> Stat:
        stat = super().stat()
        stat.rdev = makedev(5, 2)
        return stat


class PtsDirectory(PrivateDirectory):
    """The root of a devpts."""

    __slots__ = ("nodes", "ptmx")

    def __init__(self, fs: DevptsFileSystem) -> None:
        super().__init__(fs, ROOT_INO, 0o755)
        self.ptmx = PtmxInode(fs, PTMX_INO, 0)
        self.nodes: dict[int, PtsInode] = {}

    def link_count(self) -> int:
        return 2

    def lookup(self, name: bytes) -> Inode:
        if name == b"ptmx":
            return self.ptmx
        node = self.nodes.get(int(name)) if name.isdigit() and (name[0] != 48 or name == b"0") else None
        if node is None:
            raise LinuxError(ENOENT)
        return node

    def entries(self) -> list[tuple[bytes, int, int]]:
        listed = [(b"%d" % index, self.nodes[index].ino, S_IFCHR) for index in sorted(self.nodes, reverse=True)]
        return [*listed, (b"ptmx", PTMX_INO, S_IFCHR)]

    def create(self, name: bytes, mode: int, uid: int, gid: int, rdev: int = 0) -> Inode:
        """EACCES for a regular file, EPERM for the rest."""
        raise LinuxError(EACCES if mode & S_IFMT == S_IFREG else EPERM)


class DevptsFileSystem(PseudoFileSystem):
    """A devpts instance with its terminals."""

    type_name = "devpts"
    magic = DEVPTS_SUPER_MAGIC
    block_size = 1024
    #: What /proc/mounts shows beside the options of every mount.
    show_options = "gid=5,mode=620,ptmxmode=000"

    root: PtsDirectory

    def __init__(self, dev: int = 0x18) -> None:
        super().__init__(dev)
        self.root = PtsDirectory(self)
        self.jobs = JobControl()  # the kernel's, while one runs
        self.place: Location | None = None  # the root as it is mounted, set by who mounts it
        self._used: set[int] = set()

    def statfs(self) -> tuple[int, int, int, int, int]:
        return 4096, 0, 0, 0, 0

    @property
    def count(self) -> int:
        """How many numbers are in use."""
        return len(self._used)

    def add(self, tty: Tty, uid: int, gid: int) -> int:
        """Give a terminal the lowest free number, and a node; return the number.  ENOSPC: there are too many"""
        used = self._used
        if len(used) + 1 >= MAX_PAIRS:
            raise LinuxError(ENOSPC)
        index = next(number for number in range(MAX_PAIRS) if number not in used)
        used.add(index)
        tty.device = makedev(PTS_MAJOR, index)
        self.root.nodes[index] = PtsInode(self, index, tty, uid, gid)
        return index

    def give(self, index: int, uid: int) -> None:
        """Make `uid` the owner of a terminal, as a login does."""
        self.root.nodes[index].set_attributes(uid=uid)

    def remove(self, index: int) -> None:
        """Take the node away; who has the terminal open keeps it."""
        node = self.root.nodes.pop(index, None)
        if node is not None:
            node.tty = None
            if self.place is not None:
                self.place.detach(b"%d" % index)

    def release(self, index: int) -> None:
        """Let the number be used again."""
        self.remove(index)
        self._used.discard(index)

    def register_drivers(self, devices: DeviceTable) -> None:
        """Put the drivers of ptmx and of both sides into the device table."""
        devices.terminals = self
        devices.register(5, 2, self.open_master, "/dev/ptmx")
        devices.register_major(PTM_MAJOR, self.open_by_number, "ptm")
        devices.register_major(PTS_MAJOR, self.open_slave, "pts")

    def open_by_number(self, ctx: FsContext, inode: Inode, flags: int) -> File:
        """Open the master of a pair that exists.  EIO: it is open already"""
        raise LinuxError(EIO)

    def open_slave(self, ctx: FsContext, inode: Inode, flags: int) -> File:
        """Open /dev/pts/N (the driver of major 136).  EIO: its master is closed or keeps it locked"""
        if not isinstance(inode, PtsInode) or inode.tty is None:
            raise LinuxError(EIO)
        return inode.tty.open(ctx, inode, flags)

    def open_master(self, ctx: FsContext, inode: Inode, flags: int) -> File:
        """Make a pair and open its master (the driver of ptmx).  ENOSPC"""
        from lbw.vfs.tty.pty import PtySlave
        from lbw.vfs.tty.pty_master import PtyMaster

        slave = PtySlave(self.jobs, self.remove, self.release)
        slave.index = self.add(slave, ctx.credentials.fsuid, TTY_GID)
        return PtyMaster(inode, flags, slave, self)

    def open_peer(self, ctx: FsContext, index: int, flags: int) -> File:
        """Open slave `index` without walking to it."""
        from lbw.vfs.walk import find_child

        assert self.place is not None
        location = find_child(ctx, self.place, b"%d" % index)
        file = self.open_slave(ctx, location.inode, flags)
        file.flags &= ~O_NOCTTY
        file.location = location
        return file
