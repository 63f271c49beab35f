"""pidfds: descriptors that stand for a process, also when its number is used again.  man 2 pidfd_open

A pidfd becomes readable when the whole thread group has ended, and stays so. It keeps the `Process` object, which once
it was waited for is in no table any more; that is how it is known to be gone. The directory /proc/PID, opened, is one
too, for pidfd_send_signal only.
"""

from __future__ import annotations

from lbw.abi.errno import EBADF, EINVAL, ESRCH, LinuxError
from lbw.abi.fcntl import O_NONBLOCK, O_RDWR
from lbw.abi.poll import POLLIN, POLLRDNORM
from lbw.vfs.anonymous import AnonymousFile, SharedInode
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task

_INODE = SharedInode(b"anon_inode:[pidfd]")


class PidFile(AnonymousFile):
    """An open pidfd."""

    __slots__ = ("process", "queue")

    def __init__(self, process: Process, flags: int = 0) -> None:
        super().__init__(_INODE, O_RDWR | flags & O_NONBLOCK)
        self.process = process
        if process.ended is None:
            process.ended = WaitQueue()
        self.queue = process.ended

    @property
    def gone(self) -> bool:
        """The process was waited for: nothing is left of it."""
        process = self.process
        return process.kernel.processes.get(process.pid) is not process

    def poll(self) -> int:
        """Readable once the process has ended."""
        return POLLIN | POLLRDNORM if self.process.exit_status is not None else 0

    def fdinfo(self) -> bytes:
        pid = -1 if self.gone else self.process.pid
        return b"Pid:\t%d\nNSpid:\t%d\n" % (pid, pid)


def pidfd_process(task: Task, fd: int) -> Process:
    """Return the process that the pidfd `fd` stands for.  EBADF: it is none"""
    file = task.files.get(fd)
    if not isinstance(file, PidFile):
        raise LinuxError(EBADF)
    return file.process


def signalled_process(task: Task, fd: int) -> Process:
    """Return the process of a pidfd or of an open directory /proc/PID.  EBADF: it is neither; ESRCH: it is gone"""
    file = task.files.get_any(fd)
    if isinstance(file, PidFile):
        if file.gone:
            raise LinuxError(ESRCH)
        return file.process
    from lbw.vfs.proc.process import TaskEntry

    inode = file.inode
    if not isinstance(inode, TaskEntry) or inode.thread:
        raise LinuxError(EBADF)
    process = task.kernel.processes.get(inode.view.pid)
    if process is None or not inode.view.alive:
        raise LinuxError(ESRCH)
    return process


def process_to_open(task: Task, pid: int) -> Process:
    """Return the process for pidfd_open.  ESRCH: no such number; EINVAL: one of a thread, or left by a leader"""
    kernel = task.kernel
    process = kernel.processes.get(pid)
    if process is None:
        raise LinuxError(EINVAL if kernel.pids.used(pid) else ESRCH)
    return process
