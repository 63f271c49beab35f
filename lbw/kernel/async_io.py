"""Signals for files that become ready: F_SETOWN, F_SETSIG and O_ASYNC; SIGURG for urgent data.  man 2 fcntl

Whoever wants signals listens at the queue of the file, as epoll does (`lbw.waiting`), so every kind of file that has a
queue can do it. A wake is answered with what `poll` says: data to read before room to write. Linux sends a signal when
something happens, also when nothing is new for the program, and leaves it out when a task waits in a read; so a
program that follows the manual, and reads until EAGAIN, sees no difference.

With F_SETSIG the signal tells descriptor and reason, and when it cannot be queued, or without F_SETSIG, it is a plain
SIGIO. The owner's permission is that of whoever set it (kill(2)).
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.fcntl import F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID
from lbw.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM, POLLWRBAND, POLLWRNORM
from lbw.abi.signal import POLL_HUP, POLL_IN, POLL_OUT, SIGPOLL, SIGURG
from lbw.kernel.signal_send import kernel_info, send_signal
from lbw.signals.siginfo import SigInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.kernel.kernel import Kernel
    from lbw.kernel.process import Process
    from lbw.kernel.task import Task
    from lbw.vfs.file import File

#: The flag of a description that asks for signals.
O_ASYNC = 0o20000
POLL_PRI = 5
#: What happened, and how `si_band` tells it; the first that holds is told.
REASONS = (
    (POLLHUP, POLL_HUP, POLLHUP | POLLERR),
    (POLLPRI, POLL_PRI, POLLPRI | POLLRDBAND),
    (POLLIN, POLL_IN, POLLIN | POLLRDNORM),
    (POLLOUT, POLL_OUT, POLLOUT | POLLWRNORM | POLLWRBAND),
)


class Notifier:
    """Who gets signals for a file, and which; `fd` is the descriptor it was asked with."""

    __slots__ = ("_file", "_kernel", "_uids", "fd", "kind", "number", "signo")

    def __init__(self, kernel: Kernel, file: File) -> None:
        self._kernel = kernel
        self._file = file
        self._uids = (0, 0)
        self.fd = -1
        self.kind = F_OWNER_PID
        self.number = 0  # 0: nobody
        self.signo = 0  # F_SETSIG; 0: SIGIO
        if file.queue is not None:
            file.queue.listen(self)

    def set_owner(self, task: Task, kind: int, number: int) -> None:
        """Send to `number` (F_OWNER_*), by the permission of `task`."""
        self.kind, self.number = kind, number
        self._uids = task.credentials.ruid, task.credentials.euid

    def stop(self) -> None:
        """The file is closed."""
        if self._file.queue is not None:
            self._file.queue.unlisten(self)

    def notify(self, events: int) -> bool:
        """Something may have happened: send what is due."""
        if not self.number:
            return False
        if events & POLLPRI:
            self._send(kernel_info(SIGURG))
        if not self._file.flags & O_ASYNC:
            return False
        now = self._file.poll()
        if events:
            now &= events
        for event, reason, band in REASONS:
            if now & event:
                if not self.signo or not self._send(SigInfo(self.signo, reason, band=band, fd=self.fd)):
                    self._send(kernel_info(SIGPOLL))
                return True
        return False

    def _send(self, info: SigInfo) -> bool:
        """Send `info` to the owner; return False if it could not be queued."""
        try:
            for target in self._targets():
                send_signal(target, info)
        except LinuxError:
            return False
        return True

    def _targets(self) -> Iterator[Process | Task]:
        """Yield the owners that may be sent a signal."""
        kernel, number = self._kernel, self.number
        if self.kind == F_OWNER_PGRP:
            for process in list(kernel.processes.values()):
                if process.group.pgid == number and self._permits(process.leader):
                    yield process
            return
        task = kernel.tasks.get(number)
        if self.kind == F_OWNER_TID:
            if task is not None and self._permits(task):
                yield task
        else:
            owner = kernel.processes.get(number) or (task.process if task is not None else None)
            if owner is not None and self._permits(owner.leader):
                yield owner

    def _permits(self, target: Task | None) -> bool:
        if target is None:
            return False
        real, effective = self._uids
        who = target.credentials
        return effective == 0 or bool({real, effective} & {who.ruid, who.suid})


def notifier_of(task: Task, file: File) -> Notifier:
    """Return the notifier of `file`, new when it has none."""
    known = file.async_owner
    if isinstance(known, Notifier):
        return known
    notifier = Notifier(task.kernel, file)
    file.async_owner = notifier
    return notifier


def set_async(task: Task, file: File, fd: int, on: bool) -> None:
    """Switch O_ASYNC; files that are always ready do not know it."""
    if file.queue is None:
        return
    if on:
        notifier_of(task, file).fd = fd
        file.flags |= O_ASYNC
    else:
        file.flags &= ~O_ASYNC
