"""Stopping and continuing a process, and telling its parent.  man 7 signal, man 2 waitpid

A stopped process's tasks stay where they are: those that wait may be woken, but the scheduler parks whoever becomes
ready. Delivery calls `stop_process` when the default action of a signal is to stop; sending SIGCONT or SIGKILL calls
`continue_process`, whatever the signal's disposition.
"""

from __future__ import annotations

from lbw.abi.signal import CLD_CONTINUED, CLD_STOPPED, SIGCONT
from lbw.kernel.notify import notify_parent
from lbw.kernel.task import SIGNAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.process import Process


def stop_process(process: Process, signo: int) -> None:
    """Stop all threads of `process` because of signal `signo`."""
    if process.stop_signal or process.exit_status is not None or process.exiting is not None:
        return
    process.stop_signal = signo
    process.stop_reported = False
    process.continued = False
    for task in process.threads:
        task.attention |= SIGNAL  # so that the run loop looks before it goes back to the guest
    notify_parent(process, CLD_STOPPED, signo)


def continue_process(process: Process, notify: bool = True) -> None:
    """Let a stopped process go on; without `notify` its parent does not hear of it (SIGKILL)."""
    if not process.stop_signal:
        return
    process.stop_signal = 0
    process.stop_reported = False
    for task in process.threads:
        process.kernel.scheduler.unpark(task)
    if notify:
        process.continued = True
        notify_parent(process, CLD_CONTINUED, SIGCONT)
