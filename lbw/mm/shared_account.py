"""What all shared memory of a machine comes to: Shmem of /proc/meminfo, and the numbers of objects without a name.

On Linux all of it is files of tmpfs: those of its mounts, and of one mount that nobody sees, where memfds, System V
segments and shared anonymous memory have inode numbers.
"""

from __future__ import annotations


class SharedMemoryAccount:
    """The account of a machine; `Frames.shared`."""

    __slots__ = ("closed", "last_number", "pages")

    def __init__(self) -> None:
        self.pages = 0  # frames that are content of shared memory and of tmpfs files; nothing can reclaim them
        self.last_number = 0
        self.closed = False  # the machine is gone: nothing is to be given back any more

    def next_number(self) -> int:
        """Return a new inode number of the mount that nobody sees."""
        self.last_number += 1
        return self.last_number
