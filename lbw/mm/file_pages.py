"""The pages of a file in frames: which are here, reading those that are not, letting them go.

Frames are listed in chunks, so a sparse file of a terabyte costs what is touched of it. What is absent is read in
granules of 64 kB, with one read; a miss that goes on where the last one ended reads ever more ahead. Only absent pages
are read: the others of their granule may be dirty, or newer than the host's file was when it was looked at last.
"""

from __future__ import annotations

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.cpu.contracts import GRANULE, PAGE
from lbw.mm.backing import MappedObject
from lbw.mm.frames import FRAMES_PER_GRANULE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Protocol

    from lbw.mm.page_cache import PageCache

    #: Size in bytes, mtime and ctime in ns.
    Stamp = tuple[int, int, int]

    class Source(Protocol):
        """Where a file's bytes are. All may raise LinuxError."""

        def stamp(self) -> Stamp:
            """Return the stamp that the file has now."""

        def is_deleted(self) -> bool:
            """Tell whether the file, which is open, has lost its last name."""

        def open(self, writable: bool) -> None:
            """Keep the file open until `close`; may be called again to make it writable."""

        def close(self) -> None:
            """Undo `open`."""

        def read_at(self, views: list[memoryview], offset: int) -> int:
            """Read at `offset`; return the bytes read, 0 only at the end of the file."""

        def write_at(self, views: list[memoryview], offset: int) -> int:
            """Write at `offset`; return the bytes written, at least one."""

        def sync(self, data_only: bool) -> None:
            """Make what was written durable."""

        def punch(self, offset: int, length: int) -> None:
            """Make a range a hole.  EOPNOTSUPP"""

        def modified_at(self, time: int) -> None:
            """Set the time of the last modification, ns; quietly not where the host refuses."""


#: Pages of a chunk.
CHUNK = 512
ABSENT = [0] * CHUNK
#: Behind every page of every file.
END = 1 << 52
#: Sequential reading goes that far ahead at most, pages.
_AHEAD_MOST = 32 * FRAMES_PER_GRANULE


class FilePages(MappedObject):
    """What `CachedFile` is, as a set of pages."""

    __slots__ = (
        "_ahead", "_expected", "cache", "chunks", "dirty", "forgotten", "pages", "present", "size", "source",
        "stale", "stamp",
    )  # fmt: skip

    def __init__(self, cache: PageCache, identity: Hashable, source: Source) -> None:
        super().__init__(identity)
        self.cache = cache
        self.source = source
        #: Told when pages that may have been executed go, or change.
        self.forgotten: Callable[[], None] = lambda: None
        self.stamp: Stamp = source.stamp()
        self.stale = False  # somebody else has changed the file
        self.size = self.stamp[0]  # bytes
        self.pages = (self.size + PAGE - 1) // PAGE
        self.chunks: dict[int, list[int]] = {}  # page number // CHUNK -> physical addresses, 0 for absent pages
        self.present = 0  # pages that are here
        self.dirty: set[int] = set()  # those of them that the host's file lacks
        self._ahead = FRAMES_PER_GRANULE  # pages that the last miss wanted
        self._expected = -1  # the page of a miss that goes on where the last one ended

    def frame(self, page: int) -> int | None:
        """Return the frame of 4 kB page `page`, read if needed; None beyond the end of file."""
        chunk = self.chunks.get(page // CHUNK)
        if chunk is not None and chunk[page % CHUNK]:
            return chunk[page % CHUNK]
        if page >= self.pages and not self._has_grown(page):
            return None
        return self._load(page)

    def cached_run(self, page: int, count: int) -> list[int]:
        """Return what is in memory of `count` pages from `page` on: physical addresses, 0 for absent ones."""
        end = min(page + count, self.pages)
        run: list[int] = []
        while page < end:
            number, first = divmod(page, CHUNK)
            run += self.chunks.get(number, ABSENT)[first : first + end - page]
            page = (number + 1) * CHUNK
        return run

    def _has_grown(self, page: int) -> bool:
        """Ask the host whether there is such a page by now."""
        size = self.source.stamp()[0]
        if size > self.size:
            self.stale = True  # pages go at the next look: here somebody may be reading them
            self.size = size
            self.pages = (size + PAGE - 1) // PAGE
        return page < self.pages

    def _load(self, page: int) -> int:
        """Read what is absent of the granule of `page`, and of some behind it if reading goes on where it was."""
        first = page & -FRAMES_PER_GRANULE
        self._ahead = min(2 * self._ahead, _AHEAD_MOST) if page == self._expected else FRAMES_PER_GRANULE
        end = min(first + self._ahead, self.pages, (first // CHUNK + 1) * CHUNK)
        self._expected = end
        chunk = self.chunks.get(first // CHUNK) or ABSENT
        start = first % CHUNK
        missing = [first + index for index, frame in enumerate(chunk[start : start + end - first]) if not frame]
        try:
            frames = self._read(missing)
        except LinuxError as error:
            if error.errno != ENOMEM or len(missing) == 1:
                raise
            missing = [page]
            frames = self._read(missing)
        chunk = self.chunks.get(first // CHUNK) or self.chunks.setdefault(first // CHUNK, ABSENT[:])
        base = first - start
        for number, frame in zip(missing, frames, strict=True):
            chunk[number - base] = frame
        self.present += len(frames)
        self.cache.pages += len(frames)
        return chunk[page - base]

    def _read(self, pages: list[int]) -> list[int]:
        """Return new frames with the content of `pages`, ascending."""
        memory = self.cache.frames
        frames: list[int] = []
        if len(pages) == FRAMES_PER_GRANULE and pages[-1] - pages[0] == FRAMES_PER_GRANULE - 1:
            try:
                base = memory.allocate_granule()
                frames = list(range(base, base + GRANULE, PAGE))
            except LinuxError:
                pass  # perhaps there is memory, but in pieces
        if not frames:
            frames = memory.allocate_many(len(pages))
        try:
            start = 0
            for index in range(1, len(pages) + 1):
                if index == len(pages) or pages[index] != pages[index - 1] + 1:
                    self._fill(frames[start:index], pages[start] * PAGE)
                    start = index
        except BaseException:
            memory.drop_many(frames)
            raise
        memory.paged_in += len(frames)
        return frames

    def _fill(self, frames: list[int], offset: int) -> None:
        views, done, length = self.views(frames), 0, len(frames) * PAGE
        while done < length:
            count = self.source.read_at(views, offset + done)
            done += count
            if count <= 0 or offset + done >= self.size:
                break
            views = rest_of(views, count)

    def views(self, frames: list[int]) -> list[memoryview]:
        """Return the bytes of `frames`, those that follow each other as one view."""
        view = self.cache.frames.view
        views = []
        start = 0
        for index in range(1, len(frames) + 1):
            if index == len(frames) or frames[index] != frames[index - 1] + PAGE:
                views.append(view[frames[start] : frames[index - 1] + PAGE])
                start = index
        return views

    def drop_pages(self, first: int, end: int, keep_dirty: bool = False) -> int:
        """Let the frames of a range go, which no mapping shows any more; return how many."""
        gone: list[int] = []
        dirty = self.dirty
        for number in [n for n in self.chunks if (n + 1) * CHUNK > first and n * CHUNK < end]:
            chunk, base = self.chunks[number], number * CHUNK
            low, high = max(first - base, 0), min(end - base, CHUNK)
            if keep_dirty and dirty:
                for index in range(low, high):
                    if chunk[index] and base + index not in dirty:
                        gone.append(chunk[index])
                        chunk[index] = 0
            else:
                gone += filter(None, chunk[low:high])
                chunk[low:high] = ABSENT[low:high]
            if not any(chunk):
                del self.chunks[number]
        if dirty and not keep_dirty:
            self.cleaned([page for page in dirty if first <= page < end])
        memory = self.cache.frames
        if self.ran:
            memory.code.update(gone)
        memory.drop_many(gone)
        self.present -= len(gone)
        self.cache.pages -= len(gone)
        if not self.present and not self.mappings:
            self.ran = self.executed = False
        return len(gone)

    def cleaned(self, pages: list[int]) -> None:
        """Note that pages are no longer dirty."""
        self.dirty.difference_update(pages)
        self.cache.dirty_pages -= len(pages)


def rest_of(views: list[memoryview], count: int) -> list[memoryview]:
    """Return `views` without the first `count` bytes."""
    for index, view in enumerate(views):
        if count < len(view):
            return [view[count:], *views[index + 1 :]]
        count -= len(view)
    return []
