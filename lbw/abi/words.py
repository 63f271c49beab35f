"""Layouts of 32-bit words that cut what is too large, as a C conversion does: times after 2038, ticks of long runs."""

from __future__ import annotations

from struct import Struct


class Words(Struct):
    """A layout that has signed 32-bit words only; `pack` keeps the low 32 bits of each value."""

    def __init__(self, count: int) -> None:
        super().__init__(f"<{count}i")
        self._unsigned = Struct(f"<{count}I")

    def pack(self, *values: int) -> bytes:
        """Return the low halves of `values` as bytes."""
        return self._unsigned.pack(*[value & 0xFFFFFFFF for value in values])
