"""Address spaces: the mappings of a process, and every decision about them.

A sorted list of VMAs says what is mapped; the Mmu realises it page by page. Placement is that of Linux without
randomisation, with one addition: **home addresses**. The first mapping of a file without a fixed address goes to that
file's home, chosen once per machine, whenever it is free here. So a library lies at the same address in every
process, and its translated code, which is keyed by physical page and virtual address, is shared by all programs.

man 2 mmap, munmap, mprotect, mremap, madvise, brk; fork's copy is in `fork`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from lbw.abi.errno import EACCES, EAGAIN, EEXIST, EFAULT, EINVAL, ENODEV, ENOMEM, EOPNOTSUPP, EPERM, LinuxError
from lbw.abi.mman import (
    MADV_DODUMP,
    MADV_DOFORK,
    MADV_DONTDUMP,
    MADV_DONTFORK,
    MADV_DONTNEED,
    MADV_FREE,
    MADV_HUGEPAGE,
    MADV_MERGEABLE,
    MADV_NOHUGEPAGE,
    MADV_NORMAL,
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MADV_UNMERGEABLE,
    MADV_WILLNEED,
    MAP_32BIT,
    MAP_ANONYMOUS,
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
    MREMAP_DONTUNMAP,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)  # fmt: skip
from lbw.abi.signal import BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGSEGV
from lbw.cpu.contracts import EXECUTE, PAGE, PF_FETCH, PF_WRITE, READ, WRITE
from lbw.mm.faults import SegmentationFault
from lbw.mm.shared import SharedMemory
from lbw.mm.user_copy import UserMemory
from lbw.mm.vma import Vma

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from lbw.abi.x86_64 import Abi
    from lbw.cpu.contracts import Mmu
    from lbw.mm.frames import Frames
    from lbw.mm.page_cache import CachedFile

PAGE_MASK = PAGE - 1
#: Gap that a growing stack keeps to the mapping below (Linux stack_guard_gap).
STACK_GUARD_GAP = 256 * PAGE
#: Flags that `mmap` keeps in the VMA.
_KEPT = MAP_SHARED | MAP_PRIVATE | MAP_GROWSDOWN | MAP_NORESERVE | MAP_STACK
_ADVICE_WITHOUT_EFFECT = frozenset(
    (
        MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE,
        MADV_UNMERGEABLE, MADV_DONTDUMP, MADV_DODUMP,
    )
)  # fmt: skip
#: Where files live that are mapped without a fixed address: one gigabyte, so one page directory, for all libraries.
HOMES = (0x7FFF_4000_0000, 0x7FFF_8000_0000)
MAX_MAP_COUNT = 65530  # vm.max_map_count
_INFINITY = 2**64 - 1


class HomeAddresses:
    """The homes of all files of a machine."""

    def __init__(self, start: int = HOMES[0], end: int = HOMES[1]) -> None:
        self._next = start
        self._end = end
        self._homes: dict[Hashable, int] = {}

    def home(self, identity: Hashable, length: int) -> int:
        """Return the address where the file with `identity` should lie, 0 when there are no addresses left."""
        home = self._homes.get(identity)
        if home is None:
            if self._next + length > self._end:
                return 0
            home = self._homes[identity] = self._next
            self._next += (length + 0x1FFFF) & -0x10000
        return home


def round_up(length: int) -> int:
    """Round up to whole pages."""
    return (length + PAGE_MASK) & ~PAGE_MASK


class AddressSpace(UserMemory):
    """The memory of one process (or of several, CLONE_VM)."""

    __slots__ = (
        "_starts", "abi", "arg_end", "arg_start", "auxv", "brk_end", "data_limit", "env_end", "env_start", "executable",
        "faults", "frames", "homes", "mmu", "pointer", "size_limit", "stack_limit", "start_brk", "start_stack", "total",
        "users", "vmas",
    )  # fmt: skip

    def __init__(self, mmu: Mmu, frames: Frames, homes: HomeAddresses, abi: Abi) -> None:
        self.mmu = mmu
        self.frames = frames
        self.homes = homes
        self.abi = abi
        self.pointer = abi.pointer
        self.vmas: list[Vma] = []
        self._starts: list[int] = []
        self.users = 1  # tasks' processes that share it
        self.total = 0  # bytes mapped
        self.faults = 0  # minor faults
        # RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK
        self.size_limit = self.data_limit = _INFINITY
        self.stack_limit = 8 << 20
        # what the loader lays out
        self.start_brk = self.brk_end = self.start_stack = 0
        self.arg_start = self.arg_end = self.env_start = self.env_end = 0
        self.auxv = b""
        self.executable: object = None

    # Looking up

    def find(self, address: int) -> Vma | None:
        """Return the VMA that contains `address`."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0:
            vma = self.vmas[index]
            if address < vma.end:
                return vma
        return None

    def _range(self, start: int, end: int) -> tuple[int, int]:
        """Return the slice of `vmas` that intersects the range."""
        first = bisect_right(self._starts, start) - 1
        if first < 0 or self.vmas[first].end <= start:
            first += 1
        return first, bisect_left(self._starts, end, first)

    def overlaps(self, start: int, end: int) -> bool:
        """Whether anything is mapped in the range."""
        first, last = self._range(start, end)
        return first < last

    def covered(self, start: int, end: int) -> bool:
        """Whether all of the range is mapped."""
        first, last = self._range(start, end)
        for vma in self.vmas[first:last]:
            if vma.start > start:
                return False
            start = vma.end
        return start >= end

    # Page faults

    def fault(self, address: int, error_code: int) -> None:
        """Answer a page fault of the guest, or of the kernel on its behalf.

        `error_code` has the PF_* bits. SegmentationFault: the access is not allowed. LinuxError(ENOMEM): no memory
        left.
        """
        index = bisect_right(self._starts, address) - 1
        vma = self.vmas[index] if index >= 0 else None
        if vma is None or address >= vma.end:
            vma = self._grow_stack(address)
        if error_code & PF_WRITE:
            if not vma.prot & PROT_WRITE:
                raise SegmentationFault(SIGSEGV, SEGV_ACCERR, address)
            access = WRITE
        elif error_code & PF_FETCH:
            if not vma.prot & PROT_EXEC:
                raise SegmentationFault(SIGSEGV, SEGV_ACCERR, address)
            access = EXECUTE
        else:
            if not vma.prot:
                raise SegmentationFault(SIGSEGV, SEGV_ACCERR, address)
            access = READ
        self.faults += 1
        if not self.mmu.touch(vma, address, access):
            raise SegmentationFault(SIGBUS, BUS_ADRERR, address)

    def _grow_stack(self, address: int) -> Vma:
        """Extend the growing mapping above `address` down to it, or raise SegmentationFault."""
        index = bisect_right(self._starts, address)
        if index < len(self.vmas) and 0 < address < self.abi.task_size:
            vma = self.vmas[index]
            start = address & ~PAGE_MASK
            below = self.vmas[index - 1].end if index else self.abi.min_address
            if (
                vma.flags & MAP_GROWSDOWN
                and vma.end - start <= self.stack_limit
                and start >= below + STACK_GUARD_GAP
                and self.total + vma.start - start <= self.size_limit
            ):
                self.total += vma.start - start
                vma.start = self._starts[index] = start
                return vma
        raise SegmentationFault(SIGSEGV, SEGV_MAPERR, address)

    # Mapping

    def mmap(
        self, address: int, length: int, prot: int, flags: int, backing: CachedFile | None = None, offset: int = 0,
        name: bytes = b"", location: object = None, max_prot: int = 7,
    ) -> int:  # fmt: skip
        """Map `length` bytes and return their address.  man 2 mmap

        `backing` None: anonymous memory. EINVAL, ENOMEM, EEXIST (MAP_FIXED_NOREPLACE), ENODEV: a shared mapping of a
        file, EPERM: below vm.mmap_min_addr. `location` is where the file was found, for /proc/PID/maps.
        """
        kind = flags & MAP_TYPE
        if kind == MAP_SHARED_VALIDATE:
            if flags & MAP_SYNC:
                raise LinuxError(EOPNOTSUPP)
            kind = MAP_SHARED
            flags = flags & ~MAP_TYPE | MAP_SHARED
        if kind not in (MAP_SHARED, MAP_PRIVATE) or not length or offset & PAGE_MASK:
            raise LinuxError(EINVAL)
        if flags & MAP_HUGETLB:
            raise LinuxError(ENOMEM)  # as a Linux without reserved huge pages
        if backing is not None and kind == MAP_SHARED:
            raise LinuxError(ENODEV)
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
            if flags & MAP_FIXED_NOREPLACE and self.overlaps(address, address + length):
                raise LinuxError(EEXIST)
        self._charge(length, prot, flags, backing is None)
        if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE):
            if self.overlaps(address, address + length):
                self.munmap(address, length)
        else:
            address = self._place(address & ~PAGE_MASK, length, flags, backing)
        shared = None
        if kind == MAP_SHARED:
            shared = SharedMemory(self.frames, length // PAGE)
        vma = Vma(address, address + length, prot, flags & _KEPT, shared or backing, offset, name, location, max_prot)
        self._insert(vma)
        if flags & MAP_POPULATE:
            self._populate(address, address + length, WRITE if prot & PROT_WRITE else READ)
        return address

    def _charge(self, length: int, prot: int, flags: int, anonymous: bool) -> None:
        """ENOMEM when limits or the heuristic overcommit rule forbid `length` more bytes."""
        if self.total + length > self.size_limit or len(self.vmas) >= MAX_MAP_COUNT:
            raise LinuxError(ENOMEM)
        if prot & PROT_WRITE and anonymous and not flags & MAP_NORESERVE and length > self.frames.limit * PAGE:
            raise LinuxError(ENOMEM)

    def place(self, length: int, backing: CachedFile | None) -> int:
        """Return a free address for `length` bytes, the file's home when possible.  ENOMEM"""
        return self._place(0, round_up(length), 0, backing)

    def _place(self, hint: int, length: int, flags: int, backing: CachedFile | None) -> int:
        """Return a free address.  ENOMEM"""
        if hint:
            hint = max(hint, self.abi.min_address)
            if hint + length <= self.abi.task_size and not self.overlaps(hint, hint + length):
                return hint
        if backing is not None and not flags & MAP_32BIT:
            home = self.homes.home(backing.identity, length)
            if home and not self.overlaps(home, home + length):
                return home
        if flags & MAP_32BIT:
            windows: tuple[tuple[int, int], ...] = ((0x4000_0000, 0x8000_0000),)
        else:
            windows = ((HOMES[1], self.abi.mmap_base), (self.abi.min_address, HOMES[0]))
        for low, high in windows:
            address = self._gap(low, high, length)
            if address:
                return address
        raise LinuxError(ENOMEM)

    def _gap(self, low: int, high: int, length: int) -> int:
        """Return the highest free place of `length` bytes in a window, 0 when there is none."""
        vmas = self.vmas
        index = bisect_left(self._starts, high) - 1
        while index >= 0:
            vma = vmas[index]
            if vma.end <= high - length:
                break
            high = min(high, vma.start)
            if vma.flags & MAP_GROWSDOWN:
                high -= STACK_GUARD_GAP
            index -= 1
        return high - length if high - length >= low else 0

    def _insert(self, vma: Vma) -> None:
        """Add a VMA to a free range, joining it to its neighbours where they continue each other."""
        self.total += vma.end - vma.start
        index = bisect_left(self._starts, vma.start)
        vmas, starts = self.vmas, self._starts
        if index and not vma.shared and vmas[index - 1].joins(vma):
            before = vmas[index - 1]
            before.end = vma.end
            vma.drop()
            vma, index = before, index - 1
        else:
            vmas.insert(index, vma)
            starts.insert(index, vma.start)
        if index + 1 < len(vmas) and not vma.shared and vma.joins(vmas[index + 1]):
            after = vmas.pop(index + 1)
            starts.pop(index + 1)
            vma.end = after.end
            after.drop()

    def _cut(self, address: int) -> None:
        """Make `address` a boundary between VMAs."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return
        vma = self.vmas[index]
        if vma.start < address < vma.end:
            upper = vma.piece(address, vma.end)
            vma.end = address
            self.vmas.insert(index + 1, upper)
            self._starts.insert(index + 1, address)

    def munmap(self, start: int, length: int) -> None:
        """Unmap whole pages.  EINVAL"""
        length = round_up(length)
        if start & PAGE_MASK or not length or start > self.abi.task_size - length:
            raise LinuxError(EINVAL)
        end = start + length
        self._cut(start)
        self._cut(end)
        first, last = self._range(start, end)
        if first == last:
            return
        gone = self.vmas[first:last]
        del self.vmas[first:last]
        del self._starts[first:last]
        self.mmu.unmap(start, end)
        for vma in gone:
            self.total -= vma.end - vma.start
            vma.drop()

    def mprotect(self, start: int, length: int, prot: int) -> None:
        """Change the protection of whole pages.  EINVAL, ENOMEM: not all mapped, EACCES"""
        if start & PAGE_MASK:
            raise LinuxError(EINVAL)
        end = start + round_up(length)
        if end < start or end > self.abi.task_size:
            raise LinuxError(ENOMEM)
        if start == end:
            return
        if prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC):
            raise LinuxError(EINVAL)
        self._cut(start)
        self._cut(end)
        first, last = self._range(start, end)
        position = start
        error = 0
        for vma in self.vmas[first:last]:  # Linux changes what comes before the first hole
            if vma.start > position:
                break
            if prot & ~vma.max_prot:
                error = EACCES
                break
            if vma.prot != prot:
                vma.prot = prot
                self.mmu.protect(vma.start, vma.end, prot)
            position = vma.end
        self._rejoin(first, last)
        if position < end:
            raise LinuxError(error or ENOMEM)

    def _rejoin(self, first: int, last: int) -> None:
        """Join neighbours around vmas[first:last] that have become alike."""
        vmas, starts = self.vmas, self._starts
        index = min(last, len(vmas) - 1)
        while index >= max(first, 1):
            if not vmas[index].shared and vmas[index - 1].joins(vmas[index]):
                gone = vmas.pop(index)
                starts.pop(index)
                vmas[index - 1].end = gone.end
                gone.drop()
            index -= 1

    def brk(self, address: int) -> int:
        """Set the end of the heap; return where it is then.  man 2 brk"""
        old, new = round_up(self.brk_end), round_up(address)
        if address < self.start_brk or new > self.abi.task_size:
            return self.brk_end
        if new > old:
            grow = new - old
            if (
                self.overlaps(old, new + PAGE)
                or self.total + grow > self.size_limit
                or new - self.start_brk > self.data_limit
                or grow > self.frames.limit * PAGE
            ):
                return self.brk_end
            self._insert(Vma(old, new, PROT_READ | PROT_WRITE, MAP_PRIVATE, None, 0, b"[heap]"))
        elif new < old:
            self.munmap(new, old - new)
        self.brk_end = address
        return address

    def mremap(self, old: int, old_length: int, length: int, flags: int, target: int = 0) -> int:
        """Resize or move a mapping; return its address.  man 2 mremap

        EINVAL, EFAULT: not mapped, ENOMEM: cannot grow in place and must not move
        """
        if flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED) or old & PAGE_MASK or flags == MREMAP_FIXED:
            raise LinuxError(EINVAL)  # MREMAP_DONTUNMAP included
        old_length, length = round_up(old_length), round_up(length)
        if not length or (not old_length):
            raise LinuxError(EINVAL)
        vma = self.find(old)
        if vma is None or vma.end < old + old_length:
            raise LinuxError(EFAULT)
        if flags & MREMAP_FIXED:
            if target & PAGE_MASK or target > self.abi.task_size - length or target < self.abi.min_address:
                raise LinuxError(EINVAL)
            if target < old + old_length and old < target + length:
                raise LinuxError(EINVAL)
            self.munmap(target, length) if self.overlaps(target, target + length) else None
        if length < old_length:
            self.munmap(old + length, old_length - length)
            old_length = length
        if not flags & MREMAP_FIXED:
            if length == old_length:
                return old
            self._charge(length - old_length, vma.prot, vma.flags, vma.backing is None)
            end = old + length
            last = vma.end == old + old_length and not vma.shared
            if last and end <= self.abi.task_size and not self.overlaps(vma.end, end):
                self.total += end - vma.end
                vma.end = end
                return old
            if not flags & MREMAP_MAYMOVE:
                raise LinuxError(ENOMEM)
            target = self._place(0, length, 0, None)
        self._cut(old)
        self._cut(old + old_length)
        vma = self.find(old)
        assert vma is not None
        moved = vma.piece(old, old + old_length)
        moved.start, moved.end = target, target + length
        self.mmu.move(old, old + old_length, target)
        self.munmap(old, old_length)
        self._insert(moved)
        return target

    def madvise(self, start: int, length: int, advice: int) -> None:
        """Give advice about a range.  man 2 madvise.  EINVAL, ENOMEM: not all mapped"""
        end = start + round_up(length)
        if start & PAGE_MASK or end < start:
            raise LinuxError(EINVAL)
        if advice in (MADV_DONTNEED, MADV_FREE):
            self._discard(start, end, advice)
        elif advice in (MADV_DONTFORK, MADV_DOFORK):
            self._cut(start)
            self._cut(end)
            first, last = self._range(start, end)
            for vma in self.vmas[first:last]:
                vma.dont_fork = advice == MADV_DONTFORK
        elif advice in (MADV_POPULATE_READ, MADV_POPULATE_WRITE):
            try:
                self._populate(start, end, READ if advice == MADV_POPULATE_READ else WRITE)
            except SegmentationFault as fault:
                raise LinuxError(EFAULT if fault.signo == SIGBUS else EINVAL) from None
        elif advice not in _ADVICE_WITHOUT_EFFECT:
            raise LinuxError(EINVAL)
        if not self.covered(start, end):
            raise LinuxError(ENOMEM)

    def _discard(self, start: int, end: int, advice: int) -> None:
        first, last = self._range(start, end)
        for vma in self.vmas[first:last]:
            if advice == MADV_FREE and vma.backing is not None:
                raise LinuxError(EINVAL)
            self.mmu.unmap(max(start, vma.start), min(end, vma.end))

    def _populate(self, start: int, end: int, access: int) -> None:
        code = PF_WRITE if access == WRITE else 0
        for address in range(start, end, PAGE):
            if self.mmu.view(address, 1, access == WRITE) is None:
                try:
                    self.fault(address, code)
                except LinuxError:
                    raise LinuxError(EAGAIN) from None

    # Whole address spaces

    def fork(self) -> AddressSpace:
        """Return a copy-on-write copy."""
        child = AddressSpace(self.mmu.fork(), self.frames, self.homes, self.abi)
        child.vmas = [vma.piece(vma.start, vma.end) for vma in self.vmas if not vma.dont_fork]
        child._starts = [vma.start for vma in child.vmas]
        for vma in self.vmas:
            if vma.dont_fork:
                child.mmu.unmap(vma.start, vma.end)
        child.total = sum(vma.end - vma.start for vma in child.vmas)
        child.size_limit, child.data_limit, child.stack_limit = self.size_limit, self.data_limit, self.stack_limit
        child.start_brk, child.brk_end, child.start_stack = self.start_brk, self.brk_end, self.start_stack
        child.arg_start, child.arg_end = self.arg_start, self.arg_end
        child.env_start, child.env_end = self.env_start, self.env_end
        child.auxv, child.executable = self.auxv, self.executable
        return child

    def release(self) -> None:
        """Drop a user; the last one takes everything down."""
        self.users -= 1
        if self.users == 0:
            vmas, self.vmas, self._starts = self.vmas, [], []
            self.mmu.release()
            for vma in vmas:
                vma.drop()

    def futex_key(self, address: int, private: bool) -> Hashable:
        """Return what identifies the futex word at `address` among all waiters.  man 2 futex.  EFAULT"""
        vma = self.find(address)
        if not private and vma is not None and vma.shared and isinstance(vma.backing, SharedMemory):
            return (vma.backing.identity, vma.offset + address - vma.start)
        return (id(self), address)


assert MAP_ANONYMOUS and MREMAP_DONTUNMAP
