"""Sizes of an address space as Linux sorts them: statm, the Vm lines of status, fields of stat.  man 5 proc

What is mapped is one of: stack (grows down), data (private and writable), executable (not writable), or none of these.
The program's text is what its file has mapped executable; other executable mappings are libraries (VmLib).

Resident pages are counted by the Mmu, exactly, so they are the sum of Rss in smaps and of the pages in pagemap.
"""

from __future__ import annotations

from lbw.abi.mman import MAP_GROWSDOWN, PROT_EXEC, PROT_WRITE
from lbw.cpu.contracts import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.address_space import AddressSpace
    from lbw.vfs.proc.process import TaskEntry
    from lbw.vfs.proc.source import TaskView


class Sizes:
    """Sizes of an address space in pages; all 0 without one."""

    __slots__ = (
        "anonymous", "data", "end_code", "end_data", "executable", "file", "most", "peak", "shared", "stack",
        "start_code", "start_data", "tables", "text", "total",
    )  # fmt: skip

    def __init__(self, view: TaskView) -> None:
        self.total = self.most = self.data = self.stack = self.text = self.executable = 0
        self.anonymous = self.file = self.shared = self.tables = self.peak = 0
        self.start_code = self.end_code = self.start_data = self.end_data = 0  # addresses
        memory = view.memory
        if memory is not None:
            self._sort(memory, view.executable)
            self.anonymous, self.file, self.shared, tables = memory.mmu.usage()
            self.tables = tables - 1  # without the top one, as Linux counts
            self.peak = memory.mmu.peak

    @property
    def resident(self) -> int:
        """All resident pages."""
        return self.anonymous + self.file + self.shared

    def _sort(self, memory: AddressSpace, program: object) -> None:
        self.total = memory.total // PAGE
        self.most = max(memory.most // PAGE, self.total)
        data = stack = executable = text = 0
        for vma in memory.vmas:
            prot = vma.prot
            if vma.flags & MAP_GROWSDOWN:
                stack += vma.end - vma.start
            elif prot & PROT_WRITE:
                if not vma.shared:
                    data += vma.end - vma.start
            elif prot & PROT_EXEC:
                executable += vma.end - vma.start
            if program is not None and vma.location is program:
                if prot & PROT_EXEC:
                    self.start_code = self.start_code or vma.start
                    self.end_code = vma.end
                    text += vma.end - vma.start
                elif prot & PROT_WRITE:
                    self.start_data = self.start_data or vma.start
                    self.end_data = vma.end
        self.data, self.stack, self.executable = data // PAGE, stack // PAGE, executable // PAGE
        self.text = min(text // PAGE, self.executable)


def statm(entry: TaskEntry) -> bytes:
    """Return the sizes in pages: total, resident, shared, text, 0, data + stack, 0."""
    sizes = Sizes(entry.view)
    return b"%d %d %d %d 0 %d 0\n" % (
        sizes.total, sizes.resident, sizes.file + sizes.shared, sizes.text, sizes.data + sizes.stack,
    )  # fmt: skip
