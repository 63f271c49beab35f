"""vhangup: a terminal taken from everybody who has it open.  man 2 vhangup"""

from __future__ import annotations

from lbw.abi.capability import CAP_SYS_TTY_CONFIG
from lbw.abi.errno import EPERM, LinuxError
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task


@syscall("vhangup")
def vhangup(task: Task) -> int:
    """Hang up the caller's controlling terminal, if it has one.  EPERM: without CAP_SYS_TTY_CONFIG"""
    if not task.credentials.capable(CAP_SYS_TTY_CONFIG):
        raise LinuxError(EPERM)
    terminal = task.process.terminal
    if terminal is not None:
        from lbw.vfs.tty.tty import Tty

        assert isinstance(terminal, Tty)
        terminal.hang_up()
    return 0
