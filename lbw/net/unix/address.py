"""Addresses of Unix sockets: struct sockaddr_un.  man 7 unix

An address is kept as what follows the family: a path with its NUL, or an abstract name, which begins with one.
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, LinuxError
from lbw.abi.socket import AF_UNIX, UNIX_PATH_MAX

FAMILY = AF_UNIX.to_bytes(2, "little")
#: The length of an address without a name.
UNNAMED = len(FAMILY)


def parse(address: bytes) -> bytes:
    """Return the name in a sockaddr_un: a path and a NUL, or an abstract name.  EINVAL: another family, or no name

    The path may fill the structure to its last byte, without a NUL; then it gets one.
    """
    if not UNNAMED < len(address) <= UNNAMED + UNIX_PATH_MAX or address[:2] != FAMILY:
        raise LinuxError(EINVAL)
    name = address[2:]
    return name if is_abstract(name) else path_of(name) + b"\0"


def is_abstract(name: bytes) -> bool:
    """Whether a name is in no file system."""
    return name[:1] == b"\0"


def path_of(name: bytes) -> bytes:
    """Return the path that a name is."""
    return name.partition(b"\0")[0]


def shown(name: bytes) -> bytes:
    """Return a name as /proc/net/unix shows it."""
    return name.replace(b"\0", b"@") if is_abstract(name) else path_of(name)
