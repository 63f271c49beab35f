"""The end of a Unix socket: what its peer, its senders and those in its backlog learn of it."""

from __future__ import annotations

from lbw.abi.errno import ECONNRESET
from lbw.net.socket import SHUT_BOTH
from lbw.net.unix.binding import forget
from lbw.net.unix.socket import ANYTHING, CLOSED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.unix.socket import UnixSocket


def close(socket: UnixSocket, refused: bool = False) -> None:
    """Close `socket`; `refused`: a connection that was never accepted.

    The peer of a connection can neither read nor write any more. It gets ECONNRESET first if what it wrote was not
    all read.
    """
    network = socket.network
    peer = socket.peer
    socket.peer = None
    socket.state = CLOSED
    socket.shut = SHUT_BOTH
    socket.closed = True
    forget(socket)
    del network.unix[socket]
    socket.wake_waiting()
    if peer is not None and socket.is_connection:
        peer.shut = SHUT_BOTH
        if refused or socket.holds_unread:
            peer.error = ECONNRESET
        peer.queue.wake_all(ANYTHING)
    for other in tuple(socket.blocked_at or ()):
        socket.stop_waiting_for(other)
    for connection in socket.embryos():
        close(connection, True)
    socket.discard_messages()
    socket.queue.wake_all(ANYTHING)
    if network.in_flight:
        from lbw.net.unix.rights import collect

        collect(network)
