"""What a parent learns of its children: SIGCHLD, and the wake-up of those who wait.  man 2 wait, sigaction"""

from __future__ import annotations

from lbw.abi.signal import (
    CLD_CONTINUED,
    CLD_DUMPED,
    CLD_EXITED,
    CLD_KILLED,
    CLD_STOPPED,
    SA_NOCLDSTOP,
    SA_NOCLDWAIT,
    SIG_IGN,
    SIGCHLD,
)
from lbw.kernel.signal_send import send_signal
from lbw.signals.siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process

TICK = 10_000_000  # ns in a clock tick of siginfo


def notify_parent(process: Process, code: int, status: int, signo: int = SIGCHLD) -> None:
    """Send `signo` with a CLD_* code to the parent, and wake those who wait for children.

    `status` is an exit status or a signal number.
    """
    parent = process.parent
    if parent is None or parent.exit_status is not None:
        return
    stopping = code in (CLD_STOPPED, CLD_CONTINUED)
    if parent.threads and signo and not (stopping and parent.actions[SIGCHLD].flags & SA_NOCLDSTOP):
        usage = process.total_usage()
        info = SigInfo(
            signo, code, pid=process.pid, uid=process.uid, status=status,
            utime=usage.user_time // TICK, stime=usage.system_time // TICK,
        )  # fmt: skip
        send_signal(parent, info)
    parent.child_queue.wake_all()


def announce_exit(process: Process) -> bool:
    """Tell the parent that `process`, a zombie now, has ended; True: nobody will wait for it, reap it."""
    status = process.exit_status
    assert status is not None
    parent = process.parent
    if parent is None or not parent.threads:
        return True  # init, or a parent that is about to end and leaves nobody
    unwanted = False
    exit_signal = process.exit_signal
    if exit_signal == SIGCHLD:
        action = parent.actions[SIGCHLD]
        if action.handler == SIG_IGN:
            unwanted, exit_signal = True, 0
        elif action.flags & SA_NOCLDWAIT:
            unwanted = True
    notify_parent(process, *wait_code(status), exit_signal)
    return unwanted


def wait_code(status: int) -> tuple[int, int]:
    """Return (CLD_* code, status) as waitid(2) reports the end with wait status `status`."""
    signo = status & 0x7F
    if not signo:
        return CLD_EXITED, status >> 8 & 0xFF
    return (CLD_DUMPED if status & 0x80 else CLD_KILLED), signo
