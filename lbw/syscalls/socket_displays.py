"""How strace shows what sockets are told: addresses, options, flags, and struct msghdr."""

from __future__ import annotations

from lbw.abi import socket as abi
from lbw.syscalls.displays import LIMIT, Shown, argument
from lbw.syscalls.flag_names import named
from lbw.syscalls.formats import show_bits
from lbw.syscalls.parameters import Choice, Flags
from lbw.syscalls.quoting import quote, show_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

FAMILIES = named(
    abi,
    "AF_UNSPEC AF_UNIX AF_INET AF_AX25 AF_IPX AF_APPLETALK AF_X25 AF_INET6 AF_KEY AF_NETLINK AF_PACKET AF_ALG AF_VSOCK",
)
TYPES = named(abi, "SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_RDM SOCK_SEQPACKET SOCK_DCCP SOCK_PACKET")
SOCKET_FLAGS = named(abi, "SOCK_CLOEXEC SOCK_NONBLOCK")
SHUTDOWN_HOW = named(abi, "SHUT_RD SHUT_WR SHUT_RDWR")
LEVELS = named(abi, "SOL_IP SOL_SOCKET SOL_TCP SOL_UDP SOL_IPV6 SOL_NETLINK")
MESSAGE_FLAGS = named(
    abi,
    "MSG_OOB MSG_PEEK MSG_DONTROUTE MSG_CTRUNC MSG_PROXY MSG_TRUNC MSG_DONTWAIT MSG_EOR MSG_WAITALL MSG_FIN MSG_SYN"
    " MSG_CONFIRM MSG_RST MSG_ERRQUEUE MSG_NOSIGNAL MSG_MORE MSG_WAITFORONE MSG_BATCH MSG_ZEROCOPY MSG_FASTOPEN"
    " MSG_CMSG_CLOEXEC",
)
CONTROL_TYPES = named(abi, "SCM_RIGHTS SCM_CREDENTIALS SCM_SECURITY")
#: The new timeouts are shown under their old names, as strace does it.
OPTIONS = {
    value: name
    for name, value in vars(abi).items()
    if name.startswith("SO_") and not name.endswith("_NEW")
} | {abi.SO_RCVTIMEO_NEW: "SO_RCVTIMEO_NEW", abi.SO_SNDTIMEO_NEW: "SO_SNDTIMEO_NEW"}  # fmt: skip


class SocketType(Flags):
    """The type of a socket, with flags for its descriptor."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(name, SOCKET_FLAGS)

    def show(self, task: Task, raw: int, result: int) -> str:
        kind = raw & abi.SOCK_TYPE_MASK
        flags = raw & 0xFFFFFFFF & ~abi.SOCK_TYPE_MASK
        shown = TYPES.get(kind, str(kind))
        return f"{shown}|{show_bits(flags, SOCKET_FLAGS)}" if flags else shown


def show_address(data: bytes) -> str:
    """Return a sockaddr as strace does."""
    if len(data) < 2:
        return quote(data)
    family = int.from_bytes(data[:2], "little")
    shown = f"sa_family={FAMILIES.get(family, hex(family))}"
    name = data[2:]
    if family != abi.AF_UNIX:
        return f"{{{shown}, sa_data={quote(name)}}}" if name else f"{{{shown}}}"
    if not name:
        return f"{{{shown}}}"
    if name[:1] == b"\0":
        return f"{{{shown}, sun_path=@{quote(name[1:])}}}"
    return f"{{{shown}, sun_path={quote(name.partition(bytes(1))[0])}}}"


class Address(Shown):
    """A sockaddr that the call reads; its length is the next argument."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        return show_address(task.memory.read(address, min(self._length(task, address), abi.MAX_ADDRESS)))

    def _length(self, task: Task, address: int) -> int:
        return following(task, address) & 0xFFFFFFFF


def following(task: Task, address: int) -> int:
    """Return the argument behind the one that is `address`."""
    for index in range(len(task.abi.argument_registers) - 1):
        if argument(task, index) == address:
            return argument(task, index + 1)
    return 0


class OutAddress(Address):
    """A sockaddr that the call fills in; where its length is, is the next argument."""

    __slots__ = ()
    out = True

    def _length(self, task: Task, address: int) -> int:
        return task.memory.read_u32(following(task, address))


class OptionName(Choice):
    """An option of SOL_SOCKET."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(name, OPTIONS)


class OptionValue(Shown):
    """The value of an option; its length is the next argument."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        return show_value(task.memory.read(address, min(following(task, address) & 0xFFFFFFFF, 64)))


class OutOptionValue(Shown):
    """The value of an option, which the call fills in."""

    __slots__ = ()
    out = True

    def target(self, task: Task, address: int, result: int) -> str:
        length = task.memory.read_u32(following(task, address))
        if argument(task, 2) == abi.SO_PEERCRED and length == abi.UCRED.size:
            pid, uid, gid = task.memory.load(address, abi.UCRED)
            return f"{{pid={pid}, uid={uid}, gid={gid}}}"
        return show_value(task.memory.read(address, min(length, 64)))


def show_value(data: bytes) -> str:
    """Return an int as one, other things as bytes."""
    return f"[{int.from_bytes(data, 'little', signed=True)}]" if len(data) == 4 else quote(data)


def show_control(task: Task, data: bytes) -> str:
    """Return the control messages in `data`."""
    from lbw.syscalls.control_messages import headers

    shown = []
    for level, kind, body in headers(task, data):
        if kind == abi.SCM_RIGHTS:
            fds = [int.from_bytes(body[i : i + 4], "little", signed=True) for i in range(0, len(body) - 3, 4)]
            content = str(fds)
        elif kind == abi.SCM_CREDENTIALS and len(body) == abi.UCRED.size:
            pid, uid, gid = abi.UCRED.unpack(body)
            content = f"{{pid={pid}, uid={uid}, gid={gid}}}"
        else:
            content = quote(body)
        length = len(body) + task.abi.cmsghdr.size
        shown.append(
            f"{{cmsg_len={length}, cmsg_level={LEVELS.get(level, level)},"
            f" cmsg_type={CONTROL_TYPES.get(kind, hex(kind))}, cmsg_data={content}}}"
        )
    return "[" + ", ".join(shown) + "]"


def show_header(task: Task, place: int, sent: int) -> str:
    """Return a struct msghdr, of whose buffers `sent` bytes are shown."""
    memory, layout = task.memory, task.abi.iovec
    name, name_length, vectors, count, control, control_length, flags = memory.load(place, task.abi.msghdr)
    address = show_address(memory.read(name, min(name_length, abi.MAX_ADDRESS))) if name and name_length else "NULL"
    buffers = []
    for index in range(min(count, LIMIT)):
        base, length = memory.load(vectors + index * layout.size, layout)
        buffers.append(f"{{iov_base={show_bytes(task, base, min(length, sent))}, iov_len={length}}}")
        sent -= min(length, sent)
    shown = ""
    if control and control_length:
        shown = f" msg_control={show_control(task, memory.read(control, min(control_length, 4096)))},"
    more = ", ..." if count > LIMIT else ""
    return (
        f"{{msg_name={address}, msg_namelen={name_length}, msg_iov=[{', '.join(buffers)}{more}], msg_iovlen={count},"
        f"{shown} msg_controllen={control_length}, msg_flags={show_bits(flags, MESSAGE_FLAGS)}}}"
    )


class MessageHeader(Shown):
    """A struct msghdr that the call reads."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        return show_header(task, address, 1 << 62)


class OutMessageHeader(Shown):
    """A struct msghdr whose buffers the call fills in."""

    __slots__ = ()
    out = True

    def target(self, task: Task, address: int, result: int) -> str:
        return show_header(task, address, result)


class MessageHeaders(Shown):
    """An array of struct mmsghdr that the call reads; the next argument is its length."""

    __slots__ = ()

    def target(self, task: Task, address: int, result: int) -> str:
        count = result if self.out else following(task, address) & 0xFFFFFFFF
        shown = []
        for index in range(min(count, LIMIT)):
            place = address + index * task.abi.mmsghdr
            length = task.memory.read_u32(place + task.abi.msghdr.size)
            header = show_header(task, place, length if self.out else 1 << 62)
            shown.append(f"{{msg_hdr={header}, msg_len={length}}}" if self.out else f"{{msg_hdr={header}}}")
        return "[" + ", ".join(shown) + (", ..." if count > LIMIT else "") + "]"


class OutMessageHeaders(MessageHeaders):
    """An array of struct mmsghdr that the call fills in, as many as it returns."""

    __slots__ = ()
    out = True
