"""pipe and pipe2.  man 2 pipe"""

from __future__ import annotations

from lbw.abi.fcntl import O_CLOEXEC, O_DIRECT, O_NONBLOCK
from lbw.syscalls.displays import OutInts
from lbw.syscalls.flag_names import PIPE_FLAGS
from lbw.syscalls.parameters import Flags
from lbw.syscalls.start import only
from lbw.syscalls.table import syscall
from lbw.vfs.pipe import make_pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task


@syscall("pipe", OutInts("pipefd", 2))
def pipe(task: Task, pipefd: int) -> int:
    """Create a pipe; store its reading and its writing descriptor.  man 2 pipe"""
    return pipe2(task, pipefd, 0)


@syscall("pipe2", OutInts("pipefd", 2), Flags("flags", PIPE_FLAGS))
def pipe2(task: Task, pipefd: int, flags: int) -> int:
    """As pipe, with flags. EFAULT leaves no descriptor behind.  man 2 pipe2"""
    only(flags, O_CLOEXEC | O_NONBLOCK | O_DIRECT)
    with task.files.reserve(2, bool(flags & O_CLOEXEC)) as reservation:
        reader, writer = reservation.numbers
        task.memory.write(pipefd, reader.to_bytes(4, "little") + writer.to_bytes(4, "little"))
        credentials = task.credentials
        reservation.install(make_pipe(flags, credentials.fsuid, credentials.fsgid, task.fs.vfs.pipe_budget))
    return 0
