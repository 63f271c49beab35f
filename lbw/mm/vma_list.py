"""The VMAs of an address space: a sorted list without overlaps, and the operations that keep it so.

Neighbours that continue each other are one VMA, as in Linux: a heap that grew a thousand times is one line of
/proc/PID/maps. `lbw.mm.vma_blocks` is how they are kept.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from lbw.mm.vma import new_history
from lbw.mm.vma_blocks import VmaBlocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.vma import Vma


class VmaList(VmaBlocks):
    """A sorted list of VMAs."""

    __slots__ = ()

    def insert(self, vma: Vma, joining: bool = True) -> Vma:
        """Add a VMA to a free range, joining it to its neighbours where they continue each other.

        Return what it is now. With `joining` false it stays alone.
        """
        start = vma.start
        block = bisect_left(self._lows, start) - 1
        vmas = self._vmas[block]
        index = bisect_left(self._starts[block], start)
        before = vmas[index - 1] if index else None
        if index < len(vmas):
            after: Vma | None = vmas[index]
        else:
            after = self._vmas[block + 1][0] if block + 1 < len(self._vmas) else None
        if joining and before is not None and before.joins(vma):
            before.swallow(vma)
            vma = before
            if after is not None and vma.joins(after):
                self._take_out(after)
                vma.swallow(after)
        elif joining and after is not None and vma.joins(after):
            self.extend_down(after, start)
            after.inherit(vma)
            return after
        else:
            self._put_in(vma, block, index, before)
        return vma

    def remove(self, start: int, end: int, gone: list[Vma] | None = None) -> list[Vma]:
        """Take the VMAs of the range out, cutting those that reach beyond it; return them.

        `gone` is what `between` has told about the range.
        """
        if gone is None:
            gone = self.between(start, end)
        if gone:
            first = gone[0]
            if len(gone) == 1 and (first.start < start) != (first.end > end):
                return [self._trim(first, start, end)]
            if first.start < start or gone[-1].end > end:
                self.cut(start)
                self.cut(end)
                gone = self.between(start, end)
            self._clear(gone)
        return gone

    def cut(self, address: int) -> None:
        """Make `address` a boundary between VMAs."""
        vma = self.find(address)
        if vma is not None and vma.start < address:
            upper = vma.piece(address, vma.end)
            vma.end = address
            self.insert(upper, joining=False)

    def isolate(self, vma: Vma, start: int, end: int) -> Vma:
        """Cut what is of `vma` in the range out of it; return that."""
        if vma.start < start:
            upper = vma.piece(start, vma.end)
            vma.end = start
            vma = self.insert(upper, joining=False)
        if end < vma.end:
            upper = vma.piece(end, vma.end)
            vma.end = end
            self.insert(upper, joining=False)
        return vma

    def rejoin(self, start: int, end: int) -> None:
        """Join neighbours in and beside the range that have become alike, from below upwards."""
        run = self.between(start - 1, end + 1)
        for index in range(1, len(run)):
            before, vma = run[index - 1], run[index]
            if before.joins(vma):
                self._take_out(vma)
                before.swallow(vma)
                run[index] = before

    def extend_down(self, vma: Vma, start: int) -> None:
        """Let `vma` begin at `start`, in the free range below it."""
        block = bisect_right(self._lows, vma.start) - 1
        index = bisect_left(self._starts[block], vma.start)
        self._starts[block][index] = start
        if block and not index:
            self._lows[block] = start
        vma.offset -= vma.start - start
        vma.start = start

    def begin_history(self, vma: Vma) -> None:
        """Note that private memory is written to for the first time: it shares the history of its neighbours.

        Of the one above, or else of the one below, if they differ in nothing but protection (Linux
        find_mergeable_anon_vma).
        """
        above = self.find(vma.end)
        if above is not None and above.anon > 0 and vma.follows(above):
            vma.anon = above.anon
            return
        before = self.find(vma.start - 1)
        if before is not None and before.anon > 0 and before.follows(vma):
            vma.anon = before.anon
        else:
            vma.anon = new_history()
