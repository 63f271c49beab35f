"""Datagram sockets: messages without connection; connect only chooses where they go, and who may send here.

A socket that is not its receiver's peer finds it full after MAX_DATAGRAMS messages; one that is, is bounded by its own
buffer alone. So a connected socket is writable only when its receiver has room (unix_dgram_poll). A peer that has
closed is found out when something is sent to it: ECONNREFUSED.
"""

from __future__ import annotations

from lbw.abi.errno import (
    EAGAIN,
    ECONNREFUSED,
    ECONNRESET,
    EINVAL,
    ENOTCONN,
    EOPNOTSUPP,
    EPERM,
    EPIPE,
    LinuxError,
)
from lbw.abi.poll import POLLOUT
from lbw.abi.socket import AF_UNSPEC, MSG_OOB
from lbw.net.network import MAX_DATAGRAMS
from lbw.net.socket import SHUT_RECEIVE
from lbw.net.unix import packets
from lbw.net.unix.address import parse
from lbw.net.unix.binding import find, name_automatically
from lbw.net.unix.credentials import peer_credentials
from lbw.net.unix.socket import ANYTHING, CLOSED, ESTABLISHED, WRITABLE, UnixSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.message import Arrival, Control
    from lbw.net.socket import Caller, Socket


class DatagramSocket(UnixSocket):
    """A socket of type SOCK_DGRAM."""

    __slots__ = ()

    def pair_with(self, caller: Caller, other: Socket) -> None:
        assert isinstance(other, DatagramSocket)
        self.peer, other.peer = other, self
        self.state = other.state = ESTABLISHED
        self.peer_credentials = other.peer_credentials = peer_credentials(caller)

    # Peers

    def connect(self, caller: Caller, address: bytes) -> None:
        """Choose the peer; AF_UNSPEC: none.  EPERM: it has another peer, and takes nothing from us"""
        if len(address) < 2:
            raise LinuxError(EINVAL)
        peer: UnixSocket | None = None
        if int.from_bytes(address[:2], "little") != AF_UNSPEC:
            name = parse(address)
            if self.passes_credentials:
                name_automatically(self)
            peer = find(caller, self, name)
            self._check_may_send(peer)
            self.state = peer.state = ESTABLISHED
        else:
            self.state = CLOSED
        self._exchange_peer(peer)

    def _exchange_peer(self, peer: UnixSocket | None) -> None:
        """Have another peer, or none: what is queued came from the old one, and is lost."""
        old, self.peer = self.peer, peer
        if old is None or old is peer:
            return
        self.stop_waiting_for(old)
        self.queue.wake_all(WRITABLE)
        if self.messages:
            self.discard_messages()
            self.wake_waiting()
            if not old.closed and old.peer is self:
                old.error = ECONNRESET
                old.queue.wake_all(ANYTHING)

    def _check_may_send(self, receiver: UnixSocket) -> None:
        if receiver.peer is not None and receiver.peer is not self:
            raise LinuxError(EPERM)

    def _finds_full(self, receiver: UnixSocket) -> bool:
        """Whether `receiver` takes no more of ours."""
        return receiver is not self and receiver.peer is not self and len(receiver.messages) > MAX_DATAGRAMS

    # Messages

    def check_length(self, length: int) -> None:
        packets.check_length(self, length)

    def send(
        self, caller: Caller | None, views: list[memoryview], flags: int, address: bytes | None, control: Control | None
    ) -> int:
        """EAGAIN; ENOTCONN: no address, no peer; ECONNREFUSED: nobody is there; EPERM: it has another peer; EPIPE."""
        if flags & MSG_OOB:
            raise LinuxError(EOPNOTSUPP)
        name = parse(address) if address is not None else None
        if self.passes_credentials:
            name_automatically(self)
        packets.make_room(self)
        receiver = self.peer
        if name is not None:
            assert caller is not None
            receiver = find(caller, self, name)
        if receiver is None:
            raise LinuxError(ENOTCONN)
        self._check_may_send(receiver)
        if receiver.closed:  # only a peer can be
            self.state = CLOSED
            self._exchange_peer(None)
            raise LinuxError(ECONNREFUSED)
        if receiver.shut & SHUT_RECEIVE:
            raise LinuxError(EPIPE)
        if self._finds_full(receiver):
            self.wait_for(receiver)
            raise LinuxError(EAGAIN)
        return packets.deliver(self, receiver, caller, views, control)

    def available(self) -> int:
        return self.queued if self.peek_offset > 0 else self.unread()

    def unread(self) -> int:
        """Return the length of the next message."""
        return len(self.messages[0].data) if self.messages else 0

    def receive(self, views: list[memoryview], size: int, arrival: Arrival) -> None:
        packets.receive(self, views, size, arrival, self._taken)

    def _taken(self) -> None:
        if self.waiting and len(self.messages) <= MAX_DATAGRAMS:
            self.wake_waiting()

    def poll(self) -> int:
        events = super().poll()
        peer = self.peer
        if events & POLLOUT and peer is not None and self._finds_full(peer) and not peer.closed:
            self.wait_for(peer)
            events &= ~WRITABLE
        return events
