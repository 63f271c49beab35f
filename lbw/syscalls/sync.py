"""Durability and advice: fsync, sync, msync, sync_file_range, fadvise64, readahead.  man 2 of each"""

from __future__ import annotations

from lbw.abi.errno import EBADF, EBUSY, EINVAL, ENOMEM, ESPIPE, LinuxError
from lbw.abi.mman import MS_ASYNC, MS_INVALIDATE, MS_SYNC, PROT_WRITE
from lbw.abi.stat import S_IFBLK, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK
from lbw.mm.cached_file import CachedFile
from lbw.mm.vma import PAGE_MASK, round_up
from lbw.mm.writeback import flush
from lbw.syscalls.flag_names import FADVICE, SYNC_RANGE_FLAGS
from lbw.syscalls.parameters import Choice, Fd, Flags, Offset, Pointer, Size
from lbw.syscalls.start import only
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

SYNC_FLAGS = {MS_ASYNC: "MS_ASYNC", MS_INVALIDATE: "MS_INVALIDATE", MS_SYNC: "MS_SYNC"}


@syscall("fsync", Fd("fd"))
def fsync(task: Task, fd: int) -> int:
    """Make data and attributes of a file durable.  EINVAL: a pipe or the like.  man 2 fsync"""
    task.files.get(fd).fsync(False)
    return 0


@syscall("fdatasync", Fd("fd"))
def fdatasync(task: Task, fd: int) -> int:
    """Make the data of a file durable.  man 2 fdatasync"""
    task.files.get(fd).fsync(True)
    return 0


@syscall("sync")
def sync(task: Task) -> int:
    """Write all file systems back.  man 2 sync"""
    task.kernel.page_cache.sync()
    task.kernel.vfs.sync()
    return 0


@syscall("syncfs", Fd("fd"))
def syncfs(task: Task, fd: int) -> int:
    """Write back the file system of an open file.  man 2 syncfs"""
    file = task.files.get(fd)
    task.kernel.page_cache.sync()
    file.inode.fs.sync()
    return 0


@syscall("sync_file_range", Fd("fd"), Offset("offset"), Offset("nbytes"), Flags("flags", SYNC_RANGE_FLAGS))
def sync_file_range(task: Task, fd: int, offset: int, length: int, flags: int) -> int:
    """Write a range of a file back. lbw writes the whole file.  ESPIPE: not a file, directory, device or link"""
    file = task.files.get(fd)
    only(flags, 7)
    if offset < 0 or length < 0:
        raise LinuxError(EINVAL)
    if file.inode.mode & S_IFMT not in (S_IFREG, S_IFBLK, S_IFDIR, S_IFLNK):
        raise LinuxError(ESPIPE)
    if flags:
        file.fsync(True)
    return 0


@syscall("msync", Pointer("addr"), Size("length"), Flags("flags", SYNC_FLAGS))
def msync(task: Task, address: int, length: int, flags: int) -> int:
    """Write a mapping of a file back, durably (MS_SYNC); MS_ASYNC leaves that to lbw, as Linux does.

    EINVAL; ENOMEM: something in the range is not mapped, told when the rest is written; EBUSY: MS_INVALIDATE of locked
    memory; EIO, ENOSPC: the file could not be written, now or since the last msync.  man 2 msync
    """
    only(flags, MS_ASYNC | MS_SYNC | MS_INVALIDATE)
    if address & PAGE_MASK or (flags & MS_ASYNC and flags & MS_SYNC):
        raise LinuxError(EINVAL)
    end = address + round_up(length)
    if end >= 1 << 64:
        raise LinuxError(ENOMEM)
    complete = True
    for vma in task.memory.vmas.between(address, end):
        if vma.start > address:
            complete = False
            if flags == MS_ASYNC:
                break
        if flags & MS_INVALIDATE and vma.locked:
            raise LinuxError(EBUSY)
        backing = vma.backing
        if flags & MS_SYNC and vma.shared and vma.max_prot & PROT_WRITE and isinstance(backing, CachedFile):
            offset = vma.offset - vma.start
            flush(backing, max(vma.start, address) + offset >> 12, min(vma.end, end) + offset >> 12)
        address = vma.end
    if not complete or address < end:
        raise LinuxError(ENOMEM)
    return 0


@syscall(
    "fadvise64", Fd("fd"), Offset("offset"), Size("len"), Choice("advice", FADVICE), support=PARTIAL, note="no effect"
)
def fadvise64(task: Task, fd: int, offset: int, length: int, advice: int) -> int:
    """Announce how a file will be read. Advice changes nothing that a program can see.  man 2 posix_fadvise"""
    file = task.files.get(fd)
    if file.inode.mode & S_IFMT in (S_IFIFO, S_IFSOCK):
        raise LinuxError(ESPIPE)
    if advice not in FADVICE or length >> 63:
        raise LinuxError(EINVAL)
    return 0


@syscall("readahead", Fd("fd"), Offset("offset"), Size("count"), support=PARTIAL, note="no effect")
def readahead(task: Task, fd: int, offset: int, count: int) -> int:
    """Announce that a range of a file will be read.  EBADF: not readable; EINVAL: not a file"""
    file = task.files.get(fd)
    if file.flags & 1:
        raise LinuxError(EBADF)
    if file.inode.mode & S_IFMT not in (S_IFREG, S_IFBLK):
        raise LinuxError(EINVAL)
    return 0
