"""The host directory file system: a directory of the host, seen by the guest.

Inodes are keyed by (st_dev, st_ino) of the host and kept while somebody uses them. Everything is done by (directory
handle, name), never by path (`lbw.host.files`). Handles are host descriptors, of which there are few: they are kept
in a ring with a second chance (`keep_handle`), and a directory whose handle was closed finds itself again from its
parent.

Whose files the guest sees (`ids`): "native": as they are, which is what host root gets; "fake": the host user's files
belong to 0:0, with exceptions from the `Metadata` database.
"""

from __future__ import annotations

import os
from _weakref import ref

from lbw.abi.errno import ENOTDIR, LinuxError
from lbw.abi.fs import EXT4_SUPER_MAGIC
from lbw.abi.stat import S_IFDIR, S_IFMT
from lbw.host import files
from lbw.vfs.host.errors import linux_error
from lbw.vfs.host.inode import HostInode
from lbw.vfs.host.metadata import EMPTY, Metadata, Row, database_path
from lbw.vfs.host.source import stamp_of
from lbw.vfs.inode import FileSystem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from lbw.host.files import Handle
    from lbw.mm.cached_file import CachedFile
    from lbw.mm.page_cache import PageCache

    InodeReference = ref[HostInode]
else:
    InodeReference = ref


class _Reference(InodeReference):
    """A weak entry of the inode table, which removes itself."""

    __slots__ = ("key", "table")

    key: tuple[int, int]
    table: dict[tuple[int, int], _Reference]


def _forget(reference: _Reference) -> None:
    if reference.table.get(reference.key) is reference:
        del reference.table[reference.key]


#: Handles that were taken away and are not closed yet.
CLOSED_LATER = 32


class HostFileSystem(FileSystem):
    """A directory of the host, or a single file of it (for a bind mount)."""

    type_name = "ext4"
    magic = EXT4_SUPER_MAGIC

    def __init__(
        self, path: bytes | str, *, ids: str | None = None, metadata: bool = True, read_only: bool = False
    ) -> None:
        """Open `path`, links followed. `ids`: "native" or "fake"; None: native for host root. May raise LinuxError."""
        path = os.path.abspath(os.fsencode(path))
        self.path = path
        self.read_only = read_only
        self.privileged = files.is_privileged()
        self.fake = ids == "fake" or (ids is None and not self.privileged)
        self.host_uid, self.host_gid = files.user()
        self._table: dict[tuple[int, int], _Reference] = {}
        self._handles: dict[HostInode, None] = {}
        self._closing: list[Handle | None] = []
        self.handle_limit = max(16, min(1024, files.descriptor_limit() // 4))
        self.writes = 0  # numbers contents, see HostInode.identity
        self.pages: PageCache | None = None  # who keeps pages of its files
        self.cached: Mapping[Hashable, CachedFile] = {}  # what that has, by (st_dev, st_ino)
        self.doomed: set[int] = set()  # inode numbers whose rows go when the last description closes
        try:
            is_directory = os.path.isdir(path)
            base = path if is_directory else os.path.dirname(os.path.realpath(path))
            handle = files.open_root(base)
            status = files.stat_directory(handle)
        except OSError as error:
            raise linux_error(error) from None
        self.dev = status.st_dev
        self.metadata = Metadata(database_path(path)) if metadata and is_directory else None
        self.rows: dict[int, Row] = self.metadata.rows if self.metadata is not None else {}
        top = HostInode(self, status, None, b".")
        top.handle = handle
        self._top = top
        self.root: HostInode = top
        self._enter((status.st_dev, status.st_ino), top)
        if not is_directory:
            if os.path.realpath(path) == base:
                raise LinuxError(ENOTDIR)
            self.root = top.lookup(os.path.basename(os.path.realpath(path)))

    # The inode table

    def inode(self, status: os.stat_result, directory: HostInode, name: bytes) -> HostInode:
        """Return the inode with these attributes, which was found as `name` in `directory`."""
        key = (status.st_dev, status.st_ino)
        reference = self._table.get(key)
        if reference is not None:
            known = reference()
            if known is not None and not (known.status.st_mode ^ status.st_mode) & S_IFMT:
                known.status = status
                if known.cached is not None:
                    known.cached.look(stamp_of(status))
                if known.directory is not None:
                    known.directory = directory
                    known.name = name
                return known
        inode = HostInode(self, status, directory, name)
        self._enter(key, inode)
        return inode

    def find(self, status: os.stat_result) -> HostInode | None:
        """Return the live inode with this number, if any."""
        reference = self._table.get((status.st_dev, status.st_ino))
        return None if reference is None else reference()

    def _enter(self, key: tuple[int, int], inode: HostInode) -> None:
        reference = _Reference(inode, _forget)
        reference.key = key
        reference.table = self._table
        self._table[key] = reference
        inode.cached = self.cached.get(key)

    # Pages

    def use_cache(self, pages: PageCache) -> None:
        """Let `pages` keep pages of these files: writes to them go there too."""
        self.pages = pages
        self.cached = pages.files
        pages.watchers[self] = None
        for key, reference in self._table.items():
            inode = reference()
            if inode is not None:
                inode.cached = self.cached.get(key)

    def cache_changed(self, identity: Hashable, cached: CachedFile | None) -> None:
        """Note that pages of a file have come into the cache, or left it."""
        reference = self._table.get(identity)  # type: ignore[call-overload]
        inode = None if reference is None else reference()
        if inode is not None:
            inode.cached = cached

    # Handles

    def keep_handle(self, inode: HostInode) -> None:
        """Note that `inode` has opened its handle; close one that was not used lately when there are too many."""
        handles = self._handles
        handles[inode] = None
        while len(handles) > self.handle_limit:
            oldest = next(iter(handles))
            del handles[oldest]
            if oldest.used or oldest is inode:
                oldest.used = False
                handles[oldest] = None
                continue
            # Not closed at once: whoever has just taken it for the first of two directories may use it.
            handle, oldest.handle = oldest.handle, None
            self._closing.append(handle)
            if len(self._closing) > CLOSED_LATER:
                first = self._closing.pop(0)
                if first is not None:
                    files.close_directory(first)

    def close_handles(self) -> None:
        """Close all handles but the root's; they open again when they are needed."""
        for inode in self._handles:
            inode.close_handle()
        self._handles.clear()

    def close(self) -> None:
        """Close all handles and the database: the file system is not used any more."""
        if self.pages is not None:
            self.pages.watchers.pop(self, None)
        self.close_handles()
        self._top.close_handle()
        for handle in self._closing:
            if handle is not None:
                files.close_directory(handle)
        self._closing.clear()
        if self.metadata is not None:
            self.metadata.close()

    def __del__(self) -> None:
        if hasattr(self, "_top"):
            self.close()

    # Attributes

    def attributes(self, status: os.stat_result) -> tuple[int, int, int, int]:
        """Return (mode, uid, gid, rdev) as the guest sees them."""
        mode, uid, gid, rdev = status.st_mode, status.st_uid, status.st_gid, getattr(status, "st_rdev", 0)
        if self.fake:
            if uid == self.host_uid:
                uid = 0
            if gid == self.host_gid:
                gid = 0
        if self.rows and status.st_dev == self.dev:
            row = self.rows.get(status.st_ino)
            if row is not None:
                uid = uid if row[0] is None else row[0]
                gid = gid if row[1] is None else row[1]
                mode = mode if row[2] is None else row[2]
                rdev = rdev if row[3] is None else row[3]
        return mode, uid, gid, rdev

    def row(self, status: os.stat_result) -> Row:
        """Return what the database says of a file."""
        return self.rows.get(status.st_ino, EMPTY) if status.st_dev == self.dev else EMPTY

    def host_mode(self, mode: int) -> int:
        """Return the mode that a file gets on the host when the guest gives it `mode` (with type).

        For a fake root no set-user-id bits, which would hand out the host user's rights, and never without the owner's
        read and write (and search), so that lbw can act for the guest's root.
        """
        if not self.fake or self.metadata is None:
            return mode
        return mode & (S_IFMT | 0o1777) | (0o700 if mode & S_IFMT == S_IFDIR else 0o600)

    def statfs(self) -> tuple[int, int, int, int, int]:
        """Return the host's numbers."""
        try:
            return files.free_space(self._top.descriptor())
        except OSError as error:
            raise linux_error(error) from None

    def sync(self) -> None:
        """Make the database durable."""
        if self.metadata is not None:
            self.metadata.sync()
