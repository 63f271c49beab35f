"""Connections: listen, connect and accept of stream and sequenced-packet sockets.  man 2 listen, connect, accept

Connecting makes the other end at once, in the backlog of the listener; the new connection can be written to before it
is accepted. A backlog of N takes N + 1 connections, as on Linux; then connecting has to wait.
"""

from __future__ import annotations

from collections import deque

from lbw.abi.errno import EAGAIN, ECONNREFUSED, EINVAL, EISCONN, LinuxError
from lbw.abi.socket import SO_PASSCRED, SOMAXCONN
from lbw.net.socket import SHUT_RECEIVE
from lbw.net.unix.address import parse
from lbw.net.unix.binding import find, name_automatically
from lbw.net.unix.credentials import peer_credentials
from lbw.net.unix.socket import CLOSED, ESTABLISHED, LISTENING, READABLE, UnixSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lbw.net.network import Network
    from lbw.net.socket import Caller, Socket


class ConnectionSocket(UnixSocket):
    """A socket that is connected to one peer, or listens."""

    __slots__ = ("backlog", "pending")

    def __init__(self, network: Network, kind: int, uid: int, gid: int) -> None:
        super().__init__(network, kind, uid, gid)
        self.backlog = 0
        self.pending: deque[ConnectionSocket] = deque()  # connections nobody has accepted

    @property
    def is_connection(self) -> bool:
        return True

    @property
    def is_listening(self) -> bool:
        return self.state == LISTENING

    def embryos(self) -> Sequence[UnixSocket]:
        return self.pending

    def pair_with(self, caller: Caller, other: Socket) -> None:
        assert isinstance(other, ConnectionSocket)
        self._join(other)
        self.peer_credentials = other.peer_credentials = peer_credentials(caller)

    def _join(self, other: ConnectionSocket) -> None:
        self.peer, other.peer = other, self
        self.state = other.state = ESTABLISHED

    def listen(self, caller: Caller, backlog: int) -> None:
        """EINVAL: it has no name, or is connected."""
        if self.name is None or self.state == ESTABLISHED:
            raise LinuxError(EINVAL)
        self.backlog = min(backlog, SOMAXCONN) if backlog >= 0 else SOMAXCONN
        self.state = LISTENING
        self.peer_credentials = peer_credentials(caller)
        self.wake_waiting()

    def connect(self, caller: Caller, address: bytes) -> None:
        """EAGAIN: the backlog is full; ECONNREFUSED: nobody listens; EISCONN; EINVAL: it listens itself."""
        name = parse(address)
        if self.passes_credentials:
            name_automatically(self)
        listener = find(caller, self, name)
        assert isinstance(listener, ConnectionSocket)
        if listener.state != LISTENING or listener.shut & SHUT_RECEIVE:
            raise LinuxError(ECONNREFUSED)
        if len(listener.pending) > listener.backlog:
            self.wait_for(listener)
            raise LinuxError(EAGAIN)
        if self.state != CLOSED:
            raise LinuxError(EISCONN if self.state == ESTABLISHED else EINVAL)
        who = caller.credentials
        connection = type(self)(self.network, self.type, who.fsuid, who.fsgid)
        self._join(connection)
        connection.name = listener.name
        connection.peer_credentials = peer_credentials(caller)
        if listener.passes_credentials:
            connection.options[SO_PASSCRED] = 1
            connection.options_changed()
        self.peer_credentials = listener.peer_credentials
        listener.pending.append(connection)
        listener.queue.wake_all(READABLE)
        self.queue.wake_all()

    def accept(self, caller: Caller) -> Socket:
        """EINVAL: it does not listen, or was shut down."""
        if self.state != LISTENING:
            raise LinuxError(EINVAL)
        if not self.pending:
            raise LinuxError(EINVAL if self.shut & SHUT_RECEIVE else EAGAIN)
        connection = self.pending.popleft()
        self.wake_waiting()
        return connection

    def poll(self) -> int:
        events = super().poll()
        if self.state == CLOSED:
            from lbw.abi.poll import POLLHUP

            return events | POLLHUP
        if self.pending:
            events |= READABLE
        return events
