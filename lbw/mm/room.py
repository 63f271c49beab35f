"""Room: what an address space may still take, and the counts that say so.  RLIMIT_AS, RLIMIT_DATA, vm.max_map_count

`space.total` are the bytes that are mapped; `space.data` those of them that are data in the sense of RLIMIT_DATA:
private, writable and no stack, whether or not they were ever written to (Linux is_data_mapping). What is promised
(overcommit) and what is locked is counted by `lbw.mm.overcommit` and `lbw.mm.locking`; whatever makes, changes or
removes mappings tells all of them through the functions here.
"""

from __future__ import annotations

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.abi.mman import MAP_GROWSDOWN, MAP_SHARED, PROT_WRITE
from lbw.mm import locking
from lbw.mm.hidden import cover
from lbw.mm.vma import VM_ACCOUNT, VM_LOCKED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.vma import Vma


def is_data(prot: int, flags: int) -> bool:
    """Tell whether a mapping counts for RLIMIT_DATA."""
    return prot & PROT_WRITE != 0 and not flags & (MAP_SHARED | MAP_GROWSDOWN)


def fits(space: AddressSpace, length: int, prot: int, flags: int) -> bool:
    """Tell whether the limits allow `length` more bytes of such a mapping."""
    if space.total + length > space.size_limit:
        return False
    return space.data + length <= space.data_limit or not is_data(prot, flags) or _data_ceiling(space, length)


def _data_ceiling(space: AddressSpace, length: int) -> bool:
    # A soft limit of 0 means the hard one, for programs that want all of it from mmap (Linux, may_expand_vm)
    return space.data_limit == 0 and space.data + length <= space.data_ceiling


def require(space: AddressSpace, length: int, prot: int, flags: int) -> None:
    """ENOMEM when the limits forbid `length` more bytes of such a mapping."""
    if not fits(space, length, prot, flags):
        raise LinuxError(ENOMEM)


def require_maps(space: AddressSpace, more: int = 0) -> None:
    """ENOMEM when there are more mappings than vm.max_map_count, or would be with `more`."""
    if len(space.vmas) + more > space.homes.max_map_count:
        raise LinuxError(ENOMEM)


def count(space: AddressSpace, vma: Vma, length: int) -> None:
    """Count `length` more bytes of a mapping (of what is charged: `overcommit.charge`, before)."""
    space.total += length
    if is_data(vma.prot, vma.flags):
        space.data += length
    if vma.marks & VM_LOCKED:
        space.locked_pages += length >> 12


def add(space: AddressSpace, vma: Vma, *, joining: bool = True) -> Vma:
    """Map `vma` in a free range; return what it is now: perhaps a part of its neighbour.  LinuxError(ENOMEM)"""
    cover(space, vma.start, vma.end)
    vma.space = space
    count(space, vma, vma.end - vma.start)
    return space.vmas.insert(vma, joining)


def forget(space: AddressSpace, vma: Vma) -> None:
    """Count a mapping no longer that was taken out of the list; it is dead."""
    length, marks = vma.end - vma.start, vma.marks
    space.total -= length
    if is_data(vma.prot, vma.flags):
        space.data -= length
    if marks & VM_ACCOUNT:
        space.frames.commitment.release(length >> 12)
    if marks & VM_LOCKED:
        locking.forget(space, vma)
    if vma.backing is not None:
        vma.drop()
