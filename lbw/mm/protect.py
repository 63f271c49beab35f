"""Changing protections.  man 2 mprotect"""

from __future__ import annotations

from lbw.abi.errno import EACCES, EINVAL, ENOMEM, LinuxError
from lbw.abi.mman import PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.mm.placement import MAX_MAP_COUNT
from lbw.mm.vma import PAGE_MASK, round_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace


def mprotect(space: AddressSpace, start: int, length: int, prot: int) -> None:
    """Change the protection of whole pages.  EINVAL, ENOMEM: not all mapped, EACCES"""
    if start & PAGE_MASK:
        raise LinuxError(EINVAL)
    end = start + round_up(length)
    if end < start or end > space.abi.task_size:
        raise LinuxError(ENOMEM)
    if start == end:
        return
    if prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC):
        raise LinuxError(EINVAL)
    if len(space.vmas) + 2 > MAX_MAP_COUNT:
        raise LinuxError(ENOMEM)
    space.vmas.cut(start)
    space.vmas.cut(end)
    position = start
    error = 0
    for vma in space.vmas.between(start, end):  # Linux changes what comes before the first hole
        if vma.start > position:
            break
        if prot & ~vma.max_prot:
            error = EACCES
            break
        wanted = prot
        if space.implies_exec and prot & PROT_READ:
            wanted |= vma.max_prot & PROT_EXEC
        if vma.prot != wanted:
            try:
                space.mmu.protect(vma.start, vma.end, wanted)
            except LinuxError:
                break
            vma.prot = wanted
        position = vma.end
    space.vmas.rejoin(start, end)
    if position < end:
        raise LinuxError(error or ENOMEM)
