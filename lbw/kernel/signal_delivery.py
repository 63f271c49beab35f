"""Delivery: what happens to pending signals on the way back to the guest.

The run loop calls `deliver_signals` when `SIGNAL` is set in `task.attention`. Each pending signal that is not blocked
is taken out of its queue, lowest number first; ignored ones vanish, default actions happen, and for each handler a
frame is pushed, one upon the other, so that the last one taken runs first. Afterwards the task has something to run, or
its process ended or stopped.

Before a frame saves the registers, an interrupted system call is settled (lbw.kernel.restart). If no handler runs, that
is left to the run loop, which must not do so while the process is stopped: a handler may still come, after SIGCONT.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.i386 import I386
from lbw.abi.signal import SA_NODEFER, SA_RESETHAND, SIG_DFL, SIG_IGN, SIGKILL, SIGSEGV
from lbw.kernel.default_actions import default_action
from lbw.kernel.restart import settle
from lbw.kernel.rseq import before_handler
from lbw.kernel.signal_send import force_default, force_signal, kernel_info, recalculate, set_blocked
from lbw.kernel.sigreturn_page import with_restorer
from lbw.signals.actions import Action
from lbw.signals.frames import FRAMES
from lbw.signals.siginfo import SigInfo
from lbw.signals.sigset import bit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

_KILL = bit(SIGKILL)


def deliver_signals(task: Task) -> None:
    """Deliver every pending signal of `task` that is not blocked, until its process ends or stops."""
    signals, process = task.signals, task.process
    while True:
        if process.stop_signal:
            return  # parked by the scheduler; delivery goes on after SIGCONT
        if (signals.pending.mask | process.pending.mask) & _KILL:  # before everything else
            default_action(task, SigInfo(SIGKILL))
            return
        info = dequeue(task, signals.blocked)
        if info is None:
            if signals.saved is None:
                break
            mask, signals.saved = signals.saved, None
            set_blocked(task, mask)
            continue
        action = process.actions[info.signo]
        observer = process.kernel.observer
        if observer is not None:
            observer.signal(task, info)
        if action.handler == SIG_IGN:
            continue
        if action.handler == SIG_DFL:
            if default_action(task, info):
                return
            continue
        if action.flags & SA_RESETHAND:
            process.actions[info.signo] = Action(SIG_DFL, action.flags, action.restorer, action.mask, action.abi)
        enter_handler(task, action, info)
    recalculate(task)


def enter_handler(task: Task, action: Action, info: SigInfo) -> None:
    """Push a frame for `info` and let the task continue in its handler; SIGSEGV when there is no room for the frame."""
    signals = task.signals
    settle(task, action.flags)
    if task.rseq:
        before_handler(task, info.signo)
    try:
        if action.abi == I386.name and not action.restorer:
            action = with_restorer(task.memory, action)
        FRAMES[action.abi].build(task.context, task.memory, signals, action, info)
    except LinuxError:
        if info.signo == SIGSEGV:
            force_default(task, SIGSEGV)
        else:
            force_signal(task, kernel_info(SIGSEGV))
        return
    signals.saved = None
    blocked = signals.blocked | action.mask
    if not action.flags & SA_NODEFER:
        blocked |= bit(info.signo)
    set_blocked(task, blocked)


def dequeue(task: Task, blocked: int) -> SigInfo | None:
    """Take the next signal that is due when `blocked` is blocked: the task's own first. None: nothing is due."""
    own, shared = task.signals.pending, task.process.pending
    signo = own.next_fault(blocked) or own.next(blocked)
    if signo:
        return own.take(signo)
    signo = shared.next(blocked)
    return shared.take(signo) if signo else None
