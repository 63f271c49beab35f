"""Memory of a core file: which mappings it has, how much of each, and writing that without reading holes.

As Linux chooses: all of anonymous memory that was touched, all of a private file mapping that was written to, the
first page of other mapped programs and libraries (debuggers find the build id there), and what
/proc/PID/coredump_filter adds or takes away. Pages that never were are holes of the core file. Text is dumped as the
file has it, never with patches, for what is shown of a patched page is its original (`Mmu.present`).
"""

from __future__ import annotations

from lbw.abi.errno import EFBIG, EIO, LinuxError
from lbw.cpu.contracts import PAGE
from lbw.vfs.location import Location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.mm.address_space import AddressSpace
    from lbw.mm.vma import Vma
    from lbw.vfs.file import File

#: Bits of coredump_filter.
ANON_PRIVATE, ANON_SHARED, MAPPED_PRIVATE, MAPPED_SHARED, ELF_HEADERS = (1 << bit for bit in range(5))

#: Mappings of the kernel's own: code for programs, which is always dumped, and its data, which never is.
_ALWAYS, _NEVER = (b"[vdso]",), (b"[vvar]",)
_ELF = b"\x7fELF"
#: So many pages are written at once, and looked for at once.
_BATCH, _RUN = 256, 4096


class Extent:
    """A mapping and how many of its bytes the core file has."""

    __slots__ = ("held", "vma")

    def __init__(self, vma: Vma, held: int) -> None:
        self.vma = vma
        self.held = held


def extents(memory: AddressSpace, wanted: int) -> list[Extent]:
    """Return all mappings; `wanted` is the coredump_filter."""
    return [Extent(vma, _held(memory, vma, wanted)) for vma in memory.vmas]


def _held(memory: AddressSpace, vma: Vma, wanted: int) -> int:
    whole = vma.end - vma.start
    if vma.name in _ALWAYS:
        return whole
    if vma.dont_dump or vma.name in _NEVER:
        return 0
    location = vma.location
    mapped = location if isinstance(location, Location) else None
    if vma.shared:
        anonymous = mapped is None or not mapped.inode.stat().nlink
        return whole if wanted & (ANON_SHARED if anonymous else MAPPED_SHARED) else 0
    if wanted & ANON_PRIVATE and any(private for _, _, private in memory.mmu.present(vma.start, vma.end)):
        return whole
    if vma.backing is None:
        return 0
    if wanted & MAPPED_PRIVATE:
        return whole
    if wanted & ELF_HEADERS and not vma.offset:
        if mapped is not None and mapped.inode.stat().mode & 0o111:
            return PAGE
        page = _file_page(memory, vma, vma.start)
        if page is not None and bytes(page[:4]) == _ELF:
            return PAGE
    return 0


def pages(memory: AddressSpace, extent: Extent) -> Iterator[tuple[int, memoryview]]:
    """Yield (address, bytes) of the pages that are to be written, in ascending order."""
    vma = extent.vma
    start, end = vma.start, vma.start + extent.held
    backing = vma.backing
    if backing is None:
        for address, page, _ in memory.mmu.present(start, end):
            yield address, page
    elif vma.shared:  # whoever has made the page
        view = memory.frames.view
        for first in range(start, end, _RUN * PAGE):
            count = min(_RUN, (end - first) // PAGE)
            for index, frame in enumerate(backing.cached_run(vma.offset + first - vma.start >> 12, count)):
                if frame:
                    yield first + index * PAGE, view[frame : frame + PAGE]
    else:
        here = {address: page for address, page, _ in memory.mmu.present(start, end)}
        for address in range(start, end, PAGE):
            found = here.get(address) or _file_page(memory, vma, address)
            if found is not None:
                yield address, found


def _file_page(memory: AddressSpace, vma: Vma, address: int) -> memoryview | None:
    """Return the page of the file at `address`; None: the file ends before."""
    backing = vma.backing
    assert backing is not None
    number = vma.offset + address - vma.start >> 12
    try:
        frame = backing.frame(number)
    except LinuxError:
        return None
    return memory.frames.view[frame : frame + PAGE] if frame else None


class CoreWriter:
    """Writes a core file from its beginning to its end, up to limits."""

    def __init__(self, file: File, limit: int, largest: int) -> None:
        """`limit`: how many bytes may be written (RLIMIT_CORE), `largest`: how large a file may be (RLIMIT_FSIZE)."""
        self.position = 0
        self._file = file
        self._left = limit
        self._largest = largest

    def write(self, views: list[memoryview]) -> None:
        """Append `views`, of which none is written in part.  EFBIG: a limit is reached; ENOSPC and the like"""
        for first in range(0, len(views), _BATCH):
            batch, full = views[first : first + _BATCH], False
            size = sum(map(len, batch))
            while batch and (size > self._left or self.position + size > self._largest):
                size -= len(batch.pop())
                full = True
            self._left -= size
            while size:
                done = self._file.pwrite(batch, self.position)
                if done <= 0:
                    raise LinuxError(EIO)
                self.position += done
                size -= done
                if size:
                    batch = [memoryview(b"".join(batch))[done:]]
            if full:
                raise LinuxError(EFBIG)

    def write_memory(self, memory: AddressSpace, found: list[Extent]) -> None:
        """Append what the core file has of each mapping.  EFBIG; ENOSPC and the like"""
        for extent in found:
            base = self.position - extent.vma.start
            batch: list[memoryview] = []
            for address, page in pages(memory, extent):
                if base + address != self.position + PAGE * len(batch) or len(batch) == _BATCH:
                    self.write(batch)
                    batch = []
                    self.position = base + address
                batch.append(page)
            self.write(batch)
            self.position = base + extent.vma.start + extent.held
