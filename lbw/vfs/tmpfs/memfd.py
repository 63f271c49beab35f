"""Anonymous files in memory, which memfd_create makes: tmpfs inodes without a name.

They live on a file system of their own, one for each kernel, without a limit but the machine's memory. It is mounted
nowhere; a memfd still has a location, with what it is called instead of a path, so that it can be executed, opened once
more through /proc/PID/fd and mapped like every other file.

Seals are `lbw.vfs.tmpfs.content`.
"""

from __future__ import annotations

from lbw.abi.fcntl import F_SEAL_EXEC, F_SEAL_SEAL
from lbw.abi.stat import S_IFREG
from lbw.vfs.location import Location
from lbw.vfs.mount import Mount
from lbw.vfs.tmpfs.file import TmpFile
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
        self.mount = Mount(0, self, None, 0, b"tmpfs")

    def next_ino(self) -> int:
        """Return a new inode number."""
        self.used_files += 1
        return self.frames.shared.next_number()


class MemoryDescription(TmpFile):
    """What memfd_create opens. Unlike other descriptions that can write it does not keep the file from being run."""

    __slots__ = ()

    def __init__(self, inode: TmpInode, flags: int) -> None:
        super().__init__(inode, flags)
        inode.writers -= 1

    def close(self) -> None:
        """Note that one description less is there."""
        self.inode.writers += 1
        super().close()


class MemoryFile(TmpInode):
    """An anonymous file; its name is only for show."""

    __slots__ = ("name",)

    fs: MemoryFileSystem

    def __init__(self, fs: MemoryFileSystem, name: bytes, permissions: int, uid: int, gid: int) -> None:
        super().__init__(fs, S_IFREG | permissions, uid, gid)
        self.name = name

    def allow_seals(self, executable: bool) -> None:
        """Let seals be added; not `executable`: it has no execute permission, and never will."""
        assert self.content is not None
        self.content.seals = self.content.seals & ~F_SEAL_SEAL | (0 if executable else F_SEAL_EXEC)

    def describe(self, flags: int) -> MemoryDescription:
        """Return the first description, which memfd_create gives a descriptor."""
        file = MemoryDescription(self, flags)
        file.location = Location(self.fs.mount, self, None, self.link_text())
        return file

    def is_open_for_writing(self) -> bool:
        """Whether it was opened for writing once more."""
        return self.writers > 0

    def link_text(self) -> bytes:
        """Return what readlink of /proc/PID/fd/N shows."""
        return b"/memfd:%s (deleted)" % self.name
