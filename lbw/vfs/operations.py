"""What system calls do with paths: names, attributes, places. Opening is in `lbw.vfs.opening`.

Plain functions. `ctx` is who asks, `path` is as the guest gave it, `at` the location it starts from (None: the
working directory). Permissions, sticky directories, read-only mounts and the odd final components (`.`, `..`, a
trailing slash) are settled here, in the order Linux does it, because the order decides which errno a program sees.
"""

from __future__ import annotations

from lbw.abi.capability import CAP_CHOWN, CAP_FSETID, CAP_SYS_CHROOT
from lbw.abi.errno import (
    EACCES,
    EINVAL,
    EISDIR,
    ENOENT,
    ENOTDIR,
    EOPNOTSUPP,
    EPERM,
    EROFS,
    LinuxError,
)
from lbw.abi.fs import MS_NOEXEC, NAME_MAX
from lbw.abi.inotify import IN_ACCESS, IN_ATTRIB, IN_MODIFY
from lbw.abi.stat import (
    S_IFDIR,
    S_IFLNK,
    S_IFMT,
    S_IFREG,
    S_ISGID,
    S_ISUID,
    S_IXGRP,
)
from lbw.vfs.naming import link, mkdir, mknod, rename, rmdir, symlink, unlink
from lbw.vfs.opening import open_file, open_location
from lbw.vfs.permissions import EXECUTE, SEARCH, WRITE, owns, require, strip_privileges
from lbw.vfs.walk import EXISTING, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.context import FsContext
    from lbw.vfs.inode import Inode, Stat
    from lbw.vfs.location import Location

__all__ = [
    "resolve", "open_file", "open_location", "stat", "access", "readlink", "path_of",
    "mkdir", "mknod", "symlink", "link", "unlink", "rmdir", "rename",
    "chmod", "chown", "utimens", "set_mode", "set_owner", "set_times",
    "truncate", "statfs", "chdir", "chroot",
]  # fmt: skip


def resolve(
    ctx: FsContext, path: bytes, at: Location | None = None, follow: bool = True, empty_ok: bool = False
) -> Location:
    """Return the location of `path`, its inode freshly looked up. `empty_ok`: an empty path means `at` itself."""
    if not path and empty_ok:
        location = ctx.cwd if at is None else at
        location.inode.refresh()
        return location
    found = walk(ctx, path, at, EXISTING, follow)[0]
    assert found is not None
    return found


def stat(ctx: FsContext, path: bytes, at: Location | None = None, follow: bool = True, empty_ok: bool = False) -> Stat:
    """Return the attributes of `path`.  man 2 stat"""
    if not path:
        return resolve(ctx, path, at, follow, empty_ok).inode.recent()
    found = walk(ctx, path, at, EXISTING, follow)[0]
    assert found is not None
    return found.inode.recent()


def access(
    ctx: FsContext, path: bytes, mode: int, at: Location | None = None, effective: bool = False,
    follow: bool = True, empty_ok: bool = False,
) -> None:  # fmt: skip
    """Check R_OK (4), W_OK (2), X_OK (1) with the real ids, or with the effective ones.  man 2 access"""
    if mode & ~7:
        raise LinuxError(EINVAL)
    credentials = ctx.credentials
    if not effective and (credentials.ruid != credentials.fsuid or credentials.rgid != credentials.fsgid):
        credentials = credentials.copy()
        credentials.fsuid, credentials.fsgid = credentials.ruid, credentials.rgid
        credentials.effective = credentials.permitted if credentials.ruid == 0 else 0
        from lbw.vfs.context import FsContext

        ctx = FsContext(ctx.vfs, ctx.root, ctx.cwd, credentials, ctx.umask)
    location = resolve(ctx, path, at, follow, empty_ok)
    if not mode:
        return
    if mode & EXECUTE and location.kind == S_IFREG and location.mount.flags & MS_NOEXEC:
        raise LinuxError(EACCES)
    if mode & WRITE and location.mount.read_only and location.kind in (S_IFREG, S_IFDIR, S_IFLNK):
        raise LinuxError(EROFS)
    require(credentials, location.inode, mode)


def readlink(ctx: FsContext, path: bytes, at: Location | None = None) -> bytes:
    """Return the target of a symbolic link; an empty path means `at` itself.  man 2 readlink"""
    location = resolve(ctx, path, at, follow=False, empty_ok=at is not None)
    if location.kind != S_IFLNK:
        raise LinuxError(EINVAL if path else ENOENT)
    return location.inode.readlink()


# Attributes


def _require_change(location: Location) -> None:
    if location.mount.read_only:
        raise LinuxError(EROFS)


def chmod(ctx: FsContext, location: Location, mode: int) -> None:
    """Set the permission bits.  man 2 chmod"""
    _require_change(location)
    set_mode(ctx, location.inode, mode)
    if ctx.vfs.notifier is not None:
        ctx.vfs.notifier.changed(location, IN_ATTRIB)


def set_mode(ctx: FsContext, inode: Inode, mode: int) -> None:
    """As chmod, of something that may have no place in the tree, such as a pipe."""
    credentials = ctx.credentials
    if inode.mode & S_IFMT == S_IFLNK:
        raise LinuxError(EOPNOTSUPP)
    if not owns(credentials, inode):
        raise LinuxError(EPERM)
    mode &= 0o7777
    gid = inode.access_attributes()[2]
    if not credentials.in_group(gid) and not credentials.capable(CAP_FSETID):
        mode &= ~S_ISGID
    inode.set_attributes(mode=mode)


def chown(ctx: FsContext, location: Location, uid: int, gid: int) -> None:
    """Set owner and group; -1 keeps one. Clears set-user-id bits of what is not a directory.  man 2 chown"""
    _require_change(location)
    set_owner(ctx, location.inode, uid, gid)
    if ctx.vfs.notifier is not None and (uid != -1 or gid != -1):
        ctx.vfs.notifier.changed(location, IN_ATTRIB)


def set_owner(ctx: FsContext, inode: Inode, uid: int, gid: int) -> None:
    """As chown, of something that may have no place in the tree."""
    credentials = ctx.credentials
    mode, old_uid, old_gid = inode.access_attributes()
    if not credentials.capable(CAP_CHOWN):
        if uid != -1 and not (credentials.fsuid == old_uid and uid == old_uid):
            raise LinuxError(EPERM)
        if gid != -1 and not (credentials.fsuid == old_uid and (credentials.in_group(gid) or gid == old_gid)):
            raise LinuxError(EPERM)
    stripped = mode & 0o7777
    if mode & S_IFMT != S_IFDIR:  # even when nothing changes
        stripped &= ~S_ISUID
        if mode & S_IXGRP or not (credentials.in_group(old_gid) or credentials.capable(CAP_FSETID)):
            stripped &= ~S_ISGID
    if stripped != mode & 0o7777 and not owns(credentials, inode):
        raise LinuxError(EPERM)
    inode.set_attributes(
        uid=None if uid == -1 else uid,
        gid=None if gid == -1 else gid,
        mode=stripped if mode & (S_ISUID | S_ISGID) and mode & S_IFMT != S_IFLNK else None,
    )


def utimens(ctx: FsContext, location: Location, atime: int | None, mtime: int | None, now: bool = False) -> None:
    """Set times in ns; None keeps one. `now`: to the current time, which needs less permission.  man 2 utimensat"""
    if atime is None and mtime is None:
        return
    _require_change(location)
    set_times(ctx, location.inode, atime, mtime, now)
    if ctx.vfs.notifier is not None:
        ctx.vfs.notifier.changed(location, IN_MODIFY if atime is None else IN_ACCESS if mtime is None else IN_ATTRIB)


def set_times(ctx: FsContext, inode: Inode, atime: int | None, mtime: int | None, now: bool = False) -> None:
    """As utimens, of something that may have no place in the tree."""
    if not owns(ctx.credentials, inode):
        if not now:
            raise LinuxError(EPERM)
        require(ctx.credentials, inode, WRITE)
    inode.set_attributes(atime=atime, mtime=mtime)


def truncate(ctx: FsContext, location: Location, size: int) -> None:
    """Set the size of a regular file.  man 2 truncate"""
    if size < 0:
        raise LinuxError(EINVAL)
    if location.kind == S_IFDIR:
        raise LinuxError(EISDIR)
    if location.kind != S_IFREG:
        raise LinuxError(EINVAL)
    _require_change(location)
    inode = location.inode
    require(ctx.credentials, inode, WRITE)
    ctx.vfs.require_writable(inode)
    inode.truncate(size)
    strip_privileges(ctx.credentials, inode)
    if ctx.vfs.notifier is not None:
        ctx.vfs.notifier.changed(location, IN_MODIFY)


def statfs(ctx: FsContext, location: Location) -> tuple[int, int, int, int, int, int, int, int, int]:
    """Return (type, block size, blocks, free blocks, files, free files, name length, flags, device).  man 2 statfs"""
    fs = location.mount.fs
    bsize, blocks, bfree, files, ffree = fs.statfs()
    flags = location.mount.flags & 0xF | 0x20  # ST_RDONLY.. are the MS_ numbers; ST_VALID
    if location.mount.read_only:
        flags |= 1
    return fs.magic, bsize, blocks, bfree, files, ffree, NAME_MAX, flags, fs.dev


# Places


def chdir(ctx: FsContext, location: Location) -> None:
    """Change the working directory.  man 2 chdir"""
    if location.kind != S_IFDIR:
        raise LinuxError(ENOTDIR)
    require(ctx.credentials, location.inode, SEARCH)
    ctx.set_cwd(location)


def chroot(ctx: FsContext, location: Location) -> None:
    """Change the root.  man 2 chroot"""
    if location.kind != S_IFDIR:
        raise LinuxError(ENOTDIR)
    require(ctx.credentials, location.inode, SEARCH)
    if not ctx.credentials.capable(CAP_SYS_CHROOT):
        raise LinuxError(EPERM)
    ctx.set_root(location)


def path_of(ctx: FsContext, location: Location) -> bytes:
    """Return the absolute path as seen from the context's root.

    `(unreachable)` in front when it is not below that root; ` (deleted)` behind when the name was removed.
    man 2 getcwd, man 5 proc
    """
    if location.parent is None and location.name:  # of a file that has no path (a memfd, a pipe)
        return location.name
    parts: list[bytes] = []
    here = location
    root = ctx.root
    prefix = b""
    while here is not root:
        if here.parent is not None:
            parts.append(here.name)
            here = here.parent
            continue
        point = here.mount.point
        if point is None:
            if here is not ctx.vfs.root or root is not ctx.vfs.root:
                prefix = b"(unreachable)"
            break
        here = point
    parts.reverse()
    path = prefix + b"/" + b"/".join(parts)
    return path + b" (deleted)" if is_deleted(location) else path


def is_deleted(location: Location) -> bool:
    """Whether the name of the location was removed."""
    return location.deleted
