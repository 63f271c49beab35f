"""Home addresses: where a file is mapped when nobody asks for an address.

Chosen once per machine and file. So a library lies at the same address in every process, and its translated code, which
is keyed by physical page and virtual address, is shared by all programs, not only by runs of the same one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable


class HomeAddresses:
    """The homes of all files of a machine, for each window of addresses (`Abi.homes`)."""

    def __init__(self) -> None:
        self._homes: dict[tuple[Hashable, tuple[int, int]], int] = {}
        self._next: dict[tuple[int, int], int] = {}

    def home(self, identity: Hashable, length: int, window: tuple[int, int]) -> int:
        """Return where in `window` the file with `identity` should lie, 0 when there are no addresses left."""
        key = identity, window
        home = self._homes.get(key)
        if home is None:
            free = self._next.get(window, window[0])
            if free + length > window[1]:
                return 0
            home = self._homes[key] = free
            self._next[window] = free + ((length + 0x1FFFF) & -0x10000)
        return home
