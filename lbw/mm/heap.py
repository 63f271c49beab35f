"""The heap.  man 2 brk"""

from __future__ import annotations

from lbw.abi.mman import MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.cpu.contracts import PAGE
from lbw.mm.vma import Vma, round_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace


def brk(space: AddressSpace, address: int) -> int:
    """Set the end of the heap; return where it is then.  man 2 brk"""
    old, new = round_up(space.brk_end), round_up(address)
    if address < space.start_brk or new > space.abi.task_size:
        return space.brk_end
    if new > old:
        grow = new - old
        if (
            space.vmas.overlaps(old, new + PAGE)
            or space.total + grow > space.size_limit
            or new - space.start_brk > space.data_limit
            or grow > space.frames.limit * PAGE
        ):
            return space.brk_end
        prot = PROT_READ | PROT_WRITE | (PROT_EXEC if space.implies_exec else 0)
        space.add(Vma(old, new, prot, MAP_PRIVATE, None, 0, b"[heap]"))
    elif new < old:
        space.munmap(new, old - new)
    space.brk_end = address
    return address
