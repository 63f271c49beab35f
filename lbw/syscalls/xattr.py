"""Extended attributes: get and list; setting and removing where the inode offers it.  man 7 xattr"""

from __future__ import annotations

from lbw.abi.errno import E2BIG, EEXIST, EINVAL, ENODATA, EOPNOTSUPP, ERANGE, LinuxError
from lbw.syscalls.flag_names import XATTR_FLAGS
from lbw.syscalls.parameters import Fd, Flags, OutBuffer, Parameter, Path, Pointer, Size
from lbw.syscalls.start import only
from lbw.syscalls.table import PARTIAL, syscall
from lbw.vfs import operations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.kernel.task import Task
    from lbw.vfs.inode import Inode

    Finder = Callable[[Task, "bytes | int"], Inode]

#: Longest value, list of names and name, in bytes.
SIZE_MAX, LIST_MAX, NAME_MAX = 65536, 65536, 255
XATTR_CREATE, XATTR_REPLACE = 1, 2
NAMESPACES = (b"user.", b"trusted.", b"security.", b"system.")


def by_path(task: Task, path: bytes | int) -> Inode:
    """Return the inode that a path leads to."""
    assert isinstance(path, bytes)
    return operations.resolve(task.fs, path).inode


def by_link(task: Task, path: bytes | int) -> Inode:
    """Return the inode that a path names, a symbolic link included."""
    assert isinstance(path, bytes)
    return operations.resolve(task.fs, path, None, False).inode


def by_fd(task: Task, fd: bytes | int) -> Inode:
    """Return the inode of an open file."""
    assert isinstance(fd, int)
    return task.files.get(fd).inode


def read_name(task: Task, address: int) -> bytes:
    """Return an attribute name.  ERANGE: empty or more than 255 bytes; EOPNOTSUPP: no such namespace"""
    name = task.memory.read_cstring(address, NAME_MAX + 2)
    if not name or len(name) > NAME_MAX:
        raise LinuxError(ERANGE)
    if not name.startswith(NAMESPACES):
        raise LinuxError(EOPNOTSUPP)
    if name in NAMESPACES:
        raise LinuxError(EINVAL)
    return name


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
        return give(task, value, min(size, SIZE_MAX), find(task, which).get_xattr(key))

    def list_(task: Task, which: bytes | int, names: int, size: int) -> int:
        """Return the names of the extended attributes, each with a NUL.  ERANGE.  man 2 listxattr"""
        listed = b"".join(name + b"\0" for name in find(task, which).list_xattr())
        return give(task, names, min(size, LIST_MAX), listed)

    def set_(task: Task, which: bytes | int, name: int, value: int, size: int, flags: int) -> int:
        """Set an extended attribute.  EEXIST, ENODATA: by flags; EOPNOTSUPP.  man 2 setxattr"""
        only(flags, XATTR_CREATE | XATTR_REPLACE)
        key = read_name(task, name)
        if size > SIZE_MAX:
            raise LinuxError(E2BIG)
        data = task.memory.read(value, size) if size else b""
        inode = find(task, which)
        change = getattr(inode, "set_xattr", None)
        if change is None:
            raise LinuxError(EOPNOTSUPP)
        if flags:
            exists = key in inode.list_xattr()
            if exists and flags & XATTR_CREATE:
                raise LinuxError(EEXIST)
            if not exists and flags & XATTR_REPLACE:
                raise LinuxError(ENODATA)
        change(key, data)
        return 0

    def remove(task: Task, which: bytes | int, name: int) -> int:
        """Remove an extended attribute.  ENODATA; EOPNOTSUPP: not on this file system.  man 2 removexattr"""
        key = read_name(task, name)
        change = getattr(find(task, which), "remove_xattr", None)
        if change is None:
            raise LinuxError(EOPNOTSUPP)
        change(key)
        return 0

    note = "depends on the file system"
    name = Pointer("name")
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
