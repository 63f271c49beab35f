"""What links and directories of a task have in common, in fd, fdinfo and map_files of /proc/PID."""

from __future__ import annotations

from lbw.abi.stat import S_IFLNK
from lbw.vfs.inode import Stat
from lbw.vfs.proc.inspect import owner_of
from lbw.vfs.pseudo import Governed, PseudoDirectory, PseudoInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.proc.process import TaskEntry


class TaskLink(Governed, PseudoInode):
    """A link of a task that leads straight to a file."""

    __slots__ = ("_entry",)
    type = S_IFLNK

    def __init__(self, entry: TaskEntry, ino: int, permissions: int) -> None:
        super().__init__(entry.fs, ino, permissions)
        self._entry = entry

    def owner(self) -> tuple[int, int]:
        return owner_of(self._entry.view)

    def stat(self) -> Stat:
        stat = super().stat()
        stat.size = 64
        return stat


class TaskDirectory(Governed, PseudoDirectory):
    """A directory of a task without directories in it."""

    __slots__ = ("_entry",)

    def __init__(self, entry: TaskEntry, ino: int, permissions: int) -> None:
        super().__init__(entry.fs, ino, permissions)
        self._entry = entry

    def owner(self) -> tuple[int, int]:
        return owner_of(self._entry.view)

    def link_count(self) -> int:
        return 2
