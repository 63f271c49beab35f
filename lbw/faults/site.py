"""Sites: guest instructions that trapped because a segment base is withheld, and what became of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.faults.template import Template

#: What happens at a site: a jump over its first five bytes, a jump that overlaps the next instruction, a trap that
#: leads to its fragment, a trap and a single step.
PATCHED, PUNNED, REDIRECTED, STEPPED = "patched", "punned", "redirected", "stepped"


class Site:
    """One site; in all processes that have these bytes at this address."""

    __slots__ = ("address", "bits", "code", "far", "faults", "fragment", "kind", "reason", "size", "template")

    def __init__(self, address: int, bits: int, code: bytes, template: Template | None) -> None:
        self.address = address
        self.bits = bits
        self.code = code  # of the instruction, or what was readable there if it was not understood
        self.template = template
        self.fragment = 0  # its address, 0 for none
        self.size = 0  # bytes that the fragment has in the arena
        self.far = False  # the fragment is out of reach of a jump
        self.kind = STEPPED
        self.reason = ""  # why it is not patched
        self.faults = 0

    @property
    def mnemonic(self) -> str:
        """The instruction's name."""
        return self.template.mnemonic if self.template is not None else "?"
