"""Sockets without a kernel: a network, and somebody who calls."""

from __future__ import annotations

from types import SimpleNamespace

from lbw.abi.errno import LinuxError
from lbw.abi.socket import AF_UNIX
from lbw.net.families import create_pair, create_socket
from lbw.net.message import Arrival, Control
from lbw.net.network import Network
from lbw.vfs.credentials import Credentials


class Caller:
    """A task, as sockets see it."""

    def __init__(self, pid: int = 7, uid: int = 0) -> None:
        self.process = SimpleNamespace(pid=pid)
        self.credentials = Credentials(uid)
        self.fs = SimpleNamespace(credentials=self.credentials)


class Bell:
    """A waiter that counts how often it is woken."""

    def __init__(self, *queues) -> None:
        self.count = 0
        for queue in queues:
            queue.add(self)

    def wake(self) -> None:
        self.count += 1


class World:
    """A network and its first caller."""

    def __init__(self) -> None:
        self.network = Network()
        self.caller = Caller()

    def pair(self, kind: int):
        first, second = create_pair(self.network, self.caller, AF_UNIX, kind, 0)
        return first.acquire(), second.acquire()

    def socket(self, kind: int):
        return create_socket(self.network, self.caller, AF_UNIX, kind, 0).acquire()

    def send(self, socket, data: bytes, files=(), address: bytes | None = None, flags: int = 0) -> int:
        """Return how many bytes went; -errno when none did."""
        control = None
        if files:
            control = Control()
            control.files = [file.acquire() for file in files]
        try:
            return socket.send(self.caller, [memoryview(data)] if data else [], flags, address, control)
        except LinuxError as error:
            if control is not None:
                control.dispose()
            return -error.errno

    def receive(self, socket, size: int, flags: int = 0) -> tuple[bytes, list]:
        """Return the bytes and the files that came."""
        arrival = Arrival(flags)
        room = bytearray(size)
        socket.receive([memoryview(room)] if size else [], size, arrival)
        return bytes(room[: arrival.copied]), arrival.files or []


def named(name: bytes) -> bytes:
    """Return the sockaddr of an abstract name."""
    return AF_UNIX.to_bytes(2, "little") + b"\0" + name
