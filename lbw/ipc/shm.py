"""System V shared memory: segments, and who is attached.  man 7 sysvipc, man 2 shmget, shmop, shmctl

A segment holds an object of shared memory (`lbw.mm.shared`): it lives until it is removed and no mapping of
it is left. The mappings are the VMAs, so `nattch` counts them as Linux does: fork and cutting a mapping in two add one,
munmap, exit and execve take them away; nothing else needs to be told.

The memory is the `Backing` of these mappings, so futexes in it are shared between processes wherever they map it.
"""

from __future__ import annotations

from lbw.abi.capability import CAP_IPC_LOCK
from lbw.abi.errno import EINVAL, ENOMEM, ENOSPC, EPERM, LinuxError
from lbw.abi.ipc import (
    SHM_DEST,
    SHM_EXEC,
    SHM_HUGETLB,
    SHM_LOCKED,
    SHM_NORESERVE,
    SHM_RDONLY,
    SHM_REMAP,
    SHM_RND,
    SHMLBA,
    SHMMIN,
)
from lbw.abi.mman import MAP_FIXED, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.cpu.contracts import PAGE
from lbw.ipc.ids import IdTable, IpcObject
from lbw.mm.overcommit import NEVER
from lbw.mm.shared import SharedMemory
from lbw.mm.vma import round_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.ipc.namespace import Surroundings
    from lbw.mm.address_space import AddressSpace
    from lbw.mm.frames import Frames
    from lbw.mm.vma import Vma
    from lbw.vfs.credentials import Credentials

_UNLIMITED = (1 << 64) - 1 - (1 << 24)


class SegmentMemory(SharedMemory):
    """The memory of a segment; tells it when mappings come and go."""

    joins = False

    __slots__ = ("segment",)

    def __init__(self, segment: Segment, frames: Frames, size: int) -> None:
        super().__init__(frames, size)
        self.segment = segment
        self.held = True

    @property
    def name(self) -> bytes:
        """The name in /proc/PID/maps."""
        return b"/SYSV%08x (deleted)" % (self.segment.key & 0xFFFFFFFF)

    @property
    def number(self) -> int:
        """The inode number in /proc/PID/maps."""
        return self.segment.id

    def acquire(self, vma: Vma) -> None:
        """Add a mapping."""
        super().acquire(vma)
        self.segment.attached()

    def release(self, vma: Vma) -> None:
        """Remove a mapping."""
        super().release(vma)
        self.segment.detached()


class Segment(IpcObject):
    """A shared memory segment."""

    __slots__ = ("_attaching", "_table", "attach_time", "creator", "detach_time", "last_pid", "memory", "size")

    def __init__(self, table: Segments, key: int, size: int, flags: int, owner: Credentials) -> None:
        super().__init__(key, flags, owner)
        self._table = table
        self.size = size  # bytes
        self.creator = table.around.pid()
        self.last_pid = 0
        self.attach_time = self.detach_time = 0
        self.changed = table.around.now()
        self.memory = SegmentMemory(self, table.around.frames, round_up(size))
        self._attaching = False

    @property
    def attachments(self) -> int:
        """How many mappings there are (nattch)."""
        return len(self.memory.mappings)

    @property
    def pages(self) -> int:
        """Its size in whole pages."""
        return round_up(self.size) // PAGE

    def attached(self) -> None:
        """Note a new mapping."""
        around = self._table.around
        self.attach_time = around.now()
        self.last_pid = around.pid()

    def detached(self) -> None:
        """Note the end of a mapping; the last one of a removed segment ends the segment."""
        around = self._table.around
        self.detach_time = around.now()
        self.last_pid = around.pid()
        self.end_if_unused()

    def end_if_unused(self) -> None:
        """End a segment that nobody has attached, when that is due."""
        due = self.mode & SHM_DEST or self._table.forced
        if due and not self.attachments and not self.removed and not self._attaching:
            self._table.end(self)

    def map(self, space: AddressSpace, address: int, prot: int, flags: int, max_prot: int) -> int:
        """Map all of it and return where; it outlives what the new mapping may replace.  ENOMEM and the like"""
        memory = self.memory
        self._attaching = True
        try:
            return space.mmap(address, memory.size, prot, flags, memory, 0, memory.name, max_prot=max_prot)
        finally:
            self._attaching = False
            self.end_if_unused()

    def remove(self) -> None:
        """Remove it (IPC_RMID): at once, or when the last mapping goes."""
        self.mode |= SHM_DEST
        self._table.forget_key(self)
        self.end_if_unused()

    def lock(self, who: Credentials, locked: bool, limit: int) -> None:
        """Keep it in memory, where it stays anyway (SHM_LOCK, SHM_UNLOCK); `limit` is RLIMIT_MEMLOCK.

        EPERM: neither owner nor privileged, or nothing may be locked; ENOMEM: more than may be
        """
        if not who.capable(CAP_IPC_LOCK):
            if who.euid not in (self.uid, self.cuid) or (locked and not limit):
                raise LinuxError(EPERM)
            if locked and self.size > limit:
                raise LinuxError(ENOMEM)
        self.mode = self.mode | SHM_LOCKED if locked else self.mode & ~SHM_LOCKED


class Segments(IdTable[Segment]):
    """All segments, and their limits: /proc/sys/kernel/shm*."""

    __slots__ = ("all_pages", "around", "count_limit", "forced", "page_limit", "size_limit")

    def __init__(self, around: Surroundings) -> None:
        super().__init__()
        self.around = around
        self.all_pages = 0  # of all segments together
        self.size_limit = _UNLIMITED  # shmmax, bytes
        self.page_limit = _UNLIMITED  # shmall
        self.count_limit = 4096  # shmmni
        self.forced = False  # shm_rmid_forced: what nobody has attached is removed

    def make(self, key: int, size: int, flags: int, owner: Credentials) -> Segment:
        """Make a segment of `size` bytes.

        EINVAL: too small or too large; ENOSPC: too many, or too much; ENOMEM; EPERM: huge pages are for CAP_IPC_LOCK
        """
        if not SHMMIN <= size <= self.size_limit:
            raise LinuxError(EINVAL)
        pages = round_up(size) // PAGE
        if self.all_pages + pages > self.page_limit:
            raise LinuxError(ENOSPC)
        if flags & SHM_HUGETLB:
            raise LinuxError(ENOMEM if owner.capable(CAP_IPC_LOCK) else EPERM)  # no huge pages are reserved
        segment = Segment(self, key, size, flags, owner)
        if not flags & SHM_NORESERVE or self.around.frames.commitment.mode == NEVER:
            segment.memory.promise(0)
        try:
            self.enter(segment, self.count_limit)
        except LinuxError:
            segment.memory.clear()
            raise
        self.all_pages += pages
        return segment

    def end(self, segment: Segment) -> None:
        """Take a segment out of the table and give its memory back."""
        self.leave(segment)
        self.all_pages -= segment.pages
        segment.memory.let_go()

    def left_by(self, pid: int) -> None:
        """With `forced`, remove what process `pid`, which ends, has made and nobody uses."""
        if self.forced:
            for segment in [each for each in self.values() if each.creator == pid]:
                segment.end_if_unused()


def attach(segment: Segment, space: AddressSpace, who: Credentials, address: int, flags: int) -> int:
    """Map a segment; return where (shmat).

    EINVAL: an address that is not aligned, or in use without SHM_REMAP; EACCES; ENOMEM
    """
    placing = MAP_SHARED
    if address:
        if address & (SHMLBA - 1):
            if not flags & SHM_RND:
                raise LinuxError(EINVAL)
            address &= ~(SHMLBA - 1)
            if not address and flags & SHM_REMAP:
                raise LinuxError(EINVAL)
        placing |= MAP_FIXED
    elif flags & SHM_REMAP:
        raise LinuxError(EINVAL)
    prot, wanted = PROT_READ, 0o444
    if not flags & SHM_RDONLY:
        prot, wanted = prot | PROT_WRITE, wanted | 0o222
    if flags & SHM_EXEC:
        prot, wanted = prot | PROT_EXEC, wanted | 0o111
    segment.require(who, wanted)
    length = round_up(segment.size)
    free = address + length <= 1 << 8 * space.pointer.size and not space.vmas.overlaps(address, address + length)
    if address and not flags & SHM_REMAP and not free:
        raise LinuxError(EINVAL)
    max_prot = PROT_READ | PROT_EXEC if flags & SHM_RDONLY else 7
    return segment.map(space, address, prot, placing, max_prot)


def detach(space: AddressSpace, address: int) -> None:
    """Unmap the segment that was attached at `address`, all pieces that are left of it (shmdt).  EINVAL"""
    if address & (PAGE - 1):
        raise LinuxError(EINVAL)
    memory: SegmentMemory | None = None
    for vma in space.vmas.between(address, space.abi.task_size):
        if not isinstance(vma.backing, SegmentMemory) or vma.start - address != vma.offset:
            continue
        if memory is None:
            memory = vma.backing
            end = address + memory.size
        if vma.end <= end and vma.backing is memory:
            space.munmap(vma.start, vma.end - vma.start)
    if memory is None:
        raise LinuxError(EINVAL)
