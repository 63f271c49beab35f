"""Home addresses: where a file is mapped when nobody asks for an address.

Chosen once per machine and file. So a library lies at the same address in every process, and its translated code, which
is keyed by physical page and virtual address, is shared by all programs, not only by runs of the same one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

#: Where files live that are mapped without a fixed address: one gigabyte, so one page directory, for all libraries.
HOMES = (0x7FFF_4000_0000, 0x7FFF_8000_0000)


class HomeAddresses:
    """The homes of all files of a machine."""

    def __init__(self, start: int = HOMES[0], end: int = HOMES[1]) -> None:
        self._next = start
        self._end = end
        self._homes: dict[Hashable, int] = {}

    def home(self, identity: Hashable, length: int) -> int:
        """Return the address where the file with `identity` should lie, 0 when there are no addresses left."""
        home = self._homes.get(identity)
        if home is None:
            if self._next + length > self._end:
                return 0
            home = self._homes[identity] = self._next
            self._next += (length + 0x1FFFF) & -0x10000
        return home
