"""Options of sockets at the level SOL_SOCKET: those that all families share.  man 7 socket, man 2 setsockopt

Plain ones are kept and told; what they do, if anything, is done by whoever looks into `socket.options`. An option that
is not here does not exist: ENOPROTOOPT.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi import socket as abi
from lbw.abi.capability import CAP_NET_ADMIN
from lbw.abi.errno import EDOM, EINVAL, ENODATA, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP, EPERM, ERANGE, LinuxError
from lbw.net.socket import MAX_BUFFER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.net.socket import Caller, Socket

    Setter = Callable[[Socket, Caller, int], None]

#: Yes or no.
SWITCHES = frozenset(
    {
        abi.SO_DEBUG, abi.SO_REUSEADDR, abi.SO_DONTROUTE, abi.SO_BROADCAST, abi.SO_KEEPALIVE, abi.SO_OOBINLINE,
        abi.SO_NO_CHECK, abi.SO_PASSCRED, abi.SO_TIMESTAMP, abi.SO_TIMESTAMPNS, abi.SO_RXQ_OVFL, abi.SO_PASSSEC,
    }
)  # fmt: skip
#: Accepted without effect, and told as 0.
IGNORED = frozenset({abi.SO_BSDCOMPAT})
#: Told, never set.
FIXED = frozenset(
    {
        abi.SO_TYPE, abi.SO_ERROR, abi.SO_ACCEPTCONN, abi.SO_PROTOCOL, abi.SO_DOMAIN, abi.SO_PEERCRED,
        abi.SO_PEERNAME, abi.SO_PEERGROUPS, abi.SO_SNDLOWAT, abi.SO_PEERSEC, abi.SO_COOKIE,
    }
)  # fmt: skip
#: The smallest buffers, bytes (SOCK_MIN_SNDBUF, SOCK_MIN_RCVBUF).
MIN_SEND, MIN_RECEIVE = 4608, 2304
#: Timeouts are told in whole ticks of Linux (CONFIG_HZ=250), ns.
TICK = 4_000_000
SECOND = 1_000_000_000
MAX_INT = 0x7FFFFFFF
TIMEVAL64 = Struct("<qq")
_TIMEOUTS = frozenset({abi.SO_RCVTIMEO, abi.SO_SNDTIMEO, abi.SO_RCVTIMEO_NEW, abi.SO_SNDTIMEO_NEW})


def _require_admin(caller: Caller) -> None:
    if not caller.credentials.capable(CAP_NET_ADMIN):
        raise LinuxError(EPERM)


def _set_buffer(socket: Socket, name: int, size: int) -> None:
    """Keep twice of what was asked for: Linux counts its own overhead in."""
    if name in (abi.SO_SNDBUF, abi.SO_SNDBUFFORCE):
        socket.send_limit = max(2 * size, MIN_SEND)
        socket.queue.wake_all()
    else:
        socket.receive_limit = max(2 * size, MIN_RECEIVE)


def _set_timeout(socket: Socket, name: int, seconds: int, microseconds: int) -> None:
    if not 0 <= microseconds < 1_000_000:
        raise LinuxError(EDOM)
    timeout: int | None = seconds * SECOND + microseconds * 1000
    if seconds < 0:
        timeout = 0  # nothing is waited for
    elif not timeout:
        timeout = None
    else:
        assert timeout is not None
        timeout = -(-timeout // TICK) * TICK
    if name in (abi.SO_RCVTIMEO, abi.SO_RCVTIMEO_NEW):
        socket.receive_timeout = timeout
    else:
        socket.send_timeout = timeout


def set_option(socket: Socket, caller: Caller, name: int, data: bytes, timeval: Struct) -> None:
    """Set an option from the bytes of its value; `timeval` is the program's.

    EINVAL: too short; ENOPROTOOPT: not known, or not to be set; EPERM, EDOM
    """
    if name in FIXED:
        raise LinuxError(EINVAL if len(data) < 4 else ENOPROTOOPT)
    if len(data) < 4:
        raise LinuxError(EINVAL)
    value = int.from_bytes(data[:4], "little", signed=True)
    if name in _TIMEOUTS:
        layout = TIMEVAL64 if name in (abi.SO_RCVTIMEO_NEW, abi.SO_SNDTIMEO_NEW) else timeval
        if len(data) < layout.size:
            raise LinuxError(EINVAL)
        _set_timeout(socket, name, *layout.unpack_from(data))
    elif name in SWITCHES:
        if name == abi.SO_DEBUG and value:
            _require_admin(caller)
        socket.options[name] = int(bool(value))
    elif name in (abi.SO_SNDBUF, abi.SO_RCVBUF):
        _set_buffer(socket, name, min(value & 0xFFFFFFFF, MAX_BUFFER))
    elif name in (abi.SO_SNDBUFFORCE, abi.SO_RCVBUFFORCE):
        _require_admin(caller)
        _set_buffer(socket, name, min(max(value, 0), MAX_INT // 2))
    elif name == abi.SO_LINGER:
        if len(data) < abi.LINGER.size:
            raise LinuxError(EINVAL)
        on, seconds = abi.LINGER.unpack_from(data)
        socket.options[name] = bool(on) << 32 | (seconds & 0xFFFFFFFF if on else 0)
    elif name == abi.SO_RCVLOWAT:
        socket.receive_low = MAX_INT if value < 0 else value or 1
    elif name == abi.SO_PEEK_OFF:
        socket.set_peek_offset(value)
    elif name in (abi.SO_PRIORITY, abi.SO_MARK):
        if name == abi.SO_MARK or not 0 <= value <= 6:
            _require_admin(caller)
        socket.options[name] = value
    elif name in (abi.SO_REUSEPORT, abi.SO_ZEROCOPY):
        if value:
            raise LinuxError(EOPNOTSUPP)  # for families with ports
    elif name not in IGNORED:
        raise LinuxError(ENOPROTOOPT)
    socket.options_changed()


def get_option(socket: Socket, name: int, room: int, timeval: Struct) -> bytes:
    """Return the value of an option, for `room` bytes.  ENOPROTOOPT; EINVAL, ERANGE: too little room"""
    if name in SWITCHES or name in (abi.SO_PRIORITY, abi.SO_MARK):
        return _int(socket.options.get(name, 0))
    if name in _NUMBERS:
        return _int(_NUMBERS[name](socket))
    if name in _TIMEOUTS:
        layout = TIMEVAL64 if name in (abi.SO_RCVTIMEO_NEW, abi.SO_SNDTIMEO_NEW) else timeval
        receiving = name in (abi.SO_RCVTIMEO, abi.SO_RCVTIMEO_NEW)
        seconds, part = divmod((socket.receive_timeout if receiving else socket.send_timeout) or 0, SECOND)
        return layout.pack(seconds, part // 1000)
    if name == abi.SO_LINGER:
        known = socket.options.get(name, 0)
        return abi.LINGER.pack(known >> 32, known & MAX_INT)
    if name == abi.SO_PEERCRED:
        return abi.UCRED.pack(*socket.peer_identity())
    if name == abi.SO_PEERGROUPS:
        groups = socket.peer_groups()
        if groups is None:
            raise LinuxError(ENODATA)
        data = b"".join([group.to_bytes(4, "little") for group in groups])
        if room < len(data):
            raise TooLong(ERANGE, len(data))
        return data
    if name == abi.SO_PEERNAME:
        try:
            address = socket.peer_address()
        except LinuxError:
            raise LinuxError(ENOTCONN) from None
        if len(address) < room:
            raise LinuxError(EINVAL)
        return address[:room]
    if name == abi.SO_COOKIE:
        if room < 8:
            raise LinuxError(EINVAL)
        cookie = socket.options.get(name)
        if cookie is None:
            socket.network.last_cookie += 1
            cookie = socket.options[name] = socket.network.last_cookie
        return cookie.to_bytes(8, "little")
    raise LinuxError(ENOPROTOOPT)


class TooLong(LinuxError):
    """There is too little room for a value of `length` bytes, which the program is told."""

    __slots__ = ("length",)

    def __init__(self, errno: int, length: int) -> None:
        super().__init__(errno)
        self.length = length


def _int(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "little")


#: Options that are told as an int.
_NUMBERS: dict[int, Callable[[Socket], int]] = {
    abi.SO_TYPE: lambda socket: socket.type,
    abi.SO_PROTOCOL: lambda socket: socket.protocol,
    abi.SO_DOMAIN: lambda socket: socket.family,
    abi.SO_ERROR: lambda socket: socket.take_error(),
    abi.SO_ACCEPTCONN: lambda socket: int(socket.is_listening),
    abi.SO_SNDBUF: lambda socket: socket.send_limit,
    abi.SO_RCVBUF: lambda socket: socket.receive_limit,
    abi.SO_RCVLOWAT: lambda socket: socket.receive_low,
    abi.SO_SNDLOWAT: lambda socket: 1,
    abi.SO_PEEK_OFF: lambda socket: socket.peek_begin,
    abi.SO_BSDCOMPAT: lambda socket: 0,
    abi.SO_REUSEPORT: lambda socket: 0,
    abi.SO_ZEROCOPY: lambda socket: 0,
}
