"""Stream sockets: bytes in order, cut into messages that keep who sent them, and files that travel with them.

A read takes from as many messages as it has room for, but never goes on behind one that carried files, nor to one
with other credentials if those are asked for. The files of a message come with its first byte that is read.
Linux net/unix/af_unix.c, unix_stream_read_generic
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EFAULT, EINVAL, EISCONN, ENOTCONN, EOPNOTSUPP, EPIPE, LinuxError
from lbw.abi.socket import MSG_OOB, MSG_PEEK
from lbw.net.memory import SEGMENT, head, segment_charge
from lbw.net.message import NOBODY
from lbw.net.socket import SHUT_RECEIVE, SHUT_SEND
from lbw.net.unix import rights, urgent
from lbw.net.unix.connection import ConnectionSocket
from lbw.net.unix.credentials import attached
from lbw.net.unix.message import Message
from lbw.net.unix.socket import ESTABLISHED, READABLE
from lbw.vfs.file import gather, scatter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.message import Arrival, Control
    from lbw.net.network import Network
    from lbw.net.socket import Caller


#: Longer reads and writes look first how much there is.
SMALL = 4096
#: What goes into one message whatever SO_SNDBUF is, bytes.
LEAST_PART = 2048


class StreamSocket(ConnectionSocket):
    """A socket of type SOCK_STREAM."""

    __slots__ = ("step", "urgent")

    is_stream = True
    raises_signal = True
    step: int

    def __init__(self, network: Network, kind: int, uid: int, gid: int) -> None:
        super().__init__(network, kind, uid, gid)
        self.urgent: Message | None = None  # the last byte that came with MSG_OOB and was not received
        self.step = SMALL

    def options_changed(self) -> None:
        timeouts = self.receive_timeout is not None or self.send_timeout is not None
        plain = not (self.options or timeouts or self.receive_low != 1 or self.peek_offset >= 0)
        self.step = SMALL if plain else -1

    # Small reads and writes, as on a pipe: the fast way

    def read(self, views: list[memoryview]) -> int:
        messages = self.messages
        if messages and len(views) == 1 and self.urgent is None:
            message, view = messages[0], views[0]
            at = message.position
            left = len(message.data) - at
            if message.files is None and left:
                size = len(view)
                if size < left:
                    view[:] = message.data[at : at + size]
                    message.position = at + size
                    self.queued -= size
                    return size
                if len(messages) == 1:
                    view[:left] = message.data[at:] if at else message.data
                    messages.clear()
                    self.queued -= left
                    message.sender.uncharge(message.charge)
                    return left
        elif not messages and not self.shut and not self.error and self.state == ESTABLISHED:
            raise LinuxError(EAGAIN)
        return super().read(views)

    def write(self, views: list[memoryview]) -> int:
        peer = self.peer
        if (
            len(views) == 1 and peer is not None and not (self.shut or peer.shut or self.error)
            and not (self.options or peer.options) and self.written < self.send_limit
        ):  # fmt: skip
            data = views[0].tobytes()
            length = len(data)
            if length <= LEAST_PART:
                charge = head(length)
                self.written += charge
                peer.messages.append(Message(data, self, charge, None, None))
                peer.queued += length
                peer.queue.wake_all(READABLE)
                return length
        return super().write(views)

    # Sending

    def send(
        self, caller: Caller | None, views: list[memoryview], flags: int, address: bytes | None, control: Control | None
    ) -> int:
        """EAGAIN: the buffer is full; EPIPE: one of both ends is shut down; EISCONN: an address was given; ENOTCONN."""
        data = gather(views) if views else b""
        if flags & MSG_OOB and not data:
            raise LinuxError(EOPNOTSUPP)
        if address is not None:
            raise LinuxError(EISCONN if self.state == ESTABLISHED else EOPNOTSUPP)
        peer = self.peer
        if peer is None:
            raise LinuxError(ENOTCONN)
        if self.shut & SHUT_SEND:
            raise LinuxError(EPIPE)
        if not data:
            return 0
        if self.error:
            raise LinuxError(self.take_error())
        length = len(data)
        ordinary = length - 1 if flags & MSG_OOB else length
        largest = min(SEGMENT, (self.send_limit >> 1) - 64)  # two fit into the buffer
        done = 0
        while done < length:
            if self.written >= self.send_limit:
                if done:
                    break
                raise LinuxError(EAGAIN)
            if peer.closed or peer.shut & SHUT_RECEIVE:
                raise LinuxError(EPIPE)
            if length <= largest and ordinary == length and not done:
                piece = data
            else:
                piece = data[done : min(done + largest, ordinary) if done < ordinary else length]
            credentials = None
            if control is not None or self.options or peer.options:
                credentials = attached(caller, self, peer, control)
            files = control.take_files() if control is not None else None
            if files:
                rights.launched(self.network, files)
            message = Message(piece, self, segment_charge(len(piece)), credentials, files)
            if done >= ordinary:
                urgent.announce(peer, message)
            peer.enqueue(message)
            done += len(piece)
        return done

    # Receiving

    def receive(self, views: list[memoryview], size: int, arrival: Arrival) -> None:
        """EAGAIN: nothing yet; EINVAL: not connected; ECONNRESET: the peer closed without having read all."""
        if self.state != ESTABLISHED:
            raise LinuxError(EINVAL)
        if arrival.flags & MSG_OOB:
            urgent.receive(self, views, arrival)
            return
        messages = self.messages
        if not messages:
            self._come_up_empty(arrival)
            return
        message = messages[0]
        at = message.position
        left = len(message.data) - at
        plain = self.urgent is None and message.files is None and not self.options and self.peek_offset < 0
        if plain and left and views and not arrival.flags & MSG_PEEK:
            # One message, or a part of it, into one page: by far the most frequent.
            view = views[0]
            if size < left:
                if len(view) >= size:
                    view[:size] = message.data[at : at + size]
                    message.position = at + size
                    self.queued -= size
                    arrival.copied += size
                    arrival.sender = message.sender
                    return
            elif len(messages) == 1 and left <= len(view):
                view[:left] = message.data[at:] if at else message.data
                messages.popleft()
                self.queued -= left
                message.sender.uncharge(message.charge)
                arrival.copied += left
                arrival.sender = message.sender
                return
        self._receive_several(views, size, arrival)

    def _come_up_empty(self, arrival: Arrival) -> None:
        """Nothing is queued: an error, the end, or EAGAIN."""
        if self.error:
            arrival.done = True
            error = self.take_error()
            if not arrival.copied:
                raise LinuxError(error)
        elif self.shut & SHUT_RECEIVE:
            arrival.done = True
            if arrival.credentials is None and self.passes_credentials:
                arrival.credentials = (0, 0, 0)  # Linux tells them with the end of a stream too
        else:
            raise LinuxError(EAGAIN)

    def _receive_several(self, views: list[memoryview], size: int, arrival: Arrival) -> None:
        """Receive from one message after the other until one may not be joined with what is before it."""
        peek = bool(arrival.flags & MSG_PEEK)
        skip = max(self.peek_offset, 0) if peek else 0
        room = sum(map(len, views))
        parts: list[bytes] = []
        taken = 0
        index = 0
        while True:
            found = urgent.pass_by(self, index, peek, bool(arrival.copied + taken))
            if found is None:
                if index < len(self.messages) and (taken or arrival.copied):
                    arrival.done = True  # in front of an urgent byte
                elif not taken:
                    self._come_up_empty(arrival)
                break
            message, index = found
            left = len(message.data) - message.position
            if skip and skip >= left:
                skip -= left
                index += 1
                continue
            credentials = message.credentials or NOBODY
            if arrival.credentials is not None:
                if arrival.credentials != credentials:
                    arrival.done = True
                    break
            elif self.passes_credentials:
                arrival.credentials = credentials
            if arrival.sender is None:
                arrival.sender = message.sender
            chunk = min(left - skip, size - taken)
            if taken + chunk > room:  # the rest of the program's buffer is bad
                if not taken and not arrival.copied:
                    raise LinuxError(EFAULT)
                arrival.done = True
                break
            at = message.position + skip
            parts.append(message.data[at : at + chunk] if at or chunk < left else message.data)
            taken += chunk
            carries = message.files is not None
            if peek:
                if self.peek_offset >= 0:
                    self.peek_offset += chunk
                if carries:
                    arrival.files = [file.acquire() for file in message.files or ()]
                arrival.done = True
                skip = 0
                index += 1
                if carries or index >= len(self.messages) or taken >= size:
                    break
                continue
            self._consume(message, index, chunk, arrival)
            if chunk < left or taken >= size:
                break
            if carries:
                arrival.done = True
                break
        if parts:
            scatter(parts[0] if len(parts) == 1 else b"".join(parts), views)
        arrival.copied += taken

    def _consume(self, message: Message, index: int, count: int, arrival: Arrival) -> None:
        """Take `count` bytes from the message at `index`, which is freed when it is empty."""
        message.position += count
        self.queued -= count
        if self.peek_offset > 0:
            self.peek_offset = max(self.peek_offset - count, 0)
        if message.files is not None:
            arrival.files = rights.landed(self.network, message)
            arrival.done = True
        if message.position >= len(message.data):
            if message is self.urgent:
                self.urgent = None
            del self.messages[index]
            self.drop(message)

    # Urgent data

    @property
    def holds_unread(self) -> bool:
        return any(message.position < len(message.data) for message in self.messages)

    def at_mark(self) -> bool:
        return urgent.at_mark(self)

    def poll(self) -> int:
        events = super().poll()
        if self.urgent is not None:
            from lbw.abi.poll import POLLPRI

            events |= POLLPRI
        return events
