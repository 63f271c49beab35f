"""Names of Unix sockets: giving them, and finding who has one.  man 7 unix

A name in a file system is an inode of type S_IFSOCK; which socket it leads to is known by its number (inode objects
come and go). The inode outlives the socket until somebody unlinks it, and leads nowhere then. An abstract name is of
no file system, belongs to sockets of one type, and vanishes with the socket.
"""

from __future__ import annotations

from lbw.abi.errno import EADDRINUSE, ECONNREFUSED, EEXIST, EINVAL, ENOSPC, EPROTOTYPE, LinuxError
from lbw.abi.stat import S_IFSOCK
from lbw.net.unix.address import FAMILY, is_abstract, parse, path_of
from lbw.vfs.naming import mknod, unlink
from lbw.vfs.operations import resolve
from lbw.vfs.permissions import WRITE, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.net.socket import Caller
    from lbw.net.unix.socket import UnixSocket

#: How many automatic names there are: five hexadecimal digits.
NAMES = 1 << 20


def bind(socket: UnixSocket, caller: Caller, address: bytes) -> None:
    """Give `socket` a name.  EINVAL: it has one; EADDRINUSE; and what mknod(2) says"""
    if address == FAMILY:
        name_automatically(socket)
        return
    name = parse(address)
    if is_abstract(name):
        if socket.name is not None:
            raise LinuxError(EINVAL)
        key = socket.type, name
        if key in socket.network.abstract:
            raise LinuxError(EADDRINUSE)
        socket.network.abstract[key] = socket
        socket.name = name
        return
    path = path_of(name)
    try:
        mknod(caller.fs, path, S_IFSOCK | socket.inode.mode & 0o7777, 0)
    except LinuxError as error:
        raise LinuxError(EADDRINUSE if error.errno == EEXIST else error.errno) from None
    if socket.name is not None:  # noticed this late, as on Linux
        unlink(caller.fs, path)
        raise LinuxError(EINVAL)
    inode = resolve(caller.fs, path, follow=False).inode
    socket.place = inode.fs, inode.stat().ino
    socket.network.bound[socket.place] = socket
    socket.name = name


def name_automatically(socket: UnixSocket) -> None:
    """Give a nameless socket a free abstract name of five digits.  ENOSPC: there is none"""
    if socket.name is not None:
        return
    network = socket.network
    for _ in range(NAMES):
        name = b"\0%05x" % network.next_name
        network.next_name = (network.next_name + 1) % NAMES
        if (socket.type, name) not in network.abstract:
            network.abstract[socket.type, name] = socket
            socket.name = name
            return
    raise LinuxError(ENOSPC)


def find(caller: Caller, socket: UnixSocket, name: bytes) -> UnixSocket:
    """Return the socket called `name`, for `socket` to send to or to connect to.

    ECONNREFUSED: there is nobody behind the name; EACCES: it may not be written; EPROTOTYPE: another type of socket
    """
    network = socket.network
    if is_abstract(name):
        found = network.abstract.get((socket.type, name))
        if found is None:
            raise LinuxError(ECONNREFUSED)
        return found
    location = resolve(caller.fs, path_of(name))
    require(caller.credentials, location.inode, WRITE)
    if location.kind != S_IFSOCK:
        raise LinuxError(ECONNREFUSED)
    found = network.bound.get((location.inode.fs, location.inode.stat().ino))
    if found is None:
        raise LinuxError(ECONNREFUSED)
    if found.type != socket.type:
        raise LinuxError(EPROTOTYPE)
    return found


def forget(socket: UnixSocket) -> None:
    """Take back the name of a socket that closes; an inode stays."""
    network = socket.network
    if socket.place is not None:
        if network.bound.get(socket.place) is socket:
            del network.bound[socket.place]
    elif socket.name is not None and network.abstract.get((socket.type, socket.name)) is socket:
        del network.abstract[socket.type, socket.name]  # an accepted connection is called as its listener
