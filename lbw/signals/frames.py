"""Signal frames by ABI: one object for each, in a file of its own."""

from __future__ import annotations

from lbw.signals.frames_i386 import FramesI386
from lbw.signals.frames_x86_64 import FramesX86_64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from lbw.cpu.contracts import Context
    from lbw.signals.actions import Action
    from lbw.signals.siginfo import SigInfo
    from lbw.signals.task_signals import TaskSignals

    #: Load a segment register, by its number, with a selector, or with none if that cannot be loaded.
    Selectors = Callable[[int, int], None]

    class FrameMemory(Protocol):
        """What frames need of guest memory; both raise LinuxError(EFAULT)."""

        def read(self, address: int, length: int) -> bytes:
            """Return `length` bytes."""

        def write(self, address: int, data: bytes) -> None:
            """Store `data`."""

    class SignalFrames(Protocol):
        """How an ABI enters and leaves signal handlers."""

        def build(
            self, context: Context, memory: FrameMemory, signals: TaskSignals, action: Action, info: SigInfo
        ) -> None:
            """Push a frame and enter the handler.  LinuxError(EFAULT)"""

        def read(self, context: Context, memory: FrameMemory) -> tuple[int, tuple[int, ...]]:
            """Return the mask and the words of the frame that the stack pointer leads to.  LinuxError(EFAULT)"""

        def restore(
            self, context: Context, memory: FrameMemory, signals: TaskSignals, words: tuple[int, ...],
            selectors: Selectors,
        ) -> None:  # fmt: skip
            """Let the task go on as the frame says.  LinuxError(EFAULT); BadSegment"""


#: By `Abi.name`.
FRAMES: dict[str, SignalFrames] = {"x86_64": FramesX86_64(), "i386": FramesI386()}
