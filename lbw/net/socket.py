"""Sockets: the open file description that all address families share.  man 7 socket

A family is a subclass of `Socket` (`lbw.net.families` finds it): it gives addresses, connections and messages a
meaning. What is here knows neither: kind and options, timeouts, the pending error, the inode, the list of requests.

Sockets never block, as no file does: what cannot proceed raises EAGAIN, the caller waits on `queue` and tries again.
Timeouts and MSG_DONTWAIT are the caller's business (`lbw.syscalls.socket_transfer`). One queue serves both directions;
wake-ups say which one they are about.

Messages are sent and received through `send` and `receive`, also for read and write: only there is it known who calls
(for credentials), how long the message is, and what a timeout means. So `step` is negative (see `lbw.vfs.file`); but a
stream without any option set is read and written as a pipe is, because much depends on the speed of that. Else `read`
and `write` of the file are for copies inside of the kernel.
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ENXIO, EOPNOTSUPP, ESPIPE, LinuxError
from lbw.abi.fcntl import O_NONBLOCK, O_RDWR
from lbw.abi.fs import SOCKFS_MAGIC
from lbw.abi.stat import S_IFSOCK
from lbw.vfs.file import File
from lbw.vfs.pseudo import AnonymousInode, PseudoFileSystem
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from lbw.net.message import Arrival, Control
    from lbw.net.network import Network
    from lbw.vfs.context import FsContext
    from lbw.vfs.credentials import Credentials

    class HasPid(Protocol):
        """A process."""

        pid: int

    class Caller(Protocol):
        """Who makes a system call: a task, seen from below."""

        fs: FsContext

        @property
        def process(self) -> HasPid:
            """The process it belongs to."""

        @property
        def credentials(self) -> Credentials:
            """Who it acts as."""


#: Bits of `Socket.shut`, as Linux's RCV_SHUTDOWN and SEND_SHUTDOWN.
SHUT_RECEIVE, SHUT_SEND, SHUT_BOTH = 1, 2, 3

#: net.core.{r,w}mem_default and _max: bytes a socket may hold, as accounted by `lbw.net.memory`.
DEFAULT_BUFFER, MAX_BUFFER = 212992, 4194304


class SocketFileSystem(PseudoFileSystem):
    """Where sockets have their inodes."""

    type_name = "sockfs"
    magic = SOCKFS_MAGIC


class SocketInode(AnonymousInode):
    """The inode of a socket."""

    __slots__ = ()
    type = S_IFSOCK

    def open(self, flags: int) -> File:
        """ENXIO, also through /proc/PID/fd: a socket cannot be opened."""
        raise LinuxError(ENXIO)

    def link_text(self) -> bytes:
        return b"socket:[%d]" % self.ino


SOCKET_FS = SocketFileSystem(dev=0x08)


class Socket(File):
    """An open socket."""

    __slots__ = (
        "error", "family", "network", "options", "protocol", "queue", "receive_limit", "receive_low",
        "receive_timeout", "send_limit", "send_timeout", "shut", "type",
    )  # fmt: skip

    step = -1
    is_socket = True

    #: Whether a write that nobody will read sends SIGPIPE.
    raises_signal = False
    #: Whether a receiver may ask for all it has room for (MSG_WAITALL), and a sender may send a part.
    is_stream = False

    def __init__(self, network: Network, family: int, kind: int, protocol: int, uid: int = 0, gid: int = 0) -> None:
        super().__init__(SocketInode(SOCKET_FS, SOCKET_FS.next_ino(), 0o777, uid, gid), O_RDWR)
        self.network = network
        self.family = family
        self.type = kind
        self.protocol = protocol
        self.queue: WaitQueue = WaitQueue()
        self.error = 0  # SO_ERROR: told once, by the next call that looks
        self.shut = 0  # SHUT_*
        self.options: dict[int, int] = {}  # what was set of the plain ones, by number
        self.send_limit = self.receive_limit = DEFAULT_BUFFER
        self.receive_low = 1
        self.receive_timeout: int | None = None  # ns; None: for ever
        self.send_timeout: int | None = None

    @property
    def is_listening(self) -> bool:
        """Whether connections may be accepted (SO_ACCEPTCONN)."""
        return False

    def options_changed(self) -> None:
        """An option, a timeout or the like was set."""

    def take_error(self) -> int:
        """Return the pending error (errno, 0: none), and forget it."""
        error, self.error = self.error, 0
        return error

    # Addresses are what sockaddr structures contain, family included.

    def bind(self, caller: Caller, address: bytes) -> None:
        """Give the socket an address.  man 2 bind"""
        raise LinuxError(EOPNOTSUPP)

    def connect(self, caller: Caller, address: bytes) -> None:
        """Connect.  EAGAIN: not yet, wait on `queue`.  man 2 connect"""
        raise LinuxError(EOPNOTSUPP)

    def listen(self, caller: Caller, backlog: int) -> None:
        """Become ready to accept `backlog` connections at a time.  man 2 listen"""
        raise LinuxError(EOPNOTSUPP)

    def accept(self, caller: Caller) -> Socket:
        """Return the next connection.  EAGAIN: none yet.  man 2 accept"""
        raise LinuxError(EOPNOTSUPP)

    def pair_with(self, caller: Caller, other: Socket) -> None:
        """Connect this new socket and `other`, of the same kind.  man 2 socketpair"""
        raise LinuxError(EOPNOTSUPP)

    def own_address(self) -> bytes:
        """Return the address of this end.  man 2 getsockname"""
        raise LinuxError(EOPNOTSUPP)

    def peer_address(self) -> bytes:
        """Return the address of the other end.  ENOTCONN.  man 2 getpeername"""
        raise LinuxError(EOPNOTSUPP)

    def shutdown(self, how: int) -> None:
        """Close `how` (SHUT_*) of the connection.  man 2 shutdown"""
        raise LinuxError(EOPNOTSUPP)

    # Messages

    def check_connection(self) -> None:
        """Look whether anything can be sent at all, where that comes before all other errors.  ENOTCONN"""

    def check_length(self, length: int) -> None:
        """EMSGSIZE: a message of `length` bytes can never be sent."""

    def send(
        self, caller: Caller | None, views: list[memoryview], flags: int, address: bytes | None, control: Control | None
    ) -> int:
        """Send what goes now of a message; return how many bytes.  EAGAIN: nothing; EPIPE

        `address` is where to, None: to the peer. What `control` brings goes with the first part that is sent.
        """
        raise LinuxError(EOPNOTSUPP)

    def available(self) -> int:
        """Return how many bytes a receive would return now at most."""
        raise NotImplementedError

    def receive(self, views: list[memoryview], size: int, arrival: Arrival) -> None:
        """Receive into `views` what is there, and note it in `arrival`.  EAGAIN: nothing yet

        `size` is the room that the program has offered. When `views` is less than is needed of it, the rest of the
        program's memory is bad.  EFAULT
        """
        raise LinuxError(EOPNOTSUPP)

    # The file

    def read(self, views: list[memoryview]) -> int:
        from lbw.net.message import Arrival

        arrival = Arrival(0)
        self.receive(views, sum(map(len, views)), arrival)
        arrival.dispose()
        return arrival.copied

    def write(self, views: list[memoryview]) -> int:
        return self.send(self.network.caller, views, 0, None, None)

    def seek(self, offset: int, whence: int) -> int:
        raise LinuxError(ESPIPE)

    def fsync(self, data_only: bool) -> None:
        raise LinuxError(EINVAL)

    # Options beyond the common ones (`lbw.net.options`)

    def peer_identity(self) -> tuple[int, int, int]:
        """Return process, user and group id for SO_PEERCRED."""
        return 0, 0xFFFFFFFF, 0xFFFFFFFF

    def peer_groups(self) -> tuple[int, ...] | None:
        """Return the supplementary groups of the peer, for SO_PEERGROUPS; None: there is no peer."""
        return None

    @property
    def peek_begin(self) -> int:
        """Where MSG_PEEK begins (SO_PEEK_OFF); negative: at the front, always.  EOPNOTSUPP"""
        raise LinuxError(EOPNOTSUPP)

    def set_peek_offset(self, offset: int) -> None:
        """Have MSG_PEEK begin at `offset`, and move that on by what it sees.  EOPNOTSUPP"""
        raise LinuxError(EOPNOTSUPP)

    @property
    def is_nonblocking(self) -> bool:
        """O_NONBLOCK."""
        return bool(self.flags & O_NONBLOCK)


def as_socket(file: File) -> Socket:
    """Return `file`.  ENOTSOCK: it is something else"""
    if not isinstance(file, Socket):
        from lbw.abi.errno import ENOTSOCK

        raise LinuxError(ENOTSOCK)
    return file
