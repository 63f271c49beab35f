"""FIFOs: pipes that have a name in some file system.  man 7 fifo

A FIFO's pipe exists while somebody has it open. Inode objects come and go with look-ups, so pipes are found by file
system and inode number.
"""

from __future__ import annotations

from lbw.vfs.pipe import PipeEnd, open_end
from lbw.vfs.pipe_queue import Pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.inode import FileSystem, Inode
    from lbw.vfs.pipe_budget import PipeBudget

#: The pipes of all FIFOs that are open, by file system and inode number.
_open_pipes: dict[tuple[FileSystem, int], Pipe] = {}


class FifoPipe(Pipe):
    """A pipe that is forgotten when its last end closes."""

    __slots__ = ("_key",)

    def __init__(self, key: tuple[FileSystem, int], budget: PipeBudget | None) -> None:
        super().__init__(budget)
        self._key = key

    def detach(self, access: int) -> None:
        super().detach(access)
        if not self.readers and not self.writers:
            _open_pipes.pop(self._key, None)


def open_fifo(inode: Inode, flags: int, budget: PipeBudget | None = None) -> PipeEnd:
    """Return an open end of the FIFO `inode`, a pipe on the account `budget`.

    ENXIO: O_WRONLY | O_NONBLOCK without a reader

    Never waits; see `lbw.vfs.pipe.open_end` for the `opening` attribute of the result, which tells open(2) to.
    """
    key = (inode.fs, inode.stat().ino)
    pipe = _open_pipes.get(key)
    if pipe is None:
        pipe = FifoPipe(key, budget)
        end = open_end(inode, pipe, flags)
        _open_pipes[key] = pipe
        return end
    return open_end(inode, pipe, flags)
