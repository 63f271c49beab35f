"""Opening: from a path to an open file description.  man 2 open"""

from __future__ import annotations

from lbw.abi.errno import (
    EACCES,
    EEXIST,
    EINVAL,
    EISDIR,
    ELOOP,
    ENAMETOOLONG,
    ENOTDIR,
    EOVERFLOW,
    EPERM,
    EROFS,
    ESTALE,
    LinuxError,
)
from lbw.abi.fcntl import (
    __O_TMPFILE,
    O_ACCMODE,
    O_CLOEXEC,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_LARGEFILE,
    O_NOATIME,
    O_NOCTTY,
    O_NOFOLLOW,
    O_PATH,
    O_RDONLY,
    O_TMPFILE,
    O_TRUNC,
)
from lbw.abi.fs import MS_NODEV, NAME_MAX
from lbw.abi.inotify import IN_MODIFY
from lbw.abi.stat import S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG
from lbw.vfs.directory import PathFile
from lbw.vfs.location import Location
from lbw.vfs.permissions import READ, SEARCH, WRITE, new_owner, owns, require, strip_privileges, strips_privileges
from lbw.vfs.walk import EXISTING, PARENT, PERHAPS, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.context import FsContext
    from lbw.vfs.file import File

_WANTED = (READ, WRITE, READ | WRITE, READ | WRITE)
#: Flags that say how to open, and are not kept.
_ONCE = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC
#: The largest file that may be opened without O_LARGEFILE, bytes: what a signed 32-bit offset can name.
MAX_SMALL = 0x7FFF_FFFF


def open_file(ctx: FsContext, path: bytes, flags: int, mode: int, at: Location | None = None) -> File:
    """Open `path`, creating it when `flags` ask for that with `mode` (before the umask).

    The description has no references yet; the descriptor table acquires the first.
    """
    try:
        return _open(ctx, path, flags, mode, at)
    except LinuxError as error:
        if error.errno != ESTALE:
            raise
        return _open(ctx, path, flags, mode, at)  # somebody else replaced the file between finding and opening


def _open(ctx: FsContext, path: bytes, flags: int, mode: int, at: Location | None) -> File:
    if flags & O_PATH:
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    elif flags & (O_CREAT | __O_TMPFILE):
        if flags & __O_TMPFILE:
            return _open_tmpfile(ctx, path, flags, mode, at)
        return _open_creating(ctx, path, flags, mode, at)
    location = walk(ctx, path, at, EXISTING, not flags & O_NOFOLLOW)[0]
    assert location is not None
    return open_location(ctx, location, flags)


def open_location(ctx: FsContext, location: Location, flags: int) -> File:
    """Open what is at `location`, which was freshly looked up, checking permissions."""
    kind = location.kind
    if flags & O_PATH:
        if flags & O_DIRECTORY and kind != S_IFDIR:
            raise LinuxError(ENOTDIR)
        file: File = PathFile(location.inode, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW))
        file.location = location
        return file
    inode = location.inode
    if kind == S_IFREG:
        if flags & O_DIRECTORY:
            raise LinuxError(ENOTDIR)
    elif kind == S_IFDIR:
        if flags & (O_ACCMODE | O_CREAT | O_TRUNC):
            raise LinuxError(EISDIR)
    else:
        if flags & O_DIRECTORY:
            raise LinuxError(ENOTDIR)
        if kind == S_IFLNK:
            raise LinuxError(ELOOP)
        if kind in (S_IFCHR, S_IFBLK) and location.mount.flags & MS_NODEV:
            raise LinuxError(EACCES)
    access = flags & O_ACCMODE
    wanted = _WANTED[access] | (WRITE if flags & O_TRUNC else 0)
    if wanted & WRITE and kind == S_IFREG and location.mount.read_only:
        raise LinuxError(EROFS)
    credentials = ctx.credentials
    require(credentials, inode, wanted)
    if flags & O_NOATIME and not owns(credentials, inode):
        raise LinuxError(EPERM)
    if kind != S_IFREG and kind != S_IFDIR:
        # O_NOCTTY is for the terminal's driver, and not kept either.
        file = ctx.vfs.open_special(ctx, location, flags & ~_ONCE | flags & O_NOCTTY)
        file.flags &= ~O_NOCTTY
        file.location = location
        if ctx.vfs.notifier is not None:
            ctx.vfs.notifier.opened(file)
        return file
    if wanted & WRITE:
        ctx.vfs.require_writable(inode)
    if not flags & O_LARGEFILE and kind == S_IFREG and inode.stat().size > MAX_SMALL:
        raise LinuxError(EOVERFLOW)
    kept = flags & ~_ONCE
    if flags & O_TRUNC:
        strip_privileges(credentials, inode)
        file = inode.open_truncated(kept)
    else:
        file = inode.open(kept)
    file.location = location
    if access != O_RDONLY:
        file.strips_privileges = strips_privileges(credentials)
    if ctx.vfs.notifier is not None:
        ctx.vfs.notifier.opened(file)
        if flags & O_TRUNC:
            ctx.vfs.notifier.changed(location, IN_MODIFY)
    return file


def _open_creating(ctx: FsContext, path: bytes, flags: int, mode: int, at: Location | None) -> File:
    if flags & O_DIRECTORY:
        raise LinuxError(EINVAL)
    if path[-1:] == b"/":
        _, _, name, _ = walk(ctx, path, at, PARENT, False)
        raise LinuxError(EEXIST if not name and flags & O_EXCL else EISDIR)
    location, directory, name, slash = walk(ctx, path, at, PERHAPS, not flags & (O_NOFOLLOW | O_EXCL))
    if location is not None:
        if flags & O_EXCL:
            raise LinuxError(EEXIST)
        return open_location(ctx, location, flags)
    if slash:
        raise LinuxError(EISDIR)
    if len(name) > NAME_MAX:
        raise LinuxError(ENAMETOOLONG)
    if directory.mount.read_only:
        raise LinuxError(EROFS)
    parent = directory.inode
    require(ctx.credentials, parent, WRITE | SEARCH)
    mode, uid, gid = new_owner(ctx.credentials, parent, S_IFREG | mode & 0o7777 & ~ctx.umask)
    kept = flags & ~_ONCE
    try:
        inode, file = parent.create_open(name, mode, uid, gid, kept)
    except LinuxError as error:
        if error.errno != EEXIST or flags & O_EXCL:
            raise
        return open_file(ctx, path, flags & ~O_CREAT, mode, at)  # somebody else was faster
    location = directory.attach(name, inode)
    ctx.vfs.remember(location)
    file.location = location
    file.strips_privileges = strips_privileges(ctx.credentials)
    if ctx.vfs.notifier is not None:
        ctx.vfs.notifier.created(directory, name)
        ctx.vfs.notifier.opened(file)
    return file


def _open_tmpfile(ctx: FsContext, path: bytes, flags: int, mode: int, at: Location | None) -> File:
    if flags & O_TMPFILE != O_TMPFILE or flags & O_ACCMODE == O_RDONLY or flags & O_CREAT:
        raise LinuxError(EINVAL)
    directory = walk(ctx, path, at, EXISTING, True)[0]
    assert directory is not None
    if directory.kind != S_IFDIR:
        raise LinuxError(ENOTDIR)
    if directory.mount.read_only:
        raise LinuxError(EROFS)
    require(ctx.credentials, directory.inode, WRITE | SEARCH)
    mode, uid, gid = new_owner(ctx.credentials, directory.inode, S_IFREG | mode & 0o7777 & ~ctx.umask)
    inode = directory.inode.tmpfile(mode, uid, gid)
    file = inode.open(flags & ~(_ONCE | O_DIRECTORY))
    file.flags |= O_DIRECTORY  # F_GETFL tells it
    number = inode.recent().ino
    file.location = Location(directory.mount, inode, directory, b"#%d" % number)
    file.location.deleted = True
    file.strips_privileges = strips_privileges(ctx.credentials)
    if ctx.vfs.notifier is not None:
        ctx.vfs.notifier.opened(file)
    return file
