"""Making, removing and moving names.  man 2 mkdir, mknod, symlink, link, unlink, rmdir, rename"""

from __future__ import annotations

from lbw.abi.capability import CAP_DAC_READ_SEARCH, CAP_MKNOD
from lbw.abi.errno import (
    EBUSY,
    EEXIST,
    EINVAL,
    EISDIR,
    ENAMETOOLONG,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    EPERM,
    EROFS,
    EXDEV,
    LinuxError,
)
from lbw.abi.fcntl import RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT
from lbw.abi.fs import NAME_MAX, PATH_MAX
from lbw.abi.stat import S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK
from lbw.vfs.permissions import SEARCH, WRITE, may_link, new_owner, require, require_removable
from lbw.vfs.walk import EXISTING, PARENT, find_child, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.context import FsContext
    from lbw.vfs.location import Location


def _place_for(ctx: FsContext, path: bytes, at: Location | None, directory: bool = False) -> tuple[Location, bytes]:
    """Return where the new name `path` goes. EEXIST; ENOENT: a trailing slash on what is no directory."""
    parent, name = _free_place(ctx, path, at, directory)
    require(ctx.credentials, parent.inode, WRITE | SEARCH)
    return parent, name


def _free_place(ctx: FsContext, path: bytes, at: Location | None, directory: bool) -> tuple[Location, bytes]:
    """As `_place_for`, whoever may write there."""
    _, parent, name, slash = walk(ctx, path, at, PARENT, False)
    if name in (b"", b".", b".."):
        raise LinuxError(EEXIST)
    if _lookup(ctx, parent, name) is not None:
        raise LinuxError(EEXIST)
    if slash and not directory:
        raise LinuxError(ENOENT)
    if parent.mount.read_only:
        raise LinuxError(EROFS)
    return parent, name


def _lookup(ctx: FsContext, parent: Location, name: bytes) -> Location | None:
    """Return the child, mounts on it disregarded, or None."""
    if len(name) > NAME_MAX:
        raise LinuxError(ENAMETOOLONG)
    try:
        return find_child(ctx, parent, name)
    except LinuxError as error:
        if error.errno != ENOENT:
            raise
        parent.detach(name)
        return None


def mkdir(ctx: FsContext, path: bytes, mode: int, at: Location | None = None) -> None:
    """Make a directory."""
    parent, name = _place_for(ctx, path, at, directory=True)
    mode, uid, gid = new_owner(ctx.credentials, parent.inode, S_IFDIR | mode & 0o1777 & ~ctx.umask)
    parent.inode.mkdir(name, mode, uid, gid)
    if ctx.vfs.notifier is not None:
        ctx.vfs.notifier.created(parent, name, True)


def mknod(ctx: FsContext, path: bytes, mode: int, rdev: int, at: Location | None = None) -> None:
    """Make a regular file, FIFO, socket or device node; `mode` with its type (0: regular)."""
    kind = mode & S_IFMT or S_IFREG
    if kind == S_IFDIR:
        raise LinuxError(EPERM)
    if kind not in (S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK):
        raise LinuxError(EINVAL)
    parent, name = _place_for(ctx, path, at)
    whiteout = kind == S_IFCHR and not rdev  # harmless: everybody may make one
    if kind in (S_IFCHR, S_IFBLK) and not whiteout and not ctx.credentials.capable(CAP_MKNOD):
        raise LinuxError(EPERM)
    mode, uid, gid = new_owner(ctx.credentials, parent.inode, kind | mode & 0o7777 & ~ctx.umask)
    parent.inode.create(name, mode, uid, gid, rdev if kind in (S_IFCHR, S_IFBLK) else 0)
    if ctx.vfs.notifier is not None:
        ctx.vfs.notifier.created(parent, name)


def symlink(ctx: FsContext, target: bytes, path: bytes, at: Location | None = None) -> None:
    """Make a symbolic link at `path`."""
    if not target:
        raise LinuxError(ENOENT)
    if len(target) >= PATH_MAX:
        raise LinuxError(ENAMETOOLONG)
    parent, name = _place_for(ctx, path, at)
    _, uid, gid = new_owner(ctx.credentials, parent.inode, 0o777)
    parent.inode.symlink(name, target, uid, gid)
    if ctx.vfs.notifier is not None:
        ctx.vfs.notifier.created(parent, name)


def link(
    ctx: FsContext, old: bytes, new: bytes, old_at: Location | None = None, new_at: Location | None = None,
    follow: bool = False, empty_ok: bool = False,
) -> None:  # fmt: skip
    """Make another name for a file. `empty_ok` (AT_EMPTY_PATH): an empty `old` means `old_at` itself."""
    if not old and empty_ok and old_at is not None:
        if not ctx.credentials.capable(CAP_DAC_READ_SEARCH):
            raise LinuxError(ENOENT)
        source = old_at
        source.inode.refresh()
    else:
        found = walk(ctx, old, old_at, EXISTING, follow)[0]
        assert found is not None
        source = found
    parent, name = _free_place(ctx, new, new_at, False)
    if source.mount is not parent.mount:
        raise LinuxError(EXDEV)
    if not may_link(ctx.credentials, source.inode):
        raise LinuxError(EPERM)
    require(ctx.credentials, parent.inode, WRITE | SEARCH)
    if source.kind == S_IFDIR:
        raise LinuxError(EPERM)
    parent.inode.link(name, source.inode)
    if ctx.vfs.notifier is not None:
        ctx.vfs.notifier.linked(source.inode, parent, name)


def unlink(ctx: FsContext, path: bytes, at: Location | None = None) -> None:
    """Remove a name that is not a directory."""
    _, parent, name, slash = walk(ctx, path, at, PARENT, False)
    if name in (b"", b".", b".."):
        raise LinuxError(EISDIR)
    if parent.mount.read_only:
        raise LinuxError(EROFS)
    victim = _existing(ctx, parent, name)
    if slash:
        raise LinuxError(EISDIR if victim.kind == S_IFDIR else ENOTDIR)
    require_removable(ctx.credentials, parent.inode, victim.inode)
    if victim.kind == S_IFDIR:
        raise LinuxError(EISDIR)
    if ctx.vfs.is_mount_point(victim):
        raise LinuxError(EBUSY)
    notifier = ctx.vfs.notifier
    last = notifier is not None and notifier.removing(victim)
    parent.inode.unlink(name)
    parent.detach(name)
    if notifier is not None:
        notifier.removed(parent, name, victim, last)


def rmdir(ctx: FsContext, path: bytes, at: Location | None = None) -> None:
    """Remove an empty directory."""
    _, parent, name, _ = walk(ctx, path, at, PARENT, False)
    if name == b"..":
        raise LinuxError(ENOTEMPTY)
    if name == b".":
        raise LinuxError(EINVAL)
    if not name:
        raise LinuxError(EBUSY)
    if parent.mount.read_only:
        raise LinuxError(EROFS)
    victim = _existing(ctx, parent, name)
    require_removable(ctx.credentials, parent.inode, victim.inode)
    if victim.kind != S_IFDIR:
        raise LinuxError(ENOTDIR)
    if ctx.vfs.is_mount_point(victim):
        raise LinuxError(EBUSY)
    if victim.virtual:
        raise LinuxError(ENOTEMPTY)
    notifier = ctx.vfs.notifier
    last = notifier is not None and notifier.removing(victim)
    parent.inode.rmdir(name)
    parent.detach(name)
    if notifier is not None:
        notifier.removed(parent, name, victim, last)


def _existing(ctx: FsContext, parent: Location, name: bytes) -> Location:
    location = _lookup(ctx, parent, name)
    if location is None:
        raise LinuxError(ENOENT)
    return location


def rename(
    ctx: FsContext, old: bytes, new: bytes, old_at: Location | None = None, new_at: Location | None = None,
    flags: int = 0,
) -> None:  # fmt: skip
    """Move a name, replacing what is there as rename(2) allows; RENAME_NOREPLACE, RENAME_EXCHANGE."""
    exchange = bool(flags & RENAME_EXCHANGE)
    if flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT):
        raise LinuxError(EINVAL)
    if exchange and flags != RENAME_EXCHANGE:
        raise LinuxError(EINVAL)
    _, parent, name, slash = walk(ctx, old, old_at, PARENT, False)
    _, new_parent, new_name, new_slash = walk(ctx, new, new_at, PARENT, False)
    if parent.mount is not new_parent.mount:
        raise LinuxError(EXDEV)
    if name in (b"", b".", b".."):
        raise LinuxError(EBUSY)
    if new_name in (b"", b".", b".."):
        raise LinuxError(EEXIST if flags & RENAME_NOREPLACE else EBUSY)
    if parent.mount.read_only:
        raise LinuxError(EROFS)
    source = _existing(ctx, parent, name)
    target = _lookup(ctx, new_parent, new_name)
    if target is not None and flags & RENAME_NOREPLACE:
        raise LinuxError(EEXIST)
    if exchange:
        if target is None:
            raise LinuxError(ENOENT)
        if target.kind != S_IFDIR and new_slash:
            raise LinuxError(ENOTDIR)
    if source.kind != S_IFDIR and (slash or (new_slash and not exchange)):
        raise LinuxError(ENOTDIR)
    if new_parent.is_within(source):
        raise LinuxError(EINVAL)
    if target is not None and parent.is_within(target):
        raise LinuxError(EINVAL if exchange else ENOTEMPTY)
    if target is not None and target.inode is source.inode:
        return
    _require_rename(ctx, parent, source, new_parent, target, exchange)
    if flags & RENAME_WHITEOUT:  # no file system here makes whiteouts
        raise LinuxError(EINVAL)
    notifier = ctx.vfs.notifier
    last = notifier is not None and target is not None and not exchange and notifier.removing(target)
    parent.inode.rename(name, new_parent.inode, new_name, flags)
    if exchange:
        parent.exchange(name, new_parent, new_name)
    else:
        parent.move(name, new_parent, new_name)
    if notifier is not None:
        notifier.moved(source, (parent, name), (new_parent, new_name), None if exchange else target, last)
        if exchange and target is not None:
            notifier.moved(target, (new_parent, new_name), (parent, name))


def _require_rename(
    ctx: FsContext, parent: Location, source: Location, new_parent: Location, target: Location | None, exchange: bool
) -> None:
    """Check permissions and kinds, in vfs_rename's order."""
    credentials = ctx.credentials
    is_directory = source.kind == S_IFDIR
    require_removable(credentials, parent.inode, source.inode)
    if target is None:
        require(credentials, new_parent.inode, WRITE | SEARCH)
    else:
        require_removable(credentials, new_parent.inode, target.inode)
        if not exchange:
            if is_directory and target.kind != S_IFDIR:
                raise LinuxError(ENOTDIR)
            if not is_directory and target.kind == S_IFDIR:
                raise LinuxError(EISDIR)
    if parent is not new_parent:
        if is_directory:
            require(credentials, source.inode, WRITE)
        if exchange and target is not None and target.kind == S_IFDIR:
            require(credentials, target.inode, WRITE)
    if ctx.vfs.is_mount_point(source) or (target is not None and ctx.vfs.is_mount_point(target)):
        raise LinuxError(EBUSY)
