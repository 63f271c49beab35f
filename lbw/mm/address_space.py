"""Address spaces: the mappings of a process, and every decision about them.

A sorted list of VMAs says what is mapped; the Mmu realises it page by page.

man 2 mmap, munmap, mprotect, mremap, madvise, brk; fork's copy is in `fork`.
"""

from __future__ import annotations

from lbw.abi.errno import EEXIST, EINVAL, ENOMEM, EOPNOTSUPP, EPERM, LinuxError
from lbw.abi.mman import (
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_GROWSDOWN,
    MAP_HUGETLB,
    MAP_NORESERVE,
    MAP_POPULATE,
    MAP_PRIVATE,
    MAP_SHARED,
    MAP_SHARED_VALIDATE,
    MAP_STACK,
    MAP_SYNC,
    MAP_TYPE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)  # fmt: skip
from lbw.abi.signal import BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGSEGV
from lbw.cpu.contracts import READ, WRITE
from lbw.mm.faults import ALLOWS, SegmentationFault, fault
from lbw.mm.heap import brk
from lbw.mm.hidden import HiddenPages, cover, permits
from lbw.mm.placement import MAX_MAP_COUNT, charge, place, withheld
from lbw.mm.protect import mprotect
from lbw.mm.shared import SharedMemory
from lbw.mm.user_copy import UserMemory
from lbw.mm.vma import PAGE_MASK, Vma, round_up
from lbw.mm.vma_list import STACK_GUARD_GAP, VmaList

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from lbw.abi.x86_64 import Abi
    from lbw.cpu.mmu import Mmu
    from lbw.mm.backing import MappedObject
    from lbw.mm.frames import Frames
    from lbw.mm.hidden import RewrittenFiles
    from lbw.mm.homes import HomeAddresses

#: Flags that `mmap` keeps in the VMA.
_KEPT = MAP_SHARED | MAP_PRIVATE | MAP_GROWSDOWN | MAP_NORESERVE | MAP_STACK
#: MAP_POPULATE makes so much of a mapping present, bytes: it is a hint, and the call must not take for ever.
POPULATED = 64 << 20
_INFINITY = 2**64 - 1


class AddressSpace(UserMemory):
    """The memory of one process (or of several, CLONE_VM)."""

    __slots__ = (
        "abi", "arg_end", "arg_start", "auxv", "barriers", "brk_end", "crowded", "data_limit", "env_end", "env_start",
        "executable", "faults", "fragments", "frames", "hidden", "homes", "implies_exec", "ldt", "lock_limit",
        "lock_marks", "locked_pages", "major_faults", "mmu", "most", "narrow", "pointer", "rewritten", "size_limit",
        "stack_limit", "start_brk", "start_stack", "total", "users", "vmas",
    )  # fmt: skip

    def __init__(
        self, mmu: Mmu, frames: Frames, homes: HomeAddresses, abi: Abi, hidden: HiddenPages | None = None
    ) -> None:
        self.mmu = mmu
        self.frames = frames
        self.homes = homes
        self.abi = abi
        self.pointer = abi.pointer
        self.vmas = VmaList()
        self.hidden = hidden or HiddenPages()
        self.fragments: Container[int] = self.hidden.pages  # numbers of pages where a trap may be inside a fragment
        self.rewritten: RewrittenFiles | None = None  # of files that brought fragments along
        self.crowded = False  # something is mapped where hidden pages may be
        self.users = 1  # tasks' processes that share it
        self.total = 0  # bytes mapped
        self.most = 0  # the most that `total` was when something was unmapped
        self.faults = 0  # page faults that were answered
        self.major_faults = 0  # those that had to read from the host
        # RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK
        self.size_limit = self.data_limit = _INFINITY
        self.stack_limit = self.lock_limit = 8 << 20  # RLIMIT_MEMLOCK
        # of lbw.mm.locking: pages of locked mappings, and the marks of new ones
        self.locked_pages = self.lock_marks = 0
        # what the loader lays out
        self.start_brk = self.brk_end = self.start_stack = 0
        self.arg_start = self.arg_end = self.env_start = self.env_end = 0
        self.auxv = b""
        self.executable: object = None
        self.barriers = 0  # what was registered for membarrier
        self.narrow = False  # a call of 32-bit code is under way: new mappings go below 4 GB
        self.implies_exec = False  # READ_IMPLIES_EXEC: what is readable is executable
        self.ldt: tuple[int, ...] = ()  # descriptors of the local descriptor table, for lbw.kernel.tls

    def find(self, address: int) -> Vma | None:
        """Return the VMA that contains `address`."""
        return self.vmas.find(address)

    # Page faults

    fault = fault

    def grow_stack(self, address: int) -> Vma:
        """Extend the growing mapping above `address` down to it, or raise SegmentationFault."""
        vma, before = self.vmas.above(address)
        if vma is not None and 0 < address < self.abi.task_size:
            start = address & ~PAGE_MASK
            below = before.end if before is not None else self.abi.min_address
            if vma.start >= self.abi.withheld[1] > below:
                below = self.abi.withheld[1]
            if (
                vma.flags & MAP_GROWSDOWN
                and vma.end - start <= self.stack_limit
                and start >= below + STACK_GUARD_GAP
                and self.total + vma.start - start <= self.size_limit
            ):
                cover(self, start, vma.start)
                self.total += vma.start - start
                self.vmas.extend_down(vma, start)
                return vma
        raise SegmentationFault(SIGSEGV, SEGV_MAPERR, address)

    # Mapping

    def mmap(
        self, address: int, length: int, prot: int, flags: int, backing: MappedObject | None = None, offset: int = 0,
        name: bytes = b"", location: object = None, max_prot: int = 7,
    ) -> int:  # fmt: skip
        """Map `length` bytes and return their address.  man 2 mmap

        `backing` None: anonymous memory; SharedMemory: such as others have mapped already. EINVAL, ENOMEM, EEXIST
        (MAP_FIXED_NOREPLACE), EPERM: below vm.mmap_min_addr. `location` is where
        the file was found, for /proc/PID/maps.
        """
        kind = flags & MAP_TYPE
        if kind == MAP_SHARED_VALIDATE:
            if backing is None:
                raise LinuxError(EINVAL)  # it is for files
            if flags & MAP_SYNC:
                raise LinuxError(EOPNOTSUPP)
            kind = MAP_SHARED
            flags = flags & ~MAP_TYPE | MAP_SHARED
        if kind not in (MAP_SHARED, MAP_PRIVATE) or not length or offset & PAGE_MASK:
            raise LinuxError(EINVAL)
        if flags & MAP_HUGETLB:
            raise LinuxError(ENOMEM)  # as a Linux without reserved huge pages
        shared = backing if isinstance(backing, SharedMemory) else None
        length = round_up(length)
        task_size = self.abi.task_size
        if length > task_size or offset + length > 1 << 63:
            raise LinuxError(ENOMEM)
        if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE):
            if address & PAGE_MASK:
                raise LinuxError(EINVAL)
            if address > task_size - length:
                raise LinuxError(ENOMEM)
            if address < self.abi.min_address:
                raise LinuxError(EPERM)
            if withheld(self, address, length):
                raise LinuxError(ENOMEM)
            if flags & MAP_FIXED_NOREPLACE and self.vmas.overlaps(address, address + length):
                raise LinuxError(EEXIST)
        if self.implies_exec and prot & PROT_READ and max_prot & PROT_EXEC:
            prot |= PROT_EXEC
        charge(self, length, prot, flags, backing is None)
        if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE):
            if self.vmas.overlaps(address, address + length):
                self.munmap(address, length)
        else:
            file = None if isinstance(backing, SharedMemory) else backing
            address = place(self, length, file, address & ~PAGE_MASK, flags)
        if kind == MAP_SHARED and backing is None:
            shared = SharedMemory(self.frames, length)
        vma = Vma(address, address + length, prot, flags & _KEPT, shared or backing, offset, name, location, max_prot)
        self.add(vma)
        if flags & MAP_POPULATE and prot:
            try:
                self.populate(address, address + min(length, POPULATED), WRITE if prot & PROT_WRITE else READ)
            except (LinuxError, SegmentationFault):
                pass  # a hint
        return address

    def add(self, vma: Vma) -> None:
        """Map `vma` in a free range.  LinuxError(ENOMEM)"""
        cover(self, vma.start, vma.end)
        vma.space = self
        self.total += vma.end - vma.start
        self.vmas.insert(vma)

    def munmap(self, start: int, length: int) -> None:
        """Unmap whole pages.  EINVAL, ENOMEM"""
        length = round_up(length)
        if start & PAGE_MASK or not length or start > self.abi.task_size - length:
            raise LinuxError(EINVAL)
        end = start + length
        if not self.vmas.overlaps(start, end):
            return
        vma = self.vmas.find(start)
        if vma is not None and vma.start < start and end < vma.end and len(self.vmas) >= MAX_MAP_COUNT:
            raise LinuxError(ENOMEM)  # it would become two
        self.mmu.unmap(start, end)  # first: it may fail
        if self.total > self.most:
            self.most = self.total
        for vma in self.vmas.remove(start, end):
            self.total -= vma.end - vma.start
            vma.drop()

    def mprotect(self, start: int, length: int, prot: int) -> None:
        """Change the protection of whole pages.  EINVAL, ENOMEM: not all mapped, EACCES"""
        mprotect(self, start, length, prot)

    def brk(self, address: int) -> int:
        """Set the end of the heap; return where it is then.  man 2 brk"""
        return brk(self, address)

    def populate(self, start: int, end: int, access: int) -> None:
        """Make the pages of a range present.  LinuxError(ENOMEM): no memory; SegmentationFault"""
        while start < end:
            vma = self.vmas.find(start)
            if vma is None:
                raise SegmentationFault(SIGSEGV, SEGV_MAPERR, start)
            if not vma.prot & ALLOWS[access]:
                raise SegmentationFault(SIGSEGV, SEGV_ACCERR, start)
            stop = min(end, vma.end)
            try:
                whole = self.mmu.populate(vma, start, stop, access)
            except LinuxError as error:
                if error.errno == ENOMEM:
                    raise
                whole = False
            if not whole:
                raise SegmentationFault(SIGBUS, BUS_ADRERR, start)
            start = stop

    # Whole address spaces

    def fork(self) -> AddressSpace:
        """Return a copy-on-write copy."""
        child = AddressSpace(self.mmu.fork(), self.frames, self.homes, self.abi, self.hidden)
        copies = [vma.piece(vma.start, vma.end) for vma in self.vmas if not vma.dont_fork]
        for vma in copies:
            vma.space = child
        child.vmas = VmaList(copies)
        for vma in self.vmas:
            if vma.dont_fork or vma.wipe_on_fork:
                try:
                    child.mmu.unmap(vma.start, vma.end)
                except LinuxError:
                    child.release()
                    raise
        if self.rewritten is not None:
            child.fragments = child.rewritten = self.rewritten.of(child)
        if self.crowded:
            child.crowded = True
            child.mmu.permits = lambda page: permits(child, page)
        child.total = sum(vma.end - vma.start for vma in child.vmas)
        child.size_limit, child.data_limit, child.stack_limit = self.size_limit, self.data_limit, self.stack_limit
        child.lock_limit = self.lock_limit
        child.start_brk, child.brk_end, child.start_stack = self.start_brk, self.brk_end, self.start_stack
        child.arg_start, child.arg_end = self.arg_start, self.arg_end
        child.env_start, child.env_end = self.env_start, self.env_end
        child.auxv, child.executable, child.ldt = self.auxv, self.executable, self.ldt
        child.implies_exec, child.barriers = self.implies_exec, self.barriers
        return child

    def release(self) -> None:
        """Drop a user; the last one takes everything down."""
        self.users -= 1
        if self.users == 0:
            vmas, self.vmas = self.vmas, VmaList()
            self.mmu.permits = None
            self.mmu.release()
            for vma in vmas:
                vma.drop()
