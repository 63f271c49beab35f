"""The page cache: file contents in guest memory, shared by all mappings of a file.

A file is known by its identity (device, inode, size, modification time), so a changed file is another file here.
Contents are read in 64 kB granules, with one read each, on first use. A cached file keeps its source open only while
something maps it; its pages stay afterwards, so that the next exec of the same program reads nothing, until memory is
short or the cache has grown past its limit: then files that nobody maps are dropped, least recently mapped first.
"""

from __future__ import annotations

from lbw.cpu.contracts import GRANULE, PAGE
from lbw.mm.backing import MappedObject
from lbw.mm.frames import FRAMES_PER_GRANULE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Protocol

    from lbw.mm.frames import Frames
    from lbw.mm.vma import Vma

    class Source(Protocol):
        """Where a file's bytes come from."""

        def read_into(self, view: memoryview, offset: int) -> int:
            """Read at `offset` into `view`; return the bytes read, fewer only at the end of file."""

        def size(self) -> int:
            """Return the file's size in bytes now."""

        def open(self) -> None:
            """Keep the file open until `close`."""

        def close(self) -> None:
            """Undo `open`."""


#: Frames are listed in chunks of so many pages: a sparse file of terabytes costs what is read of it.
_CHUNK = 512
_ABSENT = [0] * _CHUNK


class CachedFile(MappedObject):
    """The pages of one file; the `Backing` of its mappings."""

    __slots__ = (
        "_chunks",
        "_granules",
        "cache",
        "forgotten",
        "pages",
        "source",
    )

    def __init__(self, cache: PageCache, identity: Hashable, source: Source) -> None:
        super().__init__(identity)
        self.cache = cache
        self.source = source
        #: Told when the pages go.
        self.forgotten: Callable[[], None] = lambda: None
        self.pages = (source.size() + PAGE - 1) // PAGE
        self._chunks: dict[int, list[int]] = {}  # page number // _CHUNK -> physical addresses, 0 for absent pages
        self._granules: dict[int, int] = {}  # granule number -> physical address

    def acquire(self, vma: Vma) -> None:
        """Add a mapping. The first one opens the source."""
        if not self.mappings:
            self.source.open()
        super().acquire(vma)

    def release(self, vma: Vma) -> None:
        """Remove a mapping. The last one closes the source."""
        super().release(vma)
        if not self.mappings:
            self.source.close()

    def frame(self, page: int) -> int | None:
        """Return the frame of 4 kB page `page`, read if needed; None beyond the end of file."""
        if page >= self.pages and not self._grow(page):
            return None
        chunk = self._chunks.get(page // _CHUNK)
        return (chunk is not None and chunk[page % _CHUNK]) or self._load(page)

    def cached_run(self, page: int, count: int) -> list[int]:
        """Return what is in memory of `count` pages from `page` on: physical addresses, 0 for absent ones."""
        end = min(page + count, self.pages)
        run: list[int] = []
        while page < end:
            number, first = divmod(page, _CHUNK)
            run += self._chunks.get(number, _ABSENT)[first : first + end - page]
            page = (number + 1) * _CHUNK
        return run

    def _grow(self, page: int) -> bool:
        pages = (self.source.size() + PAGE - 1) // PAGE
        if page >= pages:
            return False
        self.pages = pages
        return True

    def _load(self, page: int) -> int:
        granule = page // FRAMES_PER_GRANULE
        known = self._granules.get(granule)
        if known is not None:  # it was cut short at what was the end of the file then
            self._fill(granule, known)
            return known + page % FRAMES_PER_GRANULE * PAGE
        frames = self.cache.frames
        base = frames.allocate_granule()
        try:
            self._fill(granule, base)
        except BaseException:
            for frame in range(base, base + GRANULE, PAGE):
                frames.drop(frame)
            raise
        self._granules[granule] = base
        self.cache.granules += 1
        return base + page % FRAMES_PER_GRANULE * PAGE

    def _fill(self, granule: int, base: int) -> None:
        view = self.cache.frames.view[base : base + GRANULE]
        offset = granule * GRANULE
        done = 0
        while done < GRANULE:
            count = self.source.read_into(view[done:], offset + done)
            if count <= 0:
                break
            done += count
        first = granule * FRAMES_PER_GRANULE
        last = min(first + FRAMES_PER_GRANULE, self.pages)
        number, at = divmod(first, _CHUNK)
        chunk = self._chunks.setdefault(number, _ABSENT[:])
        chunk[at : at + last - first] = range(base, base + (last - first) * PAGE, PAGE)

    def forget(self) -> None:
        """Drop all pages; only without mappings."""
        assert not self.mappings
        self.forgotten()
        frames = self.cache.frames
        for base in self._granules.values():
            frames.code.update(range(base, base + GRANULE, PAGE))
            for frame in range(base, base + GRANULE, PAGE):
                frames.drop(frame)
        self.cache.granules -= len(self._granules)
        self._granules.clear()
        self._chunks.clear()


class PageCache:
    """All cached files of a machine."""

    def __init__(self, frames: Frames, limit: int) -> None:
        """Keep at most about `limit` bytes of files that nobody maps."""
        self.frames = frames
        self.limit = limit // GRANULE
        self.granules = 0
        self._files: dict[Hashable, CachedFile] = {}  # least recently mapped first

    def file(self, identity: Hashable, source: Source) -> CachedFile:
        """Return the cached file; `source` is used when nothing maps it yet."""
        cached = self._files.pop(identity, None)
        if cached is None:
            if self.granules > self.limit:
                self.shrink(self.limit * 3 // 4)
            cached = CachedFile(self, identity, source)
        elif not cached.mappings:
            cached.source = source
        self._files[identity] = cached
        return cached

    def shrink(self, granules: int) -> bool:
        """Drop unmapped files until at most `granules` are left; return whether anything was freed."""
        freed = False
        for identity, cached in list(self._files.items()):
            if self.granules <= granules:
                break
            if not cached.mappings:
                freed = True
                cached.forget()
                del self._files[identity]
        return freed
