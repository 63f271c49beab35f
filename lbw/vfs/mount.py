"""A mount: a file system, or a part of one, seen at a place of the tree."""

from __future__ import annotations

from lbw.abi.fs import MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_RELATIME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.inode import FileSystem, Inode
    from lbw.vfs.location import Location

_OPTIONS = (
    (MS_NOSUID, "nosuid"), (MS_NODEV, "nodev"), (MS_NOEXEC, "noexec"), (MS_NOATIME, "noatime"),
    (MS_NODIRATIME, "nodiratime"), (MS_RELATIME, "relatime"),
)  # fmt: skip


class Mount:
    """Linux's struct vfsmount, and its place."""

    __slots__ = ("flags", "fs", "id", "point", "root", "source")

    root: Location

    def __init__(self, number: int, fs: FileSystem, point: Location | None, flags: int, source: bytes) -> None:
        self.id = number
        self.fs = fs
        self.point = point  # the location that it covers; None: the root of everything, or unmounted
        self.flags = flags  # MS_*
        self.source = source

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed through this mount."""
        return bool(self.flags & MS_RDONLY) or self.fs.read_only

    def options(self) -> str:
        """Return the options as /proc/mounts shows them."""
        names = ["ro" if self.read_only else "rw", *(name for flag, name in _OPTIONS if self.flags & flag)]
        own: str = getattr(self.fs, "show_options", "")
        return ",".join([*names, own] if own else names)

    def graft(self, inode: Inode) -> None:
        """Make `inode` the root of the mount."""
        from lbw.vfs.location import Location

        self.root = Location(self, inode, None, b"")
