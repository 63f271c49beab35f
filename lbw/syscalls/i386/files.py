"""Files as 32-bit programs see them: opening without O_LARGEFILE, offsets in register pairs, locks, old directories.

A file that was opened without O_LARGEFILE is one of at most 2 GB: it cannot be opened when it is larger, and cannot be
made larger. Only `open` and `openat` leave the flag to the caller; all others set it, since the kernel has 64 bits.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi import fcntl as abi
from lbw.abi.errno import EINVAL, EOVERFLOW, LinuxError
from lbw.abi.i386 import I386
from lbw.syscalls.attributes import ftruncate, truncate
from lbw.syscalls.descriptors import fcntl
from lbw.syscalls.directory import open_directory
from lbw.syscalls.displays import InBuffer
from lbw.syscalls.flag_names import FADVICE, FCNTL_COMMANDS, SEEK_WHENCE
from lbw.syscalls.locks import lock_command, test_command
from lbw.syscalls.open import open_, openat
from lbw.syscalls.parameters import Choice, Fd, Hex, Offset, Out, Path, Pointer, Size, UInt, signed
from lbw.syscalls.positioned import positioned, pwrite64
from lbw.syscalls.readwrite import SEEK_MAX, for_writing, write, write_vector
from lbw.syscalls.sendfile import sendfile
from lbw.syscalls.sync import fadvise64
from lbw.syscalls.table import own_call, variant
from lbw.syscalls.transfer import at_offset, push_at
from lbw.vfs.opening import MAX_SMALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task

#: struct flock and struct flock64: type, whence, start, len, pid.
FLOCK, FLOCK64 = Struct("<hhiii"), Struct("<hhqqi")
F_GETLK64, F_SETLK64, F_SETLKW64 = 12, 13, 14
#: struct old_linux_dirent up to the name: ino, offset, length of the name.
OLD_DIRENT = Struct("<IIH")
#: An off_t and a loff_t in memory.
OFF, LOFF = Struct("<i"), Struct("<q")

# Opening

variant(I386, "open", open_, fixed=(0,))
variant(I386, "openat", openat, fixed=(0,))


# Offsets

variant(I386, "truncate64", truncate, Path("path"), Offset("length"))
variant(I386, "ftruncate64", ftruncate, Fd("fd"), Offset("length"))
variant(I386, "fadvise64_64", fadvise64, Fd("fd"), Offset("offset"), Offset("len"), Choice("advice", FADVICE))
variant(I386, "sendfile64", sendfile)
variant(I386, "sendfile", sendfile, fixed=(OFF, MAX_SMALL))


@own_call(
    I386, "_llseek", Fd("fd"), UInt("offset_high"), UInt("offset_low"), Out("result"), Choice("whence", SEEK_WHENCE)
)
def llseek(task: Task, fd: int, high: int, low: int, result: int, whence: int) -> int:
    """Move the file offset; store the new one.  EINVAL; ESPIPE; EFAULT: moved all the same.  man 2 _llseek"""
    file = task.files.get(fd)
    if not 0 <= whence <= SEEK_MAX:
        raise LinuxError(EINVAL)
    task.memory.store(result, LOFF, file.seek(signed(high << 32 | low, 64), whence))
    return 0


@own_call(I386, "write", Fd("fd"), InBuffer("buf", 2), Size("count"))
def write_small(task: Task, fd: int, buf: int, count: int) -> int | Awaitable[int]:
    """Write at the file offset; without O_LARGEFILE up to 2 GB only.  EFBIG.  man 2 write"""
    file = for_writing(task, fd)
    if file.queue is not None or file.flags & abi.O_LARGEFILE:
        return write(task, fd, buf, count)
    return write_vector(task, file, [(buf, count)], False)


@own_call(I386, "pwrite64", Fd("fd"), InBuffer("buf", 2), Size("count"), Offset("offset"))
def pwrite_small(task: Task, fd: int, buf: int, count: int, offset: int) -> int | Awaitable[int]:
    """Write at `offset`; without O_LARGEFILE up to 2 GB only.  EFBIG.  man 2 pwrite"""
    file = positioned(task, fd, offset, 2)
    if file.flags & abi.O_LARGEFILE:
        return pwrite64(task, fd, buf, count, offset)
    return at_offset(push_at, task, file, [(buf, count)], offset)


# Locks

_LOCKS = {
    abi.F_GETLK: test_command(False, FLOCK, MAX_SMALL),
    abi.F_SETLK: lock_command(False, False, FLOCK),
    abi.F_SETLKW: lock_command(False, True, FLOCK),
    F_GETLK64: test_command(False, FLOCK64),
    F_SETLK64: lock_command(False, False, FLOCK64),
    F_SETLKW64: lock_command(False, True, FLOCK64),
    abi.F_OFD_GETLK: test_command(True, FLOCK64),
    abi.F_OFD_SETLK: lock_command(True, False, FLOCK64),
    abi.F_OFD_SETLKW: lock_command(True, True, FLOCK64),
}
_COMMANDS = FCNTL_COMMANDS | {F_GETLK64: "F_GETLK64", F_SETLK64: "F_SETLK64", F_SETLKW64: "F_SETLKW64"}
for _name in ("fcntl", "fcntl64"):  # in a 64-bit kernel they are the same
    variant(I386, _name, fcntl, Fd("fd"), Choice("cmd", _COMMANDS), Hex("arg"), fixed=(_LOCKS,))


# Directories


@own_call(I386, "readdir", Fd("fd"), Out("dirp"), Pointer("count"))
def readdir(task: Task, fd: int, dirp: int, count: int) -> int:
    """Read one directory entry; return 1, or 0 at the end. `count` counts for nothing.  EOVERFLOW.  man 2 readdir"""
    file = open_directory(task, fd)
    rest = file.entries()[file.offset : file.offset + 1]
    for name, ino, _ in rest:
        if ino > 0xFFFF_FFFF:
            raise LinuxError(EOVERFLOW)
        task.memory.write(dirp, OLD_DIRENT.pack(ino, file.offset & 0xFFFF_FFFF, len(name)) + name + b"\0")
        file.offset += 1
    return len(rest)
