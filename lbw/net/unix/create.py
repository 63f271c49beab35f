"""Making Unix sockets.  man 2 socket"""

from __future__ import annotations

from lbw.abi.errno import EPROTONOSUPPORT, ESOCKTNOSUPPORT, LinuxError
from lbw.abi.socket import AF_UNIX, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_STREAM
from lbw.net.unix.datagram import DatagramSocket
from lbw.net.unix.seqpacket import SeqpacketSocket
from lbw.net.unix.stream import StreamSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.network import Network
    from lbw.net.socket import Caller
    from lbw.net.unix.socket import UnixSocket

CLASSES: dict[int, type[UnixSocket]] = {
    SOCK_STREAM: StreamSocket,
    SOCK_DGRAM: DatagramSocket,
    SOCK_SEQPACKET: SeqpacketSocket,
}


def create(network: Network, caller: Caller, kind: int, protocol: int) -> UnixSocket:
    """Return a new socket; a raw one is a datagram socket.  EPROTONOSUPPORT, ESOCKTNOSUPPORT"""
    if protocol not in (0, AF_UNIX):
        raise LinuxError(EPROTONOSUPPORT)
    if kind == SOCK_RAW:
        kind = SOCK_DGRAM
    if kind not in CLASSES:
        raise LinuxError(ESOCKTNOSUPPORT)
    who = caller.credentials
    return CLASSES[kind](network, kind, who.fsuid, who.fsgid)
