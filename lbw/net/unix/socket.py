"""Unix sockets: state, names and accounts that all three types share.  man 7 unix

A socket is CLOSED, ESTABLISHED (it has a peer) or LISTENING. Connections are pairs of sockets that know each other; a
message goes straight into the receiver's queue, and is charged to the sender until it is received: so a sender's
buffer bounds what others have to hold of it. A datagram socket besides takes but MAX_DATAGRAMS messages from senders
that are not its peer.

Whoever is refused because another socket is full (a datagram's receiver, a listener) is noted there (`waiting`), and
its own queue is woken when that may have changed. So every caller waits on the queue of its own socket only.

What is ready is what Linux's unix_poll says, bit for bit; what the types do differently is in their files.
"""

from __future__ import annotations

from collections import deque

from lbw.abi.errno import EINVAL, ENOTCONN, LinuxError
from lbw.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM
from lbw.abi.socket import AF_UNIX, SHUT_RD, SHUT_RDWR, SO_PASSCRED
from lbw.net.socket import SHUT_BOTH, SHUT_RECEIVE, SHUT_SEND, Socket
from lbw.net.unix.address import FAMILY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lbw.net.network import Network
    from lbw.net.socket import Caller
    from lbw.net.unix.message import Message
    from lbw.vfs.file import GuestMemory
    from lbw.vfs.inode import FileSystem

#: States.
CLOSED, ESTABLISHED, LISTENING = range(3)

READABLE = POLLIN | POLLRDNORM
WRITABLE = POLLOUT | POLLWRNORM | POLLWRBAND
#: Both ends of a connection: everything may have changed.
ANYTHING = 0


class UnixSocket(Socket):
    """A socket of the family AF_UNIX."""

    __slots__ = (
        "blocked_at", "closed", "messages", "name", "peek_offset", "peer", "peer_credentials", "place", "queued",
        "state", "waiting", "written",
    )  # fmt: skip

    def __init__(self, network: Network, kind: int, uid: int, gid: int) -> None:
        super().__init__(network, AF_UNIX, kind, 0, uid, gid)
        self.state = CLOSED
        self.closed = False
        self.name: bytes | None = None  # see `lbw.net.unix.address`
        self.place: tuple[FileSystem, int] | None = None  # the inode of the name, if it is in a file system
        self.peer: UnixSocket | None = None  # a stream keeps it even when it is closed
        #: Of the peer, as it connected or listened: process, effective user and group id, groups.
        self.peer_credentials: tuple[int, int, int, tuple[int, ...]] | None = None
        self.messages: deque[Message] = deque()
        self.queued = 0  # bytes of them that are not received yet
        self.written = 0  # what is charged to this sender
        self.waiting: dict[UnixSocket, None] = {}  # who waits for room here
        self.blocked_at: set[UnixSocket] | None = None  # where this one waits
        self.peek_offset = -1  # SO_PEEK_OFF
        network.unix[self] = None

    # Names

    def bind(self, caller: Caller, address: bytes) -> None:
        from lbw.net.unix.binding import bind

        bind(self, caller, address)

    def own_address(self) -> bytes:
        return FAMILY + (self.name or b"")

    def peer_address(self) -> bytes:
        if self.peer is None:
            raise LinuxError(ENOTCONN)
        return FAMILY + (self.peer.name or b"")

    # Who is at the other end

    @property
    def passes_credentials(self) -> bool:
        """SO_PASSCRED."""
        return bool(self.options.get(SO_PASSCRED))

    def peer_identity(self) -> tuple[int, int, int]:
        known = self.peer_credentials
        return known[:3] if known is not None else super().peer_identity()

    def peer_groups(self) -> tuple[int, ...] | None:
        known = self.peer_credentials
        return known[3] if known is not None else None

    @property
    def peek_begin(self) -> int:
        return self.peek_offset

    def set_peek_offset(self, offset: int) -> None:
        self.peek_offset = offset

    # The queue of messages

    def enqueue(self, message: Message) -> None:
        """Take a message from its sender."""
        message.sender.written += message.charge
        self.messages.append(message)
        self.queued += len(message.data)
        self.queue.wake_all(READABLE)

    def uncharge(self, charge: int) -> None:
        """A message of this sender is gone; tell it when it may write again: below a quarter of its buffer.

        An epoll by edge hears of every message, as on Linux, also when there was room before.
        """
        before = self.written
        self.written = after = before - charge
        limit = self.send_limit
        if after << 2 <= limit - 4 and (before << 2 > limit - 4 or self.epolls is not None):
            self.queue.wake_all(WRITABLE)

    def discard_messages(self) -> None:
        """Throw everything away that was not received; files that travel with it are closed."""
        messages = self.messages
        while messages:
            message = messages.popleft()
            self.drop(message)
        self.queued = 0

    def drop(self, message: Message) -> None:
        """Free a message that is no longer in the queue, and the files in it."""
        message.sender.uncharge(message.charge)
        if message.files is not None:
            from lbw.net.unix.rights import landed

            for file in landed(self.network, message):
                file.release()

    def available(self) -> int:
        return self.queued

    def unread(self) -> int:
        """Return how many bytes can be received (SIOCINQ)."""
        return self.queued

    @property
    def holds_unread(self) -> bool:
        """Whether the peer wrote something that was not read: then it learns of a close as ECONNRESET."""
        return bool(self.messages)

    def at_mark(self) -> bool:
        """Whether the next byte to read is the urgent one (SIOCATMARK)."""
        return False

    def embryos(self) -> Sequence[UnixSocket]:
        """Return the connections that wait to be accepted here."""
        return ()

    def wait_for(self, other: UnixSocket) -> None:
        """Be woken when there may be room in `other`."""
        other.waiting[self] = None
        if self.blocked_at is None:
            self.blocked_at = set()
        self.blocked_at.add(other)

    def stop_waiting_for(self, other: UnixSocket) -> None:
        """Be no longer woken for `other`."""
        other.waiting.pop(self, None)
        if self.blocked_at is not None:
            self.blocked_at.discard(other)

    def wake_waiting(self) -> None:
        """Tell those who wait for room in this socket."""
        waiting = self.waiting
        if waiting:
            for socket in list(waiting):
                socket.stop_waiting_for(self)
                socket.queue.wake_all(WRITABLE)

    # Readiness

    def poll(self) -> int:
        shut, events = self.shut, 0
        if self.error:
            events = POLLERR
        if shut:
            if shut == SHUT_BOTH:
                events |= POLLHUP
            if shut & SHUT_RECEIVE:
                events |= POLLRDHUP | READABLE
        if self.messages:
            events |= READABLE
        if self.written << 2 <= self.send_limit - 4 and self.state != LISTENING:
            events |= WRITABLE
        return events

    # The end

    def shutdown(self, how: int) -> None:
        if not SHUT_RD <= how <= SHUT_RDWR:
            raise LinuxError(EINVAL)
        self.shut |= how + 1
        peer = self.peer
        if peer is not None and self.is_connection:
            for mine, theirs in ((SHUT_RECEIVE, SHUT_SEND), (SHUT_SEND, SHUT_RECEIVE)):
                if how + 1 & mine:
                    peer.shut |= theirs
            peer.queue.wake_all(ANYTHING)
        self.queue.wake_all(ANYTHING)
        self.wake_waiting()

    @property
    def is_connection(self) -> bool:
        """Whether sockets of this type are accepted and have one peer for life."""
        return False

    def close(self) -> None:
        from lbw.net.unix.ending import close

        close(self)

    # Requests

    def ioctl(self, request: int, argument: int, memory: GuestMemory) -> int:
        from lbw.net.unix.requests import ioctl

        return ioctl(self, request, argument, memory)
