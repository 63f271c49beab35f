"""/proc/PID/map_files: a link to each mapped file, named by its addresses.  man 5 proc

The links lead to the file itself, whatever its path is now, so to follow one takes a privilege.
"""

from __future__ import annotations

from lbw.abi.capability import CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN
from lbw.abi.errno import ENOENT, EPERM, LinuxError
from lbw.abi.mman import PROT_WRITE
from lbw.abi.stat import S_IFLNK, S_IRUSR, S_IWUSR
from lbw.vfs.inode import Inode
from lbw.vfs.location import Location
from lbw.vfs.proc.inspect import require_inspection
from lbw.vfs.proc.maps import Naming
from lbw.vfs.proc.task_entries import TaskDirectory, TaskLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.vma import Vma
    from lbw.vfs.proc.process import TaskEntry

#: Inode numbers of the links, above the base of the task's directory; mappings far apart may share them.
INO, ROOM = 0x7000, 0xF00


class MapLink(TaskLink):
    """A link to a mapped file."""

    __slots__ = ("_vma",)

    def __init__(self, entry: TaskEntry, vma: Vma) -> None:
        writable = vma.shared and vma.max_prot & PROT_WRITE
        super().__init__(entry, _ino(entry, vma), S_IRUSR | (S_IWUSR if writable else 0))
        self._vma = vma

    def readlink(self) -> bytes:
        memory = _memory(self._entry)
        origin = Naming(memory, self._entry.path_of).file(self._vma)
        return origin[2] if origin is not None else b""

    def magic_link(self) -> Location:
        """EPERM: no privilege; ENOENT: a file without a place."""
        _memory(self._entry)
        caller = self._entry.source.current
        if caller is not None and not any(
            caller.credentials.capable(capability) for capability in (CAP_SYS_ADMIN, CAP_CHECKPOINT_RESTORE)
        ):
            raise LinuxError(EPERM)
        location = self._vma.location
        if not isinstance(location, Location):
            raise LinuxError(ENOENT)
        return location


class MapFilesDirectory(TaskDirectory):
    """/proc/PID/map_files."""

    __slots__ = ()

    def lookup(self, name: bytes) -> Inode:
        first, _, last = name.partition(b"-")
        try:
            start, end = int(first, 16), int(last, 16)
        except ValueError:
            raise LinuxError(ENOENT) from None
        memory = _memory(self._entry)
        vma = memory.vmas.find(start)
        if vma is None or (vma.start, vma.end) != (start, end) or b"%x-%x" % (start, end) != name:
            raise LinuxError(ENOENT)
        if Naming(memory, self._entry.path_of).file(vma) is None:
            raise LinuxError(ENOENT)
        return MapLink(self._entry, vma)

    def revalidate(self, name: bytes, known: Inode) -> Inode:
        return self.lookup(name)

    def entries(self) -> list[tuple[bytes, int, int]]:
        memory = self._entry.view.memory
        if memory is None:
            return []
        require_inspection(self._entry.source, self._entry.view)
        names = Naming(memory, self._entry.path_of)
        mapped = [vma for vma in memory.vmas if names.file(vma) is not None]
        return [(b"%x-%x" % (vma.start, vma.end), _ino(self._entry, vma), S_IFLNK) for vma in mapped]


def _memory(entry: TaskEntry) -> AddressSpace:
    require_inspection(entry.source, entry.view)
    memory = entry.view.memory
    if memory is None:
        raise LinuxError(ENOENT)
    return memory


def _ino(entry: TaskEntry, vma: Vma) -> int:
    return entry.ino + INO + (vma.start >> 12) % ROOM
