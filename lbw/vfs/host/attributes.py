"""Inodes of the host directory file system: attributes, owners, and the way back to the host's file."""

from __future__ import annotations

import errno
import os

from lbw.abi.stat import S_IFLNK, S_IFMT
from lbw.host import files
from lbw.host.files import fstat
from lbw.vfs.host.errors import linux_error
from lbw.vfs.host.source import stamp_of
from lbw.vfs.inode import Inode, Stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from lbw.host.files import Handle
    from lbw.mm.cached_file import CachedFile
    from lbw.vfs.host.file import HostFile
    from lbw.vfs.host.filesystem import HostFileSystem
    from lbw.vfs.host.inode import HostInode

    T = TypeVar("T")

_HAS_BLOCKS = hasattr(os.stat_result, "st_blocks")


class HostAttributes(Inode):
    """What `HostInode` is, apart from content and entries."""

    __slots__ = (
        "__weakref__", "cached", "directory", "files", "handle", "name", "spare", "status", "target", "used",
        "version",
    )  # fmt: skip

    fs: HostFileSystem

    def __init__(self, fs: HostFileSystem, status: os.stat_result, directory: HostInode | None, name: bytes) -> None:
        self.fs = fs
        self.status = status
        self.directory = directory  # where it was last seen; None: the root
        self.name = name
        self.handle: Handle | None = None  # of a directory
        self.used = False  # the handle was, lately
        self.files: list[HostFile] = []  # open descriptions
        self.cached: CachedFile | None = None  # its pages, if they are in the page cache
        self.version = 0  # a number no other content of this file had
        self.target: tuple[int, bytes] | None = None  # of a symbolic link: (ctime, target)
        self.spare: HostFile | None = None  # keeps an unnamed file until it is opened

    # The way to the host's file

    def descriptor(self) -> Handle:
        """Return the handle of this directory, opening it again when it was closed."""
        handle = self.handle
        if handle is not None:
            self.used = True
            return handle
        assert self.directory is not None, "the root's handle stays open"
        handle = files.open_directory(self.directory.descriptor(), self.name)
        if files.BY_DESCRIPTOR:
            status = files.stat_directory(handle)
            if (status.st_ino, status.st_dev) != (self.status.st_ino, self.status.st_dev):
                files.close_directory(handle)
                raise OSError(errno.ESTALE, "the directory was moved by somebody else")
        self.handle = handle
        self.used = True
        self.fs.keep_handle(self)  # type: ignore[arg-type]  # every instance is a HostInode
        return handle

    def close_handle(self) -> None:
        """Close the handle."""
        handle, self.handle = self.handle, None
        if handle is not None:
            files.close_directory(handle)

    def place(self) -> Handle:
        """Return the handle of the directory in which `name` is this inode."""
        return self.descriptor() if self.directory is None else self.directory.descriptor()

    def reopen(self, flags: int) -> int:
        """Open this file, and no other that has taken its name; return the host descriptor. Raises OSError."""
        if self.name:
            try:
                descriptor = files.open_at(self.place(), self.name, flags)
            except FileNotFoundError:
                if not self.files:
                    raise
            else:
                status = fstat(descriptor)
                if status.st_ino == self.status.st_ino and status.st_dev == self.status.st_dev:
                    self.status = status
                    return descriptor
                files.close(descriptor)
        if self.files:
            return files.open_again(self.files[0].descriptor, flags)
        raise OSError(errno.ESTALE, "somebody else moved or replaced the file")

    def link_to(self, directory: Handle, name: bytes) -> None:
        """Make another name for this file. Raises OSError."""
        if self.name:
            try:
                files.link_at(self.place(), self.name, directory, name)
                return
            except FileNotFoundError:
                if not self.files:
                    raise
        files.link_open(self.files[0].descriptor, directory, name)
        # It has a name now; where, the next lookup will tell.

    # Attributes

    def refresh(self) -> None:
        """Ask the host."""
        self.ask()
        if self.cached is not None:
            self.cached.look(stamp_of(self.status))

    def changed_attributes(self) -> None:
        """Ask the host, after a change of lbw's own that has left the content as it was."""
        self.ask()
        if self.cached is not None:
            self.cached.adopt(stamp_of(self.status))

    def ask(self) -> None:
        """Ask the host, for the page cache or for one who tells it."""
        try:
            if self.files:
                self.status = fstat(self.files[0].descriptor)
            elif self.handle is not None:
                self.status = files.stat_directory(self.handle)
            else:
                status = files.lstat_at(self.place(), self.name)
                if status.st_ino == self.status.st_ino and status.st_dev == self.status.st_dev:
                    self.status = status
        except FileNotFoundError:
            pass  # removed while somebody stands in it (a working directory): what was known last stays true
        except OSError as error:
            raise linux_error(error) from None

    def stat(self) -> Stat:
        """Return fresh attributes."""
        self.refresh()
        return self.recent()

    def recent(self) -> Stat:
        """Return the attributes of the last look."""
        status = self.status
        fs = self.fs
        result = Stat.__new__(Stat)
        if fs.fake or fs.rows:
            result.mode, result.uid, result.gid, result.rdev = fs.attributes(status)
        else:
            result.mode = status.st_mode
            result.uid = status.st_uid
            result.gid = status.st_gid
            result.rdev = status.st_rdev
        result.dev = status.st_dev
        result.ino = status.st_ino
        result.nlink = status.st_nlink
        result.size = status.st_size
        if _HAS_BLOCKS:
            result.blksize = status.st_blksize
            result.blocks = status.st_blocks
        else:
            result.blksize = 4096
            result.blocks = (status.st_size + 511) // 512
        result.atime = status.st_atime_ns
        result.mtime = status.st_mtime_ns
        result.ctime = status.st_ctime_ns
        if self.cached is not None and self.cached.dirty:
            result.mtime = max(result.mtime, self.cached.modified)
            result.ctime = max(result.ctime, self.cached.modified)
        result.btime = 0
        return result

    def access_attributes(self) -> tuple[int, int, int]:
        """Return (mode, uid, gid) of the last look."""
        if self.fs.fake or self.fs.rows:
            return self.fs.attributes(self.status)[:3]
        return self.status.st_mode, self.status.st_uid, self.status.st_gid

    @property
    def mode(self) -> int:
        """Type and permission bits, of the last look."""
        if self.fs.rows:
            return self.fs.attributes(self.status)[0]
        return self.status.st_mode

    def set_attributes(
        self, *, mode: int | None = None, uid: int | None = None, gid: int | None = None,
        atime: int | None = None, mtime: int | None = None,
    ) -> None:  # fmt: skip
        """Change attributes on the host, or in the database what the host cannot hold."""
        self.refresh()
        try:
            if uid is not None or gid is not None:
                self._set_owner(uid, gid)
            if mode is not None:
                self._set_mode(mode)
            if atime is not None or mtime is not None:
                status = self.status
                self._utimens(
                    status.st_atime_ns if atime is None else atime, status.st_mtime_ns if mtime is None else mtime
                )
        except OSError as error:
            raise linux_error(error) from None
        if mtime is not None and self.cached is not None:
            self.cached.modified = 0  # what was stored before does not count any more
        self.changed_attributes()

    def take(self, mode: int, uid: int, gid: int, rdev: int | None) -> None:
        """Give a new file its owner and mode. `rdev`: of a placeholder of a device."""
        fs = self.fs
        if self.cached is not None and fs.pages is not None:  # of an older file that had this number
            fs.pages.discard(self.cached.identity)
        status = self.status
        try:
            if rdev is not None and fs.metadata is not None:
                self._record(uid or None, gid or None, mode, rdev)
                return
            shown_mode, shown_uid, shown_gid, _ = fs.attributes(status)
            if (uid, gid) != (shown_uid, shown_gid) and (fs.metadata is not None or not fs.fake):
                self._set_owner(uid, gid)
                shown_mode = -1  # chown clears bits
            if shown_mode & 0o7777 != mode & 0o7777 and mode & S_IFMT != S_IFLNK:
                self._set_mode(mode & 0o7777)
            if self.status is status and (uid, gid, mode) != (shown_uid, shown_gid, shown_mode):
                self.refresh()
        except OSError as error:
            raise linux_error(error) from None

    def _set_owner(self, uid: int | None, gid: int | None) -> None:
        fs = self.fs
        if not fs.fake:
            host_uid, host_gid = -1 if uid is None else uid, -1 if gid is None else gid
            if self.files:
                files.chown_open(self.files[0].descriptor, host_uid, host_gid)
            else:
                files.chown_at(self.place(), self.name, host_uid, host_gid)
            return
        row = fs.row(self.status)
        new_uid = row[0] if uid is None else self._recorded(uid, self.status.st_uid, fs.host_uid)
        new_gid = row[1] if gid is None else self._recorded(gid, self.status.st_gid, fs.host_gid)
        self._record(new_uid, new_gid, row[2], row[3])

    @staticmethod
    def _recorded(wanted: int, held: int, own: int) -> int | None:
        """Return what the row must say for `wanted` to be shown: nothing when the host already does."""
        shown = 0 if held == own else held
        return None if shown == wanted else wanted

    def _set_mode(self, mode: int) -> None:
        fs = self.fs
        kind = self.mode & S_IFMT
        row = fs.row(self.status)
        placeholder = row[2] is not None and row[2] & S_IFMT != self.status.st_mode & S_IFMT
        host_mode = fs.host_mode(kind | mode) & 0o7777
        if placeholder:
            host_mode = 0o600
        if self.status.st_mode & S_IFMT != S_IFLNK:
            if self.files:
                files.chmod_open(self.files[0].descriptor, host_mode)
            else:
                files.chmod_at(self.place(), self.name, host_mode)
        if fs.metadata is not None and (fs.fake or placeholder):
            recorded = kind | mode if placeholder or host_mode != mode or not files.BY_DESCRIPTOR else None
            self._record(row[0], row[1], recorded, row[3])

    def _record(self, uid: int | None, gid: int | None, mode: int | None, rdev: int | None) -> None:
        fs = self.fs
        if fs.metadata is None or self.status.st_dev != fs.dev:
            raise OSError(errno.EPERM, "no database for this file")
        fs.metadata.update(self.status.st_ino, (uid, gid, mode, rdev))

    def _utimens(self, atime: int, mtime: int) -> None:
        if self.files:
            files.utimens_open(self.files[0].descriptor, atime, mtime)
        else:
            files.utimens_at(self.place(), self.name, atime, mtime)

    def written(self) -> None:
        """Note that the content changes now."""
        fs = self.fs
        fs.writes += 1
        self.version = fs.writes

    def drop_doomed_row(self) -> None:
        """Drop the row of an unlinked file when its last description has closed."""
        ino = self.status.st_ino
        if not self.files and ino in self.fs.doomed:
            self.fs.doomed.discard(ino)
            if self.fs.metadata is not None:
                self.fs.metadata.forget(ino)
