"""What changes of a file do to its pages: writes, truncation, holes; and reading what is newer in memory.

Called when the host's file has changed already. Programs see the new bytes through every mapping, private ones included
where they have not copied. Pages that are cut off go from all mappings, with the copies that private ones have made;
what is left of the last page is zeros, whatever a program has stored there.
"""

from __future__ import annotations

from lbw.cpu.contracts import PAGE
from lbw.mm.file_pages import CHUNK, END, FilePages


class FileChanges(FilePages):
    """What `CachedFile` is, for calls that change the file."""

    __slots__ = ()

    def written(self, views: list[memoryview], offset: int, count: int) -> None:
        """The host's file has taken the first `count` bytes of `views` at `offset`: so do the pages."""
        end = offset + count
        if end > self.size:
            self.resized(end)
        if not self.present or not count:
            return
        data: memoryview | None = None
        memory = self.cache.frames.view
        page, last = offset // PAGE, (end - 1) // PAGE
        while page <= last:
            chunk = self.chunks.get(page // CHUNK)
            if chunk is None:
                page = (page // CHUNK + 1) * CHUNK
                continue
            frame = chunk[page % CHUNK]
            if frame:
                if data is None:
                    self._changing()
                    data = memoryview(b"".join(views))  # a copy: it may lie in these very pages
                low, high = max(offset, page * PAGE), min(end, (page + 1) * PAGE)
                at = frame + low % PAGE
                memory[at : at + high - low] = data[low - offset : high - offset]
            page += 1

    def resized(self, size: int) -> None:
        """The file is `size` bytes long now, set by a program or grown by a write."""
        old, self.size = self.size, size
        self.pages = (size + PAGE - 1) // PAGE
        if size < old:
            self.zap(self.pages, END, True)
            if self.ran:
                self.zap(0, END, False)
                self.forgotten()
            self.drop_pages(self.pages, END)
        edge = min(size, old)
        self._clear(edge, -edge % PAGE)

    def punched(self, offset: int, length: int) -> None:
        """A range has become zeros (a hole)."""
        end = min(offset + length, self.pages * PAGE)
        first, last = (offset + PAGE - 1) // PAGE, end // PAGE
        if first > last:  # within a page
            self._clear(offset, end - offset)
            return
        self._clear(offset, first * PAGE - offset)
        self._clear(last * PAGE, end - last * PAGE)
        if first < last:
            self._take(first, last, False)

    def shifted(self, offset: int, size: int) -> None:
        """What lay behind `offset` lies elsewhere, and the file is `size` bytes long now. Nothing there was dirty."""
        self.size = size
        self.pages = (size + PAGE - 1) // PAGE
        self._take(offset // PAGE, END, True)

    def show_dirty(self, views: list[memoryview], offset: int, count: int) -> None:
        """Lay dirty pages over `count` bytes that were read from the host's file at `offset` into `views`."""
        position = offset
        for view in views:
            left = min(len(view), offset + count - position)
            at = 0
            while at < left:
                page, inside = divmod(position + at, PAGE)
                part = min(PAGE - inside, left - at)
                if page in self.dirty:
                    frame = self.chunks[page // CHUNK][page % CHUNK] + inside
                    view[at : at + part] = self.cache.frames.view[frame : frame + part]
                at += part
            position += left
            if position >= offset + count:
                break

    def _take(self, first: int, end: int, private: bool) -> None:
        self.zap(first, end, private)
        if self.ran:
            self.zap(0, END, False)
            self.forgotten()
        self.drop_pages(first, end)

    def _clear(self, offset: int, length: int) -> None:
        """Make bytes within one page zeros, if it is here."""
        chunk = self.chunks.get(offset // PAGE // CHUNK) if length > 0 else None
        frame = chunk[offset // PAGE % CHUNK] if chunk is not None else 0
        if frame:
            self._changing()
            at = frame + offset % PAGE
            self.cache.frames.view[at : at + length] = bytes(length)

    def _changing(self) -> None:
        """The bytes of pages are about to change without the processor noticing."""
        if self.ran:
            if self.patched:
                self.zap(0, END, False)
            self.forgotten()
            self.cache.frames.flush_code()
