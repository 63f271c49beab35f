"""Anonymous files in memory, which memfd_create makes: tmpfs inodes without a name.

They live on a file system of their own that nobody sees, one for each kernel, without a limit but the machine's memory.
"""

from __future__ import annotations

from lbw.abi.fcntl import F_SEAL_EXEC, F_SEAL_SEAL
from lbw.abi.stat import S_IFREG
from lbw.vfs.tmpfs.content import Content
from lbw.vfs.tmpfs.filesystem import TmpFileSystem
from lbw.vfs.tmpfs.inode import TmpInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.mm.frames import Frames

#: st_dev of what has no path: Linux's first device without a disk.
DEVICE = 1


class MemoryFileSystem(TmpFileSystem):
    """Where memfds live."""

    def __init__(self, frames: Frames, now: Callable[[], int]) -> None:
        super().__init__(0, dev=DEVICE, frames=frames)
        self.now = now

    def next_ino(self) -> int:
        """Return a new inode number."""
        self.used_files += 1
        return self.frames.shared.next_number()


class MemoryFile(TmpInode):
    """An anonymous file; its name is only for show."""

    __slots__ = ("name",)

    def __init__(self, fs: MemoryFileSystem, name: bytes, permissions: int, uid: int, gid: int) -> None:
        super().__init__(fs, S_IFREG | permissions, uid, gid)
        self.name = name
        self.content = Content(fs, self.link_text(), self.ino)

    def allow_seals(self, executable: bool) -> None:
        """Let seals be added; not `executable`: it has no execute permission, and never will."""
        assert self.content is not None
        self.content.seals = self.content.seals & ~F_SEAL_SEAL | (0 if executable else F_SEAL_EXEC)

    def link_text(self) -> bytes:
        """Return what readlink of /proc/PID/fd/N shows."""
        return b"/memfd:%s (deleted)" % self.name
