"""Urgent data of stream sockets (MSG_OOB), as Linux 6.18 has it.

The urgent byte is a message of its own in the queue; `socket.urgent` is the last of them that was not received. A read
stops in front of it, once; the next read passes it by: with SO_OOBINLINE the byte is read in its place, without it it
is lost. A byte that was received with MSG_OOB leaves an empty message behind, which still stops a read: the mark.
(Before Linux 5.15 Unix sockets had none of this: EOPNOTSUPP. What 5.15 to 6.9 did differs in cases around several
urgent bytes; that was corrected, and is not imitated.)
"""

from __future__ import annotations

from lbw.abi.errno import EFAULT, EINVAL, LinuxError
from lbw.abi.poll import POLLPRI
from lbw.abi.socket import MSG_OOB, MSG_PEEK, SO_OOBINLINE
from lbw.vfs.file import scatter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.message import Arrival
    from lbw.net.unix.message import Message
    from lbw.net.unix.socket import UnixSocket
    from lbw.net.unix.stream import StreamSocket


def announce(receiver: UnixSocket, message: Message) -> None:
    """Note that `message`, which is about to be queued, is the urgent byte of `receiver`."""
    from lbw.net.unix.stream import StreamSocket

    assert isinstance(receiver, StreamSocket)
    receiver.urgent = message
    receiver.queue.wake_all(POLLPRI)


def receive(socket: StreamSocket, views: list[memoryview], arrival: Arrival) -> None:
    """Receive the urgent byte.  EINVAL: there is none, or it is to be read in its place (SO_OOBINLINE)"""
    message = socket.urgent
    if message is None or socket.options.get(SO_OOBINLINE):
        raise LinuxError(EINVAL)
    peek = arrival.flags & MSG_PEEK
    if not peek:
        socket.urgent = None
    fits = scatter(message.data[message.position :], views)
    if not peek:
        message.position += 1
        socket.queued -= 1
    if not fits:
        raise LinuxError(EFAULT)
    arrival.copied = 1
    arrival.told |= MSG_OOB
    arrival.done = True


def pass_by(socket: StreamSocket, index: int, peek: bool, copied: bool) -> tuple[Message, int] | None:
    """Return the first message from `index` on that may be read now, and its index; None: there is none.

    `copied`: something was read already, so the read ends at an urgent byte and at a mark.
    """
    messages = socket.messages
    if index >= len(messages):
        return None
    message = messages[index]
    empty = message.position >= len(message.data)
    if not empty and message is not socket.urgent:
        return message, index
    if empty:  # the mark of an urgent byte that was received
        if copied and socket.urgent is None:
            return None
        if peek:
            index += 1
        else:
            del messages[index]
            socket.drop(message)
        if index >= len(messages):
            return None
        message = messages[index]
    if message is not socket.urgent:
        return message, index
    if copied:
        return None
    inline = socket.options.get(SO_OOBINLINE)
    if not peek:
        socket.urgent = None
        if inline:
            return message, index
        del messages[index]
        socket.queued -= len(message.data) - message.position
        socket.drop(message)
    elif inline:
        return message, index
    else:
        index += 1
    return (messages[index], index) if index < len(messages) else None


def at_mark(socket: StreamSocket) -> bool:
    """Whether the next read begins at the urgent byte, or at its mark."""
    messages = socket.messages
    if not messages:
        return False
    first = messages[0]
    if first is socket.urgent:
        return True
    following = messages[1] if len(messages) > 1 else None
    return first.position >= len(first.data) and (socket.urgent is None or following is socket.urgent)
