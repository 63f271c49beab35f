"""Which descriptors are ready, on Windows, where select knows sockets only.

Sockets go to select. A console is asked how many input events wait, a pipe how many bytes; both cannot be waited for
together with sockets, so lbw looks at them every few milliseconds. Everything else (files, NUL) is always ready.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import ctypes
    import msvcrt
    import select
    from ctypes import wintypes
    from time import monotonic_ns

    from lbw.host.poller import READABLE, WRITABLE

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _FILE_TYPE_CHAR, _FILE_TYPE_PIPE = 2, 3
    _INTERVAL = 0.005  # seconds between looks at consoles and pipes

    class WindowsPoller:
        """A set of descriptors with the events wanted of each."""

        __slots__ = ("_sockets", "_wanted")

        def __init__(self) -> None:
            self._wanted: dict[int, int] = {}
            self._sockets: set[int] = set()

        def set(self, fd: int, events: int) -> None:
            """Want `events` of `fd` (a C descriptor or a socket handle); 0: nothing any more."""
            if events:
                self._wanted[fd] = events
                if _is_socket(fd):
                    self._sockets.add(fd)
            else:
                self._wanted.pop(fd, None)
                self._sockets.discard(fd)

        def wait(self, timeout_ns: int | None) -> list[tuple[int, int]]:
            """Return (fd, events that are ready). Empty: time out."""
            deadline = None if timeout_ns is None else monotonic_ns() + timeout_ns
            reading = [fd for fd in self._sockets if self._wanted[fd] & READABLE]
            writing = [fd for fd in self._sockets if self._wanted[fd] & WRITABLE]
            while True:
                found = [
                    (fd, ready)
                    for fd, events in self._wanted.items()
                    if fd not in self._sockets and (ready := events & _readiness(fd))
                ]
                rest = None if deadline is None else max(0.0, (deadline - monotonic_ns()) / 1e9)
                pause = 0.0 if found else rest
                if len(self._sockets) < len(self._wanted):
                    pause = _INTERVAL if pause is None else min(pause, _INTERVAL)
                can_read, can_write, _ = select.select(reading, writing, reading + writing, pause)
                found += [(fd, READABLE) for fd in can_read] + [(fd, WRITABLE) for fd in can_write]
                if found or (rest is not None and rest <= 0.0):
                    return found

    def _is_socket(fd: int) -> bool:
        """Whether select takes it."""
        try:
            select.select([fd], [], [], 0)
        except (OSError, ValueError):
            return False
        return True

    def _readiness(fd: int) -> int:
        """Return the events that hold for something that is not a socket."""
        try:
            handle = msvcrt.get_osfhandle(fd)
        except OSError:
            return READABLE | WRITABLE
        kind = _kernel32.GetFileType(wintypes.HANDLE(handle))
        if kind == _FILE_TYPE_PIPE:
            available = wintypes.DWORD()
            held = _kernel32.PeekNamedPipe(wintypes.HANDLE(handle), None, 0, None, ctypes.byref(available), None)
            return WRITABLE | (READABLE if not held or available.value else 0)
        if kind == _FILE_TYPE_CHAR:
            count = wintypes.DWORD()
            if _kernel32.GetNumberOfConsoleInputEvents(wintypes.HANDLE(handle), ctypes.byref(count)):
                return WRITABLE | (READABLE if count.value else 0)
        return READABLE | WRITABLE
