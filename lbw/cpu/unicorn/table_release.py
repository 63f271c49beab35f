"""Giving page tables back: whole trees, whole leaf tables, and tables that have become empty.

What is shared only loses a reference, whatever hangs below it: the end of a forked child costs what it has touched. The
last owner gives all frames of a leaf table back at once.

Tables go when they are empty, upper ones too, all but the last one: a program that maps and unmaps all over the address
space holds no more of them than one that does not.
"""

from __future__ import annotations

from lbw.cpu.contracts import PAGE
from lbw.cpu.unicorn.page_bits import FRAME
from lbw.cpu.unicorn.table_counts import TableCounts

#: The bytes of an empty table.
EMPTY = bytes(PAGE)


class TableRelease(TableCounts):
    """The page tables of one address space, as something to be given back."""

    __slots__ = ()

    def retire(self, address: int) -> None:
        """Drop the leaf table for `address`, which is exclusive, if it is empty and another one becomes so later.

        Programs map, touch and unmap again and again in the same place.
        """
        number = address >> 21
        if number == self.spare:
            return
        table = self.leaf(address) << 3 & -PAGE
        if table and self.ram[table : table + PAGE].tobytes() == EMPTY:
            self.forget_spare()
            self.spare = number

    def forget_spare(self) -> None:
        """Drop the leaf table that was left empty."""
        if self.spare >= 0:
            self.unlink(self.spare << 21, empty=True)
            self.spare = -1

    def unlink(self, address: int, empty: bool = False) -> None:
        """Drop a whole leaf table, and upper ones that become empty; all upper ones are exclusive (`own_upper`).

        With `empty` only if it has no entries; then it is exclusive too.
        """
        words, ram, frames = self.words, self.ram, self.frames
        first = (self.root >> 3) + (address >> 39)
        second = ((words[first] & FRAME) >> 3) + (address >> 30 & 511)
        third = ((words[second] & FRAME) >> 3) + (address >> 21 & 511)
        table = words[third] & FRAME
        if not empty:
            self._drop_leaf(table)
        elif table and ram[table : table + PAGE].tobytes() == EMPTY:
            frames.drop(table)
        else:
            return
        if address >> 21 == self.spare:
            self.spare = -1
        self.tables -= 1
        words[third] = 0
        for at in (second, first):
            table = words[at] & FRAME
            if ram[table : table + PAGE].tobytes() != EMPTY:
                break
            frames.drop(table)
            self.tables -= 1
            words[at] = 0

    def occupied(self, start: int, end: int) -> list[tuple[int, int, int, int]]:
        """Return the spans of a range that have entries."""
        ram = self.ram
        found = []
        for span in self.spans(start, end):
            low, high, at, _ = span
            size = high - low >> 9
            if ram[at << 3 : (at << 3) + size].tobytes() != EMPTY[:size]:
                found.append(span)
        return found

    def drop_all(self) -> None:
        """Give all tables and owned frames back."""
        self._release(self.root, 39)
        self.root = 0

    def _drop_leaf(self, table: int) -> None:
        frames = self.frames
        if frames.references(table) == 1:
            frames.drop_many(self.owned_frames(table >> 3, 512))
        frames.drop(table)

    def _release(self, table: int, shift: int) -> None:
        frames, words = self.frames, self.words
        if frames.references(table) == 1:
            count = 256 if shift == 39 else 512
            drop = self._drop_leaf if shift == 21 else None
            for entry in filter(None, words[table >> 3 : (table >> 3) + count].tolist()):
                if drop is not None:
                    drop(entry & FRAME)
                else:
                    self._release(entry & FRAME, shift - 9)
        frames.drop(table)
