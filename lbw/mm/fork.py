"""Copies of address spaces.  man 2 fork; MADV_DONTFORK, MADV_WIPEONFORK

The page tables are shared, copy on write (`Mmu.fork`); the VMAs are copied. What is charged to overcommit is charged
again. Locks are not inherited, and private memory begins a history of its own (`Vma.anon`).
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.mm import room
from lbw.mm.hidden import permits
from lbw.mm.overcommit import NEVER
from lbw.mm.vma import VM_ACCOUNT, VM_DONTCOPY, VM_LOCKED, VM_LOCKONFAULT, VM_WIPEONFORK, Vma, new_history
from lbw.mm.vma_list import VmaList

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace


def fork(space: AddressSpace) -> AddressSpace:
    """Return a copy-on-write copy.  LinuxError(ENOMEM)"""
    _charge(space)
    try:
        mmu = space.mmu.fork()
    except LinuxError:
        _uncharge(space)
        raise
    child = type(space)(mmu, space.frames, space.homes, space.abi, space.hidden)
    child.size_limit, child.data_limit, child.stack_limit = space.size_limit, space.data_limit, space.stack_limit
    child.data_ceiling, child.lock_limit = space.data_ceiling, space.lock_limit
    child.start_brk, child.brk_end, child.start_stack = space.start_brk, space.brk_end, space.start_stack
    child.arg_start, child.arg_end = space.arg_start, space.arg_end
    child.env_start, child.env_end = space.env_start, space.env_end
    child.auxv, child.executable, child.ldt = space.auxv, space.executable, space.ldt
    child.implies_exec, child.barriers = space.implies_exec, space.barriers
    child.total, child.data = space.total, space.data
    empty = _copy_vmas(space, child)
    for vma in empty:
        try:
            child.mmu.unmap(vma.start, vma.end)
        except LinuxError:
            child.release()
            raise
    if space.rewritten is not None:
        child.fragments = child.rewritten = space.rewritten.of(child)
    if space.crowded:
        child.crowded = True
        child.mmu.permits = lambda page: permits(child, page)
    return child


def _copy_vmas(space: AddressSpace, child: AddressSpace) -> list[Vma]:
    """Give `child` its VMAs; return those of the parent whose pages it does not get."""
    copies, empty = [], []
    for vma in space.vmas:
        marks = vma.marks
        if marks & VM_DONTCOPY:
            empty.append(vma)
            child.total -= vma.end - vma.start
            child.data -= vma.end - vma.start if room.is_data(vma.prot, vma.flags) else 0
            continue
        copy = vma.piece(vma.start, vma.end)
        copy.space = child
        if marks:
            copy.marks = marks & ~(VM_LOCKED | VM_LOCKONFAULT)
        if marks & VM_WIPEONFORK:
            empty.append(vma)
            copy.anon = 0
        elif vma.anon:
            copy.anon = -new_history()
        copies.append(copy)
    child.vmas = VmaList(copies)
    return empty


def _charged(space: AddressSpace) -> list[int]:
    return [vma.end - vma.start >> 12 for vma in space.vmas if vma.marks & (VM_ACCOUNT | VM_DONTCOPY) == VM_ACCOUNT]


def _charge(space: AddressSpace) -> None:
    """Promise a copy of everything.  LinuxError(ENOMEM)"""
    commitment, pages = space.frames.commitment, _charged(space)
    if commitment.mode == NEVER:
        commitment.charge(sum(pages), space.total)
    elif pages:  # each mapping by itself could be had
        commitment.charge(max(pages), space.total)
        commitment.pages += sum(pages) - max(pages)


def _uncharge(space: AddressSpace) -> None:
    space.frames.commitment.release(sum(_charged(space)))
