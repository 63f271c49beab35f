"""System V message queues.  man 2 msgget, msgop, msgctl

A message that is sent goes at once to the first receiver who waits for one of its kind, and only else into the queue; a
receiver whose buffer is too small for it gets E2BIG, and the next one is asked. Senders wait until there is room, and
try again when they are woken.
"""

from __future__ import annotations

from lbw.abi.capability import CAP_SYS_RESOURCE
from lbw.abi.errno import E2BIG, EAGAIN, EIDRM, EINVAL, EPERM, LinuxError
from lbw.abi.ipc import MSG_COPY, MSG_EXCEPT, MSG_NOERROR
from lbw.ipc.budget import MESSAGE
from lbw.ipc.ids import IdTable, IpcObject
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.ipc.budget import MemoryBudget
    from lbw.ipc.namespace import Surroundings
    from lbw.vfs.credentials import Credentials

    Message = tuple[int, bytes]  # type, text


class Wish:
    """Which message a receiver wants, and what came of it."""

    __slots__ = ("_kind", "_types", "copy", "error", "message", "pid", "queue", "size", "truncate")

    def __init__(self, kind: int, size: int, flags: int, pid: int) -> None:
        """Want a message of type `kind` (0: any; negative: the lowest up to that; MSG_COPY: a position).

        `size`: bytes that the buffer holds.
        """
        self._kind = kind
        self._types = kind < 0, bool(flags & MSG_EXCEPT)
        self.copy = bool(flags & MSG_COPY)
        self.size = size
        self.truncate = bool(flags & MSG_NOERROR)
        self.pid = pid
        self.message: Message | None = None
        self.error = 0
        self.queue = WaitQueue()

    def accepts(self, kind: int) -> bool:
        """Tell whether a message of type `kind` will do."""
        wanted = self._kind
        lowest, other = self._types
        if not wanted:
            return True
        if lowest:
            return kind <= -wanted
        return kind != wanted if other else kind == wanted

    def find(self, messages: list[Message]) -> int:
        """Return the position of the message to be taken, -1 when there is none."""
        if self.copy:
            return self._kind if 0 <= self._kind < len(messages) else -1
        found = -1
        for position, (kind, _) in enumerate(messages):
            if self.accepts(kind) and (found < 0 or kind < messages[found][0]):
                found = position
                if self._kind >= 0:
                    break
        return found


class MessageQueue(IpcObject):
    """A queue of messages."""

    __slots__ = (
        "_around", "_budget", "bytes", "last_receiver", "last_sender", "limit", "messages", "receive_time", "receivers",
        "room", "send_time",
    )  # fmt: skip

    def __init__(
        self, around: Surroundings, budget: MemoryBudget, key: int, limit: int, flags: int, owner: Credentials
    ) -> None:  # fmt: skip
        super().__init__(key, flags, owner)
        self._around = around
        self._budget = budget
        self.messages: list[Message] = []
        self.bytes = 0
        self.limit = limit  # of bytes, and of messages (msg_qbytes)
        self.send_time = self.receive_time = 0
        self.last_sender = self.last_receiver = 0
        self.receivers: list[Wish] = []
        self.room = WaitQueue()  # senders
        self.changed = around.now()

    def send(self, kind: int, text: bytes, pid: int) -> None:
        """Send a message.  EAGAIN: no room, the caller waits on `room`; ENOMEM"""
        if self.bytes + len(text) > self.limit or len(self.messages) >= self.limit:
            raise LinuxError(EAGAIN)
        self.last_sender = pid
        self.send_time = self._around.now()
        for wish in self.receivers[:]:
            if not wish.accepts(kind):
                continue
            self.receivers.remove(wish)
            if wish.size < len(text) and not wish.truncate:
                wish.error = E2BIG
                wish.queue.wake_all()
                continue
            wish.message = (kind, text)
            self.last_receiver = wish.pid
            self.receive_time = self._around.now()
            wish.queue.wake_all()
            return
        self._budget.charge(len(text) + MESSAGE)
        self.messages.append((kind, text))
        self.bytes += len(text)

    def receive(self, wish: Wish) -> Message | None:
        """Take a message, or with MSG_COPY look at it; None: there is none.  E2BIG; EINVAL: too large for a copy"""
        position = wish.find(self.messages)
        if position < 0:
            return None
        kind, text = message = self.messages[position]
        if len(text) > wish.size and not wish.truncate:
            raise LinuxError(E2BIG)
        if wish.copy:
            if len(text) > wish.size:
                raise LinuxError(EINVAL)
            return message
        del self.messages[position]
        self.bytes -= len(text)
        self._budget.release(len(text) + MESSAGE)
        self.last_receiver = wish.pid
        self.receive_time = self._around.now()
        self.room.wake_all()
        return kind, text

    def clear(self) -> None:
        """Drop all messages."""
        self._budget.release(self.bytes + MESSAGE * len(self.messages))
        self.messages.clear()
        self.bytes = 0

    def set(self, uid: int, gid: int, mode: int, limit: int, ceiling: int, who: Credentials) -> None:
        """Change owner, permissions and limit (IPC_SET).  EPERM: a limit above `ceiling`"""
        if limit > ceiling and not who.capable(CAP_SYS_RESOURCE):
            raise LinuxError(EPERM)
        self.update(uid, gid, mode)
        self.limit = limit
        self.changed = self._around.now()
        for wish in self.receivers:  # they may not be allowed to any more
            wish.queue.wake_all()
        self.room.wake_all()


class MessageQueues(IdTable[MessageQueue]):
    """All queues, and their limits: /proc/sys/kernel/msg*."""

    __slots__ = ("_budget", "around", "count_limit", "message_limit", "queue_limit")

    def __init__(self, around: Surroundings, budget: MemoryBudget) -> None:
        super().__init__()
        self.around = around
        self._budget = budget
        self.message_limit = 8192  # msgmax, bytes of one
        self.queue_limit = 16384  # msgmnb, bytes in a queue
        self.count_limit = 32000  # msgmni

    def make(self, key: int, flags: int, owner: Credentials) -> MessageQueue:
        """Make a queue.  ENOSPC"""
        made = MessageQueue(self.around, self._budget, key, self.queue_limit, flags, owner)
        return self.enter(made, self.count_limit)

    def remove(self, queue: MessageQueue) -> None:
        """Remove a queue: whoever waits gets EIDRM."""
        self.leave(queue)
        queue.clear()
        for wish in queue.receivers:
            wish.error = EIDRM
            wish.queue.wake_all()
        queue.receivers.clear()
        queue.room.wake_all()
