"""Locking memory.  man 2 mlock, mlock2, munlock, mlockall, munlockall

The rules are in `lbw.mm.locking`. Afterwards the pages are made present, as the mappings allow it: those that are
private and writable by a write, so that nothing has to be copied later; those that are locked on fault not at all.
"""

from __future__ import annotations

from lbw.abi import mman
from lbw.abi.errno import EAGAIN, EINVAL, ENOMEM, LinuxError
from lbw.abi.mman import MCL_CURRENT, MCL_ONFAULT, MLOCK_ONFAULT, PROT_WRITE
from lbw.cpu.contracts import READ, WRITE
from lbw.mm import locking
from lbw.mm.faults import SegmentationFault
from lbw.mm.vma import VM_LOCKED, VM_LOCKONFAULT
from lbw.syscalls.flag_names import named
from lbw.syscalls.memory import make_present
from lbw.syscalls.parameters import Flags, Pointer, Size
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task

#: So much is made present before others get a turn, bytes.
BITE = 1 << 20


@syscall("mlock", Pointer("addr"), Size("length"))
def mlock(task: Task, address: int, length: int) -> int | Awaitable[int]:
    """Keep pages in memory, and bring them there.  EPERM, EINVAL, ENOMEM, EAGAIN: no memory left"""
    return _bring(task, *locking.lock(task.memory, address, length, VM_LOCKED))


@syscall("mlock2", Pointer("addr"), Size("length"), Flags("flags", {MLOCK_ONFAULT: "MLOCK_ONFAULT"}))
def mlock2(task: Task, address: int, length: int, flags: int) -> int | Awaitable[int]:
    """Like mlock, or (MLOCK_ONFAULT) only what is touched.  EINVAL"""
    if flags & ~MLOCK_ONFAULT:
        raise LinuxError(EINVAL)
    return _bring(task, *locking.lock(task.memory, address, length, VM_LOCKED | (VM_LOCKONFAULT if flags else 0)))


@syscall("munlock", Pointer("addr"), Size("length"))
def munlock(task: Task, address: int, length: int) -> int:
    """Let pages go when memory is short.  EINVAL, ENOMEM: not mapped"""
    locking.unlock(task.memory, address, length)
    return 0


@syscall("mlockall", Flags("flags", named(mman, "MCL_CURRENT MCL_FUTURE MCL_ONFAULT")))
def mlockall(task: Task, flags: int) -> int | Awaitable[int]:
    """Keep all pages in memory.  EINVAL, EPERM, ENOMEM"""
    locking.lock_all(task.memory, flags)
    if flags & MCL_CURRENT and not flags & MCL_ONFAULT:
        return bring_all(task)
    return 0


@syscall("munlockall")
def munlockall(task: Task) -> int:
    """Undo mlockall and mlock."""
    locking.unlock_all(task.memory)
    return 0


def _bring(task: Task, start: int, end: int) -> int | Awaitable[int]:
    return bring(task, start, end) if start < end else 0


async def bring(task: Task, start: int, end: int) -> int:
    """Make the pages of locked mappings present.  ENOMEM: it cannot be accessed, or ends; EAGAIN: no memory"""
    while start < end:
        vma = task.memory.vmas.find(start)
        if vma is None:  # others took it away meanwhile, which is not looked at again
            above, _ = task.memory.vmas.above(start)
            start = above.start if above is not None else end
            continue
        stop = min(vma.end, end)
        if not vma.marks & VM_LOCKONFAULT:
            stop = min(stop, start + BITE)
            if not vma.prot:
                raise LinuxError(ENOMEM)
            try:
                await make_present(task, start, stop, WRITE if vma.prot & PROT_WRITE and not vma.shared else READ)
            except SegmentationFault:
                raise LinuxError(ENOMEM) from None
            except LinuxError as error:
                raise LinuxError(EAGAIN if error.errno == ENOMEM else error.errno) from None
        start = stop
        if start < end:
            await task.give_way()
    return 0


async def bring_all(task: Task) -> int:
    """Make all pages of locked mappings present that can be; it is no error when some cannot."""
    for vma in list(task.memory.vmas):
        try:
            await bring(task, vma.start, vma.end)
        except LinuxError:
            pass
    return 0
