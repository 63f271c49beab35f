"""Process and thread numbers: handed out in a cycle, so that a number is not used again soon."""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EEXIST, LinuxError

#: One more than the greatest number there can be; kernel.pid_max is this at first, and can be lowered.
PID_MAX = 32768

#: Where the cycle begins again; low numbers belong to what starts first.
RESERVED = 300


class PidAllocator:
    """Numbers of tasks, groups and sessions: one name space."""

    __slots__ = ("_last", "_used", "limit")

    def __init__(self) -> None:
        self.limit = PID_MAX  # kernel.pid_max
        self._last = 0
        self._used: dict[int, int] = {}  # number -> references

    @property
    def last(self) -> int:
        """The number handed out last (for /proc/loadavg)."""
        return self._last

    def allocate(self) -> int:
        """Return a free number, with one reference.  EAGAIN: all are in use"""
        number, limit = self._last, self.limit
        for _ in range(limit):
            number += 1
            if number >= limit:
                number = RESERVED
            if number not in self._used:
                self._last = number
                self._used[number] = 1
                return number
        raise LinuxError(EAGAIN)

    def take(self, number: int) -> None:
        """Hand out just this number; the cycle goes on from where it was.  EEXIST: it is in use"""
        if number in self._used:
            raise LinuxError(EEXIST)
        self._used[number] = 1

    def hold(self, number: int) -> None:
        """Add a reference: a group or session bears the number."""
        self._used[number] = self._used.get(number, 0) + 1

    def release(self, number: int) -> None:
        """Drop a reference; the last one frees the number."""
        left = self._used[number] - 1
        if left:
            self._used[number] = left
        else:
            del self._used[number]

    def used(self, number: int) -> bool:
        """Whether a task, a group or a session bears the number."""
        return number in self._used
