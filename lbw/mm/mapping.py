"""Making and removing mappings.  man 2 mmap, munmap

mmap has two halves, because Linux looks at a file only when a place was found: `choose` finds the place, `establish`
maps. Between them the system call asks whether the file may be mapped so. The order in which errors are found is that
of Linux' do_mmap: a call with several mistakes gets the same errno.

What MAP_FIXED lies over is removed last, when nothing but memory for page tables can fail any more.
"""

from __future__ import annotations

from lbw.abi.errno import EEXIST, EINVAL, ENOMEM, EPERM, LinuxError
from lbw.abi.mman import (
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_GROWSDOWN,
    MAP_LOCKED,
    MAP_NORESERVE,
    MAP_PRIVATE,
    MAP_SHARED,
    MAP_SHARED_VALIDATE,
    MAP_STACK,
    MAP_TYPE,
    PROT_EXEC,
    PROT_READ,
)  # fmt: skip
from lbw.mm import room
from lbw.mm.locking import marks_of_new
from lbw.mm.overcommit import accountable
from lbw.mm.placement import place, withheld
from lbw.mm.shared import SharedMemory
from lbw.mm.vma import PAGE_MASK, VM_ACCOUNT, VM_NOHUGEPAGE, Vma, round_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.backing import MappedObject

_ANYWHERE_FIXED = MAP_FIXED | MAP_FIXED_NOREPLACE
#: Flags that a VMA keeps beside MAP_SHARED and MAP_PRIVATE.
_KEPT = MAP_GROWSDOWN | MAP_NORESERVE


def choose(space: AddressSpace, address: int, length: int, flags: int, file: MappedObject | None = None) -> int:
    """Return where mmap maps `length` bytes.

    EINVAL: no length, or an address that is not aligned; ENOMEM: no room, or too many mappings; EPERM: below
    vm.mmap_min_addr, or MAP_LOCKED is not allowed; EEXIST: MAP_FIXED_NOREPLACE; EAGAIN: too much locked memory.
    """
    if not length:
        raise LinuxError(EINVAL)
    length = round_up(length)
    vmas, homes, task_size = space.vmas, space.homes, space.abi.task_size
    if len(vmas) > homes.max_map_count or length > task_size:
        raise LinuxError(ENOMEM)
    if flags & _ANYWHERE_FIXED:
        if address > task_size - length:
            raise LinuxError(ENOMEM)
        if address & PAGE_MASK:
            raise LinuxError(EINVAL)
        if address < homes.min_address:
            raise LinuxError(EPERM)
        if withheld(space, address, length):
            raise LinuxError(ENOMEM)
        if flags & MAP_FIXED_NOREPLACE and vmas.overlaps(address, address + length):
            raise LinuxError(EEXIST)
    else:
        address &= ~PAGE_MASK
        if address:
            address = max(address, homes.min_address)
        address = place(space, length, file, address, flags)
    if flags & MAP_LOCKED or space.lock_marks:
        marks_of_new(space, flags, length)
    return address


def establish(
    space: AddressSpace, address: int, length: int, prot: int, flags: int, backing: MappedObject | None = None,
    offset: int = 0, name: bytes = b"", location: object = None, max_prot: int = 7, opened: object = None,
) -> Vma:  # fmt: skip
    """Map `length` bytes at `address`, which `choose` returned; return the VMA, perhaps joined with its neighbours.

    EINVAL: neither shared nor private, or a shared stack; ENOMEM
    """
    kind = flags & MAP_TYPE
    shared = kind == MAP_SHARED or (kind == MAP_SHARED_VALIDATE and backing is not None)
    if not shared and kind != MAP_PRIVATE:
        raise LinuxError(EINVAL)
    if flags & MAP_GROWSDOWN and (shared or backing is not None):
        raise LinuxError(EINVAL)
    length = round_up(length)
    end = address + length
    if space.implies_exec and prot & PROT_READ and max_prot & PROT_EXEC:
        prot |= PROT_EXEC
    marks = marks_of_new(space, flags, length) if flags & MAP_LOCKED or space.lock_marks else 0
    if flags & MAP_STACK:
        marks |= VM_NOHUGEPAGE
    commitment = space.frames.commitment
    kept = MAP_SHARED if shared else MAP_PRIVATE
    if flags & _KEPT:
        kept |= commitment.kept(flags) & _KEPT
    over = 0
    if flags & _ANYWHERE_FIXED and space.vmas.overlaps(address, end):
        over = sum(min(vma.end, end) - max(vma.start, address) for vma in space.vmas.between(address, end))
    if not room.fits(space, length - over, prot, kept):
        raise LinuxError(ENOMEM)
    if shared and backing is None:
        backing = SharedMemory(space.frames, length)
        if not kept & MAP_NORESERVE:
            backing.promise(space.total)
    if accountable(prot, kept):
        commitment.charge(length >> 12, space.total)
        marks |= VM_ACCOUNT
    try:
        if over:
            munmap(space, address, length)
        vma = Vma(address, end, prot, kept, backing, offset, name, location, max_prot, opened)
        vma.marks = marks
        return room.add(space, vma)
    except LinuxError:
        if marks & VM_ACCOUNT:
            commitment.release(length >> 12)
        raise


def munmap(space: AddressSpace, start: int, length: int) -> None:
    """Unmap whole pages.  EINVAL; ENOMEM: a mapping would become two and there are too many, or no memory for tables"""
    length = round_up(length)
    if start & PAGE_MASK or not length or start > space.abi.task_size - length:
        raise LinuxError(EINVAL)
    end = start + length
    gone = space.vmas.between(start, end)
    if not gone:
        return
    first = gone[0]
    if first.start < start and end < first.end and len(space.vmas) >= space.homes.max_map_count:
        raise LinuxError(ENOMEM)
    space.mmu.unmap(start, end)  # first: it may fail
    if space.total > space.most:
        space.most = space.total
    for vma in space.vmas.remove(start, end, gone):
        room.forget(space, vma)
