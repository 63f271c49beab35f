"""What signals do to a process that does not catch them, and how a parent learns of it.

man 7 signal, "Signal dispositions" and "Standard signals"; man 2 sigaction (SA_NOCLDSTOP, SA_NOCLDWAIT), wait

A stopped process is one with `stop_signal` set: the scheduler parks its tasks as they become ready. Those that wait in
a system call are interrupted as by a signal, so that after SIGCONT the call goes on, or ends with EINTR, as man 7
signal says ("Interruption of system calls and library functions by stop signals").
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.resource import RLIMIT_CORE
from lbw.abi.signal import (
    CLD_CONTINUED,
    CLD_DUMPED,
    CLD_EXITED,
    CLD_KILLED,
    CLD_STOPPED,
    NSIG,
    SA_NOCLDSTOP,
    SA_NOCLDWAIT,
    SIG_IGN,
    SIGCHLD,
    SIGCONT,
    SIGSTOP,
)
from lbw.kernel.task import SIGNAL
from lbw.signals.siginfo import SigInfo
from lbw.signals.sigset import DUMPING, IGNORED_BY_DEFAULT, STOPPING, bit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task

#: Added to the wait status when a core file was written.
CORE_FLAG = 0x80
#: Clock ticks per second (USER_HZ), in ns.
_TICK = 10_000_000


def default_action(task: Task, info: SigInfo) -> bool:
    """Do what SIG_DFL means for `info`; return whether delivery is over, because the process ended or stopped."""
    flag = bit(info.signo)
    if IGNORED_BY_DEFAULT & flag:
        return False
    process = task.process
    if STOPPING & flag:
        if info.signo != SIGSTOP and process.group.orphaned:
            return False  # nobody could continue it
        stop_process(process, info.signo)
        task.attention |= SIGNAL  # what else is pending waits until it continues
        return True
    from lbw.kernel.exit import exit_process

    status = info.signo
    if DUMPING & flag and process.limits.soft(RLIMIT_CORE):
        from lbw.kernel.core_dump import dump_core

        if dump_core(task, info):
            status |= CORE_FLAG
    exit_process(process, status)
    return True


def stop_process(process: Process, signo: int) -> None:
    """Stop all threads of `process` and tell its parent; harmless when it is stopped."""
    if process.stop_signal or process.exiting is not None:
        return
    process.stop_signal = signo
    process.stop_reported = False
    process.continued = False
    for task in process.threads:
        task.interrupt()
    _notify_job_change(process, CLD_STOPPED, signo)


def continue_process(process: Process) -> None:
    """Let a stopped process go on and tell its parent; harmless when it is not stopped."""
    if not process.stop_signal:
        return
    process.stop_signal = 0
    process.stop_reported = False
    process.continued = True
    unpark_threads(process)
    _notify_job_change(process, CLD_CONTINUED, SIGCONT)


def unpark_threads(process: Process) -> None:
    """Let the threads run that were parked while the process was stopped."""
    for task in process.threads:
        process.kernel.scheduler.unpark(task)


def notify_parent(process: Process, status: int) -> bool:
    """Tell the parent that `process` ended with wait `status`; return whether nobody will wait for it, so it vanishes.

    The signal is `process.exit_signal` (0: none). A parent that ignores SIGCHLD, or has SA_NOCLDWAIT, gets no zombies.
    """
    parent = process.parent
    if parent is None or not parent.threads:
        return True  # init, or a parent that is about to end itself
    signo = process.exit_signal
    unwanted = False
    if signo == SIGCHLD:
        action = parent.actions[SIGCHLD]
        if action.handler == SIG_IGN:
            unwanted = True
            signo = 0
        elif action.flags & SA_NOCLDWAIT:
            unwanted = True
    # Whoever waits for us is to find us, rather than be interrupted by the signal (the first wake-up counts).
    parent.child_queue.wake_all()
    if 0 < signo <= NSIG:  # clone takes any number
        _send(process, parent, signo, *wait_code(status))
    return unwanted


def wait_code(status: int) -> tuple[int, int]:
    """Return the CLD_* code and the `si_status` with which waitid(2) and SIGCHLD report the end with wait `status`."""
    signo = status & 0x7F
    if not signo:
        return CLD_EXITED, status >> 8 & 0xFF
    return CLD_DUMPED if status & 0x80 else CLD_KILLED, signo


def _notify_job_change(process: Process, code: int, status: int) -> None:
    parent = process.parent
    if parent is None:
        return
    parent.child_queue.wake_all()
    action = parent.actions[SIGCHLD]
    if action.handler != SIG_IGN and not action.flags & SA_NOCLDSTOP:
        _send(process, parent, SIGCHLD, code, status)


def _send(child: Process, parent: Process, signo: int, code: int, status: int) -> None:
    from lbw.kernel.signal_send import send_signal

    usage = child.total_usage()
    leader = child.leader
    info = SigInfo(
        signo,
        code,
        pid=child.pid,
        uid=leader.credentials.ruid if leader is not None else child.uid,
        status=status,
        utime=usage.user_time // _TICK,
        stime=usage.system_time // _TICK,
    )
    try:
        send_signal(parent, info)
    except LinuxError:
        pass  # a real-time signal (clone), and the parent has its queue full of them
