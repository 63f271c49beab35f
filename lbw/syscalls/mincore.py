"""Which pages are in memory: mincore.  man 2 mincore; Linux mm/mincore.c

A page is there if the page tables show it, the zero page too, or if the page cache has it: an access would not wait for
the host. What others have brought into the cache is nobody's business, so of files that the caller neither owns nor
may write to all pages are said to be there, as well as of the kernel's own.
"""

from __future__ import annotations

from lbw.abi.errno import EFAULT, EINVAL, ENOMEM, LinuxError
from lbw.cpu.contracts import PAGE
from lbw.mm.kernel_pages import KernelPages
from lbw.mm.vma import PAGE_MASK, round_up
from lbw.syscalls.array_displays import OutBits
from lbw.syscalls.parameters import Pointer, Size
from lbw.syscalls.table import syscall
from lbw.vfs.location import Location
from lbw.vfs.permissions import owns, permits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task
    from lbw.mm.vma import Vma

#: So much memory is looked at at a time, bytes.
BITE = 16 << 20
MAY_WRITE = 2


@syscall("mincore", Pointer("addr"), Size("length"), OutBits("vec", 1))
def mincore(task: Task, address: int, length: int, vec: int) -> int | Awaitable[int]:
    """Store a byte for each page: whether it is in memory.

    EINVAL: does not begin with a page; ENOMEM: no user memory, or a hole, what is before it being stored; EFAULT.
    man 2 mincore
    """
    if address & PAGE_MASK:
        raise LinuxError(EINVAL)
    top = task.abi.task_size
    end = address + round_up(length)
    if address + length > top:
        raise LinuxError(ENOMEM)
    if vec + (end - address) // PAGE > top:
        raise LinuxError(EFAULT)
    if end - address <= BITE:
        return look(task, address, end, vec)
    return look_in_turns(task, address, end, vec)


async def look_in_turns(task: Task, start: int, end: int, vec: int) -> int:
    """Do it piece by piece, letting others run in between."""
    for low in range(start, end, BITE):
        look(task, low, min(low + BITE, end), vec + (low - start) // PAGE)
        await task.give_way()
    return 0


def look(task: Task, start: int, end: int, vec: int) -> int:
    """Store the bytes for the pages of a range, up to the first hole.  ENOMEM, EFAULT"""
    memory, position = task.memory, start
    found = bytearray()
    for vma in memory.vmas.between(start, end):
        if vma.start > position:
            break
        last = min(vma.end, end)
        found += residency(task, vma, position, last)
        position = last
    memory.write(vec, found)
    if position < end:
        raise LinuxError(ENOMEM)
    return 0


def residency(task: Task, vma: Vma, start: int, end: int) -> bytearray:
    """Return a byte for each page of a part of a mapping: 1 if it is in memory."""
    count = (end - start) // PAGE
    backing, location = vma.backing, vma.location
    if isinstance(location, Location):
        inode = location.inode
        if not (owns(task.credentials, inode) or permits(task.credentials, inode, MAY_WRITE)):
            return bytearray(b"\1" * count)
    elif isinstance(backing, KernelPages):
        return bytearray(b"\1" * count)
    found = bytearray(count)
    if backing is not None:
        for index, frame in enumerate(backing.cached_run(vma.offset + start - vma.start >> 12, count)):
            if frame:
                found[index] = 1
    for address, _, _, _ in task.memory.mmu.pages(start, end):
        found[address - start >> 12] = 1
    return found
