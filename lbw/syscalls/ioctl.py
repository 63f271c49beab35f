"""ioctl: the requests that every file knows, then the file's own.  man 2 ioctl"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EIO, ENOTTY, LinuxError
from lbw.abi.fcntl import O_NONBLOCK
from lbw.abi.ioctl import FIGETBSZ, FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD, FIOQSIZE, TIOCGPTPEER
from lbw.abi.stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from lbw.kernel.task import Interrupted
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

O_ASYNC = 0o20000


@syscall("ioctl", Fd("fd"), Command("request"), Pointer("argp"), support=PARTIAL, note="what each device offers")
def ioctl(task: Task, fd: int, request: int, argument: int) -> int | Awaitable[int]:
    """Control a device.  ENOTTY: it does not know the request.  man 2 ioctl"""
    file = task.files.get(fd)
    if request in (FIOCLEX, FIONCLEX):
        task.files.set_close_on_exec(fd, request == FIOCLEX)
        return 0
    if request in (FIONBIO, FIOASYNC):
        flag = O_NONBLOCK if request == FIONBIO else O_ASYNC
        if any(task.memory.read(argument, 4)):
            file.flags |= flag
        else:
            file.flags &= ~flag
        return 0
    kind = file.inode.mode & S_IFMT
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
