"""Memory: mmap and its family, brk.  man 2 mmap, munmap, mprotect, mremap, madvise, msync, brk"""

from __future__ import annotations

from lbw.abi.errno import (
    EACCES,
    EFAULT,
    EINVAL,
    ENODEV,
    ENOMEM,
    EOPNOTSUPP,
    EOVERFLOW,
    EPERM,
    LinuxError,
)  # fmt: skip
from lbw.abi.fs import MS_NOEXEC
from lbw.abi.mman import (
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MAP_32BIT,
    MAP_ANONYMOUS,
    MAP_DENYWRITE,
    MAP_EXECUTABLE,
    MAP_FIXED,
    MAP_GROWSDOWN,
    MAP_HUGE_SHIFT,
    MAP_HUGETLB,
    MAP_LOCKED,
    MAP_NONBLOCK,
    MAP_NORESERVE,
    MAP_POPULATE,
    MAP_PRIVATE,
    MAP_SHARED,
    MAP_SHARED_VALIDATE,
    MAP_STACK,
    MAP_TYPE,
    MAP_UNINITIALIZED,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)  # fmt: skip
from lbw.abi.signal import SIGBUS
from lbw.abi.stat import S_IFMT, S_IFREG
from lbw.cpu.contracts import READ, WRITE
from lbw.mm import remap
from lbw.mm.advice import madvise as advice_about
from lbw.mm.faults import SegmentationFault
from lbw.mm.mapping import choose, establish
from lbw.mm.vma import PAGE_MASK, VM_LOCKED, VM_LOCKONFAULT, round_up
from lbw.syscalls.parameters import Choice, Fd, Flags, Hex, Pointer, Size
from lbw.syscalls.table import syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lbw.kernel.task import Task
    from lbw.mm.vma import Vma
    from lbw.vfs.file import File


#: So much memory is looked at or made present at a time, bytes.
BITE = 16 << 20
#: So often is memory made free for one bite; each time there is some, or somebody dies.
_PATIENCE = 64
#: The largest offset that a file can have, bytes.
_LARGEST = (1 << 63) - 1
#: The flags that MAP_SHARED_VALIDATE knows: those that there were before it (Linux LEGACY_MAP_MASK).
_VALIDATED = (
    MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_UNINITIALIZED
    | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT
    | 21 << MAP_HUGE_SHIFT | 30 << MAP_HUGE_SHIFT
)  # fmt: skip
#: Sizes of huge pages that x86 has (0: the usual one), log2.
_HUGE_SIZES = (0, 21, 30)


def _names(prefix: str, *without: str) -> dict[int, str]:
    from lbw.abi import mman

    return {v: n for n, v in vars(mman).items() if n.startswith(prefix) and n not in without}


PROT_NAMES = {0: "PROT_NONE", **{v: n for v, n in _names("PROT_").items() if v}}
MAP_NAMES = _names("MAP_", "MAP_FILE", "MAP_TYPE", "MAP_UNINITIALIZED", "MAP_HUGE_SHIFT")


@syscall(
    "mmap", Pointer("addr"), Size("length"), Flags("prot", PROT_NAMES), Flags("flags", MAP_NAMES), Fd("fd"),
    Hex("offset"),
    note="huge pages are refused with ENOMEM",
)  # fmt: skip
def mmap(task: Task, address: int, length: int, prot: int, flags: int, fd: int, offset: int) -> int | Awaitable[int]:
    """Map anonymous memory or a file; return the address.

    EINVAL, ENOMEM, EEXIST, EPERM, EAGAIN; files: EBADF, EACCES, ENODEV, EOVERFLOW, EOPNOTSUPP.  man 2 mmap
    """
    if offset & PAGE_MASK:
        raise LinuxError(EINVAL)
    memory = task.memory
    prot &= PROT_READ | PROT_WRITE | PROT_EXEC  # Linux ignores the others here
    if flags & MAP_ANONYMOUS:
        if flags & MAP_HUGETLB:
            raise LinuxError(ENOMEM if flags >> MAP_HUGE_SHIFT & 63 in _HUGE_SIZES else EINVAL)
        address = choose(memory, address, length, flags)
        vma = establish(memory, address, length, prot, flags)
    else:
        address, vma = _map_file(task, address, length, prot, flags, fd, offset)
    if flags & (MAP_POPULATE | MAP_NONBLOCK) == MAP_POPULATE or vma.marks & (VM_LOCKED | VM_LOCKONFAULT) == VM_LOCKED:
        return populate_new(task, address, address + round_up(length), vma)
    return address


def _map_file(
    task: Task, address: int, length: int, prot: int, flags: int, fd: int, offset: int
) -> tuple[int, Vma]:  # fmt: skip
    """Map a file; return where, and the VMA. The file is looked at when there is a place for it."""
    memory, file = task.memory, task.files.get(fd)
    if flags & MAP_HUGETLB:
        raise LinuxError(EINVAL)  # not a file of huge pages
    if getattr(file, "anonymous_mapping", False):  # /dev/zero
        address = choose(memory, address, length, flags)
        max_prot = mappable(file, length, prot, flags, offset)
        if flags & MAP_TYPE == MAP_SHARED_VALIDATE:
            flags &= ~MAP_PRIVATE
        # Linux makes an object of the mapping's size and keeps the offset: what lies behind the end is SIGBUS
        return address, establish(
            memory, address, length, prot, flags | MAP_ANONYMOUS, offset=offset, max_prot=max_prot
        )  # fmt: skip
    regular = file.inode.mode & S_IFMT == S_IFREG and file.readable
    backing = file.inode.mapped(task.kernel.page_cache) if regular else None
    address = choose(memory, address, length, flags, backing)
    max_prot = mappable(file, length, prot, flags, offset)
    if backing is None:
        raise LinuxError(ENODEV)
    max_prot = backing.granted(flags & MAP_TYPE != MAP_PRIVATE, prot, max_prot)
    return address, establish(
        memory, address, length, prot, flags, backing, offset, b"", file.location, max_prot, file
    )  # fmt: skip


def mappable(file: File, length: int, prot: int, flags: int, offset: int) -> int:
    """Check that `file` may be mapped so; return what mprotect may grant later.

    EOVERFLOW: beyond what a file can have; EOPNOTSUPP: MAP_SHARED_VALIDATE with an unknown flag; EACCES: access mode;
    EPERM: PROT_EXEC on a noexec mount; EINVAL: flags
    """
    if offset > _LARGEST - round_up(length):
        raise LinuxError(EOVERFLOW)
    kind = flags & MAP_TYPE
    if kind == MAP_SHARED_VALIDATE and flags & ~_VALIDATED:
        raise LinuxError(EOPNOTSUPP)
    if kind not in (MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE):
        raise LinuxError(EINVAL)
    if not file.readable or (kind != MAP_PRIVATE and prot & PROT_WRITE and not file.writable):
        raise LinuxError(EACCES)
    max_prot = PROT_READ | PROT_WRITE | PROT_EXEC
    if kind != MAP_PRIVATE and not file.writable:
        max_prot &= ~PROT_WRITE
    if file.location is not None and file.location.mount.flags & MS_NOEXEC:
        if prot & PROT_EXEC:
            raise LinuxError(EPERM)
        max_prot &= ~PROT_EXEC
    return max_prot


async def populate_new(task: Task, start: int, end: int, vma: Vma) -> int:
    """Make the pages of a new mapping present, as far as that can be; return `start`."""
    access = WRITE if vma.prot & PROT_WRITE and not vma.shared else READ
    if vma.prot:
        try:
            await populate(task, start, end, access, EFAULT)
        except LinuxError:
            pass  # the mapping is there, whatever became of its pages
    return start


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
def brk(task: Task, address: int) -> int | Awaitable[int]:
    """Move the end of the heap; return it, unmoved on failure."""
    memory = task.memory
    before = memory.brk_end
    end = memory.brk(address)
    if memory.lock_marks == VM_LOCKED and end > before:
        vma = memory.find(round_up(end) - 1)
        if vma is not None:
            return populate_tail(task, end, before, end, vma)
    return end


@syscall(
    "mremap", Pointer("old"), Size("old_size"), Size("new_size"), Flags("flags", _names("MREMAP_")), Pointer("new")
)
def mremap(task: Task, old: int, old_size: int, new_size: int, flags: int, new: int) -> int | Awaitable[int]:
    """Resize or move a mapping.  EFAULT, EINVAL, ENOMEM, EAGAIN"""
    address = remap.mremap(task.memory, old, old_size, new_size, flags, new)
    if new_size > old_size:
        vma = task.memory.find(address)
        if vma is not None and vma.marks & (VM_LOCKED | VM_LOCKONFAULT) == VM_LOCKED:
            return populate_tail(task, address, address + old_size, address + new_size, vma)
    return address


async def populate_tail(task: Task, address: int, start: int, end: int, vma: Vma) -> int:
    """Make what a locked mapping has grown by present; return `address`."""
    await populate_new(task, round_up(start), round_up(end), vma)
    return address


@syscall("madvise", Pointer("addr"), Size("length"), Choice("advice", _names("MADV_")))
def madvise(task: Task, address: int, length: int, advice: int) -> int | Awaitable[int]:
    """Advise about the use of memory.  EINVAL, ENOMEM, EAGAIN, EACCES; EFAULT: MADV_POPULATE_* met the end of a file"""
    if advice in (MADV_POPULATE_READ, MADV_POPULATE_WRITE):
        access = READ if advice == MADV_POPULATE_READ else WRITE
        return populate_to_hole(task, address, length, access)
    advice_about(task.memory, address, length, advice)
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


async def make_present(task: Task, start: int, end: int, access: int) -> None:
    """Make pages present; when memory runs out, go on after some was made free.  ENOMEM; SegmentationFault"""
    for _ in range(_PATIENCE):
        try:
            return task.memory.populate(start, end, access)
        except LinuxError:
            await task.give_way()
    task.memory.populate(start, end, access)


async def populate(task: Task, start: int, end: int, access: int, refusal: int) -> int:
    """Make all pages of a range present, letting others run in between.

    `refusal`: the errno for pages that do not allow `access`; EFAULT: beyond the end of a file, or ENOMEM.
    """
    for address in range(start, end, BITE):
        try:
            await make_present(task, address, min(address + BITE, end), access)
        except SegmentationFault as fault:
            raise LinuxError(EFAULT if fault.signo == SIGBUS else refusal) from None
        if address + BITE < end:
            await task.give_way()
    return 0
