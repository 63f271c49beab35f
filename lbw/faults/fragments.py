"""Fragments: where they lie, for each mode of the processor.

Those that are jumped to lie in the arena of the ABI. Those that only a trap leads to lie far away, in the upper half,
where no program has anything; 32-bit programs reach only 4 GB, so theirs lie in the arena too.
"""

from __future__ import annotations

from functools import partial

from lbw.abi.thread_cell import CELL_32
from lbw.cpu.contracts import PAGE
from lbw.faults.arena import Arena
from lbw.faults.site import REDIRECTED, Site
from lbw.mm.hidden import HiddenPages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi
    from lbw.cpu.contracts import Engine
    from lbw.faults.superblock import Superblock
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.frames import Frames

#: Where fragments lie that no jump leads to, 64-bit.
FAR_ZONE = (0xFFFF_FFFF_C000_0000, 0xFFFF_FFFF_E000_0000)

#: Fragments begin at multiples of this. The processor keeps 64 jump targets of a page, by a hash of the low bits of
#: their addresses; these all differ.
ALIGNED = 64

#: A jump reaches 2 GB. Fragments keep this much less to what they jump back to and take constants from.
REACH = (1 << 31) - (1 << 24)

#: So many fragments are given up before their room is used again.
STALE = 8192


class Fragments:
    """The fragments of a machine."""

    def __init__(self, engine: Engine, frames: Frames, abis: tuple[Abi, ...], active: bool) -> None:
        """Provide arenas for programs of `abis`; not `active`: nothing is ever in them."""
        self._engine = engine
        self._stale = 0  # fragments given up since the processor forgot all code
        self._far: set[int] = set()  # pages of the far zone that the engine shows
        self.hidden: dict[Abi, HiddenPages] = {}
        self.arenas: dict[int, Arena] = {}  # by bits
        for abi in abis:
            hidden = self.hidden[abi] = HiddenPages(abi.arena_zones if active else ())
            zones = (*abi.arena_zones, FAR_ZONE) if abi.word == 8 else abi.arena_zones
            arena = self.arenas[abi.word * 8] = Arena(frames, zones)
            hidden.pages = arena.pages
            arena.forget = partial(self._withdraw, hidden)
            if abi.word == 4:
                hidden.cell, hidden.cell_frame = CELL_32 >> 12, engine.cell_frame

    def find(self, address: int, bits: int) -> tuple[Site, int] | None:
        """Return the site whose fragment contains `address`, and how many bytes into the fragment that is."""
        found = self.arenas[bits].find(address)
        if found is None:
            return None
        start, site = found
        assert isinstance(site, Site)
        return site, address - start

    def make_near(self, space: AddressSpace, site: Site, low: int, high: int, block: Superblock | None) -> bool:
        """Make a fragment in [low, high) for a jump: `block` if there is room, else the one instruction.

        False: there is no place.
        """
        arena, overlaps, template = self.arenas[site.bits], space.vmas.overlaps, site.template
        assert template is not None
        if site.bits == 64:
            low, high = max(low, site.address - REACH), min(high, site.address + REACH)
        aligned = ALIGNED - 1 if high - low >= PAGE else 0
        low = low + aligned & ~aligned
        for site.block in (block, None) if block is not None else (None,):
            size = template.size if site.block is None else site.block.size
            site.size = size + aligned & ~aligned
            place = arena.claim(low, high, site.size, lambda first, end: not overlaps(first, end))
            if place is None:
                continue
            try:
                self._put(arena, site, place)
            except OverflowError:  # something in the superblock is out of reach from there
                arena.release(place, site.size)
                continue
            for page in range(place >> 12, (place + size - 1 >> 12) + 1):
                self.hidden[space.abi].link(site.address >> 12, page)
            return True
        return False

    def make_far(self, space: AddressSpace, site: Site) -> None:
        """Make a fragment that traps will lead to; without memory the site stays STEPPED."""
        arena, template = self.arenas[site.bits], site.template
        assert template is not None
        site.far = site.bits == 64
        size = site.size = template.far_size if site.far else template.size
        zone = FAR_ZONE if site.far else space.abi.arena_zones[0]  # nobody can map anything there
        place = arena.claim(*zone, size, lambda first, end: True)
        if place is None:
            site.reason = "no memory"
            return
        self._put(arena, site, place)
        if site.far:
            for page in range(place >> 12, (place + size - 1 >> 12) + 1):
                if page not in self._far:
                    self._far.add(page)
                    self._engine.share_code(page << 12, arena.pages[page])
        site.kind = REDIRECTED

    def drop(self, site: Site) -> None:
        """Give up the fragment of a site, if it has one."""
        if site.fragment:
            self.arenas[site.bits].release(site.fragment, site.size)
            site.fragment = 0
            self._stale += 1
            if self._stale > STALE:
                self.reuse()

    def close(self) -> None:
        """Let go of everything: nothing runs any more."""
        for arena in self.arenas.values():
            arena.forget = lambda page, frame: None

    def reuse(self) -> None:
        """Let the processor forget all code, and use the room of what was given up."""
        self._stale = 0
        self._engine.flush_code()
        for arena in self.arenas.values():
            arena.reuse()

    def _put(self, arena: Arena, site: Site, place: int) -> None:
        code = site.place(place)
        arena.write(place, code)
        arena.record(place, len(code), site)
        site.fragment = place

    def _withdraw(self, hidden: HiddenPages, page: int, _frame: int) -> None:
        """Take a page of fragments away."""
        if page in self._far:
            self._far.discard(page)
            self._engine.unshare_code(page << 12)
        else:
            hidden.unlink(page)
            self._engine.withdraw(page << 12)
