"""The page cache: all cached files of a machine, and what memory pressure may take of them.

Pages stay when nobody maps a file any more, so that the next exec of the same program reads nothing, until memory is
short or the cache has grown past its limit: then files that nobody maps go, least recently mapped first (`shrink`,
which may be called anywhere). Pages that are mapped can go too (`reclaim_mapped`), but only where no view of guest
memory is in use: between traps, at the start of a system call. Dirty pages must be written back first.

Inodes of the host know whether their file is here (`HostInode.cached`), so that files which are not cost nothing: file
systems enter themselves (`watchers`) and are told what comes and goes.
"""

from __future__ import annotations

from lbw.abi.errno import LinuxError
from lbw.cpu.contracts import GRANULE
from lbw.mm.cached_file import CachedFile
from lbw.mm.file_pages import CHUNK, END
from lbw.mm.frames import FRAMES_PER_GRANULE
from lbw.mm.locking import pinned
from lbw.mm.writeback import write_back

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Protocol

    from lbw.mm.file_pages import Source
    from lbw.mm.frames import Frames

    class Watcher(Protocol):
        """A file system whose files come into the cache."""

        def cache_changed(self, identity: Hashable, cached: CachedFile | None) -> None:
            """The file with `identity` has come into the cache, or (None) left it."""


class PageCache:
    """All cached files of a machine."""

    def __init__(self, frames: Frames, limit: int) -> None:
        """Keep at most about `limit` bytes of files that nobody maps."""
        self.frames = frames
        self.limit = limit // GRANULE
        self.pages = 0  # frames that hold pages of files
        self.dirty_pages = 0
        self.failures = 0  # of write-back
        self.dirty_files: dict[CachedFile, None] = {}
        self.files: dict[Hashable, CachedFile] = {}  # by identity, least recently mapped first
        self.watchers: dict[Watcher, None] = {}
        #: Called when there is something to write back, after there was nothing.
        self.on_dirty: Callable[[], None] = lambda: None

    @property
    def granules(self) -> int:
        """What the cache holds, in units of 64 kB."""
        return (self.pages + FRAMES_PER_GRANULE - 1) // FRAMES_PER_GRANULE

    # Files

    def file(self, identity: Hashable, source: Source) -> CachedFile:
        """Return the file with `identity`, which was found through `source`, as the host has it now."""
        files = self.files
        cached = files.pop(identity, None)
        if cached is None:
            if self.granules > self.limit:
                self.shrink(self.limit * 3 // 4)
            cached = CachedFile(self, identity, source)
            self._tell(identity, cached)
        else:
            cached.offer(source)
            cached.look(source.stamp())
        files[identity] = cached
        return cached

    def keep(self, cached: CachedFile) -> None:
        """Make sure that a file that is about to be mapped is here: memory may have run short meanwhile."""
        if self.files.setdefault(cached.identity, cached) is not cached:
            raise AssertionError("two sets of pages for one file")
        if not cached.mappings:
            self._tell(cached.identity, cached)

    def discard(self, identity: Hashable) -> None:
        """Forget a file whose number another one has now."""
        cached = self.files.get(identity)
        if cached is not None and not cached.mappings and not cached.dirty:
            cached.forget()
            del self.files[identity]
            self._tell(identity, None)

    def _tell(self, identity: Hashable, cached: CachedFile | None) -> None:
        for watcher in self.watchers:
            watcher.cache_changed(identity, cached)

    # Dirty pages

    def became_dirty(self, cached: CachedFile) -> None:
        """Note a page of `cached` that has become dirty."""
        self.dirty_pages += 1
        if len(cached.dirty) == 1:
            self.dirty_files[cached] = None
            if self.dirty_pages == 1:
                self.on_dirty()

    def write_back(self, limit_pages: int | None = None) -> int:
        """Write dirty pages to the host, at most so many; return how many. Failures are kept for who asks (fsync)."""
        written = 0
        for cached in list(self.dirty_files):
            left = None if limit_pages is None else limit_pages - written
            if left is not None and left <= 0:
                break
            written += write_back(cached, limit=left)
        return written

    def sync(self) -> None:
        """Write all back and make it durable.  sync(2): failures are not reported"""
        for cached in list(self.dirty_files):
            write_back(cached)
            try:
                cached.source.sync(False)
            except LinuxError:
                pass
            cached.settle()

    # Memory pressure

    def shrink(self, granules: int) -> bool:
        """Drop files that nobody maps until at most `granules` are left; return whether anything was freed."""
        freed = False
        for identity, cached in list(self.files.items()):
            if self.granules <= granules:
                break
            if not cached.mappings and not cached.dirty:
                freed = freed or cached.present > 0
                cached.forget()
                del self.files[identity]
                self._tell(identity, None)
        return freed

    def reclaim_mapped(self, granules_wanted: int) -> int:
        """Take clean pages of mapped files away, `granules_wanted` times 64 kB; return how many granules it were.

        Each file has its turn (the one that was visited goes to the end), those with patched code last, and of a file
        the chunks that were read first. What is still in use comes back with a fault. Only where nobody holds views of
        guest memory.
        """
        wanted = granules_wanted * FRAMES_PER_GRANULE
        freed = 0
        for identity, cached in sorted(self.files.items(), key=lambda item: bool(item[1].patched)):
            if freed >= wanted:
                break
            if cached.present <= len(cached.dirty):
                continue
            locked = any(vma.locked for vma in cached.mappings)
            del self.files[identity]
            self.files[identity] = cached
            if cached.patched:  # the copies know where their originals are
                cached.zap(0, END, False)
                cached.forgotten()
            for number in list(cached.chunks):
                first = number * CHUNK
                if locked and pinned(cached, first, first + CHUNK):
                    continue
                cached.zap(first, first + CHUNK, False)
                freed += cached.drop_pages(first, first + CHUNK, keep_dirty=True)
                if freed >= wanted:
                    break
        return freed // FRAMES_PER_GRANULE
