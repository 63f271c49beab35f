"""ioctl requests of Unix sockets.  man 7 unix, socket"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ENOTTY, LinuxError
from lbw.abi.socket import SIOCATMARK, SIOCINQ, SIOCOUTQ
from lbw.net.unix.socket import LISTENING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.unix.socket import UnixSocket
    from lbw.vfs.file import GuestMemory


def ioctl(socket: UnixSocket, request: int, argument: int, memory: GuestMemory) -> int:
    """Answer SIOCINQ (FIONREAD), SIOCOUTQ and SIOCATMARK with an int.  EINVAL: it listens; ENOTTY"""
    if request == SIOCINQ:
        if socket.state == LISTENING:
            raise LinuxError(EINVAL)
        answer = socket.unread()
    elif request == SIOCOUTQ:
        answer = socket.written
    elif request == SIOCATMARK and socket.is_stream:
        answer = socket.at_mark()
    else:
        raise LinuxError(ENOTTY)
    memory.write(argument, answer.to_bytes(4, "little"))
    return 0
