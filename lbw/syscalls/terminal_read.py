"""Waiting for a terminal to have something to read: VMIN, VTIME and signals.  man 3 termios

The clock starts with the read when VMIN is 0, and with each byte that comes otherwise. Nothing is taken from the
terminal before the read is complete; what there is is taken when the time is over, or when a signal ends the wait, as
Linux returns what it has already.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, LinuxError
from lbw.kernel.task import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task
    from lbw.vfs.file import File


async def pull_from_terminal(task: Task, file: File, iov: list[tuple[int, int]]) -> int:
    """Wait until a read of `iov` from the terminal `file` may return; return what it returns."""
    from lbw.vfs.tty.tty_file import TtyFile

    assert isinstance(file, TtyFile)
    clock, memory = task.kernel.clock, task.memory
    seen = -1
    deadline = None
    while True:
        available = file.available
        if available > seen:  # the first round, or a byte has come
            patience = file.patience
            deadline = None if patience is None else clock.monotonic() + patience
            seen = available
        try:
            patient = await task.wait(file.queue, deadline=deadline)
        except Interrupted:
            if not file.available:
                raise
            patient = False
        try:
            return file.read_on(memory.vector_views(iov, True), patient)
        except LinuxError as error:
            if error.errno != EAGAIN:
                raise
