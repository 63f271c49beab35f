"""Messages that stay whole: how datagrams and sequenced packets are sent and received.

Sending puts a message into the queue of the receiver, whole or not at all; receiving takes one, and what the receiver
has no room for is lost (MSG_TRUNC says so). Linux net/unix/af_unix.c, unix_dgram_sendmsg, __unix_dgram_recvmsg
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EFAULT, EMSGSIZE, EOPNOTSUPP, EPIPE, LinuxError
from lbw.abi.socket import MSG_DONTWAIT, MSG_OOB, MSG_PEEK, MSG_TRUNC
from lbw.net.memory import datagram_charge
from lbw.net.message import NOBODY
from lbw.net.socket import SHUT_RECEIVE, SHUT_SEND
from lbw.net.unix import rights
from lbw.net.unix.credentials import attached
from lbw.net.unix.message import Message
from lbw.vfs.file import gather, scatter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.net.message import Arrival, Control
    from lbw.net.socket import Caller
    from lbw.net.unix.socket import UnixSocket

#: What of SO_SNDBUF a message may not fill, bytes.
MARGIN = 32


def check_length(socket: UnixSocket, length: int) -> None:
    """EMSGSIZE: a message of `length` bytes is more than the buffer of `socket` will ever hold."""
    if length > socket.send_limit - MARGIN:
        raise LinuxError(EMSGSIZE)


def make_room(socket: UnixSocket) -> None:
    """See whether `socket` may send.  EAGAIN: its buffer is full; EPIPE: it was shut down; or its pending error"""
    if socket.error:
        raise LinuxError(socket.take_error())
    if socket.shut & SHUT_SEND:
        raise LinuxError(EPIPE)
    if socket.written >= socket.send_limit:
        raise LinuxError(EAGAIN)


def deliver(
    socket: UnixSocket, receiver: UnixSocket, caller: Caller | None, views: list[memoryview], control: Control | None
) -> int:
    """Put a message into the queue of `receiver`; return its length."""
    data = gather(views) if views else b""
    credentials = attached(caller, socket, receiver, control)
    files = control.take_files() if control is not None else None
    if files:
        rights.launched(socket.network, files)
    receiver.enqueue(Message(data, socket, datagram_charge(len(data)), credentials, files))
    return len(data)


def receive(
    socket: UnixSocket, views: list[memoryview], size: int, arrival: Arrival, emptied: Callable[[], None]
) -> None:
    """Receive one message; `emptied` is called when it was taken.  EAGAIN; EFAULT: it is lost then, as on Linux"""
    flags = arrival.flags
    if flags & MSG_OOB:
        raise LinuxError(EOPNOTSUPP)
    if socket.error:
        raise LinuxError(socket.take_error())
    messages = socket.messages
    peek = flags & MSG_PEEK
    skip = max(socket.peek_offset, 0) if peek else 0
    index = 0
    while skip and index < len(messages) and skip >= len(messages[index].data):
        skip -= len(messages[index].data)
        index += 1
    if index >= len(messages):
        if not socket.shut & SHUT_RECEIVE or (flags & MSG_DONTWAIT and not socket.is_connection):
            raise LinuxError(EAGAIN)
        arrival.done = True
        return
    message = messages[index]
    arrival.done = True
    arrival.sender = message.sender
    length = len(message.data) - skip
    count = min(size, length)
    if not peek:
        messages.popleft()
        socket.queued -= len(message.data)
        if socket.peek_offset > 0:
            socket.peek_offset = max(socket.peek_offset - len(message.data), 0)
    elif socket.peek_offset >= 0:
        socket.peek_offset += count
    try:
        if length > size:
            arrival.told |= MSG_TRUNC
        if scatter(message.data[skip : skip + count], views) < count:
            raise LinuxError(EFAULT)
        arrival.copied = count
        if flags & MSG_TRUNC:
            arrival.result = length
        if socket.passes_credentials:
            arrival.credentials = message.credentials or NOBODY
        if message.files is not None:
            if peek:
                arrival.files = [file.acquire() for file in message.files]
            else:
                arrival.files = rights.landed(socket.network, message)
    finally:
        if not peek:
            socket.drop(message)
            emptied()
