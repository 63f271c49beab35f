"""Which of some host descriptors are ready: poll(2), or what a host without it has.

poll and not epoll: registering is a change of a table in this process instead of a system call, which suits one-shot
watches; regular files are simply always ready, where epoll refuses them; a descriptor that was closed meanwhile is
reported instead of silently forgotten. The price, a scan of all watched descriptors per wait, is paid only when lbw is
idle.

Python's poll counts milliseconds. A guest may sleep for 100 us, so the rest of a timeout below one millisecond is
waited with select(2), which counts microseconds.
"""

from __future__ import annotations

import select
import sys
from time import monotonic_ns, sleep

READABLE = 1
WRITABLE = 2

_MILLISECOND = 1_000_000

if sys.platform != "win32":
    from select import POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT

    _READY_TO_READ = POLLIN | POLLHUP | POLLERR | POLLNVAL
    _READY_TO_WRITE = POLLOUT | POLLHUP | POLLERR | POLLNVAL

    class Poller:
        """A set of descriptors with the events wanted of each."""

        __slots__ = ("_poll", "_wanted")

        def __init__(self) -> None:
            self._poll = select.poll()
            self._wanted: dict[int, int] = {}

        def set(self, fd: int, events: int) -> None:
            """Want `events` (READABLE, WRITABLE) of `fd`; 0: nothing any more."""
            if events:
                self._wanted[fd] = events
                self._poll.register(fd, (POLLIN if events & READABLE else 0) | (POLLOUT if events & WRITABLE else 0))
            elif self._wanted.pop(fd, 0):
                self._poll.unregister(fd)

        def wait(self, timeout_ns: int | None) -> list[tuple[int, int]]:
            """Return (fd, events that are ready); an error or hang-up is ready for everything. Empty: time out."""
            if timeout_ns is None:
                found = self._poll.poll()
            elif timeout_ns <= 0:
                found = self._poll.poll(0)
            else:
                deadline = monotonic_ns() + timeout_ns
                found = self._poll.poll(timeout_ns // _MILLISECOND)
                if not found:
                    rest = deadline - monotonic_ns()
                    if rest > 0:
                        self._wait_briefly(rest)
                        found = self._poll.poll(0)
            wanted = self._wanted
            return [(fd, wanted[fd] & _events(got)) for fd, got in found]

        def _wait_briefly(self, timeout_ns: int) -> None:
            """Wait for less than a millisecond."""
            reading = [fd for fd, events in self._wanted.items() if events & READABLE]
            writing = [fd for fd, events in self._wanted.items() if events & WRITABLE]
            try:
                select.select(reading, writing, (), timeout_ns / 1e9)
            except (OSError, ValueError):  # closed meanwhile, or 1024 and above
                sleep(timeout_ns / 1e9)

    def _events(got: int) -> int:
        """Translate POLL* to READABLE and WRITABLE."""
        return (READABLE if got & _READY_TO_READ else 0) | (WRITABLE if got & _READY_TO_WRITE else 0)

else:
    from lbw.host.windows_poller import WindowsPoller as Poller

__all__ = ["READABLE", "WRITABLE", "Poller"]
