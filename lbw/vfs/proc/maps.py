"""The mappings of a task, one in a line: /proc/PID/maps.  man 5 proc; Linux show_map_vma

A mapping is named by its file, as the reader's root sees it; by its object, if that is shared memory without a path;
by what the kernel has put there ([vdso]); or by where it lies: [heap] is what begins below the break and ends above
where the heap began, [stack] what contains the address at which the stack began.
"""

from __future__ import annotations

from lbw.abi.mman import PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.mm.shared import SharedMemory
from lbw.vfs.location import Location
from lbw.vfs.proc.records import mappings_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lbw.mm.address_space import AddressSpace
    from lbw.mm.vma import Vma
    from lbw.vfs.proc.records import Producer

    #: (device, inode number, name)
    Origin = tuple[int, int, bytes]

#: Column of the name in a line.
NAME_COLUMN = 73


class Naming:
    """What mappings of an address space are called. Files are looked at once."""

    __slots__ = ("_known", "_memory", "_path_of")

    def __init__(self, memory: AddressSpace, path_of: Callable[[Location], bytes]) -> None:
        self._memory = memory
        self._path_of = path_of
        self._known: dict[Location, Origin] = {}

    def file(self, vma: Vma) -> Origin | None:
        """Return device, inode number and path of what is mapped; None: it is no file, not even one without a name."""
        location = vma.location
        if isinstance(location, Location):
            known = self._known.get(location)
            if known is None:
                stat = location.inode.stat()
                known = self._known[location] = stat.dev, stat.ino, self._path_of(location)
            return known
        backing = vma.backing
        if isinstance(backing, SharedMemory):
            return backing.device, backing.number, backing.name
        return None

    def place(self, vma: Vma) -> bytes:
        """Return the name of a mapping of no file, empty: it has none."""
        memory = self._memory
        if vma.backing is None:
            if vma.start < memory.brk_end and vma.end > memory.start_brk:
                return b"[heap]"
            if vma.start <= memory.start_stack <= vma.end:
                return b"[stack]"
        return vma.name

    def line(self, vma: Vma) -> bytes:
        """Return the line of /proc/PID/maps."""
        prot = vma.prot
        device, ino, name = self.file(vma) or (0, 0, None)
        line = b"%08x-%08x %c%c%c%c %08x %02x:%02x %d " % (
            vma.start,
            vma.end,
            b"r" if prot & PROT_READ else b"-",
            b"w" if prot & PROT_WRITE else b"-",
            b"x" if prot & PROT_EXEC else b"-",
            b"s" if vma.shared else b"p",
            vma.offset if name is not None else 0,
            device >> 8 & 0xFFF,
            device & 0xFF | device >> 12 & 0xFFF00,
            ino,
        )
        name = self.place(vma) if name is None else name.replace(b"\n", b"\\012")
        return (line.ljust(NAME_COLUMN) + name if name else line) + b"\n"


def mappings(memory: AddressSpace, path_of: Callable[[Location], bytes]) -> bytes:
    """Return one line per mapping of an address space; `path_of` names mapped files."""
    return b"".join([text for text, _ in maps(path_of)(memory, 0)])


def maps(path_of: Callable[[Location], bytes]) -> Producer:
    """Return what makes the lines."""

    def produce(memory: AddressSpace, address: int) -> Iterator[tuple[bytes, int]]:
        line = Naming(memory, path_of).line
        for vma in mappings_from(memory, address):
            yield line(vma), vma.end

    return produce
