"""What the sockets of a machine share: names, sockets in flight, limits. It is what Linux has for each namespace."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.net.socket import Caller
    from lbw.net.unix.socket import UnixSocket
    from lbw.vfs.inode import FileSystem

#: net.unix.max_dgram_qlen: a datagram socket with more messages takes no further ones, but from its own peer.
MAX_DATAGRAMS = 10


class Network:
    """The sockets of a machine."""

    __slots__ = ("_caller", "abstract", "bound", "files_in_flight", "in_flight", "last_cookie", "next_name", "unix")

    def __init__(self, caller: Callable[[], Caller | None] = lambda: None) -> None:
        """Start without sockets; `caller` returns the task whose turn it is."""
        self._caller = caller
        #: Every Unix socket, in the order they were made.
        self.unix: dict[UnixSocket, None] = {}
        #: Abstract names: by (type of socket, name).
        self.abstract: dict[tuple[int, bytes], UnixSocket] = {}
        #: Names in file systems: by the inode of type S_IFSOCK.
        self.bound: dict[tuple[FileSystem, int], UnixSocket] = {}
        #: Unix sockets that lie in messages of Unix sockets, with how often.
        self.in_flight: dict[UnixSocket, int] = {}
        self.files_in_flight = 0  # files of any kind that lie in messages
        self.next_name = 0  # where the search for a free automatic name begins
        self.last_cookie = 0

    @property
    def caller(self) -> Caller | None:
        """Whose turn it is."""
        return self._caller()
