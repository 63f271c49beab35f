"""ioctl: the requests that every file knows, then the file's own.  man 2 ioctl"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EIO, ENOTTY, LinuxError
from lbw.abi.fcntl import O_NONBLOCK
from lbw.abi.ioctl import FIGETBSZ, FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD, FIOQSIZE, TIOCGPTPEER
from lbw.abi.socket import FIOGETOWN, FIOSETOWN, SIOCGPGRP, SIOCSPGRP
from lbw.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK
from lbw.kernel.async_io import set_async
from lbw.kernel.task import Interrupted
from lbw.syscalls.descriptors import get_owner, set_owner
from lbw.syscalls.displays import Command
from lbw.syscalls.open import install
from lbw.syscalls.parameters import Fd, Pointer
from lbw.syscalls.table import PARTIAL, syscall
from lbw.syscalls.transfer import interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task
    from lbw.vfs.file import File

#: Requests for the owner of a socket, who gets its signals.
SOCKET_OWNER = (FIOSETOWN, SIOCSPGRP, FIOGETOWN, SIOCGPGRP)


def socket_owner(task: Task, fd: int, file: File, request: int, address: int) -> int:
    """Do as F_SETOWN and F_GETOWN.  man 7 socket"""
    if request in (FIOSETOWN, SIOCSPGRP):
        return set_owner(task, fd, file, task.memory.read_u32(address))
    task.memory.write_u32(address, get_owner(task, fd, file, 0) & 0xFFFFFFFF)
    return 0


@syscall("ioctl", Fd("fd"), Command("request"), Pointer("argp"), support=PARTIAL, note="what each device offers")
def ioctl(task: Task, fd: int, request: int, argument: int) -> int | Awaitable[int]:
    """Control a device.  ENOTTY: it does not know the request.  man 2 ioctl"""
    file = task.files.get(fd)
    if request in (FIOCLEX, FIONCLEX):
        task.files.set_close_on_exec(fd, request == FIOCLEX)
        return 0
    if request == FIONBIO:
        if any(task.memory.read(argument, 4)):
            file.flags |= O_NONBLOCK
        else:
            file.flags &= ~O_NONBLOCK
        return 0
    if request == FIOASYNC:
        set_async(task, file, fd, any(task.memory.read(argument, 4)))
        return 0
    kind = file.inode.mode & S_IFMT
    if kind == S_IFSOCK and request in SOCKET_OWNER:
        return socket_owner(task, fd, file, request, argument)
    if kind == S_IFREG:
        stat = file.inode.stat()
        if request == FIONREAD:
            task.memory.write(argument, (stat.size - file.offset & 0xFFFFFFFF).to_bytes(4, "little"))
            return 0
        if request == FIGETBSZ:
            task.memory.write(argument, stat.blksize.to_bytes(4, "little"))
            return 0
    if request == FIOQSIZE:
        if kind not in (S_IFREG, S_IFDIR, S_IFLNK):
            raise LinuxError(ENOTTY)
        task.memory.write(argument, file.inode.stat().size.to_bytes(8, "little"))
        return 0
    if request == TIOCGPTPEER:
        return open_peer(task, file, argument)
    try:
        return file.ioctl(request, argument, task.memory)
    except Interrupted:  # a background job that changes its terminal
        return interrupted()
    except LinuxError as error:
        if error.errno != EAGAIN or not file.has_timer:
            raise
        return wait_for_output(task, file, request, argument)


async def wait_for_output(task: Task, file: File, request: int, argument: int) -> int:
    """Wait until a terminal has sent what was written to it (TCSETSW, tcdrain), and try again."""
    file.acquire()
    try:
        while True:
            assert file.queue is not None
            await task.wait(file.queue)
            try:
                return file.ioctl(request, argument, task.memory)
            except LinuxError as error:
                if error.errno != EAGAIN:
                    raise
    finally:
        file.release()


def open_peer(task: Task, file: File, flags: int) -> int:
    """Open the slave of a master without looking for its node (TIOCGPTPEER).  ENOTTY; EIO: a slave, or locked"""
    from lbw.vfs.tty.pty_master import PtyMaster

    if isinstance(file, PtyMaster):
        return install(task, file.open_peer(task.fs, flags), flags)
    raise LinuxError(EIO if file.has_timer else ENOTTY)
