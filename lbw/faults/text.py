"""Text copies: pages of files with patches in them, shared by all processes that have the page at that address.

A patch is right for one address only, so a copy belongs to (page number of the address, page number in the file). Only
private, executable, not writable mappings show it, and only where nothing is mapped over the fragments that its patches
jump to (`lbw.mm.hidden`). Everything else, reads by the kernel included, sees the page as it is in the file.
"""

from __future__ import annotations

from lbw.abi.mman import PROT_EXEC, PROT_WRITE
from lbw.abi.x86 import REX_PREFIXES
from lbw.cpu.contracts import PAGE
from lbw.faults.punning import JUMP_LENGTH
from lbw.faults.superblock import build
from lbw.mm.cached_file import CachedFile
from lbw.mm.shared import SharedMemory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.cpu.contracts import Engine
    from lbw.faults.site import Site
    from lbw.faults.superblock import Superblock, Translate
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.frames import Frames

    TextFile = CachedFile | SharedMemory

#: Bytes that may stand before a jump.
_PREFIXES_32 = frozenset((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65))
_PREFIXES_64 = _PREFIXES_32 | REX_PREFIXES


#: Bytes of the neighbouring pages that are searched for branches into a site.
NEIGHBOURS = 160


class TextPage:
    """A page of code that may be patched, in one address space."""

    __slots__ = ("address", "file", "key", "original")

    def __init__(self, address: int, file: TextFile, page: int, original: int) -> None:
        self.address = address
        self.file = file
        self.key = (address >> 12, page)
        self.original = original  # frame


class TextCopies:
    """All copies of a machine."""

    def __init__(self, engine: Engine, frames: Frames) -> None:
        self._engine = engine
        self._frames = frames
        #: (file, page number of the address, page number in the file) -> addresses of bytes that punned jumps use.
        self._locked: dict[tuple[TextFile, int, int], set[int]] = {}
        self._followed: dict[TextFile, list[Callable[[], None]]] = {}

    def page(self, space: AddressSpace, address: int) -> TextPage | None:
        """Return the page at `address` if it may be patched: unchanged code of a file, not writable."""
        vma = space.vmas.find(address)
        if vma is None or vma.shared or vma.prot & (PROT_EXEC | PROT_WRITE) != PROT_EXEC:
            return None
        file, permits = vma.backing, space.mmu.permits
        if not isinstance(file, CachedFile | SharedMemory) or (permits is not None and not permits(address >> 12)):
            return None
        if file.is_writable():
            return None  # whoever has it mapped may change it unnoticed
        start = address & -PAGE
        page = vma.offset + start - vma.start >> 12
        frame = file.frame(page)
        if frame is None or not space.mmu.shows(address, frame):
            return None
        return TextPage(start, file, page, frame)

    def bytes_around(self, page: TextPage) -> tuple[int, bytes]:
        """Return the original bytes of the page, and as much of its neighbours as short branches reach; their address.

        Neighbours that are not in memory are left out.
        """
        number, view = page.key[1], self._frames.view
        before, behind = page.file.cached_run(number - 1, 1) if number else [0], page.file.cached_run(number + 1, 1)
        parts = [view[page.original : page.original + PAGE]]
        start = page.address
        if before and before[0]:
            parts.insert(0, view[before[0] + PAGE - NEIGHBOURS : before[0] + PAGE])
            start -= NEIGHBOURS
        if behind and behind[0]:
            parts.append(view[behind[0] : behind[0] + NEIGHBOURS])
        return start, b"".join(parts)

    def superblock(self, page: TextPage, site: Site, translate: Translate) -> Superblock:
        """Return the superblock of a site in the page."""
        assert site.template is not None
        code = bytes(self._frames.view[page.original : page.original + PAGE])
        return build(site.template, site.address, code, page.address, site.bits, translate)

    def locked(self, page: TextPage, address: int, length: int, bits: int) -> int | None:
        """Return how many bytes from `address` on must stay as they are, because a punned jump in front uses them.

        They are prefixes that a jump may have. None: they are not, or bytes farther behind are used too.
        """
        locked = self._locked.get((page.file, *page.key))
        if not locked:
            return 0
        kept = 0
        while kept < length and address + kept in locked:
            kept += 1
        if locked.intersection(range(address + kept, address + min(length, kept + JUMP_LENGTH))):
            return None
        frame = page.original + address - page.address
        prefixes = bytes(self._frames.view[frame : frame + kept])
        allowed = _PREFIXES_64 if bits == 64 else _PREFIXES_32
        return kept if allowed.issuperset(prefixes) else None

    def following(self, page: TextPage, address: int) -> bytes:
        """Return four bytes from `address` on as they are with all patches; fewer at the end of the page.

        The next page may become another one at any time, in one process alone, so no jump may depend on it.
        """
        copy = page.file.patched.get(page.key, page.original)
        at = address - page.address
        return bytes(self._frames.view[copy + at : copy + min(at + 4, PAGE)])

    def write(self, space: AddressSpace, page: TextPage, address: int, data: bytes, used: int) -> None:
        """Write a jump, which lies within `page`, at `address`; it has `used` bytes, those that follow `data` included.

        LinuxError(ENOMEM)
        """
        engine, frames = self._engine, self._frames
        patched = page.file.patched
        copy = patched.get(page.key)
        fresh = copy is None
        if copy is None:
            copy = patched[page.key] = frames.allocate_copy(page.original)
            engine.originals[copy] = page.original
        at = copy + address - page.address
        frames.view[at : at + len(data)] = data
        engine.exchange(page.address, page.original, copy)
        if not fresh:
            engine.forget_code(space.mmu, address, len(data))
        if used > len(data):
            self._locked.setdefault((page.file, *page.key), set()).update(range(address + len(data), address + used))

    def show(self, page: TextPage) -> None:
        """Show the copy of a page wherever it may be shown."""
        self._engine.exchange(page.address, page.original, page.file.patched[page.key])

    def follow(self, page: TextPage, gone: Callable[[], None]) -> None:
        """Call `gone` when the file's pages are dropped."""
        file = page.file
        if file not in self._followed:
            self._followed[file] = []
            file.forgotten = lambda: self._forget(file)
        self._followed[file].append(gone)

    def close(self) -> None:
        """Let go of all files: nothing runs any more."""
        for file in self._followed:
            file.forgotten = lambda: None
        self._followed.clear()

    def _forget(self, file: TextFile) -> None:
        frames = self._frames
        for gone in self._followed.pop(file, ()):
            gone()
        for copy in file.patched.values():
            self._engine.originals.pop(copy, None)
            frames.code.add(copy)
            frames.drop(copy)
        file.patched.clear()
        for key in [key for key in self._locked if key[0] is file]:
            del self._locked[key]
