"""A message in the queue of a Unix socket.

It holds references to the files that travel with it (SCM_RIGHTS) until it is received or thrown away, and it is
charged to the buffer of its sender until then.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.message import Identity
    from lbw.net.unix.socket import UnixSocket
    from lbw.vfs.file import File


class Message:
    """A datagram, or a part of a stream; `position`: how many of its bytes have been received."""

    __slots__ = ("charge", "credentials", "data", "files", "position", "sender")

    def __init__(
        self, data: bytes, sender: UnixSocket, charge: int, credentials: Identity | None, files: list[File] | None
    ) -> None:
        self.data = data
        self.position = 0
        self.sender = sender
        self.charge = charge
        self.credentials = credentials
        self.files = files
