"""Hidden pages: code of lbw's own that guest programs run, and that no mapping shows.

Fragments of the fault path lie in pages of an arena, at the same addresses in every address space of an ABI, wherever
nothing is mapped there. Programs get those addresses last (`Abi.arena_zones`); when one maps something there all the
same, its mapping wins: in that space the pages are covered, and so the text pages whose patches jump there are
replaced by unpatched ones. Spaces that have mappings in a zone are `crowded` and look closely; all others need not.
"""

from __future__ import annotations

from lbw.cpu.contracts import PF_FETCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from lbw.faults.template import Recovery
    from lbw.mm.address_space import AddressSpace

    class RewrittenFiles(Protocol):
        """Fragments that lie in mapped files (`lbw rewrite`), in one address space."""

        def __contains__(self, page: object, /) -> bool:
            """Tell whether page number `page` may have fragments, hidden or in a file."""

        def find(self, address: int) -> tuple[Recovery, int, int] | None:
            """Return (how to recover, site, length of its instruction) when a fragment of a file is at `address`."""

        def of(self, space: AddressSpace) -> RewrittenFiles:
            """Return the same for a copy of the address space."""


class HiddenPages:
    """The hidden pages of an ABI, and who jumps to them. All by page number, address >> 12."""

    __slots__ = ("cell", "cell_frame", "jumpers", "needs", "pages", "zones")

    def __init__(self, zones: tuple[tuple[int, int], ...] = ()) -> None:
        self.zones = zones
        self.pages: dict[int, int] = {}  # -> physical address
        self.needs: dict[int, set[int]] = {}  # text page -> hidden pages that its patches jump to
        self.jumpers: dict[int, set[int]] = {}  # the other way round
        self.cell = -1  # the page of the thread cell, which is writable and not executable; -1: none
        self.cell_frame = 0

    def link(self, text: int, hidden: int) -> None:
        """Note that a patch in page `text` jumps to page `hidden`."""
        self.needs.setdefault(text, set()).add(hidden)
        self.jumpers.setdefault(hidden, set()).add(text)

    def unlink(self, hidden: int) -> None:
        """Forget page `hidden`, which nothing jumps to any more."""
        for text in self.jumpers.pop(hidden, ()):
            self.needs[text].discard(hidden)


def reveal(space: AddressSpace, address: int, error_code: int) -> bool:
    """Make the hidden page at `address`, where nothing is mapped, present; False: there is none."""
    hidden = space.hidden
    page = address >> 12
    if page == hidden.cell:
        space.mmu.reveal(address, hidden.cell_frame, True)
        return True
    frame = hidden.pages.get(page)
    if frame is None or not error_code & PF_FETCH:
        return False
    space.mmu.reveal(address, frame, False)
    return True


def cover(space: AddressSpace, start: int, end: int) -> None:
    """See to hidden pages in a range that a mapping is about to take.  LinuxError(ENOMEM)"""
    hidden = space.hidden
    for low, high in hidden.zones:
        if start < high and low < end:
            break
    else:
        return
    if not space.crowded:
        space.crowded = True
        space.mmu.permits = lambda page: permits(space, page)
    first, last = start >> 12, end >> 12
    for page in [page for page in hidden.pages if first <= page < last]:
        space.mmu.unmap(page << 12, (page + 1) << 12)
        for text in hidden.jumpers.get(page, ()):
            space.mmu.restore(text << 12)


def covered(space: AddressSpace, address: int) -> bool:
    """Tell whether the program has a mapping of its own where a hidden page would be."""
    return space.crowded and address >> 12 in space.hidden.pages and space.vmas.find(address) is not None


def permits(space: AddressSpace, page: int) -> bool:
    """Tell whether a patched copy of text page `page` may be used: nothing is mapped where its patches jump to."""
    find = space.vmas.find
    return all(find(hidden << 12) is None for hidden in space.hidden.needs.get(page, ()))
