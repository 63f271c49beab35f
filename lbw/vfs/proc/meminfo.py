"""The memory of the machine as text: meminfo, vmstat.  man 5 proc; Linux fs/proc/meminfo.c, mm/vmstat.c

Total is free, Cached (files and shared memory), AnonPages, PageTables and Slab together. Nothing keeps track of how
recently pages were used, so all that could be reclaimed or swapped counts as inactive; what is locked as unevictable.
"""

from __future__ import annotations

from lbw.cpu.contracts import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.proc.source import MemoryStatus, ProcSource

VMALLOC_TOTAL = 34359738367 * 1024


def meminfo(source: ProcSource) -> bytes:
    """Return /proc/meminfo."""
    now = source.memory_status()
    available = min(now.free + max(now.of_files - now.locked, 0), now.total)
    memory, files = inactive(now)
    rows = (
        ("MemTotal", now.total), ("MemFree", now.free), ("MemAvailable", available), ("Buffers", 0),
        ("Cached", now.of_files + now.shared), ("SwapCached", 0), ("Active", 0), ("Inactive", memory + files),
        ("Active(anon)", 0), ("Inactive(anon)", memory), ("Active(file)", 0), ("Inactive(file)", files),
        ("Unevictable", now.locked), ("Mlocked", now.locked), ("SwapTotal", 0), ("SwapFree", 0), ("Zswap", 0),
        ("Zswapped", 0), ("Dirty", now.dirty), ("Writeback", 0), ("AnonPages", now.anonymous), ("Mapped", now.mapped),
        ("Shmem", now.shared), ("KReclaimable", 0), ("Slab", now.kernel), ("SReclaimable", 0),
        ("SUnreclaim", now.kernel), ("KernelStack", 0), ("PageTables", now.page_tables), ("SecPageTables", 0),
        ("NFS_Unstable", 0), ("Bounce", 0), ("WritebackTmp", 0), ("CommitLimit", now.promisable),
        ("Committed_AS", now.promised), ("VmallocTotal", VMALLOC_TOTAL), ("VmallocUsed", 0), ("VmallocChunk", 0),
        ("Percpu", 0), ("AnonHugePages", 0), ("ShmemHugePages", 0), ("ShmemPmdMapped", 0), ("FileHugePages", 0),
        ("FilePmdMapped", 0),
    )  # fmt: skip
    lines = [f"{label + ':':16}{size // 1024:8d} kB\n" for label, size in rows]
    lines += [f"{label + ':':16}{0:8d}\n" for label in ("HugePages_Total", "HugePages_Free", "HugePages_Rsvd")]
    lines += [f"{'HugePages_Surp:':16}{0:8d}\n", f"{'Hugepagesize:':16}{2048:8d} kB\n", f"{'Hugetlb:':16}{0:8d} kB\n"]
    return "".join(lines).encode()


def inactive(now: MemoryStatus) -> tuple[int, int]:
    """Return how much memory without a file, and with one, is not locked, bytes."""
    memory = now.anonymous + now.shared
    return max(memory - now.locked, 0), max(now.of_files - max(now.locked - memory, 0), 0)


def vmstat(source: ProcSource) -> bytes:
    """Return /proc/vmstat: what there is in pages, and what has happened since the start."""
    now = source.memory_status()
    memory, files = inactive(now)
    rows = (
        ("nr_free_pages", now.free), ("nr_zone_inactive_anon", memory), ("nr_zone_active_anon", 0),
        ("nr_zone_inactive_file", files), ("nr_zone_active_file", 0), ("nr_zone_unevictable", now.locked),
        ("nr_zone_write_pending", now.dirty), ("nr_mlock", now.locked), ("nr_inactive_anon", memory),
        ("nr_active_anon", 0), ("nr_inactive_file", files), ("nr_active_file", 0), ("nr_unevictable", now.locked),
        ("nr_slab_reclaimable", 0), ("nr_slab_unreclaimable", now.kernel), ("nr_isolated_anon", 0),
        ("nr_isolated_file", 0), ("nr_anon_pages", now.anonymous), ("nr_mapped", now.mapped),
        ("nr_file_pages", now.of_files + now.shared), ("nr_dirty", now.dirty), ("nr_writeback", 0),
        ("nr_shmem", now.shared), ("nr_anon_transparent_hugepages", 0), ("nr_written", now.paged_out),
        ("nr_kernel_stack", 0), ("nr_page_table_pages", now.page_tables), ("nr_swapcached", 0),
    )  # fmt: skip
    events = (
        ("pgpgin", now.paged_in // 1024), ("pgpgout", now.paged_out // 1024), ("pswpin", 0), ("pswpout", 0),
        ("pgfault", now.faults), ("pgmajfault", now.major_faults), ("oom_kill", now.kills), ("swap_ra", 0),
        ("swap_ra_hit", 0),
    )  # fmt: skip
    lines = [f"{name} {size // PAGE}\n" for name, size in rows] + [f"{name} {count}\n" for name, count in events]
    return "".join(lines).encode()


TEXTS: dict[bytes, Callable[[ProcSource], bytes]] = {b"meminfo": meminfo, b"vmstat": vmstat}
