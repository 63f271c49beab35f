"""Sites: guest instructions that trapped because a segment base is withheld, and what became of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.faults.path import FaultPath
    from lbw.faults.superblock import Superblock
    from lbw.faults.template import Recovery, Template
    from lbw.mm.vma import Vma

#: What happens at a site: a jump over its first five bytes, a jump that overlaps the next instruction, a trap that
#: leads to its fragment, a trap and a single step.
PATCHED, PUNNED, REDIRECTED, STEPPED = "patched", "punned", "redirected", "stepped"


class Site:
    """One site; in all processes that have these bytes at this address."""

    __slots__ = (
        "address", "bits", "block", "code", "far", "faults", "fragment", "kind", "location", "name", "offset",
        "overlap", "patch", "reason", "size", "template",
    )  # fmt: skip

    def __init__(
        self, address: int, bits: int, code: bytes, template: Template | None, vma: Vma | None = None
    ) -> None:
        self.address = address
        self.bits = bits
        self.code = code  # of the instruction, or what was readable there if it was not understood
        self.template = template
        self.block: Superblock | None = None  # what the fragment is, if it does more than this instruction
        self.fragment = 0  # its address, 0 for none
        self.size = 0  # bytes that the fragment has in the arena
        self.far = False  # the fragment is out of reach of a jump
        self.kind = STEPPED
        self.reason = ""  # why it is not patched
        self.faults = 0
        self.patch = self.overlap = b""  # what is written over it, and what the jump uses of the bytes behind that
        #: Where it was met first: a place in the tree of files, or the name of a mapping without one; bytes into it.
        self.location = vma.location if vma is not None else None
        self.name = vma.name if vma is not None else b""
        self.offset = address - vma.start if vma is not None else 0
        if vma is not None and vma.backing is not None:
            self.offset += vma.offset

    def place(self, address: int) -> bytes:
        """Return the fragment's code, to lie at `address`.  OverflowError: not from there"""
        assert self.template is not None
        if self.block is not None:
            return self.block.place(address)
        return (self.template.place_far if self.far else self.template.place)(address, self.address)

    def locate(self, offset: int) -> tuple[Recovery, int, int] | None:
        """Return how to recover at byte `offset` of the fragment, and address and length of the instruction there.

        None: no instruction of the fragment begins there.
        """
        assert self.template is not None
        if self.block is not None:
            return self.block.locate(offset)
        recovery = self.template.recover(offset)
        return None if recovery is None else (recovery, self.address, len(self.code))


def all_sites(faults: FaultPath) -> Iterator[Site]:
    """Yield the sites that are patched, and of the others those that ever trapped as such."""
    yield from faults.patched.values()
    yield from faults.gone
    for site in faults.sites.values():
        if site.faults:
            yield site


def mnemonic(site: Site) -> str:
    """Return the name of the instruction."""
    return site.template.mnemonic if site.template is not None else instruction(site)[0]


def instruction(site: Site) -> tuple[str, bytes]:
    """Return name and bytes of the instruction. Without a template, capstone knows, "?" if not."""
    if site.template is not None:
        return site.template.mnemonic, site.code
    from lbw.faults.disassembler import disassembler

    for found in disassembler(site.bits).disasm(site.code, site.address, 1):
        return str(found.mnemonic), bytes(found.bytes)
    return "?", site.code
