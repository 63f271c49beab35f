"""Rewritten files in an address space: where a program may stop inside of a fragment that a file brought along.

Which files these are is found out when a program stops in one, by its mapping: only address spaces in which a rewritten
file has asked for lbw (`lbw.faults.rewrite_stub`) look at all. What a file says about itself is not trusted: at worst
the program gets registers that it could have given itself.
"""

from __future__ import annotations

from lbw.abi.mman import PROT_EXEC, PROT_WRITE
from lbw.cpu.contracts import PAGE
from lbw.faults.rewritten import RewrittenImage, read_image
from lbw.mm.cached_file import CachedFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.faults.template import Recovery
    from lbw.mm.address_space import AddressSpace

#: A table is not larger than this, bytes.
_LARGEST = 256 << 20


class RewrittenFiles:
    """The rewritten files of one address space, and the hidden pages, which a trap may be in as well."""

    __slots__ = ("_images", "_space")

    def __init__(self, space: AddressSpace, images: dict[CachedFile, RewrittenImage | None] | None = None) -> None:
        self._space = space
        #: What is known of files, shared by all copies of the address space.
        self._images = images if images is not None else {}

    def of(self, space: AddressSpace) -> RewrittenFiles:
        """Return the same for a copy of the address space."""
        return RewrittenFiles(space, self._images)

    def __contains__(self, page: object, /) -> bool:
        """Tell whether page number `page` may have fragments, hidden or in a file."""
        if page in self._space.hidden.pages:
            return True
        assert isinstance(page, int)
        found = self._image(page * PAGE)
        return found is not None and found[0].covers(page * PAGE, found[1])

    def find(self, address: int) -> tuple[Recovery, int, int] | None:
        """Return (how to recover, site, length of its instruction) when a fragment of a file is at `address`."""
        found = self._image(address)
        fragment = found[0].find(address, found[1]) if found is not None else None
        if fragment is None:
            return None
        start, template, site = fragment
        recovery = template.recover(address - start)
        if recovery is None or any(number > 15 for number, _ in (*recovery.restores, *recovery.biases)):
            return None
        return recovery, site, template.length

    def _image(self, address: int) -> tuple[RewrittenImage, int] | None:
        """Return (image, address of its offset 0) when `address` is in the unchanged code of a rewritten file."""
        vma = self._space.vmas.find(address)
        if vma is None or vma.prot & (PROT_EXEC | PROT_WRITE) != PROT_EXEC:
            return None
        file = vma.backing
        if not isinstance(file, CachedFile):
            return None
        if file not in self._images:
            self._images[file] = read_image(lambda offset, length: _read(file, offset, length))
        image = self._images[file]
        return (image, vma.start - vma.offset) if image is not None else None


def _read(file: CachedFile, offset: int, length: int) -> bytes:
    """Return bytes of a file from its pages; fewer at its end."""
    view = file.cache.frames.view
    parts = []
    length = min(length, _LARGEST)
    while length > 0:
        frame = file.frame(offset // PAGE)
        if frame is None:
            break
        at = offset % PAGE
        piece = bytes(view[frame + at : frame + min(PAGE, at + length)])
        parts.append(piece)
        offset += len(piece)
        length -= len(piece)
    return b"".join(parts)
