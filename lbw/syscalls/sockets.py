"""Sockets: making, naming, connecting and shutting them down.  man 2 socket, bind, listen, accept, connect

What a socket does is in `lbw.net`; here are descriptors, addresses in guest memory, and waiting.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, ECONNABORTED, EINVAL, LinuxError
from lbw.abi.fcntl import O_NONBLOCK
from lbw.abi.socket import MAX_ADDRESS, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_TYPE_MASK
from lbw.net.socket import as_socket
from lbw.syscalls.displays import OutInts
from lbw.syscalls.parameters import Choice, Fd, Flags, Int
from lbw.syscalls.socket_displays import (
    FAMILIES,
    SHUTDOWN_HOW,
    SOCKET_FLAGS,
    Address,
    OutAddress,
    SocketType,
)
from lbw.syscalls.socket_transfer import insist
from lbw.syscalls.start import only
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task
    from lbw.net.socket import Socket

_FAMILIES_NOTE = "AF_UNIX; other families are EAFNOSUPPORT"
#: A negative length, as it arrives in an unsigned word.
NEGATIVE = 1 << 31


def socket_of(task: Task, fd: int) -> Socket:
    """Return the socket behind `fd`.  EBADF, ENOTSOCK"""
    return as_socket(task.files.get(fd))


def read_address(task: Task, address: int, length: int) -> bytes:
    """Return a sockaddr of the program.  EINVAL: a length that no address has; EFAULT"""
    if not 0 <= length <= MAX_ADDRESS:
        raise LinuxError(EINVAL)
    return task.memory.read(address, length) if length else b""


def check_room(task: Task, place: int) -> int:
    """Return the room that a program has for an address, at `place`.  EINVAL: negative; EFAULT"""
    room = task.memory.read_u32(place)
    if room >= NEGATIVE:
        raise LinuxError(EINVAL)
    return room


def write_address(task: Task, value: bytes, address: int, place: int) -> None:
    """Store `value`, cut to the room for it that is told at `place`, and there its length.  EINVAL, EFAULT"""
    room = check_room(task, place)
    if room:
        task.memory.write(address, value[:room])
    task.memory.write_u32(place, len(value))


@syscall(
    "socket", Choice("domain", FAMILIES), SocketType("type"), Int("protocol"), support=PARTIAL, note=_FAMILIES_NOTE
)
def socket(task: Task, domain: int, kind: int, protocol: int) -> int:
    """Make a socket.  EAFNOSUPPORT, EINVAL, EPROTONOSUPPORT, ESOCKTNOSUPPORT.  man 2 socket"""
    from lbw.net.families import create_socket

    flags = kind & ~SOCK_TYPE_MASK
    only(flags, SOCK_CLOEXEC | SOCK_NONBLOCK)
    new = create_socket(task.kernel.network, task, domain, kind & SOCK_TYPE_MASK, protocol)
    new.flags |= flags & O_NONBLOCK
    try:
        return task.files.install(new, bool(flags & SOCK_CLOEXEC))
    except LinuxError:
        new.close()
        raise


@syscall(
    "socketpair", Choice("domain", FAMILIES), SocketType("type"), Int("protocol"), OutInts("sv", 2),
    support=PARTIAL, note=_FAMILIES_NOTE,
)  # fmt: skip
def socketpair(task: Task, domain: int, kind: int, protocol: int, pair: int) -> int:
    """Make two sockets that are connected to each other. EFAULT leaves no descriptor behind.  man 2 socketpair"""
    from lbw.net.families import create_pair

    flags = kind & ~SOCK_TYPE_MASK
    only(flags, SOCK_CLOEXEC | SOCK_NONBLOCK)
    with task.files.reserve(2, bool(flags & SOCK_CLOEXEC)) as reservation:
        first, second = reservation.numbers
        task.memory.write(pair, first.to_bytes(4, "little") + second.to_bytes(4, "little"))
        both = create_pair(task.kernel.network, task, domain, kind & SOCK_TYPE_MASK, protocol)
        for new in both:
            new.flags |= flags & O_NONBLOCK
        reservation.install(both)
    return 0


@syscall("bind", Fd("sockfd"), Address("addr"), Int("addrlen"))
def bind(task: Task, fd: int, address: int, length: int) -> int:
    """Give a socket a name.  EADDRINUSE; EINVAL: it has one, or that is none.  man 2 bind"""
    file = socket_of(task, fd)
    file.bind(task, read_address(task, address, length))
    return 0


@syscall("listen", Fd("sockfd"), Int("backlog"))
def listen(task: Task, fd: int, backlog: int) -> int:
    """Become ready to accept connections.  EOPNOTSUPP, EINVAL.  man 2 listen"""
    socket_of(task, fd).listen(task, backlog)
    return 0


@syscall("connect", Fd("sockfd"), Address("addr"), Int("addrlen"))
def connect(task: Task, fd: int, address: int, length: int) -> int | Awaitable[int]:
    """Connect to a name; it waits while the backlog there is full.  ECONNREFUSED, EAGAIN, EPROTOTYPE.  man 2 connect"""
    file = socket_of(task, fd)
    name = read_address(task, address, length)

    def attempt() -> int:
        file.connect(task, name)
        return 0

    try:
        return attempt()
    except LinuxError as error:
        if error.errno != EAGAIN or file.flags & O_NONBLOCK:
            raise
    return insist(task, file, attempt, file.send_timeout)


@syscall("accept4", Fd("sockfd"), OutAddress("addr"), OutInts("addrlen", 1), Flags("flags", SOCKET_FLAGS))
def accept4(task: Task, fd: int, address: int, place: int, flags: int) -> int | Awaitable[int]:
    """Take the next connection; return a descriptor of it.  EINVAL: it does not listen.  man 2 accept"""
    only(flags, SOCK_CLOEXEC | SOCK_NONBLOCK)
    file = socket_of(task, fd)
    with task.files.reserve(1):
        pass  # EMFILE is noticed before there is a connection

    def attempt() -> int:
        return take_connection(task, file, address, place, flags)

    try:
        return attempt()
    except LinuxError as error:
        if error.errno != EAGAIN or file.flags & O_NONBLOCK:
            raise
    return insist(task, file, attempt, file.receive_timeout)


@syscall("accept", Fd("sockfd"), OutAddress("addr"), OutInts("addrlen", 1))
def accept(task: Task, fd: int, address: int, place: int) -> int | Awaitable[int]:
    """As accept4, without flags.  man 2 accept"""
    return accept4(task, fd, address, place, 0)


def take_connection(task: Task, listener: Socket, address: int, place: int, flags: int) -> int:
    """Accept a connection; one whose address cannot be stored, or that there is no descriptor for, is lost."""
    new = listener.accept(task)
    new.acquire()
    try:
        if address:
            try:
                peer = new.peer_address()
            except LinuxError:
                raise LinuxError(ECONNABORTED) from None
            write_address(task, peer, address, place)
        new.flags |= flags & O_NONBLOCK
        return task.files.install(new, bool(flags & SOCK_CLOEXEC))
    finally:
        new.release()


@syscall("getsockname", Fd("sockfd"), OutAddress("addr"), OutInts("addrlen", 1))
def getsockname(task: Task, fd: int, address: int, place: int) -> int:
    """Store the name of a socket.  man 2 getsockname"""
    write_address(task, socket_of(task, fd).own_address(), address, place)
    return 0


@syscall("getpeername", Fd("sockfd"), OutAddress("addr"), OutInts("addrlen", 1))
def getpeername(task: Task, fd: int, address: int, place: int) -> int:
    """Store the name of the peer.  ENOTCONN.  man 2 getpeername"""
    write_address(task, socket_of(task, fd).peer_address(), address, place)
    return 0


@syscall("shutdown", Fd("sockfd"), Choice("how", SHUTDOWN_HOW))
def shutdown(task: Task, fd: int, how: int) -> int:
    """Close one direction of a connection, or both.  EINVAL: no such direction.  man 2 shutdown"""
    socket_of(task, fd).shutdown(how)
    return 0
