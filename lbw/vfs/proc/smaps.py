"""The mappings of a task with what of them is in memory: smaps, smaps_rollup.  man 5 proc; Linux fs/proc/task_mmu.c

The fields are those of Linux 6.18, in its order. There are no huge pages, no swap and no merging of equal pages, so
their fields are 0. A page that was brought into memory ahead of time counts as referenced.
"""

from __future__ import annotations

from lbw.abi.mman import MAP_GROWSDOWN, MAP_NORESERVE, PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.mm import vma as marks
from lbw.mm.page_figures import PSS_SHIFT, PageFigures, PageShares
from lbw.vfs.proc.maps import Naming
from lbw.vfs.proc.records import mappings_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lbw.mm.address_space import AddressSpace
    from lbw.mm.vma import Vma
    from lbw.vfs.location import Location
    from lbw.vfs.proc.records import Producer

#: Names of marks in VmFlags, in the order of Linux' bits; those before come from other fields of a mapping.
MARKS = (
    (marks.VM_LOCKED, "lo"), (marks.VM_SEQ_READ, "sr"), (marks.VM_RAND_READ, "rr"), (marks.VM_DONTCOPY, "dc"),
    (marks.VM_LOCKONFAULT, "lf"), (marks.VM_ACCOUNT, "ac"),
)  # fmt: skip
LATE_MARKS = (
    (marks.VM_WIPEONFORK, "wf"), (marks.VM_DONTDUMP, "dd"), (marks.VM_HUGEPAGE, "hg"), (marks.VM_NOHUGEPAGE, "nh"),
    (marks.VM_MERGEABLE, "mg"),
)  # fmt: skip
#: Pages that the kernel has put there.
OWN = {b"[vvar]": "rd mr pf io de dd", b"[vdso]": "rd ex mr mw me de"}


def smaps(path_of: Callable[[Location], bytes]) -> Producer:
    """Return what makes the records of smaps."""

    def produce(memory: AddressSpace, address: int) -> Iterator[tuple[bytes, int]]:
        line, shares = Naming(memory, path_of).line, PageShares(memory)
        for vma in mappings_from(memory, address):
            figures = PageFigures()
            figures.add(shares, vma)
            size = (vma.end - vma.start) // 1024
            text = f"Size:           {size:8d} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n"
            text += show(figures, False) + f"THPeligible:           0\nVmFlags: {flags_of(vma)} \n"
            yield line(vma) + text.encode(), vma.end

    return produce


def smaps_rollup(memory: AddressSpace, address: int) -> Iterator[tuple[bytes, int]]:
    """Yield the one record of smaps_rollup: all mappings together."""
    figures, shares, start, end = PageFigures(), PageShares(memory), 0, 0
    for vma in mappings_from(memory, address):
        figures.add(shares, vma)
        start, end = start or vma.start, vma.end
    if end:
        line = b"%08x-%08x ---p 00000000 00:00 0 " % (start, end)
        yield line.ljust(73) + b"[rollup]\n" + show(figures, True).encode(), end


def show(now: PageFigures, whole: bool) -> str:
    """Return the lines of both files; `whole`: those that only the sum has, too."""
    kinds = (("Pss_Anon", now.pss_anonymous), ("Pss_File", now.pss_file), ("Pss_Shmem", now.pss_shared))
    rows = [("Rss", now.rss), ("Pss", now.pss >> PSS_SHIFT), ("Pss_Dirty", now.pss_dirty >> PSS_SHIFT)]
    if whole:
        rows += [(label, share >> PSS_SHIFT) for label, share in kinds]
    rows += [
        ("Shared_Clean", now.shared_clean), ("Shared_Dirty", now.shared_dirty), ("Private_Clean", now.private_clean),
        ("Private_Dirty", now.private_dirty), ("Referenced", now.referenced), ("Anonymous", now.anonymous), ("KSM", 0),
        ("LazyFree", 0), ("AnonHugePages", 0), ("ShmemPmdMapped", 0), ("FilePmdMapped", 0), ("Shared_Hugetlb", 0),
        ("Private_Hugetlb", 0), ("Swap", 0), ("SwapPss", 0), ("Locked", now.locked >> PSS_SHIFT),
    ]  # fmt: skip
    return "".join([f"{label + ':':16}{size // 1024:8d} kB\n" for label, size in rows])


def flags_of(vma: Vma) -> str:
    """Return VmFlags."""
    own = OWN.get(vma.name)
    if own is not None:
        return own
    prot, may, shared = vma.prot, vma.max_prot, vma.shared
    known = (
        (prot & PROT_READ, "rd"), (prot & PROT_WRITE, "wr"), (prot & PROT_EXEC, "ex"),
        (shared and may & PROT_WRITE, "sh"), (may & PROT_READ, "mr"), (may & PROT_WRITE, "mw"),
        (may & PROT_EXEC, "me"), (shared, "ms"), (vma.flags & MAP_GROWSDOWN, "gd"),
        *((vma.marks & bit, name) for bit, name in MARKS), (vma.flags & MAP_NORESERVE, "nr"),
        *((vma.marks & bit, name) for bit, name in LATE_MARKS),
    )  # fmt: skip
    return " ".join([name for has, name in known if has])
