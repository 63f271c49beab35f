"""The bytes of a file in memory: shared memory that a file system accounts for, with seals.

Seals.  A memfd can be sealed: from then on nobody can shrink it, grow it, write to it or make it executable, so that
whoever gets it from somebody else can rely on its content.  man 2 fcntl, F_ADD_SEALS. Files of a mounted tmpfs have
F_SEAL_SEAL from the start: nothing can be added.

Times.  A store by a mapping changes the file's times when a page is first written to through one; `stamped` says when,
and the inode looks at it (`TmpInode.settle`). Linux looks at pages only that a mapping did not show before: there a
page that was read first can be written without a trace.
"""

from __future__ import annotations

from lbw.abi.errno import EBUSY, EFBIG, EPERM, LinuxError
from lbw.abi.fcntl import (
    F_SEAL_EXEC,
    F_SEAL_FUTURE_WRITE,
    F_SEAL_GROW,
    F_SEAL_SEAL,
    F_SEAL_SHRINK,
    F_SEAL_WRITE,
)
from lbw.abi.mman import PROT_WRITE
from lbw.cpu.contracts import PAGE
from lbw.mm.shared import SharedMemory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from lbw.vfs.tmpfs.filesystem import TmpFileSystem

LARGEST = (1 << 63) - 1
#: Nobody who opens or maps it from now on can write to it.
UNWRITABLE = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE


class Content(SharedMemory):
    """The bytes of one regular file."""

    __slots__ = ("_fs", "seals", "stamped")
    tracks_writes = True
    fills_ahead = False

    def __init__(self, fs: TmpFileSystem) -> None:
        """Make it empty."""
        super().__init__(fs.frames, 0, fs)
        self._fs = fs
        self.held = True
        self.seals = F_SEAL_SEAL
        self.stamped = 0  # when a mapping wrote to it, ns; 0: not since somebody looked

    def key(self) -> Hashable:
        """Return what changes when the bytes may have changed."""
        if self.is_writable():
            self.version += 1
        return self.version

    def dirtied(self, page: int) -> None:
        """Note that a mapping writes to a page that it has not written to yet."""
        self.version += 1
        self.stamped = self._fs.now()

    def write(self, data: memoryview, offset: int) -> int:
        """Store `data` at `offset`; return how much fitted.  EFBIG, EPERM: sealed, ENOSPC, ENOMEM: nothing did"""
        length = len(data)
        if not length:
            return 0
        if offset + length > LARGEST:
            raise LinuxError(EFBIG)
        if self.seals & (UNWRITABLE | F_SEAL_GROW):
            data = data[: self._writable(offset, length)]
        return super().write(data, offset)

    def _writable(self, offset: int, length: int) -> int:
        """Return how much may be written; a page that would make a sealed file longer is not begun.  EPERM"""
        if self.seals & UNWRITABLE:
            raise LinuxError(EPERM)
        if offset + length > self.size:
            length = (self.size & -PAGE) - offset
            if length <= 0:
                raise LinuxError(EPERM)
        return length

    def truncate(self, size: int) -> None:
        """Set the size.  EPERM: sealed"""
        if (size < self.size and self.seals & F_SEAL_SHRINK) or (size > self.size and self.seals & F_SEAL_GROW):
            raise LinuxError(EPERM)
        super().truncate(size)

    def punch(self, offset: int, length: int) -> None:
        """Make a range a hole (fallocate, MADV_REMOVE).  EPERM: sealed"""
        if self.seals & UNWRITABLE:
            raise LinuxError(EPERM)
        super().punch(offset, length)
        self.stamped = self._fs.now()

    def allocate(self, offset: int, length: int) -> None:
        """Reserve space for a range.  ENOSPC: nothing is reserved; EPERM: sealed"""
        if offset + length > self.size and self.seals & F_SEAL_GROW:
            raise LinuxError(EPERM)
        super().allocate(offset, length)

    def granted(self, shared: bool, prot: int, max_prot: int) -> int:
        """Return what mprotect may grant to a mapping, of `max_prot`.  EPERM: sealed"""
        if not shared or not self.seals & UNWRITABLE:
            return max_prot
        if prot & PROT_WRITE:
            raise LinuxError(EPERM)
        return max_prot & ~PROT_WRITE

    def seal(self, seals: int, executable: bool) -> None:
        """Add seals.  EPERM: none can be added; EBUSY: a mapping could still write to it"""
        if self.seals & F_SEAL_SEAL:
            raise LinuxError(EPERM)
        if seals & F_SEAL_EXEC and executable:  # what can be executed must not be written to
            seals |= F_SEAL_SHRINK | F_SEAL_GROW | UNWRITABLE
        if seals & F_SEAL_WRITE and not self.seals & F_SEAL_WRITE and self.is_writable():
            raise LinuxError(EBUSY)
        self.seals |= seals
