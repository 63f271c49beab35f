"""The tree of files: the root, with what every Linux system mounts on it, and the user's bind mounts."""

from __future__ import annotations

import os

from lbw.abi.errno import EACCES, ENOTDIR, EPERM, NAMES, LinuxError
from lbw.abi.fs import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from lbw.errors import RootError, UsageError
from lbw.vfs.dev.devtmpfs import populate
from lbw.vfs.dev.table import DeviceTable
from lbw.vfs.devpts.filesystem import DevptsFileSystem
from lbw.vfs.host.filesystem import HostFileSystem
from lbw.vfs.pipe_budget import PipeBudget
from lbw.vfs.proc.fs import ProcFileSystem
from lbw.vfs.special import special_opener
from lbw.vfs.tmpfs.filesystem import TmpFileSystem
from lbw.vfs.vfs import Vfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from tempfile import TemporaryDirectory

    from lbw.machine import Bind
    from lbw.mm.frames import Frames
    from lbw.mm.page_cache import PageCache
    from lbw.vfs.inode import FileSystem
    from lbw.vfs.proc.source import ProcSource

#: What all pipes may hold together at least, bytes.
MINIMUM_PIPES = 1 << 20


class Tree:
    """A mount table over a root directory."""

    def __init__(self, root: str, binds: Sequence[Bind], overlay: bool, memory: int, frames: Frames) -> None:
        """Mount everything; files in memory lie in `frames`.  RootError, UsageError"""
        self._frames = frames
        self._systems: list[FileSystem] = []
        self._scratch: TemporaryDirectory[str] | None = None  # where an overlay keeps what changed
        lower = self._open_root(root, overlay)
        if overlay:
            from lbw.vfs.overlay.filesystem import OverlayFileSystem

            lower = self._note(OverlayFileSystem(lower, self._upper()))
        self.vfs = Vfs(lower, b"overlay" if overlay else b"/dev/root")
        self.vfs.pipe_budget = PipeBudget(max(memory // 4, MINIMUM_PIPES))
        self.devices = DeviceTable()
        self.vfs.open_special = special_opener(self.devices)
        half = memory // 2
        dev = self._tmpfs(half, 0o755, "devtmpfs")
        populate(dev.root)
        self._mount(dev, b"/dev", MS_NOSUID, b"udev")
        self.terminals = DevptsFileSystem()
        self._note(self.terminals)
        point = self.vfs.mount_point(b"/dev/pts")
        self.terminals.place = self.vfs.mount(self.terminals, point, MS_NOSUID | MS_NOEXEC, b"devpts").root
        self.terminals.register_drivers(self.devices)
        self._mount(self._tmpfs(half, 0o1777), b"/dev/shm", MS_NOSUID | MS_NODEV, b"tmpfs")
        self._mount(self._tmpfs(half, 0o755), b"/run", MS_NOSUID | MS_NODEV, b"tmpfs")
        self._mount(self._tmpfs(half, 0o1777), b"/tmp", MS_NOSUID | MS_NODEV, b"tmpfs")
        for bind in binds:
            self._bind(bind)

    def _open_root(self, root: str, overlay: bool) -> FileSystem:
        try:
            os.stat(root)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            raise RootError(f"the root {root} does not exist") from None
        except OSError as error:
            raise RootError(f"the root {root} cannot be read: {error.strerror}") from None
        if not os.path.isdir(root):
            raise RootError(f"the root {root} is no directory")
        native = os.path.realpath(root) == os.path.realpath(os.sep)
        try:
            system = HostFileSystem(root, ids="native" if native else None, read_only=overlay)
            system.root.entries()
        except LinuxError as error:
            reason = "permission denied" if error.errno in (EACCES, EPERM) else NAMES.get(error.errno, "?")
            raise RootError(f"the root {root} cannot be read: {reason}") from None
        return self._note(system)

    def _upper(self) -> FileSystem:
        import tempfile

        self._scratch = tempfile.TemporaryDirectory(prefix="lbw-", ignore_cleanup_errors=True)
        return self._note(HostFileSystem(self._scratch.name))

    def _tmpfs(self, limit: int, permissions: int, type_name: str = "tmpfs") -> FileSystem:
        system = TmpFileSystem(limit, permissions, type_name=type_name, frames=self._frames)
        return self._note(system)

    def _note(self, system: FileSystem) -> FileSystem:
        self._systems.append(system)
        return system

    def _mount(self, system: FileSystem, path: bytes, flags: int, source: bytes) -> None:
        self.vfs.mount(system, self.vfs.mount_point(path), flags, source)

    def _bind(self, bind: Bind) -> None:
        host = os.path.abspath(bind.host)
        if not os.path.exists(host):
            raise UsageError(f"cannot bind {bind.host}: it does not exist on the host")
        try:
            system = self._note(HostFileSystem(host, metadata=False, read_only=bind.read_only))
            point = self.vfs.mount_point(os.fsencode(bind.guest), os.path.isdir(host))
            self.vfs.mount(system, point, MS_RDONLY if bind.read_only else 0, os.fsencode(host))
        except LinuxError as error:
            reason = NAMES.get(error.errno, "?")
            if error.errno == ENOTDIR:
                reason = "one is a directory, the other is not"
            raise UsageError(f"cannot bind {bind.host} to {bind.guest}: {reason}") from None

    def keep_time(self, now: Callable[[], int], random: Callable[[int], bytes]) -> None:
        """Have what lbw itself keeps stamped with the time `now`, ns; devices give bytes of `random`."""
        for system in self._systems:
            system.now = now
        self.vfs.random = random

    def use_cache(self, pages: PageCache) -> None:
        """Have pages of files kept in `pages`."""
        for system in self._systems:
            system.use_cache(pages)

    def mount_proc(self, source: ProcSource) -> None:
        """Mount /proc for the kernel behind `source`, in place of that of an earlier run."""
        self._mount_anew(ProcFileSystem(source), b"/proc", b"proc")

    def mount_queues(self, system: FileSystem) -> None:
        """Mount the message queues of a kernel, in place of those of an earlier run."""
        self._mount_anew(system, b"/dev/mqueue", b"mqueue")

    def _mount_anew(self, system: FileSystem, path: bytes, source: bytes) -> None:
        point = self.vfs.mount_point(path)
        if point.inode.fs.type_name == system.type_name:
            self.vfs.unmount(point)
            point = self.vfs.mount_point(path)
        self.vfs.mount(system, point, MS_NOSUID | MS_NODEV | MS_NOEXEC, source)

    def close(self) -> None:
        """Write back what is to be kept, delete the rest."""
        for system in reversed(self._systems):
            system.sync()
            system.close()
        if self._scratch is not None:
            self._scratch.cleanup()

