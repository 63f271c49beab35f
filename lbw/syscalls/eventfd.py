"""eventfd and eventfd2.  man 2 eventfd"""

from __future__ import annotations

from lbw.abi import eventfd as abi
from lbw.abi.eventfd import EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE
from lbw.syscalls.flag_names import named
from lbw.syscalls.parameters import Flags, UInt
from lbw.syscalls.start import only
from lbw.syscalls.table import syscall
from lbw.vfs.eventfd import EventFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

FLAGS = named(abi, "EFD_SEMAPHORE EFD_CLOEXEC EFD_NONBLOCK")


@syscall("eventfd", UInt("initval"))
def eventfd(task: Task, value: int) -> int:
    """Make an eventfd without flags.  man 2 eventfd"""
    return eventfd2(task, value, 0)


@syscall("eventfd2", UInt("initval"), Flags("flags", FLAGS))
def eventfd2(task: Task, value: int, flags: int) -> int:
    """Make an eventfd that begins at `value`.  EINVAL, EMFILE.  man 2 eventfd"""
    only(flags, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC)
    return task.files.install(EventFile(value, flags), bool(flags & EFD_CLOEXEC))
