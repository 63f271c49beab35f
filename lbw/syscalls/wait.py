"""Waiting for children.  man 2 wait4, waitid"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EINVAL, ESRCH, LinuxError
from lbw.abi.fcntl import O_NONBLOCK
from lbw.abi.signal import SIGCHLD
from lbw.abi.wait import P_ALL, P_PGID, P_PID, P_PIDFD, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED, WUNTRACED
from lbw.kernel.pidfd import pidfd_process
from lbw.kernel.wait import WALL, WCLONE, WNOTHREAD, ChildEvent, find_event, selection, wait_for_event
from lbw.signals.siginfo import SigInfo, pack
from lbw.syscalls.displays import WaitStatus
from lbw.syscalls.parameters import Choice, Flags, Out, Pid
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.process import Usage
    from lbw.kernel.task import Task

WAIT4_FLAGS = {
    WNOHANG: "WNOHANG", WUNTRACED: "WUNTRACED", WCONTINUED: "WCONTINUED",
    WNOTHREAD: "__WNOTHREAD", WALL: "__WALL", WCLONE: "__WCLONE",
}  # fmt: skip
WAITID_FLAGS = {
    WNOHANG: "WNOHANG", WEXITED: "WEXITED", WSTOPPED: "WSTOPPED", WCONTINUED: "WCONTINUED", WNOWAIT: "WNOWAIT",
    WNOTHREAD: "__WNOTHREAD", WALL: "__WALL", WCLONE: "__WCLONE",
}  # fmt: skip
ID_TYPES = {P_ALL: "P_ALL", P_PID: "P_PID", P_PGID: "P_PGID", P_PIDFD: "P_PIDFD"}


def store_usage(task: Task, address: int, usage: Usage) -> None:
    """Store a struct rusage.  EFAULT"""
    user, system = usage.user_time // 1000, usage.system_time // 1000
    task.memory.store(
        address, task.abi.rusage,
        *divmod(user, 1_000_000), *divmod(system, 1_000_000),
        usage.max_resident * 4, 0, 0, 0, usage.minor_faults, usage.major_faults, 0, 0, 0, 0, 0, 0,
        usage.voluntary_switches, usage.involuntary_switches,
    )  # fmt: skip


@syscall("wait4", Pid("pid"), WaitStatus("wstatus"), Flags("options", WAIT4_FLAGS), Out("rusage"))
def wait4(task: Task, pid: int, wstatus: int, options: int, rusage: int) -> int | Awaitable[int]:
    """Wait for a child; store its status and what it used; return its number.

    ECHILD; EINTR; EINVAL; ESRCH: `pid` is INT_MIN.  man 2 wait4
    """
    if options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WCLONE | WALL):
        raise LinuxError(EINVAL)
    if pid == -(1 << 31):
        raise LinuxError(ESRCH)
    kind, number = selection(task, pid)
    options |= WEXITED
    event = find_event(task, kind, number, options)
    if event is None:
        return 0 if options & WNOHANG else wait4_later(task, kind, number, options, wstatus, rusage)
    return report_status(task, event, wstatus, rusage)


async def wait4_later(task: Task, kind: int, number: int, options: int, wstatus: int, rusage: int) -> int:
    """Wait for the event, then report it."""
    event = await wait_for_event(task, kind, number, options)
    return report_status(task, event, wstatus, rusage) if event is not None else 0


def report_status(task: Task, event: ChildEvent, wstatus: int, rusage: int) -> int:
    """Store the results of wait4; the event is consumed even when that fails, as in Linux.  EFAULT"""
    if wstatus:
        task.memory.write_u32(wstatus, event.status)
    if rusage:
        store_usage(task, rusage, event.usage)
    return event.pid


@syscall(
    "waitid", Choice("idtype", ID_TYPES), Pid("id"), Out("infop"), Flags("options", WAITID_FLAGS), Out("rusage")
)  # fmt: skip
def waitid(task: Task, idtype: int, number: int, infop: int, options: int, rusage: int) -> int | Awaitable[int]:
    """Wait for an event of a child and store it as siginfo; zeros when there is none, also because of an error.

    ECHILD; EINTR; EINVAL; EBADF, EAGAIN: of a pidfd, which may be one that does not wait.  man 2 waitid
    """
    try:
        kind, number, without_waiting = chosen(task, idtype, number, options)
        event = find_event(task, kind, number, options)
    except LinuxError:
        if infop:
            store_event(task, infop, None)
        raise
    if event is None and not options & WNOHANG:
        if not without_waiting:
            return waitid_later(task, kind, number, infop, options, rusage)
        if infop:
            store_event(task, infop, None)
        raise LinuxError(EAGAIN)
    return report_event(task, event, infop, rusage)


def chosen(task: Task, idtype: int, number: int, options: int) -> tuple[int, int, bool]:
    """Return (P_*, number) of what waitid is to wait for, and whether it is not to wait but to say EAGAIN.

    EINVAL; EBADF: no pidfd
    """
    allowed = WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | WNOTHREAD | WCLONE | WALL
    if options & ~allowed or not options & (WEXITED | WSTOPPED | WCONTINUED):
        raise LinuxError(EINVAL)
    if idtype == P_PID and number > 0:
        return P_PID, number, False
    if idtype == P_PGID and number >= 0:
        return P_PGID, number or task.process.group.pgid, False
    if idtype == P_ALL:
        return P_ALL, 0, False
    if idtype != P_PIDFD or number < 0:
        raise LinuxError(EINVAL)
    process = pidfd_process(task, number)
    # A process that is gone keeps its number from nobody: there is no child 0.
    pid = process.pid if task.kernel.processes.get(process.pid) is process else 0
    return P_PID, pid, bool(task.files.get(number).flags & O_NONBLOCK)


async def waitid_later(task: Task, kind: int, number: int, infop: int, options: int, rusage: int) -> int:
    """Wait for the event, then store it."""
    try:
        event = await wait_for_event(task, kind, number, options)
    except LinuxError:
        if infop:
            store_event(task, infop, None)
        raise
    return report_event(task, event, infop, rusage)


def report_event(task: Task, event: ChildEvent | None, infop: int, rusage: int) -> int:
    """Store the results of waitid; the event is consumed even when that fails, as in Linux.  EFAULT"""
    if event is not None and rusage:
        store_usage(task, rusage, event.usage)
    if infop:
        store_event(task, infop, event)
    return 0


def store_event(task: Task, infop: int, event: ChildEvent | None) -> None:
    """Store the fields of a siginfo up to si_status, which is all that Linux writes.  EFAULT"""
    length = (16 if task.abi.word == 8 else 12) + 12
    data = bytes(length)
    if event is not None:
        info = SigInfo(SIGCHLD, event.code, pid=event.pid, uid=event.uid, status=event.value)
        data = pack(info, task.abi.word)[:length]
    task.memory.write(infop, data)
