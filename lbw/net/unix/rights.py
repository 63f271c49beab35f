"""Files in flight: SCM_RIGHTS.  man 7 unix

A message holds a reference to each file that travels in it. A socket can so be in flight inside of itself, or two
inside of each other, and nobody could ever close them: when a Unix socket closes while others are in flight, `collect`
looks for those that only messages hold which nobody can receive, and throws these messages away.

A socket in flight whose references all come from messages is a candidate. It is alive if one of the messages lies in
the queue of a socket that is no candidate, or of a candidate that is alive; the rest is garbage. What waits in the
backlog of a listener counts as part of it. (Linux does the same: net/unix/garbage.c.)

How many files an unprivileged user may have in flight is bounded by RLIMIT_NOFILE (ETOOMANYREFS); the caller checks it.
"""

from __future__ import annotations

from lbw.net.unix.socket import UnixSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.net.network import Network
    from lbw.net.unix.message import Message
    from lbw.vfs.file import File


def launched(network: Network, files: list[File]) -> None:
    """Note that a message with `files` was sent."""
    network.files_in_flight += len(files)
    in_flight = network.in_flight
    for file in files:
        if isinstance(file, UnixSocket):
            in_flight[file] = in_flight.get(file, 0) + 1


def landed(network: Network, message: Message) -> list[File]:
    """Note that a message is gone; return the files that were in it, with their references."""
    files, message.files = message.files or [], None
    network.files_in_flight -= len(files)
    in_flight = network.in_flight
    for file in files:
        if isinstance(file, UnixSocket):
            left = in_flight[file] - 1
            if left:
                in_flight[file] = left
            else:
                del in_flight[file]
    return files


def _travelling(socket: UnixSocket) -> Iterator[UnixSocket]:
    """Yield the sockets in the messages that wait in `socket`, and in connections that wait to be accepted there."""
    for message in socket.messages:
        for file in message.files or ():
            if isinstance(file, UnixSocket):
                yield file
    for connection in socket.embryos():
        yield from _travelling(connection)


def collect(network: Network) -> None:
    """Throw away the messages of sockets that nobody can reach any more."""
    in_flight = network.in_flight
    candidates = {socket for socket, count in in_flight.items() if socket.references == count}
    if not candidates:
        return
    # How often each lies in messages of candidates; what is more than that, somebody alive has.
    inside = dict.fromkeys(candidates, 0)
    for socket in candidates:
        for other in _travelling(socket):
            if other in inside:
                inside[other] += 1
    alive = [socket for socket in candidates if inside[socket] < in_flight[socket]]
    while alive:
        socket = alive.pop()
        if socket in candidates:
            candidates.remove(socket)
            alive += [other for other in _travelling(socket) if other in candidates]
    for socket in candidates:
        socket.acquire()  # so that none closes while the others are emptied
    for socket in candidates:
        socket.discard_messages()
        for connection in socket.embryos():
            connection.discard_messages()
    for socket in candidates:
        socket.release()
