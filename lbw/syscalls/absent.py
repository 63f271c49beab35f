"""What programs try on every start and do well without: lbw answers as a Linux that was built without it.

There are no address families yet, so there are no sockets, and every descriptor is something else: ENOTSOCK.
"""

from __future__ import annotations

from lbw.abi.errno import EAFNOSUPPORT, ENOTSOCK, LinuxError
from lbw.syscalls.parameters import Fd, Hex, Int, Out, Parameter, Pointer, Size, UInt
from lbw.syscalls.table import PARTIAL, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.task import Task

_NO_FAMILIES = "EAFNOSUPPORT: there are no address families yet"
_NO_SOCKETS = "ENOTSOCK: there are no sockets yet"


@syscall("socket", Int("domain"), Int("type"), Int("protocol"), support=PARTIAL, note=_NO_FAMILIES)
def socket(task: Task, domain: int, kind: int, protocol: int) -> int:
    """Refuse every address family.  EAFNOSUPPORT"""
    raise LinuxError(EAFNOSUPPORT)


@syscall("socketpair", Int("domain"), Int("type"), Int("protocol"), Out("sv"), support=PARTIAL, note=_NO_FAMILIES)
def socketpair(task: Task, domain: int, kind: int, protocol: int, pair: int) -> int:
    """Refuse every address family.  EAFNOSUPPORT"""
    raise LinuxError(EAFNOSUPPORT)


def no_socket(task: Task, fd: int, *_: int) -> int:
    """Refuse a descriptor that is no socket.  EBADF, ENOTSOCK"""
    task.files.get(fd)
    raise LinuxError(ENOTSOCK)


_ADDRESS = (Pointer("addr"), Pointer("addrlen"))
_OPTION = (Int("level"), Int("optname"), Pointer("optval"), Pointer("optlen"))
_CALLS: dict[str, tuple[Parameter, ...]] = {
    "bind": _ADDRESS, "connect": _ADDRESS, "accept": _ADDRESS, "getsockname": _ADDRESS, "getpeername": _ADDRESS,
    "accept4": (*_ADDRESS, Hex("flags")), "listen": (Int("backlog"),), "shutdown": (Int("how"),),
    "getsockopt": _OPTION, "setsockopt": _OPTION, "sendmsg": (Pointer("msg"), Hex("flags")),
    "recvmsg": (Pointer("msg"), Hex("flags")), "sendto": (Pointer("buf"), Size("len"), Hex("flags"), *_ADDRESS),
    "recvfrom": (Pointer("buf"), Size("len"), Hex("flags"), *_ADDRESS),
    "sendmmsg": (Pointer("msgvec"), UInt("vlen"), Hex("flags")),
    "recvmmsg": (Pointer("msgvec"), UInt("vlen"), Hex("flags"), Pointer("timeout")),
}  # fmt: skip
for _name, _parameters in _CALLS.items():
    syscall(_name, Fd("sockfd"), *_parameters, support=PARTIAL, note=_NO_SOCKETS)(no_socket)
