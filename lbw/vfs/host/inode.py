"""Inodes of the host directory file system: links, and the names in directories.

An inode knows the place where it was last looked up (`directory`, `name`) and works on itself through that place, or
through a descriptor when one is open. `status` is the host's answer to the last look.
"""

from __future__ import annotations

import os

from lbw.abi.errno import EACCES, EINVAL, ENOTDIR, ESTALE, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_WRONLY, RENAME_EXCHANGE, RENAME_NOREPLACE
from lbw.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from lbw.host import files
from lbw.host.files import lstat_at
from lbw.vfs.host.content import ACCESS, HostContent
from lbw.vfs.host.errors import linux_error
from lbw.vfs.host.file import HostFile
from lbw.vfs.host.source import stamp_of
from lbw.vfs.inode import Inode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.file import File


class HostInode(HostContent):
    """A file of the host."""

    __slots__ = ()

    def readlink(self) -> bytes:
        """Return the target, remembered while the inode does not change."""
        if self.status.st_mode & S_IFMT != S_IFLNK:
            return super().readlink()
        target = self.target
        if target is None or target[0] != self.status.st_ctime_ns:
            try:
                target = (self.status.st_ctime_ns, files.readlink_at(self.place(), self.name))
            except OSError as error:
                if linux_error(error).errno == EINVAL:  # somebody else put something else there
                    raise LinuxError(ESTALE) from None
                raise linux_error(error) from None
            self.target = target
        return target[1]

    # Directories

    def lookup(self, name: bytes) -> HostInode:
        """Return the inode of an entry, with fresh attributes."""
        if self.status.st_mode & S_IFMT != S_IFDIR:
            raise LinuxError(ENOTDIR)
        try:
            status = lstat_at(self.descriptor(), name)
        except OSError as error:
            raise linux_error(error) from None
        return self.fs.inode(status, self, name)

    def revalidate(self, name: bytes, known: Inode) -> Inode:
        """Look again; the common case needs no table."""
        try:
            status = lstat_at(self.handle if self.handle is not None else self.descriptor(), name)
        except OSError as error:
            raise linux_error(error) from None
        self.used = True
        assert isinstance(known, HostInode)
        old = known.status
        if status.st_ino == old.st_ino and status.st_dev == old.st_dev and not (status.st_mode ^ old.st_mode) & S_IFMT:
            known.status = status
            if known.cached is not None:
                known.cached.look(stamp_of(status))
            known.directory = self  # it may have been seen last under another of its names
            known.name = name
            return known
        return self.fs.inode(status, self, name)

    def entries(self) -> list[tuple[bytes, int, int]]:
        """Return the entries in the host's order."""
        try:
            found = files.list_directory(self.descriptor())
        except OSError as error:
            raise linux_error(error) from None
        rows = self.fs.rows
        if rows and self.status.st_dev == self.fs.dev:
            for index, (name, ino, kind) in enumerate(found):
                row = rows.get(ino)
                if row is not None and row[2] is not None and kind == S_IFREG:
                    found[index] = (name, ino, row[2] & S_IFMT)
        return found

    def create(self, name: bytes, mode: int, uid: int, gid: int, rdev: int = 0) -> HostInode:
        """Make a regular file, FIFO, socket or device node."""
        fs = self.fs
        placeholder = False
        try:
            directory = self.descriptor()
            if mode & S_IFMT == S_IFREG:
                files.close(
                    files.open_at(directory, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, fs.host_mode(mode) & 0o777)
                )
            else:
                try:
                    files.mknod_at(directory, name, fs.host_mode(mode), rdev)
                except OSError as error:
                    if linux_error(error).errno == EACCES or isinstance(error, FileExistsError):
                        raise
                    if isinstance(error, FileNotFoundError):
                        raise
                    placeholder = True
                    files.close(files.open_at(directory, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise linux_error(error) from None
        return self._made(name, mode, uid, gid, rdev if placeholder else None)

    def create_open(self, name: bytes, mode: int, uid: int, gid: int, flags: int) -> tuple[HostInode, File]:
        """Make a regular file and keep the descriptor."""
        fs = self.fs
        try:
            descriptor = files.open_at(
                self.descriptor(), name, ACCESS[flags & O_ACCMODE] | os.O_CREAT | os.O_EXCL, fs.host_mode(mode) & 0o777
            )
            status = files.fstat(descriptor)
        except OSError as error:
            raise linux_error(error) from None
        inode = fs.inode(status, self, name)
        file = HostFile(inode, flags, descriptor)
        try:
            self._own(inode, mode, uid, gid, None)
        except LinuxError:
            file.close()
            raise
        return inode, file

    def mkdir(self, name: bytes, mode: int, uid: int, gid: int) -> HostInode:
        """Make a directory."""
        try:
            files.mkdir_at(self.descriptor(), name, self.fs.host_mode(mode | S_IFDIR))
        except OSError as error:
            raise linux_error(error) from None
        return self._made(name, mode | S_IFDIR, uid, gid, None)

    def symlink(self, name: bytes, target: bytes, uid: int, gid: int) -> HostInode:
        """Make a symbolic link."""
        try:
            files.symlink_at(target, self.descriptor(), name)
        except OSError as error:
            raise linux_error(error) from None
        return self._made(name, S_IFLNK | 0o777, uid, gid, None)

    def _made(self, name: bytes, mode: int, uid: int, gid: int, rdev: int | None) -> HostInode:
        inode = self.lookup(name)
        self._own(inode, mode, uid, gid, rdev)
        return inode

    def _own(self, inode: HostInode, mode: int, uid: int, gid: int, rdev: int | None) -> None:
        self.fs.doomed.discard(inode.status.st_ino)
        if self.fs.metadata is not None:
            self.fs.metadata.reload()
        if self.fs.metadata is not None and inode.status.st_ino in self.fs.rows:
            self.fs.metadata.forget(inode.status.st_ino)  # of a file that was removed behind our back
        inode.take(mode, uid, gid, rdev)

    def link(self, name: bytes, inode: Inode) -> None:
        """Make another name."""
        assert isinstance(inode, HostInode)
        try:
            inode.link_to(self.descriptor(), name)
            inode.status = lstat_at(self.descriptor(), name)
            if inode.cached is not None:
                inode.cached.adopt(stamp_of(inode.status))
        except OSError as error:
            raise linux_error(error) from None

    def unlink(self, name: bytes) -> None:
        """Remove a name."""
        fs = self.fs
        try:
            directory = self.descriptor()
            if not fs.rows and not fs.cached:
                files.unlink_at(directory, name)
                return
            status = lstat_at(directory, name)
            files.unlink_at(directory, name)
        except OSError as error:
            raise linux_error(error) from None
        self._gone(status)

    def rmdir(self, name: bytes) -> None:
        """Remove an empty directory."""
        try:
            status = lstat_at(self.descriptor(), name)
            files.rmdir_at(self.descriptor(), name)
        except OSError as error:
            raise linux_error(error) from None
        self._gone(status)

    def _gone(self, status: os.stat_result) -> None:
        """Drop what was kept for a file that lost a name."""
        fs = self.fs
        inode = fs.find(status)
        if status.st_mode & S_IFMT != S_IFDIR and status.st_nlink > 1:
            return
        if fs.pages is not None:
            fs.pages.discard((status.st_dev, status.st_ino))
        if fs.metadata is not None and status.st_ino in fs.rows and status.st_dev == fs.dev:
            if inode is not None and inode.files:
                fs.doomed.add(status.st_ino)
            else:
                fs.metadata.forget(status.st_ino)

    def rename(self, name: bytes, directory: Inode, new_name: bytes, flags: int) -> None:
        """Move an entry."""
        assert isinstance(directory, HostInode)
        victim: os.stat_result | None = None
        try:
            source, target = self.descriptor(), directory.descriptor()
            moved = lstat_at(source, name)
            try:
                victim = lstat_at(target, new_name)
            except FileNotFoundError:
                pass
            if flags & (RENAME_NOREPLACE | RENAME_EXCHANGE):
                from lbw.host.files_linux import rename_at2

                rename_at2(source, name, target, new_name, flags)
            else:
                files.rename_at(source, name, target, new_name)
        except OSError as error:
            raise linux_error(error) from None
        if victim is not None and (victim.st_ino, victim.st_dev) == (moved.st_ino, moved.st_dev):
            return  # two names of one file: nothing happens
        if not files.BY_DESCRIPTOR:
            self.fs.close_handles()  # they are paths, and those of a directory's whole tree are wrong now
        inode = self.fs.find(moved)
        if inode is not None:
            inode.directory, inode.name = directory, new_name
            if inode.cached is not None:
                inode.changed_attributes()
        if victim is not None:
            if flags & RENAME_EXCHANGE:
                inode = self.fs.find(victim)
                if inode is not None:
                    inode.directory, inode.name = self, name
            else:
                self._gone(victim)

    def tmpfile(self, mode: int, uid: int, gid: int) -> Inode:
        """Make a file without a name. It exists while a description is open, so it comes with one (`spare`)."""
        if not files.O_TMPFILE:
            return super().tmpfile(mode, uid, gid)
        try:
            descriptor = files.open_at(
                self.descriptor(), b".", files.O_TMPFILE | os.O_RDWR, self.fs.host_mode(mode) & 0o777
            )
            status = files.fstat(descriptor)
        except OSError as error:
            raise linux_error(error) from None
        inode = self.fs.inode(status, self, b"")
        inode.spare = HostFile(inode, O_WRONLY | 2, descriptor)
        inode.take(mode | S_IFREG, uid, gid, None)
        return inode
