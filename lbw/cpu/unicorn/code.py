"""Code that the kernel changes: translations to be forgotten, patched copies, pages that programs only execute.

The processor keeps translated code by physical page and virtual address, and notices stores of the guest, not those of
the kernel. Whoever changes bytes that may have been executed says so here.
"""

from __future__ import annotations

from ctypes import c_uint64

from lbw.cpu.unicorn import library as uc
from lbw.cpu.unicorn.flush_causes import CODE, tally
from lbw.cpu.unicorn.page_bits import FRAME, NX, USER
from lbw.cpu.unicorn.table_tree import HIDDEN, OWNED, PATCHED, SHARED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.cpu.unicorn.boot import Processor
    from lbw.cpu.unicorn.context import UnicornContext
    from lbw.cpu.unicorn.page_tables import PageTables
    from lbw.cpu.unicorn.parking import UpperHalf
    from lbw.mm.frames import Frames


class CodeMemory:
    """The part of the engine that knows about code in memory."""

    frames: Frames
    processor: Processor
    upper: UpperHalf
    loaded: UnicornContext | None
    active: PageTables | None
    spaces: set[PageTables]
    flush_pending: int
    flushes: dict[int, int]
    code_flushes: int

    if TYPE_CHECKING:  # the engine has it

        def synchronise(self, context: UnicornContext) -> None:
            """Bring the context's state into the processor."""

    def forget_code(self, mmu: object, start: int, length: int) -> None:
        """Forget translations of bytes that the kernel changes, in a frame that `mmu` maps at `start`."""
        processor = self.processor
        loaded = self.loaded
        if loaded is not None and loaded.mmu is mmu:
            self.synchronise(loaded)
            if self.flush_pending:
                self.flush_tlb()
            error = processor.library.ctl(
                processor.handle, uc.TB_REMOVE_CACHE | 2 << 26 | 1 << 30, c_uint64(start), c_uint64(start + length)
            )
            if not error:
                return
        self.flush_code()

    def exchange(self, address: int, original: int, copy: int) -> None:
        """Show frame `copy` at `address` wherever `original` is mapped there as unchanged code."""
        words = self.frames.ram.words
        for space in self.spaces:
            at = space.leaf(address)
            entry = words[at] if at else 0
            if entry & FRAME != original or entry & (OWNED | SHARED | NX) or not entry & USER:
                continue
            if space.permits is None or space.permits(address >> 12):
                words[at] = entry & ~FRAME | copy | PATCHED
                self.flush_pending |= CODE  # whatever space it is: after a fork the active one may share the table

    def share_code(self, address: int, frame: int) -> None:
        """Show `frame` as code at `address`, in the upper half, in every address space.  LinuxError(ENOMEM)"""
        self.upper.map(address, frame)

    def unshare_code(self, address: int) -> None:
        """Take a page of the upper half away."""
        self.upper.unmap(address)
        self.flush_pending |= CODE

    def withdraw(self, address: int) -> None:
        """Take a revealed page away from all address spaces."""
        words = self.frames.ram.words
        for space in self.spaces:
            at = space.leaf(address)
            if at and words[at] & HIDDEN:
                words[at] = 0
        self.flush_pending |= CODE

    def flush_tlb(self) -> None:
        """Forget all translations of addresses, for the causes that have come together."""
        causes, self.flush_pending = self.flush_pending, 0
        self.flushes[causes] = self.flushes.get(causes, 0) + 1
        self.processor.library.control(self.processor.handle, uc.TLB_FLUSH)

    def flush_counts(self) -> list[tuple[str, int]]:
        """Return how often the TLB and the translated code were forgotten, and why, for people."""
        rows = [("TLB flushes", sum(self.flushes.values()))]
        rows += [(f"  {name}", number) for name, number in tally(self.flushes).items() if number]
        return [*rows, ("translation flushes", self.code_flushes)]

    def flush_code(self) -> None:
        """Forget all translations."""
        self.code_flushes += 1
        self.processor.library.control(self.processor.handle, uc.TB_FLUSH)
