"""What the address spaces of a machine have in common: the homes of files, and the kernel's parameters of layouts.

A file has a home address, where it is mapped when nobody asks for an address, chosen once per machine and file. So a
library lies at the same address in every process, and its translated code, which is keyed by physical page and virtual
address, is shared by all programs, not only by runs of the same one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable


class HomeAddresses:
    """The homes of all files of a machine, for each window of addresses (`Abi.homes`)."""

    def __init__(self) -> None:
        self._homes: dict[tuple[Hashable, tuple[int, int]], tuple[int, int]] = {}  # (address, bytes kept for it)
        self._next: dict[tuple[int, int], int] = {}
        self.max_map_count = 65530  # vm.max_map_count
        self.min_address = 0x10000  # vm.mmap_min_addr, bytes

    def home(self, identity: Hashable, length: int, window: tuple[int, int]) -> int:
        """Return where in `window` the file with `identity` should lie, 0 when there are no addresses left.

        A file that has outgrown its home gets another one, with room to grow.
        """
        key = identity, window
        home, room = self._homes.get(key, (0, 0))
        if length > room:
            free = self._next.get(window, window[0])
            room = (2 * length if room else length) + 0xFFFF & -0x10000
            if free + room > window[1] or room > (window[1] - window[0]) // 4:
                return 0  # large data would leave nothing for code
            self._homes[key] = free, room
            self._next[window] = free + room + 0x10000
            home = free
        return home
