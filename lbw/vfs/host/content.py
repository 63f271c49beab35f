"""Inodes of the host directory file system: opening, mapping and truncating regular files.

Pages of a file may be in the page cache (`cached`), because something maps it or did: then they are told of every
change, and look at what the host has when the file is opened.
"""

from __future__ import annotations

import os

from lbw.abi.errno import EISDIR, ENODEV, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_DSYNC, O_RDONLY, O_SYNC
from lbw.abi.stat import S_IFDIR, S_IFMT, S_IFREG
from lbw.host import files
from lbw.vfs.directory import Directory
from lbw.vfs.host.errors import linux_error
from lbw.vfs.host.file import HostFile
from lbw.vfs.host.source import HostSource, stamp_of
from lbw.vfs.host.xattrs import HostXattrs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from lbw.mm.backing import MappedObject
    from lbw.mm.page_cache import PageCache
    from lbw.vfs.file import File

#: O_RDONLY, O_WRONLY, O_RDWR, and Linux' fourth mode, of the host.
ACCESS = (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR)


class HostContent(HostXattrs):
    """What `HostInode` is, for its content."""

    __slots__ = ()

    def open(self, flags: int) -> File:
        """Open; always a new description, on a new host descriptor."""
        if self.status.st_mode & S_IFMT == S_IFDIR:
            return Directory(self, flags)
        return self._open(flags, 0)

    def open_truncated(self, flags: int) -> File:
        """Open and empty it in one host call."""
        if self.status.st_mode & S_IFMT != S_IFREG:
            return self.open(flags)
        self.written()
        if flags & O_ACCMODE == O_RDONLY:  # Linux truncates then too, given permission
            self.truncate(0)
            return self.open(flags)
        return self._open(flags, os.O_TRUNC)

    def _open(self, flags: int, extra: int) -> HostFile:
        host_flags = ACCESS[flags & O_ACCMODE] | extra
        if flags & O_DSYNC:
            host_flags |= files.O_SYNC if flags & O_SYNC == O_SYNC else files.O_DSYNC
        try:
            descriptor = self.reopen(host_flags)
        except OSError as error:
            raise linux_error(error) from None
        file = HostFile(self, flags, descriptor)
        if self.spare is not None:
            self.spare.close()
            self.spare = None
        cached = self.cached
        if cached is not None:
            if extra:
                cached.resized(0)
                cached.adopt(stamp_of(self.status))
            else:
                cached.look(stamp_of(self.status))
            file.errors_known = cached.errors_known
        return file

    def mapped(self, cache: PageCache) -> MappedObject:
        """Return the pages of this file.  ENODEV: it is no regular file"""
        status = self.status
        if status.st_mode & S_IFMT != S_IFREG:
            raise LinuxError(ENODEV)
        if self.fs.pages is not cache:
            self.fs.use_cache(cache)
        return cache.file((status.st_dev, status.st_ino), HostSource(self))

    def is_open_for_writing(self) -> bool:
        """Whether one of the open descriptions, or a mapping, can write."""
        if any(file.writable for file in self.files):
            return True
        return self.cached is not None and any(getattr(vma.opened, "writable", False) for vma in self.cached.mappings)

    def identity(self) -> Hashable:
        """Return what changes with the content. Writes of ours count too: the host's clock ticks slowly."""
        self.refresh()
        status = self.status
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, self.version

    def truncate(self, size: int) -> None:
        """Set the size."""
        if self.status.st_mode & S_IFMT == S_IFDIR:
            raise LinuxError(EISDIR)
        self.written()
        descriptor = next((file.descriptor for file in self.files if file.writable), -1)
        opened = -1
        try:
            if descriptor < 0:
                descriptor = opened = self.reopen(os.O_WRONLY)
            cached = self.cached
            if cached is not None:
                cached.before_change(stamp_of(files.fstat(descriptor)))
            files.truncate(descriptor, size)
            if cached is not None:
                cached.resized(size)
                cached.adopt(stamp_of(files.fstat(descriptor)))
        except OSError as error:
            raise linux_error(error) from None
        finally:
            if opened >= 0:
                files.close(opened)
