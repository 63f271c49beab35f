"""The fault path: what a segment access whose base is withheld becomes.

The first trap at a site decodes the instruction and translates it into a fragment; then a jump is written over the site
where that is possible, and it never traps again. Else each trap leads to the fragment, or, when there is no
translation, the instruction is run alone under the true base.  docs/fault-path.md

Fragments that are jumped to lie in the arena of the ABI. Those that only a trap leads to lie far away, in the upper
half, where no program has anything; 32-bit programs reach only 4 GB, so theirs lie in the arena too.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.abi.thread_cell import CELL_32, TARGET
from lbw.cpu.contracts import ALL, PAGE, RIP
from lbw.faults.arena import Arena
from lbw.faults.branches import targets_inside
from lbw.faults.punning import JUMP_LENGTH, jump, windows
from lbw.faults.site import PATCHED, PUNNED, REDIRECTED, Site
from lbw.faults.template import BEHIND, SITE
from lbw.faults.text import TextCopies
from lbw.mm.hidden import HiddenPages, covered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi
    from lbw.cpu.contracts import Context, Engine
    from lbw.faults.template_store import TemplateStore
    from lbw.faults.text import TextPage
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.frames import Frames
    from lbw.mm.page_cache import CachedFile

#: Modes of `--segments`.
PATCH, FAULT, BASE = "patch", "fault", "base"

#: Where fragments lie that no jump leads to, 64-bit.
FAR_ZONE = (0xFFFF_FFFF_C000_0000, 0xFFFF_FFFF_E000_0000)

#: So many sites that are not patched are remembered; then all of them are forgotten. Programs that rewrite their code
#: make ever new ones.
REMEMBERED = 8192

#: Fragments begin at multiples of this. The processor keeps 64 jump targets of a page, by a hash of the low bits of
#: their addresses; these all differ.
ALIGNED = 64

#: An instruction has at most so many bytes.
LONGEST = 15

_SEGMENT_OVERRIDES = frozenset((0x64, 0x65))
_PREFIXES = frozenset((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3, *range(0x40, 0x50)))


def has_override(code: bytes) -> bool:
    """Tell whether an instruction begins with prefixes among which FS or GS is."""
    for byte in code:
        if byte in _SEGMENT_OVERRIDES:
            return True
        if byte not in _PREFIXES:
            return False
    return False


class FaultPath:
    """The fault path of a machine."""

    def __init__(
        self, engine: Engine, frames: Frames, abis: tuple[Abi, ...], mode: str, templates: TemplateStore
    ) -> None:
        """Serve programs of `abis`; `mode` is PATCH, FAULT or BASE (then nothing ever comes here)."""
        self.engine = engine
        self.mode = mode
        self.parked = mode != BASE
        #: Sites that still trap: (address, bytes, bits); and those that do not: (address, file, page of the file).
        self.sites: dict[tuple[int, bytes, int], Site] = {}
        self.patched: dict[tuple[int, CachedFile, int], Site] = {}
        self.traps = 0
        self.forgotten = 0  # sites
        self._frames = frames
        self._templates = templates
        self._text = TextCopies(engine, frames)
        self._stale = 0  # fragments given up since the processor forgot all code
        self._far: set[int] = set()  # pages of the far zone that the engine shows
        self.hidden: dict[Abi, HiddenPages] = {}
        self.arenas: dict[int, Arena] = {}  # by bits
        for abi in abis:
            hidden = self.hidden[abi] = HiddenPages(abi.arena_zones if mode != BASE else ())
            zones = (*abi.arena_zones, FAR_ZONE) if abi.word == 8 else abi.arena_zones
            arena = self.arenas[abi.word * 8] = Arena(frames, zones)
            hidden.pages = arena.pages
            arena.forget = lambda page, _, hidden=hidden: self._withdraw(page, hidden)  # type: ignore[misc]
            if abi.word == 4:
                hidden.cell, hidden.cell_frame = CELL_32 >> 12, engine.cell_frame

    # Traps

    def trapped(self, context: Context, space: AddressSpace, bits: int) -> Site | None:
        """Send a context that trapped at a segment access on to the fragment, if it was that.

        None: it was something else. A site of kind STEPPED has no fragment: use `lbw.cpu.contracts.Engine.step`.
        """
        registers = context.registers
        rip = registers[RIP]
        code = fetch(space, rip)
        site = self.sites.get((rip, code, bits))
        if site is None:
            if not has_override(code):
                return None
            site = self._meet(space, rip, code, bits)
        elif not site.faults & site.faults - 1 and site.template is not None and self.mode == PATCH:
            site = self._meet(space, rip, code, bits)  # now and then: perhaps it can be patched by now
        self.traps += 1
        site.faults += 1
        if site.fragment:
            registers[RIP] = site.fragment
            context.modified = ALL
        return site

    def leave(self, context: Context, space: AddressSpace, bits: int) -> None:
        """Bring a context whose RIP is in a fragment to where the guest is: at the site, behind it, or at its target.

        What had been done before the instruction took effect is undone, what was left to do after it is done.
        """
        registers = context.registers
        rip = registers[RIP]
        found = self.arenas[bits].find(rip)
        if found is not None:
            if covered(space, rip):
                return
            start, site = found
            assert isinstance(site, Site)
            place = site.locate(rip - start)
        else:
            place = space.rewritten.find(rip) if space.rewritten is not None else None
        if place is None:
            return  # no fragment runs into the middle of an instruction: the program has jumped there
        recovery, address, length = place
        cell = self.engine.cell
        mask = (1 << bits) - 1
        for number, offset in recovery.biases:
            registers[number] = registers[number] + cell[offset >> 3] & mask
        for number, offset in recovery.restores:
            registers[number] = cell[offset >> 3] & mask
        if recovery.resume == SITE:
            registers[RIP] = address
        elif recovery.resume == BEHIND:
            registers[RIP] = address + length & mask
        else:
            registers[RIP] = cell[TARGET >> 3] & mask
        context.modified = ALL

    def stepped(self, context: Context, bits: int) -> bool:
        """Tell whether a context that steps through a fragment has done the site's instruction, or a later one."""
        rip = context.registers[RIP]
        found = self.arenas[bits].find(rip)
        if found is None:
            return False
        start, site = found
        return isinstance(site, Site) and site.block is not None and site.block.begins(rip - start)

    def expect_rewritten(self, space: AddressSpace) -> None:
        """A file that `lbw rewrite` made is about to run in `space`: find fragments there, keep the cell true."""
        if space.rewritten is None:
            from lbw.faults.rewritten_files import RewrittenFiles

            space.fragments = space.rewritten = RewrittenFiles(space)
            self.engine.show_bases()

    # Sites

    def _meet(self, space: AddressSpace, address: int, code: bytes, bits: int) -> Site:
        """Return the site for an instruction that has trapped, patched if that is possible now."""
        key = address, code, bits
        page = self._text.page(space, address) if self.mode == PATCH else None
        if page is not None:
            patched = self.patched.get((address, page.file, page.key[1]))
            if patched is not None:  # this space does not show the copy yet
                self._text.show(page)
                return patched
        site = self.sites.get(key)
        if site is None:
            site = Site(address, bits, code, self._templates.get(code, bits), space.vmas.find(address))
        if site.template is None:
            site.reason = "no translation"
            self._remember(key, site)
            return site
        site.code = code[: site.template.length]
        if page is None:
            site.reason = "not the unchanged code of a file" if self.mode == PATCH else "not asked for"
        else:
            patched = Site(address, bits, site.code, site.template, space.vmas.find(address))
            if self._patch(space, page, patched):
                patched.faults, site.faults = site.faults, 0
                self.patched[address, page.file, page.key[1]] = patched
                return patched
            site.reason = patched.reason
        if not site.fragment:
            self._redirect(space, site)
        self._remember(key, site)
        return site

    def _patch(self, space: AddressSpace, page: TextPage, site: Site) -> bool:
        """Write a jump to a new fragment over a site; False: it cannot be, and why is in `site.reason`."""
        text, address, template = self._text, site.address, site.template
        assert template is not None
        length = min(template.length, page.address + PAGE - address)  # the next page stays as it is
        start, original = text.bytes_around(page)
        kept = text.locked(page, address, length, site.bits)
        if kept is None:
            site.reason = "a punned jump uses its bytes"
            return False
        inside = targets_inside(original, start, address, min(length, kept + JUMP_LENGTH), site.bits)
        prefix = site.code[:kept]
        arena, overlaps = self.arenas[site.bits], space.vmas.overlaps
        following = text.following(page, address + length)
        block = text.superblock(page, site, self._templates.get)
        for padding, low, high in windows(address + kept, length - kept, following, site.bits):
            data = prefix + jump(address + kept, length - kept, padding, low)
            if any(target < address + len(data) for target in inside):
                continue
            aligned = ALIGNED - 1 if high - low >= PAGE else 0
            low = low + aligned & ~aligned
            for site.block in (block, None):  # the smaller one if there is little room
                site.size = (template.size if site.block is None else block.size) + aligned & ~aligned
                place = arena.claim(low, high, site.size, lambda first, end: not overlaps(first, end))
                if place is not None:
                    break
            if place is not None:
                break
        else:
            site.reason = "a branch leads into it" if inside else "no place where a jump could lead"
            return False
        data = prefix + jump(address + kept, length - kept, padding, place)
        try:
            code = site.place(place)
        except OverflowError:  # something in the superblock is out of reach from there
            site.block = None
            code = site.place(place)
        self._put(arena, site, place, code)
        hidden = self.hidden[space.abi]
        for target in range(place >> 12, (place + len(code) - 1 >> 12) + 1):
            hidden.link(address >> 12, target)
        used = kept + len(padding) + JUMP_LENGTH
        try:
            text.write(space, page, address, data, used)
        except LinuxError:
            arena.release(place, site.size)
            site.fragment = 0
            site.reason = "no memory"
            return False
        text.follow(page, lambda: self._drop(site, page))
        site.patch, site.overlap = data, following[: used - len(data)]
        site.kind = PATCHED if used <= template.length else PUNNED
        return True

    def _redirect(self, space: AddressSpace, site: Site) -> None:
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
        self._put(arena, site, place, site.place(place))
        if site.far:
            for page in range(place >> 12, (place + size - 1 >> 12) + 1):
                if page not in self._far:
                    self._far.add(page)
                    self.engine.share_code(page << 12, arena.pages[page])
        site.kind = REDIRECTED

    def _put(self, arena: Arena, site: Site, place: int, code: bytes) -> None:
        arena.write(place, code)
        arena.record(place, len(code), site)
        site.fragment = place

    # Forgetting

    def _remember(self, key: tuple[int, bytes, int], site: Site) -> None:
        if len(self.sites) >= REMEMBERED:
            for old in self.sites.values():
                if old is not site:
                    self._release(old)
            self.forgotten += len(self.sites)
            self.sites.clear()
            self._reuse()
        self.sites[key] = site

    def _drop(self, site: Site, page: TextPage) -> None:
        """Forget a patched site; its page goes."""
        self.patched.pop((site.address, page.file, page.key[1]), None)
        self.forgotten += 1
        self._release(site)
        self._stale += 1
        if self._stale > REMEMBERED:
            self._reuse()

    def _release(self, site: Site) -> None:
        if site.fragment:
            self.arenas[site.bits].release(site.fragment, site.size)
            site.fragment = 0

    def _reuse(self) -> None:
        self._stale = 0
        self.engine.flush_code()
        for arena in self.arenas.values():
            arena.reuse()

    def _withdraw(self, page: int, hidden: HiddenPages) -> None:
        """Take a page of fragments away."""
        if page in self._far:
            self._far.discard(page)
            self.engine.unshare_code(page << 12)
        else:
            hidden.unlink(page)
            self.engine.withdraw(page << 12)


def fetch(space: AddressSpace, address: int) -> bytes:
    """Return up to 15 bytes of code at `address`, fewer where the next page is not readable."""
    try:
        return space.read(address, LONGEST)
    except LinuxError:
        pass
    try:
        return space.read(address, min(LONGEST, PAGE - address % PAGE))
    except LinuxError:
        return b""
