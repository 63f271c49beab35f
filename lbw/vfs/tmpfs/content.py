"""The bytes of a file in memory: chunks of up to 64 kB in a dict, so that holes cost nothing.

A chunk is as long as what was written to it (in pages, for the account); behind its end it reads as zeros. Small
files are therefore small, and a file of a terabyte with one byte at its end is one page.
"""

from __future__ import annotations

from lbw.abi.errno import EFBIG, ENOSPC, ENXIO, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.tmpfs.filesystem import TmpFileSystem

CHUNK = 1 << 16
PAGE = 4096
LARGEST = (1 << 63) - 1


def _pages(length: int) -> int:
    return (length + PAGE - 1) // PAGE


class Content:
    """The bytes of one regular file."""

    __slots__ = ("_chunks", "_fs", "pages", "size", "version")

    def __init__(self, fs: TmpFileSystem) -> None:
        self._fs = fs
        self._chunks: dict[int, bytearray] = {}
        self.size = 0
        self.pages = 0
        self.version = 0  # counts changes

    def __del__(self) -> None:
        self._fs.used_pages -= self.pages

    def read_into(self, view: memoryview, offset: int) -> int:
        """Copy bytes from `offset` into `view`; return how many there were."""
        length = min(len(view), self.size - offset)
        if length <= 0:
            return 0
        done = 0
        chunks = self._chunks
        while done < length:
            number, start = divmod(offset + done, CHUNK)
            part = min(CHUNK - start, length - done)
            chunk = chunks.get(number)
            held = 0 if chunk is None else max(0, min(part, len(chunk) - start))
            if held:
                view[done : done + held] = memoryview(chunk)[start : start + held]  # type: ignore[arg-type]
            if held < part:
                view[done + held : done + part] = bytes(part - held)
            done += part
        return length

    def write(self, data: memoryview, offset: int) -> int:
        """Store `data` at `offset`; return how much fitted.  ENOSPC: nothing did"""
        if not len(data):
            return 0
        if offset + len(data) > LARGEST:
            raise LinuxError(EFBIG)
        self.version += 1
        done, length = 0, len(data)
        while done < length:
            number, start = divmod(offset + done, CHUNK)
            part = min(CHUNK - start, length - done)
            try:
                chunk = self._reserve(number, start + part)
            except LinuxError:
                if done:
                    break
                raise
            chunk[start : start + part] = data[done : done + part]
            done += part
        self.size = max(self.size, offset + done)
        return done

    def _reserve(self, number: int, length: int) -> bytearray:
        """Return a chunk that is at least `length` long.  ENOSPC"""
        chunk = self._chunks.get(number)
        held = 0 if chunk is None else len(chunk)
        if chunk is not None and held >= length:
            return chunk
        more = _pages(length) - _pages(held)
        if more:
            self._fs.take_pages(more)
            self.pages += more
        if chunk is None:
            chunk = self._chunks[number] = bytearray(length)
        else:
            chunk.extend(bytes(length - held))
        return chunk

    def _shorten(self, number: int, length: int) -> None:
        """Keep the first `length` bytes of a chunk."""
        chunk = self._chunks.get(number)
        if chunk is None or len(chunk) <= length:
            return
        fewer = _pages(len(chunk)) - _pages(length)
        self.pages -= fewer
        self._fs.used_pages -= fewer
        if length:
            del chunk[length:]
        else:
            del self._chunks[number]

    def truncate(self, size: int) -> None:
        """Set the size."""
        self.version += 1
        if size < self.size:
            last, rest = divmod(size, CHUNK)
            for number in [number for number in self._chunks if number >= last]:
                self._shorten(number, rest if number == last else 0)
        self.size = size

    def punch(self, offset: int, length: int) -> None:
        """Make a range a hole; the size stays."""
        self.version += 1
        end = min(offset + length, self.size)
        if offset >= end:
            return
        for number in [n for n in self._chunks if offset < (n + 1) * CHUNK and n * CHUNK < end]:
            start = max(offset - number * CHUNK, 0)
            stop = min(end - number * CHUNK, CHUNK)
            chunk = self._chunks[number]
            if stop >= len(chunk):
                self._shorten(number, start)
            else:
                chunk[start:stop] = bytes(stop - start)

    def allocate(self, offset: int, length: int) -> None:
        """Reserve space for a range.  ENOSPC: nothing is reserved"""
        end = offset + length
        first, last = offset // CHUNK, (end - 1) // CHUNK
        # Chunks are held from their start on, so what the first one has before the range is needed, too.
        more = (last - first) * (CHUNK // PAGE) + _pages(end - last * CHUNK)
        for number in [number for number in self._chunks if first <= number <= last]:
            more -= min(_pages(len(self._chunks[number])), _pages(min(end - number * CHUNK, CHUNK)))
        if more > self._fs.free_pages():
            raise LinuxError(ENOSPC)
        for number in range(first, last + 1):
            self._reserve(number, min(end - number * CHUNK, CHUNK))

    def seek(self, offset: int, hole: bool) -> int:
        """Return the next offset with data, or of a hole (the end is one), by chunks.  ENXIO: behind the end"""
        if offset < 0 or offset >= self.size:
            raise LinuxError(ENXIO)
        number, start = divmod(offset, CHUNK)
        if hole:
            while start < (end := self._data_end(number)):
                if end < CHUNK:
                    return min(number * CHUNK + end, self.size)
                number, start = number + 1, 0
            return min(max(offset, number * CHUNK), self.size)
        if start < self._data_end(number):
            return offset
        found = min([later for later in self._chunks if later > number], default=LARGEST) * CHUNK
        if found >= self.size:
            raise LinuxError(ENXIO)
        return found

    def _data_end(self, number: int) -> int:
        """Return up to where a chunk holds data, in whole pages."""
        return _pages(len(self._chunks.get(number, b""))) * PAGE
