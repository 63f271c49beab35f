"""Address families: from the arguments of socket(2) to a socket.

A family is a function of its own module, imported when the first socket of it is made. Those that are not here do not
exist: EAFNOSUPPORT, as on a Linux that was built without them.
"""

from __future__ import annotations

from lbw.abi.errno import EAFNOSUPPORT, EINVAL, LinuxError
from lbw.abi.socket import AF_MAX, AF_UNIX, SOCK_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.network import Network
    from lbw.net.socket import Caller, Socket


def create_socket(network: Network, caller: Caller, family: int, kind: int, protocol: int) -> Socket:
    """Return a new socket.  EAFNOSUPPORT, EINVAL, ESOCKTNOSUPPORT, EPROTONOSUPPORT.  man 2 socket"""
    if not 0 <= family < AF_MAX:
        raise LinuxError(EAFNOSUPPORT)
    if not 0 <= kind < SOCK_MAX:
        raise LinuxError(EINVAL)
    if family == AF_UNIX:
        from lbw.net.unix.create import create

        return create(network, caller, kind, protocol)
    raise LinuxError(EAFNOSUPPORT)


def create_pair(network: Network, caller: Caller, family: int, kind: int, protocol: int) -> tuple[Socket, Socket]:
    """Return two sockets that are connected to each other.  EOPNOTSUPP: the family cannot.  man 2 socketpair"""
    first = create_socket(network, caller, family, kind, protocol)
    second = create_socket(network, caller, family, kind, protocol)
    first.pair_with(caller, second)
    return first, second
