"""What IPC objects may take of the host's memory: semaphores and messages lie outside of the guest's.

The limits of Linux alone (32000 queues of 16 kB, a thousand million semaphores) would let a guest take all that the
host has. So there is one more: a share of the guest's memory. Beyond it calls fail with ENOMEM, as on a Linux that is
out of memory.
"""

from __future__ import annotations

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.cpu.contracts import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.frames import Frames

#: Bytes of a message beside its text.
MESSAGE = 128
#: Bytes of a semaphore.
SEMAPHORE = 8
_SHARE = 16


class MemoryBudget:
    """An account, in bytes."""

    __slots__ = ("_limit", "used")

    def __init__(self, frames: Frames) -> None:
        """Allow a share of what `frames` has."""
        self._limit = frames.limit * PAGE // _SHARE
        self.used = 0

    def charge(self, size: int) -> None:
        """Account for `size` bytes.  ENOMEM"""
        if self.used + size > self._limit:
            raise LinuxError(ENOMEM)
        self.used += size

    def release(self, size: int) -> None:
        """Give `size` bytes back."""
        self.used -= size
