"""The flusher: a pass over dirty pages of files some seconds after the first of them became dirty.

There is a timer only while something is dirty. A pass writes everything, a part at a time when it is much, so that
programs do not wait long; what the host refuses stays dirty and is tried again. Linux looks every
vm.dirty_writeback_centisecs and lets pages rest for dirty_expire_centisecs; lbw may be killed at any time, so nothing
rests here.

When the run ends, everything is written; what cannot be is told on lbw's standard error.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.kernel.kernel import Kernel
    from lbw.kernel.timers import Timer
    from lbw.mm.page_cache import PageCache

#: What one pass writes, pages; the next one follows soon.
_PART = 8192
_SOON = 20_000_000  # ns


class Flusher:
    """When dirty pages are written back."""

    __slots__ = ("_cache", "_kernel", "_timer", "centiseconds")

    def __init__(self, kernel: Kernel, cache: PageCache | None) -> None:
        self._kernel = kernel
        self._cache = cache
        self._timer: Timer | None = None
        self.centiseconds = 500  # vm.dirty_writeback_centisecs; 0: never
        if cache is not None:
            cache.on_dirty = self._arm

    def _arm(self, soon: bool = False) -> None:
        if self._timer is None and self.centiseconds:
            delay = _SOON if soon else self.centiseconds * 10_000_000
            self._timer = self._kernel.timers.add(self._kernel.clock.monotonic() + delay, self._pass)

    def _pass(self) -> None:
        self._timer = None
        cache = self._cache
        assert cache is not None
        written = cache.write_back(_PART)
        if cache.dirty_pages:
            self._arm(soon=written >= _PART)

    def finish(self) -> None:
        """Write everything: the run ends."""
        cache = self._cache
        if cache is None:
            return
        if self._timer is not None:
            self._kernel.timers.cancel(self._timer)
            self._timer = None
        cache.write_back()
        for cached in list(cache.dirty_files):
            from lbw.abi.errno import NAMES

            size = len(cached.dirty) * 4096
            reason = NAMES.get(cached.error, "?")
            self._kernel.report(f"{size} bytes of a mapped file could not be written back: {reason}")
            cached.abandon()
