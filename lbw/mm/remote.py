"""Access to an address space from outside: /proc/PID/mem, process_vm_readv.  Linux get_user_pages

Not the processor's rules count here but those of the mappings: what has no PROT_READ cannot be read, though x86 can
read what is writable or executable; neither can the pages of the kernel's clocks. A stack does not grow.

**Forced** access (FOLL_FORCE, for debuggers) goes further: what the program made unreadable is read all the same, and a
private mapping that is not writable is written to, into a copy of the page that is the process's own from then on,
with the protection it had. So a breakpoint goes into program text, and no other process sees it. A shared mapping that
is not writable is out of reach: the change would be everybody's.

To force, the page gets the rights that it needs for as long as it takes to move the bytes. The Mmu needs no operation
of its own for it, and nobody sees it: no guest runs meanwhile.
"""

from __future__ import annotations

from lbw.abi.errno import EFAULT, LinuxError
from lbw.abi.mman import PROT_READ, PROT_WRITE
from lbw.cpu.contracts import PAGE, READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.vma import Vma


class _Forced:
    """A page of a mapping, with other rights; a `Region`."""

    __slots__ = ("backing", "end", "offset", "prot", "shared", "start")

    def __init__(self, vma: Vma, page: int, prot: int) -> None:
        self.start, self.end = page, page + PAGE
        self.prot = prot
        self.offset = vma.offset + page - vma.start
        self.backing = vma.backing
        self.shared = vma.shared


def views(space: AddressSpace, address: int, length: int, write: bool) -> list[memoryview]:
    """Return memory at `address` as views of at most a page: `length` bytes, or up to where the mapping or access ends.

    EFAULT: not even one byte is accessible
    """
    vma = _mapping(space, address)
    if not vma.prot & (PROT_WRITE if write else PROT_READ):
        raise LinuxError(EFAULT)
    return space.views(address, min(length, vma.end - address), write)


def copy_out(space: AddressSpace, address: int, into: memoryview, force: bool = False) -> None:
    """Read `into`, bytes within one page, at `address`.  EFAULT"""
    vma = _mapping(space, address)
    if vma.prot & PROT_READ:
        for view in space.views(address, len(into), False):
            into[:] = view
    elif force and vma.max_prot & PROT_READ:
        _forced(space, vma, address, into, False)
    else:
        raise LinuxError(EFAULT)


def copy_in(space: AddressSpace, address: int, data: memoryview, force: bool = False) -> None:
    """Write `data`, bytes within one page, at `address`.  EFAULT"""
    vma = _mapping(space, address)
    if vma.prot & PROT_WRITE:
        for view in space.views(address, len(data), True):
            view[:] = data
    elif force and not vma.shared and vma.max_prot & PROT_WRITE:
        _forced(space, vma, address, data, True)
    else:
        raise LinuxError(EFAULT)


def _mapping(space: AddressSpace, address: int) -> Vma:
    vma = space.vmas.find(address)
    if vma is None or vma.name == b"[vvar]":
        raise LinuxError(EFAULT)
    return vma


def _forced(space: AddressSpace, vma: Vma, address: int, data: memoryview, write: bool) -> None:
    """Move `data` between two changes of the page's protection.  EFAULT, ENOMEM"""
    mmu, page = space.mmu, address & -PAGE
    prot = PROT_READ | PROT_WRITE if write else PROT_READ
    mmu.protect(page, page + PAGE, prot)
    try:
        if not mmu.touch(_Forced(vma, page, prot), address, WRITE if write else READ):
            raise LinuxError(EFAULT)  # beyond the end of the file
        view = mmu.view(address, len(data), write)
        if view is None:
            raise LinuxError(EFAULT)
        if write:
            view[:] = data
        else:
            data[:] = view
    finally:
        mmu.protect(page, page + PAGE, vma.prot)
