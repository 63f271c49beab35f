"""The part of signal handling that each thread has to itself."""

from __future__ import annotations

from lbw.signals.altstack import AltStack
from lbw.signals.pending import PendingSignals
from lbw.signals.sigset import UNBLOCKABLE


class TaskSignals:
    """Mask, pending signals, alternate stack, and what the last fault left for the signal frame.

    `blocked` is changed through `lbw.kernel.signal_send.set_blocked`, which keeps `task.signal_pending` true to it.
    """

    __slots__ = (
        "altstack", "blocked", "error_code", "fault_address", "pending", "saved", "stopped", "trap_number", "waiting",
    )  # fmt: skip

    def __init__(self) -> None:
        self.blocked = 0
        #: Mask to return to after sigsuspend, ppoll, pselect: a signal frame saves it, or delivery restores it.
        self.saved: int | None = None
        #: Signals that sigtimedwait waits for although they are blocked.
        self.waiting = 0
        self.pending = PendingSignals()
        self.altstack = AltStack()
        self.stopped = False  # parked by a stop signal
        # Of the last fault, for sigcontext:
        self.trap_number = 0
        self.error_code = 0
        self.fault_address = 0  # CR2

    def fork(self, keep_altstack: bool = True) -> TaskSignals:
        """Return the state of a new task: same mask, nothing pending.

        The alternate stack is inherited, except by a child that shares the memory and is no vfork child.
        """
        child = TaskSignals()
        child.blocked = self.blocked
        if keep_altstack:
            child.altstack = self.altstack.copy()
        else:
            child.altstack.reset()
        return child

    def execute(self) -> None:
        """Keep what execve keeps: mask and pending signals."""
        self.altstack.base = self.altstack.size = 0

    def mask_to_save(self) -> int:
        """Return the mask that a signal frame saves."""
        return self.blocked if self.saved is None else self.saved

    @staticmethod
    def blockable(mask: int) -> int:
        """Return `mask` without SIGKILL and SIGSTOP."""
        return mask & ~UNBLOCKABLE
