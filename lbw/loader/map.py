"""Map the segments of an image into an address space.

A segment is a private mapping of its pages in the page cache; zeros follow: the rest of the last file page is
cleared by writing (a copy on write, as in Linux), the pages after it are anonymous, and as they cost nothing until
touched a `.bss` may be of any size. Segments are mapped in the order of the file, a later one over an earlier one.

The same image always lands at the same addresses: the program at the ABI's base, the interpreter at its home.
Translated code and patches are found by address, so this is what makes the second exec fast.
"""

from __future__ import annotations

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.abi.mman import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_NORESERVE,
    MAP_PRIVATE,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
)
from lbw.loader.image import PAGE_MASK, Image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.backing import MappedObject
    from lbw.vfs.location import Location


class Mapped:
    """Where an image lies."""

    __slots__ = ("bias", "end", "image")

    def __init__(self, image: Image, bias: int) -> None:
        self.image = image
        self.bias = bias  # what was added to the addresses of the file
        self.end = (image.end + bias + PAGE_MASK) & ~PAGE_MASK  # page-aligned: where the heap begins

    @property
    def entry(self) -> int:
        """The address of the first instruction."""
        return self.image.entry + self.bias

    @property
    def phdrs(self) -> int:
        """The address of the program headers (AT_PHDR)."""
        return self.image.phdr_vaddr + self.bias


def program_bias(image: Image, base: int) -> int:
    """Return the bias of the main program: none for ET_EXEC, else so that it starts at `base`, aligned as it asks."""
    if not image.position_independent:
        return 0
    return (base & ~(image.alignment - 1)) - image.start


def interpreter_bias(space: AddressSpace, image: Image, file: MappedObject) -> int:
    """Return the bias of the interpreter, which goes to the home of its file.  ENOMEM: no room"""
    if not image.position_independent:
        return 0
    span = ((image.end + PAGE_MASK) & ~PAGE_MASK) - image.start
    home = space.homes.home(file.identity, span, space.abi.homes)
    if home and not home & (image.alignment - 1) and not space.vmas.overlaps(home, home + span):
        return home - image.start
    slack = image.alignment - (PAGE_MASK + 1)
    address = space.mmap(0, span + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
    space.munmap(address, span + slack)
    return ((address + slack) & ~(image.alignment - 1)) - image.start


def map_image(
    space: AddressSpace, image: Image, file: MappedObject, location: Location, bias: int, *,
    low: int, high: int, implies_exec: bool,
) -> Mapped:  # fmt: skip
    """Map all segments of `file`, which is at `location`, at their addresses plus `bias`, between `low` and `high`.

    `implies_exec`: what is readable is executable too (READ_IMPLIES_EXEC).  ENOMEM: no room there
    """
    if image.start + bias < low or image.end + bias > high:
        raise LinuxError(ENOMEM)
    fixed = MAP_PRIVATE | MAP_FIXED
    for segment in image.segments:
        prot = segment.prot
        if implies_exec and prot & PROT_READ:
            prot |= PROT_EXEC
        address = segment.vaddr + bias
        page = zeros = address & ~PAGE_MASK
        data_end, end = address + segment.filesz, address + segment.memsz
        if segment.filesz:
            zeros = (data_end + PAGE_MASK) & ~PAGE_MASK
            offset = segment.offset - (address - page)
            space.mmap(page, zeros - page, prot, fixed, file, offset, location=location)
            if end > data_end and prot & PROT_WRITE:  # to the end of the page: ld.so's first heap relies on it
                space.write(data_end, bytes(zeros - data_end))
        if end > zeros:
            length = ((end + PAGE_MASK) & ~PAGE_MASK) - zeros
            space.mmap(zeros, length, prot, fixed | MAP_ANONYMOUS)
    return Mapped(image, bias)
