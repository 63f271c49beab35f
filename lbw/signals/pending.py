"""Pending signals of a task or of a process.

A standard signal is pending once, however often it was sent: the first siginfo is kept. A real-time signal is queued
every time, in order, with its payload (man 7 signal, "Queueing and delivery semantics"). Entries are charged to a user,
up to RLIMIT_SIGPENDING; a signal that finds no room may still be pending, but without its siginfo.

Dequeue order, as in Linux: faults of the running instruction, then the synchronous signals, then the lowest number.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, LinuxError
from lbw.abi.signal import SI_USER, SIGRTMIN
from lbw.signals.siginfo import SigInfo
from lbw.signals.sigset import SYNCHRONOUS


class QueueAccount:
    """How many signals one user has queued; the limit comes with each request."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0


class PendingSignals:
    """A set of pending signals with their queues."""

    __slots__ = ("_queues", "mask")

    def __init__(self) -> None:
        #: Set of all pending signals; read it, do not write it.
        self.mask = 0
        self._queues: dict[int, list[tuple[SigInfo, QueueAccount | None]]] = {}

    def add(self, info: SigInfo, account: QueueAccount | None = None, limit: int = 2**64 - 1) -> bool:
        """Make `info` pending; return False when its standard signal was pending already.

        The entry is charged to `account`, which may hold `limit` entries. LinuxError(EAGAIN): a real-time signal with a
        payload found no room.
        """
        signo = info.signo
        flag = 1 << (signo - 1)
        real_time = signo >= SIGRTMIN
        if info.source is not None:
            account = None  # has room of its own, beside other signals of the number
        elif not real_time and self.mask & flag:
            return False
        # What the kernel or kill(2) sends as a standard signal is never refused for want of room.
        if account is not None and account.used >= limit and (real_time or info.code < 0):
            if real_time and info.code != SI_USER:
                raise LinuxError(EAGAIN)
            self.mask |= flag
            return True
        if account is not None:
            account.used += 1
        self._queues.setdefault(signo, []).append((info, account))
        self.mask |= flag
        return True

    def discard(self, mask: int) -> None:
        """Forget all pending signals of `mask`."""
        found = self.mask & mask
        if not found:
            return
        self.mask &= ~mask
        for signo in [signo for signo in self._queues if found >> (signo - 1) & 1]:
            for _, account in self._queues.pop(signo):
                if account is not None:
                    account.used -= 1

    def clear(self) -> None:
        """Forget everything."""
        self.discard(self.mask)

    def take(self, signo: int) -> SigInfo:
        """Remove and return the oldest entry of `signo`, which is pending."""
        queue = self._queues.get(signo)
        if not queue:  # pending without siginfo: the queue was full
            self.mask &= ~(1 << (signo - 1))
            return SigInfo(signo, SI_USER)
        info, account = queue.pop(0)
        if account is not None:
            account.used -= 1
        if not queue:
            del self._queues[signo]
            self.mask &= ~(1 << (signo - 1))
        if info.source is not None:
            info.source.taken(info)
        return info

    def holds(self, info: SigInfo) -> bool:
        """Tell whether this very entry is still pending."""
        return any(entry is info for entry, _ in self._queues.get(info.signo, ()))

    def next(self, blocked: int) -> int:
        """Return the number of the signal that is due when `blocked` is blocked, 0 if none."""
        due = self.mask & ~blocked
        if not due:
            return 0
        first = due & SYNCHRONOUS or due
        return (first & -first).bit_length()

    def next_fault(self, blocked: int) -> int:
        """Return the number of a due synchronous signal that the processor caused (positive si_code), 0 if none."""
        due = self.mask & ~blocked & SYNCHRONOUS
        while due:
            lowest = due & -due
            signo = lowest.bit_length()
            queue = self._queues.get(signo)
            if queue and queue[0][0].code > SI_USER:
                return signo
            due ^= lowest
        return 0
