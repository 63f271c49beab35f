"""Pages of the kernel that programs may map: a `Backing` whose frames never change.

The machine owns the frames; mappings come and go. A private mapping that is made writable copies on write, as one of a
file does.
"""

from __future__ import annotations

from lbw.mm.backing import MappedObject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class KernelPages(MappedObject):
    """A few frames, shown to every process that maps them."""

    joins = False
    special = True

    __slots__ = ("_pages",)

    def __init__(self, name: str, pages: Sequence[int]) -> None:
        """`pages` are physical addresses."""
        super().__init__((name, id(self)))
        self._pages = list(pages)

    def frame(self, page: int) -> int | None:
        """Return the frame of page `page`; None beyond the end."""
        return self._pages[page] if page < len(self._pages) else None

    def cached_run(self, page: int, count: int) -> list[int]:
        """Return the frames of `count` pages from `page` on."""
        return self._pages[page : page + count]
