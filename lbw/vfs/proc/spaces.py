"""The files of /proc/PID that show the address space as it was when they were opened, by name."""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ESRCH, LinuxError
from lbw.vfs.file import File, gather
from lbw.vfs.proc.inspect import owner_of, require_inspection
from lbw.vfs.proc.maps import maps
from lbw.vfs.proc.memory_file import MemoryFile
from lbw.vfs.proc.numa_maps import numa_maps
from lbw.vfs.proc.pagemap import PageMapFile
from lbw.vfs.proc.records import RecordFile
from lbw.vfs.proc.smaps import smaps, smaps_rollup
from lbw.vfs.pseudo import Governed, PseudoInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.vfs.proc.process import TaskEntry

#: What may be written to clear_refs.
FORGET_ALL, FORGET_ANONYMOUS, FORGET_OF_FILES, FORGET_STORES, FORGET_PEAK = range(1, 6)
#: Files of a task that has no address space any more are empty; the others are refused.
EMPTY = (b"maps", b"smaps", b"numa_maps", b"clear_refs")


class SpaceInode(Governed, PseudoInode):
    """One of them."""

    __slots__ = ("_entry", "_name")

    def __init__(self, entry: TaskEntry, ino: int, permissions: int, name: bytes) -> None:
        super().__init__(entry.fs, ino, permissions)
        self._entry = entry
        self._name = name

    def owner(self) -> tuple[int, int]:
        return owner_of(self._entry.view)

    def truncate(self, size: int) -> None:
        """Accept O_TRUNC without effect."""

    def open(self, flags: int) -> File:
        """ESRCH: there is no address space; EACCES: it is not the caller's to see."""
        entry, name = self._entry, self._name
        if name == b"clear_refs":
            return ClearRefsFile(self, flags)
        require_inspection(entry.source, entry.view)
        memory = entry.view.memory
        if memory is None:
            if name not in EMPTY:
                raise LinuxError(ESRCH)
            return EmptyFile(self, flags)
        return open_space(self, flags, name, memory)

    def memory(self) -> AddressSpace | None:
        """Return the address space of now."""
        return self._entry.view.memory

    def path_of(self) -> TaskEntry:
        """Return the task's entry, which names files."""
        return self._entry


def open_space(inode: SpaceInode, flags: int, name: bytes, memory: AddressSpace) -> File:
    """Return the open file `name` of an address space."""
    if name == b"mem":
        return MemoryFile(inode, flags, memory)
    if name == b"pagemap":
        return PageMapFile(inode, flags, memory)
    path_of = inode.path_of().path_of
    if name == b"smaps_rollup":
        return RecordFile(inode, flags, memory, smaps_rollup)
    make = {b"maps": maps, b"smaps": smaps, b"numa_maps": numa_maps}[name]
    return RecordFile(inode, flags, memory, make(path_of))


class EmptyFile(File):
    """What there is of a task that has ended."""

    __slots__ = ()

    def pread(self, views: list[memoryview], offset: int) -> int:
        """Return 0: the end."""
        return 0


class ClearRefsFile(File):
    """An open clear_refs."""

    __slots__ = ()

    inode: SpaceInode

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        """Forget what was noted about pages.  EINVAL: no number from 1 to 5

        1: that they were accessed, 2: of mappings without a file, 3: with one; 5: the peak of resident pages (VmHWM).
        4, stores (soft-dirty), does nothing, as on a Linux that does not note them.
        """
        data = gather(views)
        try:
            what = int(data.strip())
        except ValueError:
            raise LinuxError(EINVAL) from None
        if not FORGET_ALL <= what <= FORGET_PEAK:
            raise LinuxError(EINVAL)
        memory = self.inode.memory()
        if memory is not None:
            if what == FORGET_PEAK:
                memory.mmu.forget_peak()
            elif what <= FORGET_OF_FILES:
                for vma in memory.vmas:
                    if what == FORGET_ALL or (vma.backing is not None) == (what == FORGET_OF_FILES):
                        memory.mmu.age(vma.start, vma.end)
        return len(data)
