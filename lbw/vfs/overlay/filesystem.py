"""The overlay: a file system that is never changed, with changes on top that are thrown away.

Names and attributes that changed are kept in memory, as tmpfs keeps them. What is not changed is asked from the file
system below (`lower`); an overlay inode stands for one inode of it, whatever its names are, so hard links stay what
they are, an inode number survives the first change, and a directory of a million files is renamed by noting its new
name. Only the content of regular files needs room: it goes to `storage`, a flat directory of any other file system (a
tmpfs, or a private directory of the host), copied there when a file is first opened for writing, and not at all when
that truncates it.

Rejected: Linux's way, an upper tree with whiteout devices and opaque attributes. It exists to outlive the mount, which
nothing here does, and pays with EXDEV for directories and broken hard links.
"""

from __future__ import annotations

from _weakref import ref

from lbw.abi.fs import OVERLAYFS_SUPER_MAGIC
from lbw.vfs.inode import FileSystem, Inode
from lbw.vfs.overlay.inode import OverlayInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.page_cache import PageCache

    Reference = ref[OverlayInode]
else:
    Reference = ref


class _Seen(Reference):
    """A weak entry of the table of inodes that are as they were."""

    __slots__ = ("key", "table")

    key: Inode
    table: dict[Inode, _Seen]


def _forget(reference: _Seen) -> None:
    if reference.table.get(reference.key) is reference:
        del reference.table[reference.key]


class OverlayFileSystem(FileSystem):
    """`lower` with changes that go to memory and `storage`."""

    type_name = "overlay"
    magic = OVERLAYFS_SUPER_MAGIC

    def __init__(self, lower: FileSystem, storage: FileSystem) -> None:
        """`storage` must be empty and nobody else's."""
        self.lower = lower
        self.storage = storage
        self.dev = lower.dev
        self._seen: dict[Inode, _Seen] = {}
        #: Inodes of `lower` that have changed.
        self.touched: dict[Inode, OverlayInode] = {}
        self._last_number = 0
        # New inode numbers start where those of `lower` hardly are; below 2**32 when possible, for 32-bit programs.
        small = lower.root.recent().ino < 1 << 31 and lower.statfs()[3] < 1 << 31
        self._first_ino = 1 << 31 if small else 1 << 48
        self.root = self.inode(lower.root)

    def inode(self, lower: Inode) -> OverlayInode:
        """Return the inode that stands for one of `lower`."""
        touched = self.touched.get(lower)
        if touched is not None:
            return touched
        reference = self._seen.get(lower)
        known = None if reference is None else reference()
        if known is not None:
            return known
        inode = OverlayInode(self, lower, None)
        reference = _Seen(inode, _forget)
        reference.key = lower
        reference.table = self._seen
        self._seen[lower] = reference
        return inode

    def next_ino(self) -> int:
        """Return the number of a new inode."""
        return self._first_ino + self.next_number()

    def next_number(self) -> int:
        """Return a number never used before."""
        self._last_number += 1
        return self._last_number

    def statfs(self) -> tuple[int, int, int, int, int]:
        """Return the room that there is for changes."""
        return self.storage.statfs()

    def use_cache(self, pages: PageCache) -> None:
        """Pages are those of the files below and in the storage."""
        self.lower.use_cache(pages)
        self.storage.use_cache(pages)

    def close(self) -> None:
        """Let go of what is below; whoever made `storage` throws away what is in it."""
        self.lower.close()
        self.storage.close()
