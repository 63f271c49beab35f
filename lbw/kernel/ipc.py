"""The kernel around IPC objects: time, whose call it is, memory."""

from __future__ import annotations

from lbw.abi.resource import RLIM_INFINITY, RLIMIT_MSGQUEUE
from lbw.vfs.credentials import Credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.ipc.mqueue_fs import QueueFileSystem
    from lbw.ipc.namespace import IpcNamespace
    from lbw.kernel.kernel import Kernel
    from lbw.mm.frames import Frames

SECOND = 1_000_000_000


class KernelSurroundings:
    """What `lbw.ipc` asks the kernel."""

    __slots__ = ("_kernel",)

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    @property
    def frames(self) -> Frames:
        """Where memory comes from."""
        return self._kernel.frames

    def now(self) -> int:
        """Return seconds since the epoch."""
        return self._kernel.clock.realtime() // SECOND

    def pid(self) -> int:
        """Return the process that makes the call under way, 0 when it is nobody's."""
        task = self._kernel.current
        return task.process.pid if task is not None else 0

    def caller(self) -> tuple[Credentials, int]:
        """Return who makes the call, and its RLIMIT_MSGQUEUE."""
        task = self._kernel.current
        if task is None:
            return Credentials(), RLIM_INFINITY
        return task.credentials, task.process.limits.soft(RLIMIT_MSGQUEUE)


def make_namespace(kernel: Kernel) -> IpcNamespace:
    """Return the System V objects of a kernel, none so far."""
    from lbw.ipc.namespace import IpcNamespace

    return IpcNamespace(KernelSurroundings(kernel))


def make_queues(kernel: Kernel) -> QueueFileSystem:
    """Return the file system of POSIX message queues, empty."""
    from lbw.ipc.mqueue_fs import QueueFileSystem

    return QueueFileSystem(KernelSurroundings(kernel))
