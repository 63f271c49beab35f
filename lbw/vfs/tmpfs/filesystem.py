"""tmpfs: a file system in memory, with a limit.

The memory is the machine's: what its files hold are frames, which mappings show (`lbw.mm.shared`). So the limit says
how much of `--memory` a mount may take; the whole machine may run out of memory before, as on Linux.
"""

from __future__ import annotations

from lbw.abi.errno import ENOSPC, LinuxError
from lbw.abi.fs import TMPFS_MAGIC
from lbw.abi.stat import S_IFDIR
from lbw.vfs.inode import FileSystem
from lbw.vfs.tmpfs.inode import TmpInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.frames import Frames

PAGE = 4096
#: Memory of a file system that belongs to no machine, bytes.
_SMALL = 1 << 28
#: More pages than there can be.
_UNLIMITED = 1 << 52

_next_dev = 0x40


class TmpFileSystem(FileSystem):
    """A file system in memory. Content takes at most `size` bytes (0: no limit), files at most `files`."""

    magic = TMPFS_MAGIC

    def __init__(
        self, size: int = 1 << 30, mode: int = 0o1777, dev: int | None = None, type_name: str = "tmpfs",
        files: int = 1_000_000, uid: int = 0, gid: int = 0, frames: Frames | None = None,
    ) -> None:  # fmt: skip
        """Make it empty; `mode`, `uid`, `gid` are those of its root, `dev` is its st_dev (None: a new one).

        `frames`: the machine's memory; None: some of its own, for a file system that programs never map.
        """
        global _next_dev
        if dev is None:
            dev = _next_dev
            _next_dev += 1
        self.dev = dev
        self.type_name = type_name
        self._frames = frames
        self.most_pages = size // PAGE or _UNLIMITED
        self.used_pages = 0
        self.most_files = files
        self.used_files = 0
        self._last_ino = 0
        self.root = TmpInode(self, S_IFDIR | mode, uid, gid)
        self.root.nlink = 2

    @property
    def frames(self) -> Frames:
        """Where the memory of its files comes from."""
        if self._frames is None:
            from lbw.host.memory import Ram
            from lbw.mm.frames import Frames

            self._frames = Frames(Ram(_SMALL))
        return self._frames

    def next_ino(self) -> int:
        """Return a new inode number.  ENOSPC: too many files"""
        if self.used_files >= self.most_files:
            raise LinuxError(ENOSPC)
        self.used_files += 1
        self._last_ino += 1
        return self._last_ino

    def free_pages(self) -> int:
        """Return how many pages may still be taken."""
        return self.most_pages - self.used_pages

    def take_pages(self, count: int) -> None:
        """Account for content.  ENOSPC"""
        if self.used_pages + count > self.most_pages:
            raise LinuxError(ENOSPC)
        self.used_pages += count

    def statfs(self) -> tuple[int, int, int, int, int]:
        """Return the account."""
        if self.most_pages == _UNLIMITED:
            return PAGE, 0, 0, 0, 0
        return PAGE, self.most_pages, self.free_pages(), self.most_files, self.most_files - self.used_files
