"""Sequenced-packet sockets: connected as streams are, with messages that stay whole as datagrams do."""

from __future__ import annotations

from lbw.abi.errno import ENOTCONN, EOPNOTSUPP, EPIPE, LinuxError
from lbw.abi.socket import MSG_OOB
from lbw.net.socket import SHUT_RECEIVE
from lbw.net.unix import packets
from lbw.net.unix.connection import ConnectionSocket
from lbw.net.unix.socket import ESTABLISHED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.message import Arrival, Control
    from lbw.net.socket import Caller


class SeqpacketSocket(ConnectionSocket):
    """A socket of type SOCK_SEQPACKET."""

    __slots__ = ()

    def check_connection(self) -> None:
        if self.error:
            raise LinuxError(self.take_error())
        if self.state != ESTABLISHED:
            raise LinuxError(ENOTCONN)

    def check_length(self, length: int) -> None:
        packets.check_length(self, length)

    def send(
        self, caller: Caller | None, views: list[memoryview], flags: int, address: bytes | None, control: Control | None
    ) -> int:
        """EAGAIN: the buffer is full; ENOTCONN; EPIPE: without a signal. An address is ignored."""
        self.check_connection()
        peer = self.peer
        assert peer is not None
        if flags & MSG_OOB:
            raise LinuxError(EOPNOTSUPP)
        packets.make_room(self)
        if peer.closed or peer.shut & SHUT_RECEIVE:
            raise LinuxError(EPIPE)
        return packets.deliver(self, peer, caller, views, control)

    def available(self) -> int:
        return self.queued if self.peek_offset > 0 else len(self.messages[0].data) if self.messages else 0

    def receive(self, views: list[memoryview], size: int, arrival: Arrival) -> None:
        if self.state != ESTABLISHED:
            raise LinuxError(ENOTCONN)
        packets.receive(self, views, size, arrival, self.wake_waiting)
