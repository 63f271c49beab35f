"""Address spaces: the mappings of a process, and every decision about them.

A sorted list of VMAs says what is mapped; the Mmu realises it page by page.

man 2 mmap, munmap, mprotect, mremap, madvise, brk; fork's copy is in `fork`.
"""

from __future__ import annotations

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.abi.signal import BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGSEGV
from lbw.cpu.contracts import WRITE
from lbw.mm import room
from lbw.mm.faults import ALLOWS, SegmentationFault, fault
from lbw.mm.fork import fork
from lbw.mm.heap import brk
from lbw.mm.hidden import HiddenPages
from lbw.mm.mapping import choose, establish, munmap
from lbw.mm.protect import mprotect
from lbw.mm.stack import grow_stack
from lbw.mm.user_copy import UserMemory
from lbw.mm.vma import Vma
from lbw.mm.vma_list import VmaList

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from lbw.abi.x86_64 import Abi
    from lbw.cpu.mmu import Mmu
    from lbw.mm.backing import MappedObject
    from lbw.mm.frames import Frames
    from lbw.mm.hidden import RewrittenFiles
    from lbw.mm.homes import HomeAddresses

_INFINITY = 2**64 - 1


class AddressSpace(UserMemory):
    """The memory of one process (or of several, CLONE_VM)."""

    __slots__ = (
        "abi", "arg_end", "arg_start", "auxv", "barriers", "brk_end", "crowded", "data", "data_ceiling", "data_limit",
        "env_end", "env_start", "executable", "faults", "fragments", "frames", "hidden", "homes", "implies_exec", "ldt",
        "lock_limit", "lock_marks", "locked_pages", "major_faults", "mmu", "most", "narrow", "pointer", "rewritten",
        "size_limit", "stack_limit", "start_brk", "start_stack", "total", "users", "vmas",
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
        self.total = self.data = 0  # bytes mapped; of those private, writable and no stack (lbw.mm.room)
        self.most = 0  # the most that `total` was when something was unmapped
        self.faults = 0  # page faults that were answered
        self.major_faults = 0  # those that had to read from the host
        # RLIMIT_AS, RLIMIT_DATA (and its hard limit where the soft one is 0), RLIMIT_STACK
        self.size_limit = self.data_limit = self.data_ceiling = _INFINITY
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

    grow_stack = grow_stack

    # Mapping

    def mmap(
        self, address: int, length: int, prot: int, flags: int, backing: MappedObject | None = None, offset: int = 0,
        name: bytes = b"", location: object = None, max_prot: int = 7,
    ) -> int:  # fmt: skip
        """Map `length` bytes and return their address.  man 2 mmap

        `backing` None: anonymous memory. `location` is where the file was found, for /proc/PID/maps.  Errors are those
        of `lbw.mm.mapping`: EINVAL, ENOMEM, EEXIST, EPERM, EAGAIN
        """
        address = choose(self, address, length, flags, backing)
        establish(self, address, length, prot, flags, backing, offset, name, location, max_prot)
        return address

    def add(self, vma: Vma) -> None:
        """Map `vma` in a free range.  LinuxError(ENOMEM)"""
        room.add(self, vma)

    def munmap(self, start: int, length: int) -> None:
        """Unmap whole pages.  EINVAL, ENOMEM"""
        munmap(self, start, length)

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
            if access == WRITE and not vma.anon and not vma.shared:
                self.vmas.begin_history(vma)
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

    fork = fork

    def release(self) -> None:
        """Drop a user; the last one takes everything down."""
        self.users -= 1
        if self.users == 0:
            vmas, self.vmas = self.vmas, VmaList()
            self.mmu.permits = None
            self.mmu.release()
            for vma in vmas:
                room.forget(self, vma)
