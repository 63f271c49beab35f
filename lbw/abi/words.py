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


class Fields(Struct):
    """A layout of integers of several sizes; `pack` keeps of each value what fits."""

    def __init__(self, layout: str) -> None:
        super().__init__(layout)
        self._unsigned = Struct(layout.upper().replace("X", "x"))
        sizes = {"B": 8, "H": 16, "I": 32, "Q": 64}
        masks, count = [], ""
        for letter in layout.upper():
            if letter.isdigit():
                count += letter
            elif letter in sizes:
                masks += [(1 << sizes[letter]) - 1] * int(count or 1)
                count = ""
            else:
                count = ""
        self._masks = masks

    def pack(self, *values: int) -> bytes:
        """Return `values` as bytes, each cut to its field."""
        return self._unsigned.pack(*[value & mask for value, mask in zip(values, self._masks, strict=True)])
