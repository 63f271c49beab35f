"""Directories of the overlay: names that changed, over those of the lower directory.

`names` says what differs: a name leads to an overlay inode, or to None, which hides a name of the lower directory (a
whiteout). A new directory has no lower one, so nothing shines through (Linux calls that opaque).
"""

from __future__ import annotations

from lbw.abi.errno import EEXIST, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, LinuxError
from lbw.abi.fcntl import RENAME_EXCHANGE, RENAME_NOREPLACE
from lbw.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from lbw.vfs.inode import Inode, Stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.overlay.filesystem import OverlayFileSystem
    from lbw.vfs.overlay.inode import OverlayInode


class OverlayNames(Inode):
    """What `OverlayInode` is, as a directory."""

    __slots__ = (
        "__weakref__", "lower", "names", "opens", "own", "rdev", "target", "upper", "upper_name", "xattrs",
    )  # fmt: skip

    fs: OverlayFileSystem

    def __init__(self, fs: OverlayFileSystem, lower: Inode | None, own: Stat | None, target: bytes = b"") -> None:
        self.fs = fs
        self.lower = lower
        self.own = own  # attributes, once they differ
        self.upper: Inode | None = None  # content, once it differs
        self.upper_name = b""
        self.names: dict[bytes, OverlayInode | None] = {}
        self.target = target  # of a new symbolic link
        self.xattrs: dict[bytes, bytes] | None = None
        self.opens = 0  # descriptions

    def touch(self) -> Stat:
        """Return the inode's own attributes, taking them from below the first time."""
        if self.own is None:
            assert self.lower is not None
            self.own = self.lower.stat()
            self.fs.touched[self.lower] = self  # type: ignore[assignment]  # every instance is an OverlayInode
        return self.own

    @property
    def _is_directory(self) -> bool:
        return self.mode & S_IFMT == S_IFDIR

    def lookup(self, name: bytes) -> OverlayInode:
        """Return the inode of an entry."""
        names = self.names
        if names and name in names:
            inode = names[name]
            if inode is None:
                raise LinuxError(ENOENT)
            return inode
        lower = self.lower
        if lower is None:
            raise LinuxError(ENOENT if self._is_directory else ENOTDIR)
        return self.fs.inode(lower.lookup(name))

    def revalidate(self, name: bytes, known: Inode) -> Inode:
        """Return the inode of an entry, knowing what it was."""
        lower = self.lower
        known_lower = known.lower  # type: ignore[attr-defined]  # what this directory gave is an OverlayInode
        if lower is None or known_lower is None or (self.names and name in self.names):
            return self.lookup(name)
        found = lower.revalidate(name, known_lower)
        return known if found is known_lower else self.fs.inode(found)

    def entries(self) -> list[tuple[bytes, int, int]]:
        """Return the entries: those of the lower directory that still hold, then the new ones."""
        names = self.names
        found = [] if self.lower is None else [entry for entry in self.lower.entries() if entry[0] not in names]
        for name, inode in names.items():
            if inode is not None:
                status = inode.recent()
                found.append((name, status.ino, status.mode & S_IFMT))
        return found

    def _has_lower(self, name: bytes) -> bool:
        if self.lower is None:
            return False
        try:
            self.lower.lookup(name)
        except LinuxError as error:
            if error.errno == ENOENT:
                return False
            raise
        return True

    def _is_empty(self) -> bool:
        if any(inode is not None for inode in self.names.values()):
            return False
        return self.lower is None or all(entry[0] in self.names for entry in self.lower.entries())

    # Changes

    def _changed(self) -> None:
        own = self.touch()
        own.mtime = own.ctime = self.fs.now()

    def _check_new(self, name: bytes) -> None:
        try:
            self.lookup(name)
        except LinuxError as error:
            if error.errno != ENOENT:
                raise
        else:
            raise LinuxError(EEXIST)
        if self.own is not None and not self.own.nlink:
            raise LinuxError(ENOENT)  # this directory was removed

    def _new(self, mode: int, uid: int, gid: int, rdev: int = 0, target: bytes = b"", nlink: int = 1) -> OverlayInode:
        from lbw.vfs.overlay.inode import OverlayInode

        now = self.fs.now()
        own = Stat(
            ino=self.fs.next_ino(), mode=mode, dev=self.fs.dev, nlink=nlink, uid=uid, gid=gid, rdev=rdev,
            size=4096 if mode & S_IFMT == S_IFDIR else len(target), atime=now, mtime=now, ctime=now, btime=now,
        )  # fmt: skip
        inode = OverlayInode(self.fs, None, own, target)
        if mode & S_IFMT == S_IFREG:
            inode.own_content(None)
        return inode

    def create(self, name: bytes, mode: int, uid: int, gid: int, rdev: int = 0) -> OverlayInode:
        """Make a regular file, FIFO, socket or device node."""
        self._check_new(name)
        inode = self.names[name] = self._new(mode, uid, gid, rdev)
        self._changed()
        return inode

    def mkdir(self, name: bytes, mode: int, uid: int, gid: int) -> OverlayInode:
        """Make a directory."""
        self._check_new(name)
        inode = self.names[name] = self._new(S_IFDIR | mode & 0o7777, uid, gid, nlink=2)
        self.touch().nlink += 1
        self._changed()
        return inode

    def symlink(self, name: bytes, target: bytes, uid: int, gid: int) -> OverlayInode:
        """Make a symbolic link."""
        self._check_new(name)
        inode = self.names[name] = self._new(S_IFLNK | 0o777, uid, gid, target=target)
        self._changed()
        return inode

    def tmpfile(self, mode: int, uid: int, gid: int) -> OverlayInode:
        """Make a file without a name."""
        return self._new(S_IFREG | mode & 0o7777, uid, gid, nlink=0)

    def link(self, name: bytes, inode: Inode) -> None:
        """Make another name."""
        self._check_new(name)
        self.names[name] = inode  # type: ignore[assignment]  # of this file system
        own = inode.touch()  # type: ignore[attr-defined]
        own.nlink += 1
        own.ctime = self.fs.now()
        self._changed()

    def _hide(self, name: bytes) -> None:
        """Take the name away, whatever it led to."""
        if self._has_lower(name):
            self.names[name] = None
        else:
            self.names.pop(name, None)

    def _drop(self, name: bytes, inode: OverlayInode) -> None:
        own = inode.touch()
        self._hide(name)
        if inode.is_directory:
            own.nlink = 0
            self.touch().nlink -= 1
        else:
            own.nlink -= 1
        own.ctime = self.fs.now()
        self._changed()
        inode.free_if_unused()

    def unlink(self, name: bytes) -> None:
        """Remove a name."""
        inode = self.lookup(name)
        if inode.is_directory:
            raise LinuxError(EISDIR)
        self._drop(name, inode)

    def rmdir(self, name: bytes) -> None:
        """Remove an empty directory."""
        inode = self.lookup(name)
        if not inode.is_directory:
            raise LinuxError(ENOTDIR)
        if not inode._is_empty():
            raise LinuxError(ENOTEMPTY)
        self._drop(name, inode)

    def rename(self, name: bytes, directory: Inode, new_name: bytes, flags: int) -> None:
        """Move an entry: note its new name."""
        assert isinstance(directory, OverlayNames)
        inode = self.lookup(name)
        try:
            victim: OverlayInode | None = directory.lookup(new_name)
        except LinuxError as error:
            if error.errno != ENOENT:
                raise
            victim = None
        if flags & RENAME_EXCHANGE:
            if victim is None:
                raise LinuxError(ENOENT)
            self.names[name], directory.names[new_name] = victim, inode
            victim.touch().ctime = self.fs.now()
            self._moved_subdirectories(directory, int(inode.is_directory) - int(victim.is_directory))
        else:
            if victim is inode:
                return
            if victim is not None:
                if flags & RENAME_NOREPLACE:
                    raise LinuxError(EEXIST)
                if not victim.is_directory:
                    if inode.is_directory:
                        raise LinuxError(ENOTDIR)
                    directory.unlink(new_name)
                elif not inode.is_directory:
                    raise LinuxError(EISDIR)
                else:
                    directory.rmdir(new_name)
            elif directory.own is not None and not directory.own.nlink:
                raise LinuxError(ENOENT)
            self._hide(name)
            directory.names[new_name] = inode
            self._moved_subdirectories(directory, int(inode.is_directory))
        inode.touch().ctime = self.fs.now()
        self._changed()
        directory._changed()

    def _moved_subdirectories(self, directory: OverlayNames, count: int) -> None:
        """Note that `count` more subdirectories went from here to `directory` than came back."""
        self.touch().nlink -= count
        directory.touch().nlink += count
