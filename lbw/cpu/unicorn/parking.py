"""Parking: programs do not own the bases of FS and GS; the thread cell holds them instead.

The processor's own bases lie in a hole of the address space, in the middle of the non-canonical addresses, where every
access faults, whatever its offset (offsets around half of the 64-bit space excepted, which no program has). So each
access to thread-local memory traps once and is then replaced by a fragment, which finds the base in the thread cell
(`lbw.abi.thread_cell`). What this file keeps is the way to the cell: the upper half that all address spaces share.
"""

from __future__ import annotations

from lbw.abi.thread_cell import CELL_64
from lbw.cpu.contracts import PAGE
from lbw.cpu.unicorn.page_bits import ACCESSED, DIRTY, FRAME, NX, PRESENT, USER, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.frames import Frames

#: The base that FS and GS have, seen by nobody. In compatibility mode the lower half of it counts, which lies in a
#: window where nothing is ever mapped (`lbw.abi.i386`); so code may change its mode by a far jump.
PARKED = 0x8000_0000_F480_0000

_LINK = PRESENT | WRITE | USER | ACCESSED
_WORD = (1 << 64) - 1


class UpperHalf:
    """Pages for ring 3 in the last 512 GB of addresses, the same in every address space."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._tables = frames.ram.words
        self._root = frames.allocate()
        #: What entry 511 of every address space's top table is.
        self.entry = self._root | _LINK
        #: Physical address of the thread cell.
        self.cell = frames.allocate()
        self.map(CELL_64, self.cell, writable=True)
        #: Its words.
        self.words = frames.ram.words[self.cell >> 3 : (self.cell >> 3) + PAGE // 8]

    def map(self, address: int, frame: int, *, writable: bool = False) -> None:
        """Map `frame` at `address`, writable or executable.  LinuxError(ENOMEM)"""
        rights = WRITE | NX if writable else 0
        self._tables[self._leaf(address)] = frame | PRESENT | USER | ACCESSED | DIRTY | rights

    def unmap(self, address: int) -> None:
        """Take the page at `address` away."""
        self._tables[self._leaf(address)] = 0

    def _leaf(self, address: int) -> int:
        words, table = self._tables, self._root
        for shift in (30, 21):
            at = (table >> 3) + (address >> shift & 511)
            if not words[at]:
                words[at] = self._frames.allocate() | _LINK
            table = words[at] & FRAME
        return (table >> 3) + (address >> 12 & 511)

    def close(self) -> None:
        """Let go of the cell, which is guest memory."""
        self.words.release()

    def set_bases(self, fs: int, gs: int) -> None:
        """Write the bases of the task that runs next into the thread cell."""
        cell = self.words
        cell[0] = fs
        cell[1] = gs
        cell[2] = -fs & _WORD
        cell[3] = -gs & _WORD
