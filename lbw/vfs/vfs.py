"""The tree of mounts, and what all contexts share."""

from __future__ import annotations

from os import urandom

from lbw.abi.errno import EBUSY, EINVAL, ENOENT, ENOTDIR, ENXIO, ETXTBSY, LinuxError
from lbw.abi.stat import S_IFDIR
from lbw.vfs.context import FsContext
from lbw.vfs.credentials import Credentials
from lbw.vfs.epoll.account import WatchAccount
from lbw.vfs.inotify.limits import InotifyLimits
from lbw.vfs.location import Location
from lbw.vfs.mount import Mount
from lbw.vfs.pipe_budget import PipeBudget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.file import File
    from lbw.vfs.inode import FileSystem, Inode
    from lbw.vfs.inotify.notifier import Notifier
    from lbw.vfs.virtual import VirtualFileSystem

#: Locations are kept alive for at least this many later ones.
RECENT_LOCATIONS = 4096


def _no_special_files(ctx: FsContext, location: Location, flags: int) -> File:
    raise LinuxError(ENXIO)


class Vfs:
    """The mount table, the root of everything, and the seams to what lies above."""

    def __init__(self, root_fs: FileSystem, source: bytes = b"/dev/root") -> None:
        self._next_id = 1
        self._mounts: dict[int, Mount] = {}
        self._recent: list[Location] = []
        self._older: list[Location] = []
        self._virtual: VirtualFileSystem | None = None
        self._write_denied: dict[Inode, int] = {}
        #: What all pipes and FIFOs may hold.
        self.pipe_budget = PipeBudget()
        #: Who is told of what happens to files; None: nobody ever asked for it (inotify).
        self.notifier: Notifier | None = None
        self.inotify_limits = InotifyLimits()
        #: How many files each user watches with epoll.
        self.epoll_watches = WatchAccount()
        #: What the random devices give: so many bytes.
        self.random: Callable[[int], bytes] = urandom
        #: Opens FIFOs, devices and sockets: (context, location, flags) -> File.
        self.open_special: Callable[[FsContext, Location, int], File] = _no_special_files
        self.root = self._add(root_fs, None, 0, source, root_fs.root).root

    def context(self, credentials: Credentials | None = None) -> FsContext:
        """Return a new context at the root of everything; of guest root by default."""
        return FsContext(self, self.root, self.root, credentials or Credentials())

    # Mounts

    def mount(
        self, fs: FileSystem, at: Location, flags: int = 0, source: bytes = b"none", inode: Inode | None = None
    ) -> Mount:
        """Mount `fs`, or the part of it that starts at `inode`, on the location `at`.

        `flags` are MS_*. ENOTDIR: one is a directory and the other is not; EBUSY: it is mounted there already
        """
        at = at.topmost()
        root = inode or fs.root
        if root.is_directory != (at.kind == S_IFDIR):
            raise LinuxError(ENOTDIR)
        if at.inode is root and at.parent is None:
            raise LinuxError(EBUSY)
        mount = self._add(fs, at, flags, source, root)
        at.over = mount.root
        return mount

    def unmount(self, location: Location) -> None:
        """Take away the mount whose root is `location`.  EINVAL: it is none; EBUSY: something is mounted on it"""
        mount = location.mount
        point = mount.point
        if location is not mount.root or point is None:
            raise LinuxError(EINVAL)
        if any(other.point is not None and other.point.mount is mount for other in self._mounts.values()):
            raise LinuxError(EBUSY)
        virtual = point.parent is not None and (point.parent.virtual or {}).get(point.name) is point
        point.over = point if virtual else None
        mount.point = None
        del self._mounts[mount.id]
        if self.notifier is not None:
            self.notifier.unmounted(mount.fs)

    def mounts(self) -> list[Mount]:
        """Return all mounts, in the order they were made."""
        return list(self._mounts.values())

    def is_mount_point(self, location: Location) -> bool:
        """Whether something is mounted on `location`, or it is a place made to mount on, or the root of a mount."""
        return location.over is not None or location.parent is None

    def mount_point(self, path: bytes, directory: bool = True) -> Location:
        """Return the location of an absolute path, making what is missing without changing any file system.

        What is made are virtual places: seen by the walk and in listings, not removable.
        """
        from lbw.vfs.virtual import VirtualFileSystem
        from lbw.vfs.walk import EXISTING, walk

        ctx = self.context()
        here = self.root.topmost()
        parts = [part for part in path.split(b"/") if part]
        for index, name in enumerate(parts):
            try:
                found = walk(ctx, name, here, EXISTING, True)[0]
                assert found is not None
                here = found
            except LinuxError as error:
                if error.errno != ENOENT:
                    raise
                if self._virtual is None:
                    self._virtual = VirtualFileSystem()
                if here.virtual is None:
                    here.virtual = {}
                is_directory = directory or index < len(parts) - 1
                child = here.attach(name, self._virtual.make(is_directory))
                child.over = child
                here.virtual[name] = child
                here = child
        return here

    def _add(self, fs: FileSystem, point: Location | None, flags: int, source: bytes, root: Inode) -> Mount:
        mount = Mount(self._next_id, fs, point, flags, source)
        mount.graft(root)
        self._mounts[self._next_id] = mount
        self._next_id += 1
        return mount

    def sync(self) -> None:
        """Write everything back.  man 2 sync"""
        for mount in self._mounts.values():
            mount.fs.sync()

    # Memory

    def remember(self, location: Location) -> None:
        """Keep a location alive for a while."""
        recent = self._recent
        recent.append(location)
        if len(recent) > RECENT_LOCATIONS:
            self._older = recent
            self._recent = []

    # Programs that run are not written to (ETXTBSY)

    def deny_write(self, inode: Inode) -> None:
        """Note that `inode` is being executed.  ETXTBSY: it is open for writing"""
        if inode.is_open_for_writing():
            raise LinuxError(ETXTBSY)
        self._write_denied[inode] = self._write_denied.get(inode, 0) + 1

    def allow_write(self, inode: Inode) -> None:
        """Take back one `deny_write`."""
        count = self._write_denied.get(inode, 0) - 1
        if count > 0:
            self._write_denied[inode] = count
        else:
            self._write_denied.pop(inode, None)

    def require_writable(self, inode: Inode) -> None:
        """ETXTBSY when the inode is being executed."""
        if inode in self._write_denied:
            raise LinuxError(ETXTBSY)
