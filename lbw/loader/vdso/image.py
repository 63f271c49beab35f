"""The vDSO of a machine: an ELF image in every address space, and before it the page of clocks that it reads.

The images are kept ready in the tree (`x86_64.so`, `i386.so`, each one page); their frames are shared by all processes,
like those of the page cache, so exec makes two mappings and copies nothing. docs/time.md says how the clocks are kept.

Addresses. Every process has it at the same place, so its translated code is shared as well. The emulated TLB is
direct-mapped: the low bits of the two page numbers are not those of the end of the stack, nor of the first
mappings (`lbw.abi.x86_64`).

Rejected: building the image at start (a millisecond), and a compiler on the user's machine.
"""

from __future__ import annotations

import os

from lbw.abi.mman import MAP_PRIVATE, PROT_EXEC, PROT_READ
from lbw.cpu.contracts import PAGE
from lbw.mm.kernel_pages import KernelPages
from lbw.mm.vma import Vma

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.frames import Frames

#: By word size: where the page of clocks goes; the image follows it.
ADDRESSES = {8: 0x7FFF_F7FA_8000, 4: 0xDDFA_8000}
NAME, CLOCKS_NAME = b"[vdso]", b"[vvar]"

#: Of the i386 image: from `__kernel_vsyscall`, where e_entry points, to the ends of signal handlers.
SIGRETURN, RT_SIGRETURN = 17, 33
#: Where e_entry is in the header of an ELF file.
ENTRY_OFFSET = 24


class Vdso:
    """The frames of a machine's vDSO."""

    __slots__ = ("_clocks", "_frames", "_images", "_view", "entries")

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._clocks: KernelPages | None = None
        self._view: memoryview | None = None
        self._images: dict[str, KernelPages] = {}
        self.entries: dict[str, int] = {}  # by ABI: e_entry, from the start of the image

    def clocks(self) -> memoryview:
        """Return the page of clocks, to write to until `close`.  LinuxError(ENOMEM)"""
        if self._view is None:
            address = self._clock_pages().frame(0)
            assert address is not None
            self._view = self._frames.view[address : address + PAGE]
        return self._view

    def close(self) -> None:
        """Let go of guest memory: nothing runs any more."""
        if self._view is not None:
            self._view.release()

    def map(self, space: AddressSpace, abi: Abi) -> int:
        """Map both pages into an address space where nothing else is; return where the image is.  LinuxError(ENOMEM)"""
        image = self._images.get(abi.name) or self._load(abi.name)
        at = ADDRESSES[abi.word]
        space.add(Vma(at, at + PAGE, PROT_READ, MAP_PRIVATE, self._clock_pages(), 0, CLOCKS_NAME, max_prot=PROT_READ))
        at += PAGE
        space.add(Vma(at, at + PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, image, 0, NAME))
        return at

    def _clock_pages(self) -> KernelPages:
        if self._clocks is None:
            self._clocks = KernelPages("vvar", [self._frames.allocate()])
        return self._clocks

    def _load(self, name: str) -> KernelPages:
        with open(os.path.join(os.path.dirname(__file__), name + ".so"), "rb") as file:
            data = file.read(PAGE)
        frame = self._frames.allocate()
        self._frames.view[frame : frame + len(data)] = data
        self._frames.code.add(frame)
        self.entries[name] = int.from_bytes(data[ENTRY_OFFSET : ENTRY_OFFSET + 4], "little")
        image = self._images[name] = KernelPages("vdso", [frame])
        return image
