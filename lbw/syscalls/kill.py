"""Sending signals.  man 2 kill, tkill, rt_sigqueueinfo"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, EPERM, ESRCH, LinuxError
from lbw.abi.signal import SI_TKILL, SI_USER
from lbw.kernel.signal_send import check_kill_permission, send_signal
from lbw.signals.siginfo import SIZE, SigInfo, unpack
from lbw.syscalls.displays import InStruct
from lbw.syscalls.parameters import Pid, Signal
from lbw.syscalls.signal_displays import show_siginfo
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lbw.kernel.process import Process
    from lbw.kernel.task import Task


@syscall("kill", Pid("pid"), Signal("sig"))
def kill(task: Task, pid: int, sig: int) -> int:
    """Send a signal to a process, a group (0: the caller's, below -1: group -pid) or all others (-1).

    Signal 0 only asks whether that would be allowed. EINVAL: no such signal. EPERM: no target may be signalled. ESRCH:
    there is no target.  man 2 kill
    """
    info = _user_info(task, sig, SI_USER)
    if pid > 0:
        _send(task, _process(task, pid), info)
        return 0
    processes = task.kernel.processes.values()
    if pid == -1:
        others = [process for process in processes if process.pid > 1 and process is not task.process]
        if not others:
            raise LinuxError(ESRCH)
        failures = [errno for errno in _send_all(task, others, info) if errno not in (0, EPERM)]
        if failures:
            raise LinuxError(failures[-1])
        return 0
    pgid = -pid if pid else task.process.group.pgid
    results = _send_all(task, [process for process in processes if process.group.pgid == pgid], info)
    if 0 not in results:
        raise LinuxError(results[-1] if results else ESRCH)
    return 0


@syscall("tkill", Pid("tid"), Signal("sig"))
def tkill(task: Task, tid: int, sig: int) -> int:
    """Send a signal to a thread.  man 2 tkill"""
    if tid <= 0:
        raise LinuxError(EINVAL)
    return _send_to_thread(task, None, tid, _user_info(task, sig, SI_TKILL))


@syscall("tgkill", Pid("tgid"), Pid("tid"), Signal("sig"))
def tgkill(task: Task, tgid: int, tid: int, sig: int) -> int:
    """Send a signal to a thread of a certain process.  ESRCH: it is not one of its threads.  man 2 tgkill"""
    if tid <= 0 or tgid <= 0:
        raise LinuxError(EINVAL)
    return _send_to_thread(task, tgid, tid, _user_info(task, sig, SI_TKILL))


@syscall("rt_sigqueueinfo", Pid("tgid"), Signal("sig"), InStruct("info", show_siginfo))
def rt_sigqueueinfo(task: Task, tgid: int, sig: int, info: int) -> int:
    """Send a signal with a siginfo of the caller's to a process.

    EPERM: it pretends to come from the kernel or from kill. EAGAIN: too many are queued.  man 2 rt_sigqueueinfo
    """
    queued = unpack(task.memory.read(info, SIZE), sig, task.abi.word)
    if _forged(queued) and tgid != task.tid:
        raise LinuxError(EPERM)
    _send(task, _process(task, tgid), queued)
    return 0


@syscall("rt_tgsigqueueinfo", Pid("tgid"), Pid("tid"), Signal("sig"), InStruct("info", show_siginfo))
def rt_tgsigqueueinfo(task: Task, tgid: int, tid: int, sig: int, info: int) -> int:
    """Send a signal with a siginfo of the caller's to a thread.  man 2 rt_tgsigqueueinfo"""
    queued = unpack(task.memory.read(info, SIZE), sig, task.abi.word)
    if tid <= 0 or tgid <= 0:
        raise LinuxError(EINVAL)
    if _forged(queued) and tid != task.tid:
        raise LinuxError(EPERM)
    return _send_to_thread(task, tgid, tid, queued)


def _user_info(task: Task, sig: int, code: int) -> SigInfo:
    return SigInfo(sig, code, pid=task.process.pid, uid=task.credentials.ruid)


def _forged(info: SigInfo) -> bool:
    """Tell whether the code is one that only the kernel, kill and tkill may use toward others."""
    return info.code >= SI_USER or info.code == SI_TKILL


def _process(task: Task, pid: int) -> Process:
    """Return process `pid`, which may also be the number of one of its threads.  ESRCH"""
    kernel = task.kernel
    process = kernel.processes.get(pid)
    if process is None:
        thread = kernel.tasks.get(pid)
        if thread is None:
            raise LinuxError(ESRCH)
        process = thread.process
    return process


def _send(task: Task, process: Process, info: SigInfo) -> None:
    check_kill_permission(task, process, info.signo)
    if info.signo:
        send_signal(process, info)


def _send_all(task: Task, processes: Iterable[Process], info: SigInfo) -> list[int]:
    """Send to each of `processes`; return the errno of each attempt, 0 for success."""
    results = []
    for process in processes:
        try:
            _send(task, process, info)
            results.append(0)
        except LinuxError as error:
            results.append(error.errno)
    return results


def _send_to_thread(task: Task, tgid: int | None, tid: int, info: SigInfo) -> int:
    target = task.kernel.tasks.get(tid)
    if target is None:
        zombie = task.kernel.processes.get(tid)  # a leader that has ended, others or its parent not having noticed yet
        if zombie is None or tgid not in (None, tid):
            raise LinuxError(ESRCH)
        check_kill_permission(task, zombie, info.signo)
        return 0
    if tgid is not None and target.process.pid != tgid:
        raise LinuxError(ESRCH)
    check_kill_permission(task, target.process, info.signo, target)
    if info.signo:
        send_signal(target, info)
    return 0
