"""/proc/net/unix: all Unix sockets of a machine.  man 5 proc"""

from __future__ import annotations

from lbw.net.unix.address import shown
from lbw.net.unix.socket import ESTABLISHED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.network import Network

HEADER = b"Num       RefCount Protocol Flags    Type St Inode Path\n"
#: Flag of a listener (__SO_ACCEPTCON).
ACCEPTS = 0x10000
#: Columns: of a socket with descriptors (unconnected, connected), and of one that is not accepted yet.
UNCONNECTED, CONNECTING, CONNECTED, DISCONNECTING = 1, 2, 3, 4


def listing(network: Network) -> bytes:
    """Return the text. In place of the address in the kernel, which Linux makes unrecognizable, is a number."""
    lines = [HEADER]
    for socket in network.unix:
        connected = socket.state == ESTABLISHED
        if socket.references:
            state = CONNECTED if connected else UNCONNECTED
        else:
            state = CONNECTING if connected else DISCONNECTING
        references = 2 + (socket.peer is not None)
        name = b" " + shown(socket.name) if socket.name is not None else b""
        number = socket.inode.stat().ino
        flags = ACCEPTS if socket.is_listening else 0
        inode = number if socket.references else 0
        lines.append(
            b"%016x: %08X %08X %08X %04X %02X %5d%s\n"
            % (number, references, 0, flags, socket.type, state, inode, name)
        )
    return b"".join(lines)
