"""Everything IPC that a machine has in common: Linux's struct ipc_namespace, of which there is one.

The kernel above says what time it is and who is asking (`Surroundings`).
"""

from __future__ import annotations

from lbw.ipc.budget import MemoryBudget
from lbw.ipc.msg import MessageQueues
from lbw.ipc.sem import SemaphoreSets
from lbw.ipc.shm import Segments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from lbw.mm.frames import Frames
    from lbw.vfs.credentials import Credentials

    class Surroundings(Protocol):
        """What the objects need of the kernel."""

        @property
        def frames(self) -> Frames:
            """Where memory comes from."""

        def now(self) -> int:
            """Return seconds since the epoch."""

        def pid(self) -> int:
            """Return the process that makes the call under way."""

        def caller(self) -> tuple[Credentials, int]:
            """Return who that is, and its RLIMIT_MSGQUEUE."""


class IpcNamespace:
    """The System V objects of a machine."""

    __slots__ = ("messages", "segments", "semaphores")

    def __init__(self, around: Surroundings) -> None:
        budget = MemoryBudget(around.frames)
        self.segments = Segments(around)
        self.semaphores = SemaphoreSets(around, budget)
        self.messages = MessageQueues(around, budget)

    def close(self) -> None:
        """Give the memory of segments back; no guest runs any more."""
        for segment in list(self.segments.values()):
            segment.remove()
