"""Messages of sockets: send and recv in all their forms.  man 2 send, recv, sendmmsg, recvmmsg"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EINVAL, EMSGSIZE, LinuxError
from lbw.abi.socket import MAX_ADDRESS, MSG_CMSG_CLOEXEC, MSG_CMSG_COMPAT, MSG_DONTWAIT, MSG_WAITFORONE
from lbw.net.message import Arrival
from lbw.syscalls.control_messages import read_control, write_control
from lbw.syscalls.displays import InBuffer, OutInts, Timespec
from lbw.syscalls.parameters import Fd, Flags, Int, OutBuffer, Size, UInt
from lbw.syscalls.socket_displays import (
    MESSAGE_FLAGS,
    Address,
    MessageHeader,
    MessageHeaders,
    OutAddress,
    OutMessageHeader,
    OutMessageHeaders,
)
from lbw.syscalls.socket_transfer import message_flags, receive, send
from lbw.syscalls.sockets import NEGATIVE, read_address, socket_of, write_address
from lbw.syscalls.table import syscall
from lbw.syscalls.timespecs import duration_at
from lbw.syscalls.transfer import MAX_COUNT, MAX_VECTORS, load_iovec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from struct import Struct

    from lbw.kernel.task import Task
    from lbw.net.socket import Socket
    from lbw.syscalls.transfer import Iov

#: The most messages of one sendmmsg or recvmmsg.
MAX_MESSAGES = 1024
SECOND = 1_000_000_000


class Header:
    """A struct msghdr."""

    __slots__ = ("address", "control", "control_length", "iov", "name", "name_length", "place")

    def __init__(self, task: Task, place: int) -> None:
        """Read it.  EFAULT; EINVAL: a negative length; EMSGSIZE: too many buffers"""
        self.place = place
        values = task.memory.load(place, task.abi.msghdr)
        self.name, self.name_length, vectors, count, self.control, self.control_length, _ = values
        if not self.name:
            self.name_length = 0
        if self.name_length >= NEGATIVE:
            raise LinuxError(EINVAL)
        self.name_length = min(self.name_length, MAX_ADDRESS)
        if count > MAX_VECTORS:
            raise LinuxError(EMSGSIZE)
        self.iov: Iov = load_iovec(task, vectors, count)


async def afterwards(waiting: Awaitable[int], finish: Callable[[int], int]) -> int:
    """Return `finish` of a result that has to be waited for."""
    return finish(await waiting)


# Sending


@syscall(
    "sendto", Fd("sockfd"), InBuffer("buf", 2), Size("len"), Flags("flags", MESSAGE_FLAGS), Address("dest_addr"),
    Int("addrlen"),
)  # fmt: skip
def sendto(
    task: Task, fd: int, buffer: int, length: int, flags: int, address: int, address_length: int
) -> int | Awaitable[int]:
    """Send a message, to an address or to the peer.  EAGAIN, ENOTCONN, EMSGSIZE, EPIPE.  man 2 send"""
    file = socket_of(task, fd)
    name = read_address(task, address, address_length) or None if address else None
    return send(task, file, [(buffer, min(length, MAX_COUNT))], message_flags(file, flags), name)


@syscall("sendmsg", Fd("sockfd"), MessageHeader("msg"), Flags("flags", MESSAGE_FLAGS))
def sendmsg(task: Task, fd: int, message: int, flags: int) -> int | Awaitable[int]:
    """As sendto, out of several buffers, and with control messages.  man 2 send, 3 cmsg"""
    if flags & MSG_CMSG_COMPAT:
        raise LinuxError(EINVAL)
    return send_message(task, socket_of(task, fd), message, flags)


def send_message(task: Task, file: Socket, message: int, flags: int) -> int | Awaitable[int]:
    """Send what the msghdr at `message` describes."""
    header = Header(task, message)
    name = read_address(task, header.name, header.name_length) or None
    file.check_connection()
    control = read_control(task, file, header.control, header.control_length)
    return send(task, file, header.iov, message_flags(file, flags), name, control)


@syscall("sendmmsg", Fd("sockfd"), MessageHeaders("msgvec"), UInt("vlen"), Flags("flags", MESSAGE_FLAGS))
def sendmmsg(task: Task, fd: int, messages: int, count: int, flags: int) -> Awaitable[int]:
    """Send several messages; return how many were sent. An error behind the first one is not told.  man 2 sendmmsg"""
    if flags & MSG_CMSG_COMPAT:
        raise LinuxError(EINVAL)
    return send_messages(task, socket_of(task, fd), messages, min(count, MAX_MESSAGES), flags)


async def send_messages(task: Task, file: Socket, messages: int, count: int, flags: int) -> int:
    """Send `count` messages, one after the other."""
    size = task.abi.mmsghdr
    done = 0
    while done < count:
        place = messages + done * size
        try:
            sent = send_message(task, file, place, flags)
            length = sent if isinstance(sent, int) else await sent
            task.memory.write_u32(place + task.abi.msghdr.size, length)
        except LinuxError:
            if not done:
                raise
            break
        done += 1
    return done


# Receiving


@syscall(
    "recvfrom", Fd("sockfd"), OutBuffer("buf"), Size("len"), Flags("flags", MESSAGE_FLAGS), OutAddress("src_addr"),
    OutInts("addrlen", 1),
)  # fmt: skip
def recvfrom(
    task: Task, fd: int, buffer: int, length: int, flags: int, address: int, place: int
) -> int | Awaitable[int]:
    """Receive a message, and where it came from.  EAGAIN, ENOTCONN.  man 2 recv"""
    file = socket_of(task, fd)
    arrival = Arrival(message_flags(file, flags))
    result = receive(task, file, [(buffer, min(length, MAX_COUNT))], arrival)

    def finish(received: int) -> int:
        arrival.dispose()
        if address:
            write_address(task, sender_of(arrival), address, place)
        return received

    if isinstance(result, int):
        return finish(result)
    return afterwards(result, finish)


def sender_of(arrival: Arrival) -> bytes:
    """Return the address of whoever sent the message, empty: it has none."""
    if arrival.sender is None:
        return b""
    address = arrival.sender.own_address()
    return address if len(address) > 2 else b""


@syscall("recvmsg", Fd("sockfd"), OutMessageHeader("msg"), Flags("flags", MESSAGE_FLAGS))
def recvmsg(task: Task, fd: int, message: int, flags: int) -> int | Awaitable[int]:
    """As recvfrom, into several buffers, and with control messages.  man 2 recv, 3 cmsg"""
    if flags & MSG_CMSG_COMPAT:
        raise LinuxError(EINVAL)
    return receive_message(task, socket_of(task, fd), message, flags)


def receive_message(task: Task, file: Socket, message: int, flags: int) -> int | Awaitable[int]:
    """Receive what the msghdr at `message` has room for."""
    header = Header(task, message)
    arrival = Arrival(message_flags(file, flags))
    result = receive(task, file, header.iov, arrival)

    def finish(received: int) -> int:
        try:
            finish_message(task, header, arrival, flags)
        finally:
            arrival.dispose()
        return received

    if isinstance(result, int):
        return finish(result)
    return afterwards(result, finish)


def finish_message(task: Task, header: Header, arrival: Arrival, flags: int) -> None:
    """Store the sender's address, the control messages, and what the msghdr tells of them.  EFAULT"""
    memory, word, place = task.memory, task.abi.word, header.place
    used = write_control(task, arrival, header.control, header.control_length)
    if header.name:
        address = sender_of(arrival)
        if header.name_length:
            memory.write(header.name, address[: header.name_length])
        memory.write_u32(place + word, len(address))
    memory.write_u32(place + 6 * word, arrival.told | flags & MSG_CMSG_CLOEXEC)
    memory.write_pointer(place + 5 * word, used)


@syscall(
    "recvmmsg", Fd("sockfd"), OutMessageHeaders("msgvec"), UInt("vlen"), Flags("flags", MESSAGE_FLAGS),
    Timespec("timeout"),
)  # fmt: skip
def recvmmsg(
    task: Task, fd: int, messages: int, count: int, flags: int, timeout: int, layout: Struct | None = None
) -> Awaitable[int]:
    """Receive several messages; return how many came.

    The time is looked at after each message only: when it is over no further one is waited for.  man 2 recvmmsg
    """
    if flags & MSG_CMSG_COMPAT:
        raise LinuxError(EINVAL)
    limit = duration_at(task, timeout, layout) if timeout else None
    file = socket_of(task, fd)
    error = file.take_error()
    if error:
        raise LinuxError(error)
    return receive_messages(
        task, file, messages, min(count, MAX_MESSAGES), flags, limit, timeout, layout or task.abi.timespec
    )


async def receive_messages(
    task: Task, file: Socket, messages: int, count: int, flags: int, limit: int | None, timeout: int, layout: Struct
) -> int:
    """Receive `count` messages, one after the other, for `limit` ns; store what is left of that at `timeout`."""
    clock = task.kernel.clock
    deadline = None if limit is None else clock.monotonic() + limit
    size = task.abi.mmsghdr
    done = left = 0
    while done < count:
        place = messages + done * size
        try:
            received = receive_message(task, file, place, flags & ~MSG_WAITFORONE)
            length = received if isinstance(received, int) else await received
            task.memory.write_u32(place + task.abi.msghdr.size, length)
        except LinuxError as error:
            if not done:
                raise
            if error.errno != EAGAIN:
                file.error = error.errno  # the next call tells it
            break
        done += 1
        if flags & MSG_WAITFORONE:
            flags |= MSG_DONTWAIT
        if deadline is not None:
            left = max(deadline - clock.monotonic(), 0)
            if not left:
                break
    if done and timeout:
        task.memory.store(timeout, layout, *divmod(left, SECOND))
    return done
