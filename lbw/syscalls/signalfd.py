"""signalfd and signalfd4.  man 2 signalfd"""

from __future__ import annotations

from lbw.abi import eventfd as abi
from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.eventfd import SFD_CLOEXEC, SFD_NONBLOCK
from lbw.kernel.signalfd import SignalFile
from lbw.syscalls.displays import SigSet
from lbw.syscalls.flag_names import named
from lbw.syscalls.parameters import Fd, Flags, Size
from lbw.syscalls.start import only
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

FLAGS = named(abi, "SFD_CLOEXEC SFD_NONBLOCK")
#: The only size of a signal set that Linux takes, bytes.
SIGSET_SIZE = 8


@syscall("signalfd", Fd("fd"), SigSet("mask"), Size("sizemask"))
def signalfd(task: Task, fd: int, mask: int, size: int) -> int:
    """As signalfd4 without flags.  man 2 signalfd"""
    return signalfd4(task, fd, mask, size, 0)


@syscall("signalfd4", Fd("fd"), SigSet("mask"), Size("sizemask"), Flags("flags", FLAGS))
def signalfd4(task: Task, fd: int, mask: int, size: int, flags: int) -> int:
    """Make a signalfd for the signals of `mask`, or, when `fd` is one already, exchange its set; return its number.

    EINVAL: not a signalfd, another size than 8, an unknown flag; EBADF, EFAULT, EMFILE.  man 2 signalfd
    """
    if size != SIGSET_SIZE:
        raise LinuxError(EINVAL)
    signals = task.memory.read_u64(mask)
    only(flags, SFD_CLOEXEC | SFD_NONBLOCK)
    if fd == -1:
        file = SignalFile(task.kernel, signals, flags & SFD_NONBLOCK)
        return task.files.install(file, bool(flags & SFD_CLOEXEC))
    known = task.files.get(fd)
    if not isinstance(known, SignalFile):
        raise LinuxError(EINVAL)
    known.set_mask(signals)
    return fd
