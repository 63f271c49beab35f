"""What the kernel's idle loop waits on: host descriptors, host signals, and wake-ups from other threads.

Everything ends in a callback that runs on the kernel's own thread, inside `wait` or `poll`: nothing above this file
needs a lock.

Host signals. Python runs its signal handlers between two bytecodes of the main thread, so not while guest code runs in
native code. The C half of Python's handler, however, writes the number to the wake-up descriptor at once. A small
thread reads it, notes the signal, raises `attention` and calls `interrupt`, which makes the processor trap. The thread
starts with the first `on_signal`.

Rejected: polling the wake-up descriptor in `wait` alone (a guest that computes would never notice SIGTERM); a signalfd
(Linux only).
"""

from __future__ import annotations

import os
import signal
import sys
from _thread import allocate_lock, start_new_thread
from collections import deque

from lbw.host.poller import READABLE, WRITABLE, Poller
from lbw.host.ticker import Ticker

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import FrameType

__all__ = ["READABLE", "WRITABLE", "HostEvents", "Ticker"]


class HostEvents:
    """Watches of the kernel. All methods but `wake` belong to the kernel's thread."""

    def __init__(self) -> None:
        #: True when a signal or a wake-up has arrived since the last `wait` or `poll`. May be tested at any time.
        self.attention = False
        #: Makes running guest code trap soon; called on another thread when a signal arrives. The kernel sets it.
        self.interrupt: Callable[[], object] = _nothing
        self._channel = Channel()
        self._poller = Poller()
        self._poller.set(self._channel.reading, READABLE)
        self._waiting = False
        self._next = 1
        self._tokens: dict[int, tuple[int, int, Callable[[], object]]] = {}  # token -> (fd, events, callback)
        self._by_fd: dict[int, list[int]] = {}
        self._signals: SignalPipe | None = None
        self._closed = False

    # Descriptors

    @property
    def pending(self) -> bool:
        """Whether a descriptor is watched."""
        return bool(self._tokens)

    def watch(self, fd: int, events: int, callback: Callable[[], object]) -> int:
        """Call `callback()` once when host descriptor `fd` is READABLE or WRITABLE (or broken); return the token.

        What a host cannot watch (regular files) is ready at once.
        """
        token = self._next
        self._next = token + 1
        self._tokens[token] = (fd, events, callback)
        self._by_fd.setdefault(fd, []).append(token)
        self._refresh(fd)
        return token

    def unwatch(self, token: int) -> None:
        """Forget a watch; harmless when it has fired."""
        entry = self._tokens.pop(token, None)
        if entry is not None:
            fd = entry[0]
            tokens = self._by_fd[fd]
            tokens.remove(token)
            if not tokens:
                del self._by_fd[fd]
            self._refresh(fd)

    def _refresh(self, fd: int) -> None:
        """Tell the poller what is wanted of `fd` now."""
        wanted = 0
        for token in self._by_fd.get(fd, ()):
            wanted |= self._tokens[token][1]
        self._poller.set(fd, wanted)

    # Waiting

    def wait(self, timeout_ns: int | None) -> None:
        """Sleep until a descriptor is ready, a signal came, `wake` was called or time is over; run the callbacks."""
        self._turn(timeout_ns)

    def poll(self) -> bool:
        """Run the callbacks of what is ready now; True: some ran."""
        if not self._tokens and not self.attention:
            return False
        return self._turn(0)

    def wake(self) -> None:
        """Make `wait` return. Safe from any thread; the kernel's own next `wait` then returns at once."""
        self.attention = True
        if self._waiting:
            self._channel.send()

    def _turn(self, timeout_ns: int | None) -> bool:
        self._waiting = True  # from here on, wake() writes to the channel
        try:
            found = self._poller.wait(0 if self.attention else timeout_ns)
        finally:
            self._waiting = False
        self.attention = False
        ran = self._signals is not None and self._signals.deliver()
        channel = self._channel.reading
        due: list[int] = []
        for fd, ready in found:
            if fd == channel:
                self._channel.drain()
            else:
                due += [token for token in self._by_fd[fd] if self._tokens[token][1] & ready]
        for token in due:
            entry = self._tokens.get(token)
            if entry is not None:  # an earlier callback may have removed it
                self.unwatch(token)
                entry[2]()
                ran = True
        return ran

    # Host signals

    def on_signal(self, name: str, callback: Callable[[], object]) -> bool:
        """Call `callback()` inside `wait` or `poll` after host signal `name` ("WINCH", "TERM", ...) arrived.

        False: the host has no such signal, or this is not Python's main thread, which alone may handle signals.
        """
        number = getattr(signal, "SIG" + name, None)
        if number is None:
            return False
        if self._signals is None:
            self._signals = SignalPipe(self._arrived)
        return self._signals.catch(int(number), callback)

    def _arrived(self) -> None:
        """A signal was noted; on the signal thread."""
        self.wake()
        self.interrupt()

    def close(self) -> None:
        """Give signals back to who had them, and close everything."""
        if not self._closed:
            self._closed = True
            if self._signals is not None:
                self._signals.close()
            self._tokens.clear()
            self._by_fd.clear()
            self._channel.close()


class SignalPipe:
    """Notes host signals on a thread of its own, also while native code runs."""

    def __init__(self, arrived: Callable[[], object]) -> None:
        self._arrived = arrived
        self._channel = Channel()
        self._noted: deque[int] = deque()
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._previous: dict[int, signal.Handlers | Callable[[int, FrameType | None], object] | int | None] = {}
        self._previous_fd: int | None = None
        self._running = allocate_lock()  # held while the thread lives

    def catch(self, number: int, callback: Callable[[], object]) -> bool:
        """Call `callback` from `deliver` when signal `number` has arrived. False: not on the main thread."""
        if number not in self._callbacks:
            try:
                if self._previous_fd is None:
                    previous = signal.set_wakeup_fd(self._channel.writing, warn_on_full_buffer=False)
                    self._previous_fd = previous
                    self._running.acquire()
                    start_new_thread(self._run, ())
                self._previous[number] = signal.signal(number, _note_nothing)
            except ValueError:
                return False
        self._callbacks[number] = callback
        return True

    def _run(self) -> None:
        while True:
            numbers = self._channel.receive()
            if not numbers:
                self._channel.close_reading()
                self._running.release()
                return
            self._noted.extend(numbers)
            self._arrived()

    def deliver(self) -> bool:
        """Call the callbacks of noted signals; True: there were some."""
        noted = self._noted
        delivered = False
        while noted:
            callback = self._callbacks.get(noted.popleft())
            if callback is not None:
                callback()
                delivered = True
        return delivered

    def close(self) -> None:
        """Restore the previous handlers."""
        for number, handler in self._previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._callbacks.clear()
        if self._previous_fd is None:
            self._channel.close()
        else:
            signal.set_wakeup_fd(self._previous_fd)
            self._channel.close_writing()  # the thread sees the end and closes the other side
            self._running.acquire(timeout=1)


class Channel:
    """A pipe of which neither end is inherited; a pair of sockets on Windows, where pipes cannot be polled."""

    __slots__ = ("_sockets", "reading", "writing")

    def __init__(self) -> None:
        self._sockets: tuple[socket.socket, socket.socket] | None = None
        if sys.platform == "win32":
            from socket import socketpair

            self._sockets = socketpair()
            self._sockets[1].setblocking(False)
            self.reading, self.writing = (end.fileno() for end in self._sockets)
        else:
            self.reading, self.writing = os.pipe()
            os.set_blocking(self.writing, False)

    def send(self) -> None:
        """Make the reading end readable."""
        try:
            if self._sockets is not None:
                self._sockets[1].send(b"\0")
            else:
                os.write(self.writing, b"\0")
        except OSError:
            pass  # full: it is readable already; closed: nobody waits

    def receive(self) -> bytes:
        """Wait for bytes; empty: the writing end is closed."""
        try:
            return self._sockets[0].recv(4096) if self._sockets is not None else os.read(self.reading, 4096)
        except OSError:
            return b""

    def drain(self) -> None:
        """Take what is there; only when readable."""
        self.receive()

    def close_reading(self) -> None:
        """Close the reading end."""
        if self._sockets is not None:
            self._sockets[0].close()
        else:
            os.close(self.reading)

    def close_writing(self) -> None:
        """Close the writing end."""
        if self._sockets is not None:
            self._sockets[1].close()
        else:
            os.close(self.writing)

    def close(self) -> None:
        """Close both ends."""
        self.close_reading()
        self.close_writing()


def _nothing() -> None:
    """The interrupt of a kernel that runs no native code."""


def _note_nothing(number: int, frame: FrameType | None) -> None:
    """Exist, so that the C half of the handler writes to the wake-up descriptor."""
