"""Memory: mmap and its family, brk.  man 2 mmap, munmap, mprotect, mremap, madvise, msync, mincore, brk"""

from __future__ import annotations

from lbw.abi.errno import EACCES, EFAULT, EINVAL, ENODEV, ENOMEM, EPERM, LinuxError
from lbw.abi.fs import MS_NOEXEC
from lbw.abi.mman import (
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MAP_ANONYMOUS,
    MAP_GROWSDOWN,
    MAP_PRIVATE,
    MAP_SHARED,
    MAP_SHARED_VALIDATE,
    MAP_TYPE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)  # fmt: skip
from lbw.abi.signal import SIGBUS
from lbw.abi.stat import S_IFMT, S_IFREG
from lbw.cpu.contracts import PAGE, READ, WRITE
from lbw.mm import remap
from lbw.mm.faults import SegmentationFault
from lbw.mm.vma import PAGE_MASK, round_up
from lbw.syscalls.parameters import Choice, Fd, Flags, Hex, Out, Pointer, Size
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task
    from lbw.vfs.file import File


#: So much memory is looked at or made present at a time, bytes.
BITE = 16 << 20


def _names(prefix: str, *without: str) -> dict[int, str]:
    from lbw.abi import mman

    return {v: n for n, v in vars(mman).items() if n.startswith(prefix) and n not in without}


PROT_NAMES = {0: "PROT_NONE", **{v: n for v, n in _names("PROT_").items() if v}}
MAP_NAMES = _names("MAP_", "MAP_FILE", "MAP_TYPE", "MAP_UNINITIALIZED")


@syscall(
    "mmap", Pointer("addr"), Size("length"), Flags("prot", PROT_NAMES), Flags("flags", MAP_NAMES), Fd("fd"),
    Hex("offset"),
    note="huge pages are refused with ENOMEM",
)  # fmt: skip
def mmap(task: Task, address: int, length: int, prot: int, flags: int, fd: int, offset: int) -> int:
    """Map anonymous memory or a file; return the address.  man 2 mmap"""
    memory = task.memory
    prot &= PROT_READ | PROT_WRITE | PROT_EXEC  # Linux ignores the others here
    if flags & MAP_ANONYMOUS:
        return memory.mmap(address, length, prot, flags)
    if offset & PAGE_MASK:
        raise LinuxError(EINVAL)
    file = task.files.get(fd)
    if getattr(file, "anonymous_mapping", False):  # /dev/zero
        return memory.mmap(address, length, prot, flags | MAP_ANONYMOUS)
    file, max_prot = mapped_file(file, prot, flags)
    backing = file.inode.mapped(task.kernel.page_cache)
    max_prot = backing.granted(flags & MAP_TYPE != MAP_PRIVATE, prot, max_prot)
    return memory.mmap(address, length, prot, flags, backing, offset, location=file.location, max_prot=max_prot)


def mapped_file(file: File, prot: int, flags: int) -> tuple[File, int]:
    """Check that `file` may be mapped so; return it and what mprotect may grant later.

    EACCES: access mode; EPERM: PROT_EXEC on a noexec mount; ENODEV: not a file that can be mapped; EINVAL: flags
    """
    kind = flags & MAP_TYPE
    if kind not in (MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE):
        raise LinuxError(EINVAL)
    max_prot = PROT_READ | PROT_WRITE | PROT_EXEC
    if not file.readable or (kind != MAP_PRIVATE and prot & PROT_WRITE and not file.writable):
        raise LinuxError(EACCES)
    if kind != MAP_PRIVATE and not file.writable:
        max_prot &= ~PROT_WRITE
    if file.location is not None and file.location.mount.flags & MS_NOEXEC:
        if prot & PROT_EXEC:
            raise LinuxError(EPERM)
        max_prot &= ~PROT_EXEC
    if file.inode.mode & S_IFMT != S_IFREG or flags & MAP_GROWSDOWN:
        raise LinuxError(ENODEV if not flags & MAP_GROWSDOWN else EINVAL)
    return file, max_prot


@syscall("munmap", Pointer("addr"), Size("length"))
def munmap(task: Task, address: int, length: int) -> int:
    """Remove mappings.  EINVAL"""
    task.memory.munmap(address, length)
    return 0


@syscall("mprotect", Pointer("addr"), Size("length"), Flags("prot", PROT_NAMES))
def mprotect(task: Task, address: int, length: int, prot: int) -> int:
    """Change the protection of pages.  EACCES, EINVAL, ENOMEM"""
    task.memory.mprotect(address, length, prot)
    return 0


@syscall("brk", Pointer("addr"))
def brk(task: Task, address: int) -> int:
    """Move the end of the heap; return it, unmoved on failure."""
    return task.memory.brk(address)


@syscall(
    "mremap", Pointer("old"), Size("old_size"), Size("new_size"), Flags("flags", _names("MREMAP_")), Pointer("new"),
    note="MREMAP_DONTUNMAP is EINVAL",
)  # fmt: skip
def mremap(task: Task, old: int, old_size: int, new_size: int, flags: int, new: int) -> int:
    """Resize or move a mapping.  EFAULT, EINVAL, ENOMEM"""
    return remap.mremap(task.memory, old, old_size, new_size, flags, new)


@syscall("madvise", Pointer("addr"), Size("length"), Choice("advice", _names("MADV_")))
def madvise(task: Task, address: int, length: int, advice: int) -> int | Awaitable[int]:
    """Advise about the use of memory.  EINVAL, ENOMEM; EFAULT: MADV_POPULATE_* met the end of the file"""
    if advice in (MADV_POPULATE_READ, MADV_POPULATE_WRITE):
        access = READ if advice == MADV_POPULATE_READ else WRITE
        return populate_to_hole(task, address, length, access)
    remap.madvise(task.memory, address, length, advice)
    return 0


async def populate_to_hole(task: Task, address: int, length: int, access: int) -> int:
    """Make the pages of a range present, up to one that is not mapped (ENOMEM) or does not allow it (EINVAL)."""
    end = address + round_up(length)
    if address & PAGE_MASK or end >= 1 << 64:
        raise LinuxError(EINVAL)
    hole, error = address, ENOMEM
    for vma in task.memory.vmas.between(address, end):
        if vma.start > hole:
            break
        if not vma.prot & (PROT_READ if access == READ else PROT_WRITE):
            error = EINVAL
            break
        hole = vma.end
    await populate(task, address, min(hole, end), access, EINVAL)
    if hole < end:
        raise LinuxError(error)
    return 0


def _mapped(task: Task, address: int, length: int) -> tuple[int, int]:
    """Return the ends of a range.  EINVAL: does not begin with a page, or wraps around; ENOMEM: not all mapped"""
    end = address + round_up(length)
    if address & PAGE_MASK or end >= 1 << 64:
        raise LinuxError(EINVAL)
    if not task.memory.vmas.covered(address, end):
        raise LinuxError(ENOMEM)
    return address, end


async def populate(task: Task, start: int, end: int, access: int, refusal: int) -> int:
    """Make all pages of a range present, letting others run in between.

    `refusal`: the errno for pages that do not allow `access`; EFAULT: beyond the end of a file, or ENOMEM.
    """
    for address in range(start, end, BITE):
        try:
            task.memory.populate(address, min(address + BITE, end), access)
        except SegmentationFault as fault:
            raise LinuxError(EFAULT if fault.signo == SIGBUS else refusal) from None
        if address + BITE < end:
            await task.give_way()
    return 0


@syscall("mincore", Pointer("addr"), Size("length"), Out("vec"))
def mincore(task: Task, address: int, length: int, vec: int) -> Awaitable[int]:
    """Tell which pages are in memory.  EINVAL, ENOMEM: not mapped, EFAULT"""
    return look_at_pages(task, *_mapped(task, address, length), vec)


async def look_at_pages(task: Task, start: int, end: int, vec: int) -> int:
    """Store a byte for each page, letting others run in between.  EFAULT; ENOMEM: unmapped meanwhile"""
    memory = task.memory
    view, find = memory.mmu.view, memory.find
    for piece in range(start, end, BITE):
        resident = bytearray()
        for page in range(piece, min(piece + BITE, end), PAGE):
            present = view(page, 1, False) is not None
            if not present:
                vma = find(page)
                if vma is None:
                    raise LinuxError(ENOMEM)
                if vma.backing is not None:
                    present = any(vma.backing.cached_run((vma.offset + page - vma.start) >> 12, 1))
            resident.append(present)
        memory.write(vec, resident)
        vec += len(resident)
        if piece + BITE < end:
            await task.give_way()
    return 0
