"""The three struct stat of i386 and its two struct statfs.

Native programs use `stat64`, whose inode numbers, sizes and owners have room for everything. `stat` (libc 5) and
`oldstat` refuse what does not fit with EOVERFLOW; times lose their upper half in all three.  Linux fs/stat.c,
arch/x86/kernel/sys_ia32.c, fs/statfs.c
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.errno import EINVAL, EOVERFLOW, LinuxError
from lbw.abi.i386 import I386
from lbw.syscalls.displays import OutStruct
from lbw.syscalls.flag_names import AT_FLAGS
from lbw.syscalls.formats import show_attributes
from lbw.syscalls.i386.ids import narrow_id
from lbw.syscalls.parameters import DirFd, Fd, Flags, Out, Path, Size
from lbw.syscalls.stat import SECOND, fstat, fstatfs, lstat, newfstatat, stat_, statfs
from lbw.syscalls.table import own_call, variant
from lbw.vfs.opening import MAX_SMALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task
    from lbw.syscalls.stat import About
    from lbw.vfs.inode import Stat

#: struct stat64: dev, low half of ino, mode, nlink, uid, gid, rdev, size, blksize, blocks, three times (s, ns), ino.
STAT64 = Struct("<Q4xIIIIIQ4xqIQIIIIIIQ")
#: struct __old_kernel_stat: dev ino mode nlink uid gid rdev, size, three times in s.
OLD_STAT = Struct("<7H2xIIII")
#: struct statfs64: type bsize, blocks bfree bavail files ffree, fsid[2] namelen frsize flags spare[4]
STATFS64 = Struct("<IIQQQQQiiIII16x")

LOW = 0xFFFF_FFFF


def store_stat64(task: Task, address: int, stat: Stat) -> int:
    """Write `stat` as struct stat64; return 0."""
    atime, mtime, ctime = stat.atime, stat.mtime, stat.ctime
    task.memory.store(
        address, STAT64,
        stat.dev, stat.ino & LOW, stat.mode, stat.nlink & LOW, stat.uid, stat.gid, stat.rdev, stat.size, stat.blksize,
        stat.blocks, atime // SECOND & LOW, atime % SECOND, mtime // SECOND & LOW, mtime % SECOND,
        ctime // SECOND & LOW, ctime % SECOND, stat.ino,
    )  # fmt: skip
    return 0


def store_compat_stat(task: Task, address: int, stat: Stat) -> int:
    """Write `stat` as struct stat; return 0.  EOVERFLOW: inode number, links or size do not fit"""
    if stat.ino > LOW or stat.nlink > 0xFFFF or stat.size > MAX_SMALL:
        raise LinuxError(EOVERFLOW)
    atime, mtime, ctime = stat.atime, stat.mtime, stat.ctime
    task.memory.store(
        address, I386.stat,
        stat.dev & LOW, stat.ino, stat.mode, stat.nlink, narrow_id(stat.uid), narrow_id(stat.gid), stat.rdev & LOW,
        stat.size, stat.blksize & LOW, stat.blocks & LOW, atime // SECOND & LOW, atime % SECOND,
        mtime // SECOND & LOW, mtime % SECOND, ctime // SECOND & LOW, ctime % SECOND,
    )  # fmt: skip
    return 0


def store_old_stat(task: Task, address: int, stat: Stat) -> int:
    """Write `stat` as struct __old_kernel_stat; return 0.  EOVERFLOW: inode number or links do not fit 16 bits"""
    if stat.ino > 0xFFFF or stat.nlink > 0xFFFF:
        raise LinuxError(EOVERFLOW)
    times = [time // SECOND & LOW for time in (stat.atime, stat.mtime, stat.ctime)]
    task.memory.store(
        address, OLD_STAT,
        old_device(stat.dev), stat.ino, stat.mode, stat.nlink, narrow_id(stat.uid), narrow_id(stat.gid),
        old_device(stat.rdev), stat.size & LOW, *times,
    )  # fmt: skip
    return 0


def old_device(number: int) -> int:
    """Return a device number in 16 bits, what is above them cut off."""
    return number & 0xFFFF


def show_stat64(task: Task, address: int) -> str:
    """Return a struct stat64 in strace's short form."""
    values = task.memory.load(address, STAT64)
    return show_attributes(values[2], values[6], values[7])


def show_compat_stat(task: Task, address: int) -> str:
    """Return a struct stat in strace's short form."""
    values = task.memory.load(address, I386.stat)
    return show_attributes(values[2], values[6], values[7])


def show_old_stat(task: Task, address: int) -> str:
    """Return a struct __old_kernel_stat in strace's short form."""
    values = task.memory.load(address, OLD_STAT)
    return show_attributes(values[2], values[6], values[7])


for _suffix, _prefix, _store, _show in (
    ("64", "", store_stat64, show_stat64), ("", "", store_compat_stat, show_compat_stat),
    ("", "old", store_old_stat, show_old_stat),
):  # fmt: skip
    _buffer = OutStruct("statbuf", _show)
    variant(I386, f"{_prefix}stat{_suffix}", stat_, Path("pathname"), _buffer, fixed=(_store,))
    variant(I386, f"{_prefix}lstat{_suffix}", lstat, Path("pathname"), _buffer, fixed=(_store,))
    variant(I386, f"{_prefix}fstat{_suffix}", fstat, Fd("fd"), _buffer, fixed=(_store,))
variant(
    I386, "fstatat64", newfstatat, DirFd("dirfd"), Path("pathname"), OutStruct("statbuf", show_stat64),
    Flags("flags", AT_FLAGS), fixed=(store_stat64,),
)  # fmt: skip


# File systems


def store_compat_statfs(task: Task, address: int, about: About) -> int:
    """Write struct statfs from what `operations.statfs` returns; return 0.  EOVERFLOW: numbers of 32 bits and more"""
    magic, size, blocks, free, files, free_files, longest, flags, dev = about
    if max(size, blocks, free, files, free_files) > LOW:
        raise LinuxError(EOVERFLOW)
    task.memory.write(
        address,
        I386.statfs.pack(
            magic, size, blocks, free, free, files, free_files, dev & 0x7FFFFFFF, dev >> 31 & 0x7FFFFFFF, longest, size,
            flags,
        ),
    )  # fmt: skip
    return 0


def store_statfs64(task: Task, address: int, about: About) -> int:
    """Write struct statfs64; return 0."""
    magic, size, blocks, free, files, free_files, longest, flags, dev = about
    task.memory.store(
        address, STATFS64,
        magic, size, blocks, free, free, files, free_files, dev & 0x7FFFFFFF, dev >> 31 & 0x7FFFFFFF, longest, size,
        flags,
    )  # fmt: skip
    return 0


variant(I386, "statfs", statfs, fixed=(store_compat_statfs,))
variant(I386, "fstatfs", fstatfs, fixed=(store_compat_statfs,))


def check_size(size: int) -> None:
    """EINVAL: not the size of struct statfs64"""
    if size != STATFS64.size:
        raise LinuxError(EINVAL)


@own_call(I386, "statfs64", Path("pathname"), Size("size"), Out("buf"))
def statfs64(task: Task, path: bytes, size: int, buffer: int) -> int:
    """Return sizes and type of the file system that holds a file.  EINVAL: another size.  man 2 statfs"""
    check_size(size)
    return statfs(task, path, buffer, store_statfs64)


@own_call(I386, "fstatfs64", Fd("fd"), Size("size"), Out("buf"))
def fstatfs64(task: Task, fd: int, size: int, buffer: int) -> int:
    """Return sizes and type of the file system that holds an open file.  EINVAL: another size.  man 2 statfs"""
    check_size(size)
    return fstatfs(task, fd, buffer, store_statfs64)
