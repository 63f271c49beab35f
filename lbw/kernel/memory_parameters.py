"""Parameters of memory: /proc/sys/vm.  Linux' Documentation/admin-guide/sysctl/vm.rst

Those that decide something are here, and three that only remember what was written: programs set them when they start,
and there is no swap (swappiness, page-cluster), nor caches of names that would be in the guest's memory
(vfs_cache_pressure).
"""

from __future__ import annotations

from lbw.mm.overcommit import NEVER
from lbw.vfs.proc.parameters import INT_MAX, Numbers, attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lbw.kernel.kernel import Kernel
    from lbw.mm.frames import Frames
    from lbw.mm.overcommit import Commitment

_ULONG_MAX = (1 << 64) - 1
#: What drop_caches may be told: pages, names, both; 4 keeps Linux from telling its log.
_PAGES, _DROP_MOST = 1, 4


class Remembered:
    """Parameters without effect."""

    __slots__ = ("cluster", "names", "swappiness")

    def __init__(self) -> None:
        self.swappiness = 60
        self.cluster = 3
        self.names = 100


def memory_parameters(kernel: Kernel) -> dict[str, Numbers]:
    """Return the parameters below /proc/sys/vm, by their path below /proc/sys."""
    frames, oom = kernel.frames, kernel.oom
    commitment, remembered = frames.commitment, Remembered()
    return {
        "vm/admin_reserve_kbytes": attribute(commitment, "admin_reserve", highest=_ULONG_MAX),
        "vm/compact_memory": action(lambda numbers: compact(kernel), 1),
        "vm/dirty_writeback_centisecs": attribute(kernel.flusher, "centiseconds"),
        "vm/drop_caches": action(lambda numbers: drop_caches(kernel, numbers[0]), _DROP_MOST),
        "vm/max_map_count": attribute(kernel.homes, "max_map_count"),
        "vm/mmap_min_addr": attribute(kernel.homes, "min_address", highest=_ULONG_MAX),
        "vm/min_free_kbytes": watermarks(frames),
        "vm/oom_kill_allocating_task": attribute(oom, "kill_allocating_task"),
        "vm/overcommit_kbytes": alternatives(commitment, "kbytes", "ratio", _ULONG_MAX),
        "vm/overcommit_memory": attribute(commitment, "mode", 0, NEVER),
        "vm/overcommit_ratio": alternatives(commitment, "ratio", "kbytes", INT_MAX),
        "vm/page-cluster": attribute(remembered, "cluster"),
        "vm/panic_on_oom": attribute(oom, "panic_on_oom", 0, 2),
        "vm/swappiness": attribute(remembered, "swappiness", 0, 200),
        "vm/user_reserve_kbytes": attribute(commitment, "user_reserve", highest=_ULONG_MAX),
        "vm/vfs_cache_pressure": attribute(remembered, "names"),
    }


def action(act: Callable[[Sequence[int]], None], highest: int) -> Numbers:
    """Return a parameter that does something when it is written to, and cannot be read."""
    return Numbers(lambda: (0,), act, 1, highest, readable=False)


def drop_caches(kernel: Kernel, what: int) -> None:
    """Let go of clean pages that nobody maps."""
    if what & _PAGES:
        kernel.page_cache.shrink(0)
        compact(kernel)


def compact(kernel: Kernel) -> None:
    """Give everything back to the host that is empty."""
    kernel.frames.gather()
    kernel.frames.granules.cool()


def watermarks(frames: Frames) -> Numbers:
    """Return min_free_kbytes: what is left to the kernel. At most a quarter of all, or programs could not run."""

    def change(numbers: Sequence[int]) -> None:
        frames.minimum = min(numbers[0] // 4, frames.limit // 4)
        frames.relieved()

    return Numbers(lambda: (frames.minimum * 4,), change)


def alternatives(commitment: Commitment, name: str, other: str, highest: int) -> Numbers:
    """Return a parameter that is one way to say something: setting it takes the other way back."""

    def change(numbers: Sequence[int]) -> None:
        setattr(commitment, name, numbers[0])
        setattr(commitment, other, 0)

    return Numbers(lambda: (getattr(commitment, name),), change, 0, highest)
