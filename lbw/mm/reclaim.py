"""Reclaim: where memory comes from when there is none left.

Nothing is swapped, so what can be had are pages of files, in this order: granules that nobody maps; granules that are
mapped, but clean and not locked, which are taken out of the page tables (the next access reads them again); dirty ones,
after they were written to their file. What is left then is memory that programs have for themselves, and shared memory:
an OOM kill (`lbw.kernel.oom`).

There are two moments. Deep inside of an allocation (`unmapped`) views of guest memory may be outstanding, so only what
nobody maps may go. Between two traps (`between_traps`) everything may; it frees more than was asked for, because it
costs a flush of the TLB, and a program that reads a large file comes again soon.

Linux: mm/vmscan.c, with its watermarks (`watermark` is vm.min_free_kbytes).
"""

from __future__ import annotations

from math import isqrt

from lbw.cpu.contracts import GRANULE, PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.frames import Frames
    from lbw.mm.page_cache import PageCache

_PER_GRANULE = GRANULE // PAGE
#: A system call moves 1 MB before others get a turn, perhaps from one page to another: so much should be there, frames.
_CALL = 512
#: At a safe point so much of all memory is made free, at least.
_SHARE = 32


def watermark(limit: int) -> int:
    """Return how many frames of `limit` are left to the kernel: as Linux, but enough for one step of a system call."""
    kilobytes = isqrt(limit * 4 * 16)
    return min(max(kilobytes // 4, _CALL), limit // 16)


def unmapped(frames: Frames, cache: PageCache) -> bool:
    """Drop pages of files that nobody maps; return whether there were any.  At any time"""
    return cache.shrink(cache.granules // 2)


def between_traps(frames: Frames, cache: PageCache) -> None:
    """Make enough memory free, if pages of files can give it.  No view of guest memory may be in use."""
    wanted = max(4 * frames.minimum, frames.limit // _SHARE)
    for step in (_drop_unmapped, _drop_mapped, _write_back):
        missing = wanted - frames.available
        if missing <= 0:
            break
        step(cache, missing)
    if frames.granules.low:
        _help_host(frames, cache)
    frames.relieved()


def _drop_unmapped(cache: PageCache, missing: int) -> None:
    cache.shrink(max(cache.granules - -(-missing // _PER_GRANULE), 0))


def _drop_mapped(cache: PageCache, missing: int) -> None:
    cache.reclaim_mapped(-(-missing // _PER_GRANULE))


def _write_back(cache: PageCache, missing: int) -> None:
    if cache.dirty_pages:
        cache.write_back(missing + _PER_GRANULE)
        cache.shrink(max(cache.granules - -(-missing // _PER_GRANULE), 0))
        cache.reclaim_mapped(-(-missing // _PER_GRANULE))


def _help_host(frames: Frames, cache: PageCache) -> None:
    """The host has no memory: make room in what it has given, and fill up the reserve."""
    goal = min(frames.granules.committed * _PER_GRANULE // 8, _CALL)
    for step in (_nothing, _drop_unmapped, _drop_mapped, _write_back):
        step(cache, goal)
        frames.gather()
        if frames.available >= goal:
            break


def _nothing(cache: PageCache, missing: int) -> None:
    pass
