"""/proc/PID/pagemap: a word of 64 bits for each page of the address space.  Linux Documentation/admin-guide/mm/pagemap

Bit 63: present, 61: of a file or of shared memory, 56: shown by nobody else. The number of the frame is 0, as it is for
readers without privileges: lbw's frames are nobody's business. There is no swap (62), and as on a Linux that was built
without CONFIG_MEM_SOFT_DIRTY bit 55 is always 0. The zero page, which a read of untouched memory shows, is present
without being resident.
"""

from __future__ import annotations

from array import array

from lbw.abi.errno import EINVAL, LinuxError
from lbw.cpu.contracts import PAGE
from lbw.cpu.mmu import ANONYMOUS, ZEROES
from lbw.mm.page_figures import PageShares
from lbw.vfs.file import scatter
from lbw.vfs.proc.memory_file import MemoryFile

PRESENT, OF_FILE, EXCLUSIVE = 1 << 63, 1 << 61, 1 << 56
WORD = 8


class PageMapFile(MemoryFile):
    """An open pagemap."""

    __slots__ = ()

    def pread(self, views: list[memoryview], offset: int) -> int:
        """EINVAL: not whole words."""
        memory, length = self._memory, sum(map(len, views))
        if not memory.users:
            return 0
        if offset % WORD or length % WORD:
            raise LinuxError(EINVAL)
        start = offset // WORD * PAGE
        end = min(start + length // WORD * PAGE, memory.abi.task_size)
        if start >= end:
            return 0
        words = array("Q", bytes((end - start) // PAGE * WORD))
        mapped = memory.vmas.between(start, end)
        shares = PageShares(memory) if mapped else None  # most of an address space is empty
        for vma in mapped:
            assert shares is not None
            for address, kind, mappers in shares.entries(vma, max(start, vma.start), min(end, vma.end)):
                word = PRESENT
                if kind not in (ANONYMOUS, ZEROES):
                    word |= OF_FILE
                if mappers == 1:
                    word |= EXCLUSIVE
                words[address - start >> 12] = word
        return scatter(words.tobytes(), views)

    def pwrite(self, views: list[memoryview], offset: int) -> int:
        """EINVAL: it is there to be read."""
        raise LinuxError(EINVAL)
