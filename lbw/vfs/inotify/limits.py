"""How much of inotify one user may have: /proc/sys/fs/inotify."""

from __future__ import annotations


class InotifyLimits:
    """The limits of a machine."""

    __slots__ = ("instances", "queued_events", "watches")

    def __init__(self) -> None:
        self.queued_events = 16384  # that wait in one instance; it keeps the limit it began with
        self.instances = 128
        self.watches = 65536
