"""Extended attributes.  man 7 xattr"""

from __future__ import annotations

from lbw.abi.capability import CAP_SYS_ADMIN
from lbw.abi.errno import E2BIG, EINVAL, ENODATA, EOPNOTSUPP, EPERM, ERANGE, EROFS, LinuxError
from lbw.abi.inotify import IN_ATTRIB
from lbw.abi.stat import S_IFDIR, S_IFMT, S_IFREG, S_ISVTX
from lbw.syscalls.displays import String
from lbw.syscalls.flag_names import XATTR_FLAGS
from lbw.syscalls.parameters import Fd, Flags, OutBuffer, Parameter, Path, Pointer, Size
from lbw.syscalls.start import only
from lbw.syscalls.table import PARTIAL, syscall
from lbw.vfs import operations
from lbw.vfs.permissions import READ, WRITE, owns, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.kernel.task import Task
    from lbw.vfs.inode import Inode
    from lbw.vfs.location import Location

    Finder = Callable[[Task, "bytes | int"], tuple[Inode, Location | None]]

#: Longest value, list of names and name, in bytes.
SIZE_MAX, LIST_MAX, NAME_MAX = 65536, 65536, 255
XATTR_CREATE, XATTR_REPLACE = 1, 2
NAMESPACES = (b"user.", b"trusted.", b"security.", b"system.")


def by_path(task: Task, path: bytes | int) -> tuple[Inode, Location | None]:
    """Return what a path leads to."""
    assert isinstance(path, bytes)
    location = operations.resolve(task.fs, path)
    return location.inode, location


def by_link(task: Task, path: bytes | int) -> tuple[Inode, Location | None]:
    """Return what a path names, a symbolic link included."""
    assert isinstance(path, bytes)
    location = operations.resolve(task.fs, path, None, False)
    return location.inode, location


def by_fd(task: Task, fd: bytes | int) -> tuple[Inode, Location | None]:
    """Return what is open as a descriptor."""
    assert isinstance(fd, int)
    file = task.files.get(fd)
    return file.inode, file.location


def check_read(task: Task, inode: Inode, name: bytes) -> None:
    """ENODATA: `trusted.` without CAP_SYS_ADMIN, or `user.` of a device; EACCES: `user.` of an unreadable file"""
    if name.startswith(b"trusted.") and not task.credentials.capable(CAP_SYS_ADMIN):
        raise LinuxError(ENODATA)
    if name.startswith(b"user."):
        if inode.mode & S_IFMT not in (S_IFREG, S_IFDIR):
            raise LinuxError(ENODATA)
        require(task.credentials, inode, READ)
    check_namespace(name)


def check_change(task: Task, inode: Inode, location: Location | None, name: bytes) -> None:
    """EROFS; EPERM: `trusted.` or `security.` without CAP_SYS_ADMIN, or `user.` of a device; EACCES: `user.`"""
    if location is not None and location.mount.read_only:
        raise LinuxError(EROFS)
    if name.startswith(b"user."):
        if inode.mode & S_IFMT not in (S_IFREG, S_IFDIR):
            raise LinuxError(EPERM)
        if inode.mode & (S_IFMT | S_ISVTX) == S_IFDIR | S_ISVTX and not owns(task.credentials, inode):
            raise LinuxError(EPERM)
        require(task.credentials, inode, WRITE)
    elif name.startswith(b"system."):
        if not owns(task.credentials, inode):
            raise LinuxError(EPERM)
    elif name.startswith(NAMESPACES) and not task.credentials.capable(CAP_SYS_ADMIN):
        raise LinuxError(EPERM)
    check_namespace(name)


def read_name(task: Task, address: int) -> bytes:
    """Return an attribute name.  ERANGE: empty or more than 255 bytes"""
    name = task.memory.read_cstring(address, NAME_MAX + 2)
    if not name or len(name) > NAME_MAX:
        raise LinuxError(ERANGE)
    return name


def check_namespace(name: bytes) -> None:
    """EOPNOTSUPP: no such namespace; EINVAL: nothing but its name. Both only count for a file that exists."""
    if not name.startswith(NAMESPACES):
        raise LinuxError(EOPNOTSUPP)
    if name in NAMESPACES:
        raise LinuxError(EINVAL)


def give(task: Task, address: int, size: int, value: bytes) -> int:
    """Store `value`, or with size 0 only tell its length.  ERANGE: the buffer is too small"""
    if size:
        if len(value) > size:
            raise LinuxError(ERANGE)
        task.memory.write(address, value)
    return len(value)


def family(prefix: str, target: Parameter, find: Finder) -> None:
    """Enter the four calls of one way to name the file."""

    def get(task: Task, which: bytes | int, name: int, value: int, size: int) -> int:
        """Return the value of an extended attribute.  ENODATA, ERANGE.  man 2 getxattr"""
        key = read_name(task, name)
        inode, _ = find(task, which)
        check_read(task, inode, key)
        return give(task, value, min(size, SIZE_MAX), inode.get_xattr(key))

    def list_(task: Task, which: bytes | int, names: int, size: int) -> int:
        """Return the names of the extended attributes, each with a NUL.  ERANGE.  man 2 listxattr"""
        listed = find(task, which)[0].list_xattr()
        if not task.credentials.capable(CAP_SYS_ADMIN):
            listed = [name for name in listed if not name.startswith(b"trusted.")]
        return give(task, names, min(size, LIST_MAX), b"".join(name + b"\0" for name in listed))

    def set_(task: Task, which: bytes | int, name: int, value: int, size: int, flags: int) -> int:
        """Set an extended attribute.  EEXIST, ENODATA: by flags; EOPNOTSUPP.  man 2 setxattr"""
        only(flags, XATTR_CREATE | XATTR_REPLACE)
        key = read_name(task, name)
        if size > SIZE_MAX:
            raise LinuxError(E2BIG)
        data = task.memory.read(value, size) if size else b""
        inode, location = find(task, which)
        check_change(task, inode, location, key)
        inode.set_xattr(key, data, flags)
        if task.fs.vfs.notifier is not None and location is not None:
            task.fs.vfs.notifier.changed(location, IN_ATTRIB)
        return 0

    def remove(task: Task, which: bytes | int, name: int) -> int:
        """Remove an extended attribute.  ENODATA; EOPNOTSUPP: not on this file system.  man 2 removexattr"""
        key = read_name(task, name)
        inode, location = find(task, which)
        check_change(task, inode, location, key)
        inode.remove_xattr(key)
        if task.fs.vfs.notifier is not None and location is not None:
            task.fs.vfs.notifier.changed(location, IN_ATTRIB)
        return 0

    note = "depends on the file system"
    name = String("name")
    syscall(f"{prefix}getxattr", target, name, OutBuffer("value"), Size("size"), support=PARTIAL, note=note)(get)
    syscall(f"{prefix}listxattr", target, OutBuffer("list"), Size("size"), support=PARTIAL, note=note)(list_)
    syscall(
        f"{prefix}setxattr", target, name, Pointer("value"), Size("size"), Flags("flags", XATTR_FLAGS),
        support=PARTIAL, note=note,
    )(set_)  # fmt: skip
    syscall(f"{prefix}removexattr", target, name, support=PARTIAL, note=note)(remove)


family("", Path("path"), by_path)
family("l", Path("path"), by_link)
family("f", Fd("fd"), by_fd)
