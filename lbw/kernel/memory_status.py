"""What the memory of the machine is used for: meminfo, vmstat, sysinfo.

Every frame in use is one of: memory that programs have for themselves, a page of a file, shared memory, a page table;
the rest is the kernel's (the zero page, fragments, patched copies, the vDSO). The first and the fourth are counted from
the page tables of all address spaces, each frame once; caches and shared memory know how much they hold. So the sum is
right by what is counted, not by definition, except that the kernel's is the rest.
"""

from __future__ import annotations

from lbw.cpu.contracts import PAGE
from lbw.cpu.mmu import Census
from lbw.vfs.proc.source import MemoryStatus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.kernel import Kernel
    from lbw.mm.address_space import AddressSpace


def memory_status(kernel: Kernel) -> MemoryStatus:
    """Return the figures of now."""
    frames, cache, now = kernel.frames, kernel.page_cache, MemoryStatus()
    spaces = {id(task.memory): task.memory for task in kernel.tasks.values()}
    census = Census()
    locked = 0
    for memory in spaces.values():
        memory.mmu.enter(census)
        if memory.locked_pages:
            locked += locked_pages(memory)
    now.total = frames.limit * PAGE
    now.free = frames.available * PAGE
    now.anonymous = census.anonymous * PAGE
    now.page_tables = len(census.tables) * PAGE
    now.mapped = len(census.of_backings) * PAGE
    now.of_files = cache.pages * PAGE
    now.shared = frames.shared.pages * PAGE
    now.dirty = cache.dirty_pages * PAGE
    now.locked = locked * PAGE
    now.kernel = now.total - now.free - now.anonymous - now.page_tables - now.of_files - now.shared
    now.promised, now.promisable = frames.commitment.pages * PAGE, frames.commitment.limit * PAGE
    now.faults = kernel.counters.page_faults
    now.paged_in, now.paged_out = frames.paged_in * PAGE, frames.paged_out * PAGE
    now.major_faults = frames.major_faults
    now.kills = kernel.oom.kills
    return now


def locked_pages(memory: AddressSpace) -> int:
    """Return how many resident pages are locked."""
    usage = memory.mmu.usage
    return sum(sum(usage(vma.start, vma.end)[:3]) for vma in memory.vmas if vma.locked)
