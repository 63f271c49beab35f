"""POSIX message queues: the queue itself.  man 7 mq_overview

Messages leave by priority, and by age within one. A message that is sent while somebody waits for one goes straight to
whoever waits longest; a place that becomes free is filled at once with the message of the sender who waits longest. So
what a waiting call wants is done for it by others (`Transfer`), and it only learns that it was done: nobody can jump
the queue, and nothing is lost to a signal that comes at the same time.

One process can have itself told when a message comes into an empty queue for which nobody waits; that is done once.
"""

from __future__ import annotations

from heapq import heappop, heappush

from lbw.abi.errno import EBUSY, LinuxError
from lbw.ipc.budget import MESSAGE
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.ipc.budget import MemoryBudget

    Message = tuple[int, bytes]  # priority, text


class Transfer:
    """A message that waits for room, or (None) a wish for one."""

    __slots__ = ("done", "message", "queue")

    def __init__(self, message: Message | None = None) -> None:
        self.message = message
        self.done = False
        self.queue = WaitQueue()

    def finish(self, message: Message | None) -> None:
        """Tell the one who waits."""
        self.message = message
        self.done = True
        self.queue.wake_all()


class Notification:
    """Who wants to be told, and how."""

    __slots__ = ("kind", "pid", "signo", "tell")

    def __init__(self, pid: int, kind: int, signo: int, tell: Callable[[], None]) -> None:
        self.pid = pid
        self.kind = kind  # SIGEV_*
        self.signo = signo  # for SIGEV_SIGNAL, else 0
        self.tell = tell  # called when a message has come


class Queue:
    """Messages, and who waits."""

    __slots__ = (
        "_budget", "_count", "_messages", "bytes", "largest", "limit", "notification", "queue", "receivers", "senders",
    )  # fmt: skip

    def __init__(self, limit: int, largest: int, budget: MemoryBudget) -> None:
        self._budget = budget
        self.limit = limit  # messages (mq_maxmsg)
        self.largest = largest  # bytes of one (mq_msgsize)
        self.bytes = 0
        self.notification: Notification | None = None
        self.receivers: list[Transfer] = []
        self.senders: list[Transfer] = []
        self.queue = WaitQueue()  # of those who poll
        self._messages: list[tuple[int, int, bytes]] = []  # -priority, number, text
        self._count = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def full(self) -> bool:
        """Whether a sender would have to wait."""
        return len(self._messages) >= self.limit

    def send(self, priority: int, text: bytes) -> None:
        """Send into a queue that is not full.  ENOMEM"""
        if self.receivers:
            self.receivers.pop(0).finish((priority, text))
            return
        self._budget.charge(len(text) + MESSAGE)
        self._insert(priority, text)
        if len(self._messages) == 1 and self.notification is not None:
            notification, self.notification = self.notification, None
            notification.tell()
        self.queue.wake_all()

    def receive(self) -> Message:
        """Take the message that is due out of a queue that is not empty."""
        priority, _, text = heappop(self._messages)
        self.bytes -= len(text)
        self._budget.release(len(text) + MESSAGE)
        if self.senders:
            sender = self.senders.pop(0)
            assert sender.message is not None
            self._budget.used += len(sender.message[1]) + MESSAGE  # it is there already
            self._insert(*sender.message)
            sender.finish(None)
        self.queue.wake_all()
        return -priority, text

    def _insert(self, priority: int, text: bytes) -> None:
        self._count += 1
        heappush(self._messages, (-priority, self._count, text))
        self.bytes += len(text)

    def clear(self) -> None:
        """Drop all messages; nobody can receive them any more."""
        self._budget.release(self.bytes + MESSAGE * len(self._messages))
        self._messages.clear()
        self.bytes = 0

    def notify(self, notification: Notification) -> None:
        """Register a notification.  EBUSY: there is one"""
        if self.notification is not None:
            raise LinuxError(EBUSY)
        self.notification = notification

    def forget(self, pid: int) -> None:
        """Drop the notification of a process: it wants none, or has closed the queue."""
        if self.notification is not None and self.notification.pid == pid:
            self.notification = None
