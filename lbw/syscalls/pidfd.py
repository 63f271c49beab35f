"""pidfds: to get one, to signal by one, to take a descriptor out of the process of one.  man 2 pidfd_open"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, EPERM, ESRCH, LinuxError
from lbw.abi.fcntl import O_NONBLOCK
from lbw.abi.signal import SI_TKILL, SI_USER
from lbw.kernel.pidfd import PidFile, pidfd_process, process_to_open, signalled_process
from lbw.kernel.ptrace_access import require_attach
from lbw.kernel.signal_send import check_kill_permission, send_signal
from lbw.signals.siginfo import SIZE, SigInfo, unpack
from lbw.syscalls.displays import InStruct
from lbw.syscalls.parameters import Fd, Flags, Hex, Pid, Signal
from lbw.syscalls.signal_displays import show_siginfo
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

PIDFD_FLAGS = {O_NONBLOCK: "PIDFD_NONBLOCK"}


@syscall("pidfd_open", Pid("pid"), Flags("flags", PIDFD_FLAGS))
def pidfd_open(task: Task, pid: int, flags: int) -> int:
    """Return a descriptor, close-on-exec, that stands for the process `pid`.

    EINVAL: a flag but PIDFD_NONBLOCK, no pid, or the number of a thread that leads nothing; ESRCH; EMFILE.
    man 2 pidfd_open
    """
    if flags & ~O_NONBLOCK or pid <= 0:
        raise LinuxError(EINVAL)
    return task.files.install(PidFile(process_to_open(task, pid), flags), close_on_exec=True)


@syscall("pidfd_send_signal", Fd("pidfd"), Signal("sig"), InStruct("info", show_siginfo), Hex("flags"))
def pidfd_send_signal(task: Task, pidfd: int, sig: int, info: int, flags: int) -> int:
    """Send a signal, with a siginfo of the caller's unless `info` is NULL, to the process of a pidfd.

    EBADF; EINVAL: flags, no such signal, or another one in `info`; EPERM; ESRCH: it is gone.  man 2 pidfd_send_signal
    """
    if flags & 0xFFFF_FFFF:
        raise LinuxError(EINVAL)
    gone = False
    try:
        process = signalled_process(task, pidfd)
    except LinuxError as error:
        if error.errno != ESRCH:
            raise
        process, gone = task.process, True
    if info:
        data = task.memory.read(info, SIZE)
        sent = unpack(data, sig, task.abi.word)
        if data[:4] != (sig & 0xFFFF_FFFF).to_bytes(4, "little"):
            raise LinuxError(EINVAL)
        if (gone or task.tid != process.pid) and (sent.code >= SI_USER or sent.code == SI_TKILL):
            raise LinuxError(EPERM)
    else:
        sent = SigInfo(sig, SI_USER, pid=task.process.pid, uid=task.credentials.ruid)
    if gone:
        raise LinuxError(ESRCH)
    check_kill_permission(task, process, sig)
    if sig:
        send_signal(process, sent)
    return 0


@syscall("pidfd_getfd", Fd("pidfd"), Fd("targetfd"), Hex("flags"))
def pidfd_getfd(task: Task, pidfd: int, targetfd: int, flags: int) -> int:
    """Return a descriptor, close-on-exec, for what `targetfd` is in the process of a pidfd.

    EBADF: either is none; EINVAL: flags; EPERM: no right to look into the process; ESRCH: it has ended; EMFILE.
    man 2 pidfd_getfd
    """
    if flags & 0xFFFF_FFFF:
        raise LinuxError(EINVAL)
    process = pidfd_process(task, pidfd)
    thread = process.first_thread
    if thread is None or task.kernel.processes.get(process.pid) is not process:
        raise LinuxError(ESRCH)
    require_attach(task, thread, EPERM)
    if thread is process.ended_leader:
        raise LinuxError(ESRCH)
    return task.files.install(thread.files.get_any(targetfd), close_on_exec=True)
