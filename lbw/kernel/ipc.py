"""The kernel around IPC objects: time, whose call it is, memory."""

from __future__ import annotations

from lbw.ipc.namespace import IpcNamespace

TYPE_CHECKING = False
if TYPE_CHECKING:
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


def make_namespace(kernel: Kernel) -> IpcNamespace:
    """Return the System V objects of a kernel, none so far."""
    return IpcNamespace(KernelSurroundings(kernel))
