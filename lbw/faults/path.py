"""The fault path: what a segment access whose base is withheld becomes.

The first trap at a site decodes the instruction and translates it into a fragment; then a jump is written over the site
where that is possible, and it never traps again. Else each trap leads to the fragment, or, when there is no
translation, the instruction is run alone under the true base.  docs/fault-path.md
"""

from __future__ import annotations

from collections import deque

from lbw.abi.errno import LinuxError
from lbw.abi.thread_cell import TARGET
from lbw.abi.x86 import LEGACY_PREFIXES, REX_PREFIXES
from lbw.cpu.contracts import ALL, PAGE, RIP
from lbw.faults.branches import targets_inside
from lbw.faults.fragments import Fragments
from lbw.faults.instruction import instruction_bytes
from lbw.faults.punning import JUMP_LENGTH, jump, windows
from lbw.faults.site import PATCHED, PUNNED, Site
from lbw.faults.template import BEHIND, SITE
from lbw.faults.text import TextCopies
from lbw.mm.hidden import covered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi
    from lbw.cpu.contracts import Context, Engine
    from lbw.faults.template_store import TemplateStore
    from lbw.faults.text import TextFile, TextPage
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.frames import Frames

#: Modes of `--segments`.
PATCH, FAULT, BASE = "patch", "fault", "base"

#: So many sites that are not patched are remembered; then all of them are forgotten. Programs that rewrite their code
#: make ever new ones.
REMEMBERED = 8192

_SEGMENT_OVERRIDES = frozenset((0x64, 0x65))
_PREFIXES = LEGACY_PREFIXES | REX_PREFIXES


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
        self.patched: dict[tuple[int, TextFile, int], Site] = {}
        #: Patched sites of files that are gone, for people; the last ones.
        self.gone: deque[Site] = deque(maxlen=REMEMBERED)
        self.traps = 0
        self.forgotten = 0  # sites
        self.fragments = Fragments(engine, frames, abis, mode != BASE)
        self._templates = templates
        self._text = TextCopies(engine, frames)

    # Traps

    def trapped(self, context: Context, space: AddressSpace, bits: int) -> Site | None:
        """Send a context that trapped at a segment access on to the fragment, if it was that.

        None: it was something else. A site of kind STEPPED has no fragment: use `lbw.cpu.contracts.Engine.step`.
        """
        registers = context.registers
        rip = registers[RIP]
        code = instruction_bytes(space, rip)
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

    def leave(self, context: Context, space: AddressSpace, bits: int) -> bool:
        """Bring a context whose RIP is in a fragment to where the guest is: at the site, behind it, or at its target.

        What had been done before the instruction took effect is undone, what was left to do after it is done.
        True: the instruction is done.
        """
        registers = context.registers
        rip = registers[RIP]
        found = self.fragments.find(rip, bits)
        if found is not None:
            if covered(space, rip):
                return False
            site, offset = found
            place = site.locate(offset)
        else:
            place = space.rewritten.find(rip) if space.rewritten is not None else None
        if place is None:
            return False  # no fragment runs into the middle of an instruction: the program has jumped there
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
        return recovery.resume != SITE

    def stepped(self, context: Context, bits: int) -> bool:
        """Tell whether a context that steps through a fragment has done the site's instruction, or a later one."""
        rip = context.registers[RIP]
        found = self.fragments.find(rip, bits)
        if found is None:
            return False
        site, offset = found
        return site.block is not None and site.block.begins(offset)

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
            self.fragments.make_far(space, site)
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
        following = text.following(page, address + length)
        block = text.superblock(page, site, self._templates.get)
        for padding, low, high in windows(address + kept, length - kept, following, site.bits):
            used = kept + len(padding) + JUMP_LENGTH
            end = address + min(used, length)
            if any(target < end for target in inside):
                continue
            if self.fragments.make_near(space, site, low, high, block):
                break
        else:
            site.reason = "a branch leads into it" if inside else "no place where a jump could lead"
            return False
        data = site.code[:kept] + jump(address + kept, length - kept, padding, site.fragment)
        try:
            text.write(space, page, address, data, used)
        except LinuxError:
            self.fragments.drop(site)
            site.reason = "no memory"
            return False
        text.follow(page, lambda: self._drop(site, page))
        site.patch, site.overlap = data, following[: used - len(data)]
        site.kind = PATCHED if used <= template.length else PUNNED
        return True

    # Forgetting

    def close(self) -> None:
        """Let go of everything, so that guest memory goes back to the host at once: nothing runs any more."""
        self.fragments.close()
        self._text.close()
        self.sites.clear()
        self.patched.clear()

    def _remember(self, key: tuple[int, bytes, int], site: Site) -> None:
        if len(self.sites) >= REMEMBERED:
            for old in self.sites.values():
                if old is not site:
                    self.fragments.drop(old)
            self.forgotten += len(self.sites)
            self.sites.clear()
            self.fragments.reuse()
        self.sites[key] = site

    def _drop(self, site: Site, page: TextPage) -> None:
        """Forget a patched site; its page goes."""
        if self.patched.pop((site.address, page.file, page.key[1]), None) is not None:
            self.gone.append(site)
        self.forgotten += 1
        self.fragments.drop(site)
