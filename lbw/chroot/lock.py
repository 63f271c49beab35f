"""A lock between processes of one user: a file that exists while it is held.

Portable on purpose: `os.open` with O_EXCL, no fcntl, no msvcrt.  A holder that died leaves its file behind, so the file
names the process, and a thread touches it every few seconds while the lock is held.  A lock is stale when its process
is of this machine and gone; where processes cannot be asked, when it has not been touched for long.  Windows is such a
place: os.kill with signal 0 ends the process there.

Nothing on the fast path takes this lock.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from pathlib import Path
from types import TracebackType

BEAT = 5.0
"""Seconds between two touches of a held lock."""

SILENCE = 60.0
"""Seconds without a touch after which a lock whose process cannot be asked counts as stale."""


class FileLock:
    """A context manager that holds the lock file `path`, waiting for others first.

    `taken_over` tells, inside, whether a dead process had left the lock behind.
    """

    def __init__(self, path: Path, poll: float = 0.2) -> None:
        self.path = path
        self.taken_over = False
        self._poll = poll
        self._content = b""
        self._released = threading.Event()

    def __enter__(self) -> FileLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while not self.try_acquire():
            time.sleep(self._poll)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()

    def try_acquire(self) -> bool:
        """Take the lock if it is free or stale; tell whether it was taken."""
        content = f"{os.getpid()} {_machine()} {time.time_ns()}\n".encode()
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            self._break_stale()
            return False
        with open(descriptor, "wb") as file:
            file.write(content)
        self._content = content
        self._released.clear()
        threading.Thread(target=self._beat, name="lbw-lock", daemon=True).start()
        return True

    def release(self) -> None:
        """Give the lock back."""
        self._released.set()
        if self._read() == self._content:
            self.path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._released.wait(BEAT):
            try:
                os.utime(self.path)
            except OSError:
                return

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError:
            return b""

    def _break_stale(self) -> None:
        seen = self._read()
        if not self._is_stale(seen):
            return
        aside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            os.rename(self.path, aside)
        except OSError:  # somebody else was faster
            return
        if aside.read_bytes() != seen and not self.path.exists():
            os.rename(aside, self.path)  # that was a new holder's: put it back
            return
        aside.unlink(missing_ok=True)
        self.taken_over = True

    def _is_stale(self, content: bytes) -> bool:
        try:
            silent = time.time() - self.path.stat().st_mtime > SILENCE
        except OSError:
            return False
        words = content.decode("utf-8", "replace").split()
        if os.name != "posix" or len(words) < 2 or words[1] != _machine() or not words[0].isdecimal():
            return silent
        try:
            os.kill(int(words[0]), 0)
        except ProcessLookupError:
            return True
        except OSError:  # it exists and belongs to someone else
            return False
        return False


def _machine() -> str:
    return platform.node().replace(" ", "-") or "-"
