"""Shared memory: objects whose frames are their content. Linux's shmem.

Files of tmpfs, memfds, System V segments, and what MAP_SHARED|MAP_ANONYMOUS and /dev/zero give are the same thing: a
size in bytes, and frames by page number (`lbw.mm.frame_table`), which appear when somebody writes or a mapping touches
them (`lbw.mm.shared_pages`). read(2) and write(2) copy from and to the frames that mappings show, so everybody sees the
same bytes at once, at any offset and address; there is nothing to write back, and nothing that could be dropped: this
content is nowhere else. Linux can swap it out, lbw cannot, so it counts as used (`Frames.shared.pages`) until it is
truncated, punched, or nobody can reach the object any more.

Sizes.  A page that is partly behind the end can be written to by mappings there. Linux leaves those bytes, and shows
them when the file grows; shrinking clears what is behind the new end.

Rejected: content in Python's memory with copies in the page cache (nothing would be coherent, every byte would be there
twice, and `--memory` would not bound it).
"""

from __future__ import annotations

from lbw.abi.errno import ENOMEM, ENOSPC, ENXIO, LinuxError
from lbw.cpu.contracts import GRANULE, PAGE
from lbw.mm.frame_table import PAGES
from lbw.mm.shared_pages import END, SharedPages

_ZEROES = memoryview(bytes(GRANULE))


class SharedMemory(SharedPages):
    """Content of so many bytes."""

    __slots__ = ()

    # Bytes

    def read_into(self, view: memoryview, offset: int) -> int:
        """Copy bytes from `offset` into `view`; return how many there were. Holes are zeros, and stay holes."""
        length, ram = len(view), self._ram
        if offset + length > self.size:
            length = self.size - offset
            if length <= 0:
                return 0
            view = view[:length]
        number, start = offset >> 16, offset & 0xFFFF
        base = self._dense.get(number)
        if base is not None and start + length <= GRANULE:
            view[:] = ram[base + start : base + start + length]
            return length
        done = 0
        while True:
            part = min(GRANULE - start, length - done)
            if base is not None:
                view[done : done + part] = ram[base + start : base + start + part]
            elif number in self._sparse:
                self._read_pages(view[done : done + part], self._sparse[number], start)
            else:
                view[done : done + part] = _ZEROES[:part]
            done += part
            if done == length:
                return length
            number, start = number + 1, 0
            base = self._dense.get(number)

    def _read_pages(self, view: memoryview, chunk: list[int], start: int) -> None:
        ram, length, done = self._ram, len(view), 0
        index, start = start >> 12, start & 0xFFF
        while done < length:
            part = min(PAGE - start, length - done)
            frame = chunk[index]
            view[done : done + part] = ram[frame + start : frame + start + part] if frame else _ZEROES[:part]
            done += part
            index, start = index + 1, 0

    def write(self, data: memoryview, offset: int) -> int:
        """Store `data` at `offset`; return how much fitted.  ENOSPC, ENOMEM: nothing did"""
        length = len(data)
        self.version += 1
        number, start = offset >> 16, offset & 0xFFFF
        base = self._dense.get(number)
        if base is not None and start + length <= GRANULE:
            self._ram[base + start : base + start + length] = data
            done = length
        else:
            chunk = self._sparse.get(number)
            inside = start & 0xFFF
            if chunk is not None and inside + length <= PAGE and (frame := chunk[start >> 12]):
                self._ram[frame + inside : frame + inside + length] = data
                done = length
            else:
                done = self._write_granules(data, number, start)
        if self._table.unwritten:
            self._table.wrote(offset // PAGE, (offset + done + PAGE - 1) // PAGE)
        if self.ran and done:
            self._rewritten()
        if offset + done > self.size:
            self.size = offset + done
        return done

    def _write_granules(self, data: memoryview, number: int, start: int) -> int:
        ram, length, done = self._ram, len(data), 0
        while done < length:
            part = min(GRANULE - start, length - done)
            base = self._dense.get(number)
            if base is None and part == GRANULE and number not in self._sparse:
                base = self._add_granule(number)
            if base is not None:
                ram[base + start : base + start + part] = data[done : done + part]
                done += part
            else:
                try:
                    for page in range(number * PAGES + (start >> 12), number * PAGES + (start + part + PAGE - 1 >> 12)):
                        frame = self._table.get(page) or self._add(page)
                        inside = start & 0xFFF
                        piece = min(PAGE - inside, length - done)
                        ram[frame + inside : frame + inside + piece] = data[done : done + piece]
                        done += piece
                        start = 0
                except LinuxError:
                    if done:
                        return done
                    raise
            number, start = number + 1, 0
        return done

    # Sizes and holes

    def truncate(self, size: int) -> None:
        """Set the size. Mappings of what goes get SIGBUS from now on, also where they had copies of their own."""
        self.version += 1
        shrinks = size <= self.size
        self.size = size
        if shrinks:
            first = (size + PAGE - 1) // PAGE
            self.zap(first, END, True)
            self._free(first, END)
            if size % PAGE:
                self._clear_bytes(size, first * PAGE)

    def punch(self, offset: int, length: int) -> None:
        """Make a range a hole, whole pages of it, and clear the rest; the size stays."""
        self.version += 1
        end = offset + length
        first, last = (offset + PAGE - 1) // PAGE, end // PAGE
        if first > last:  # within one page
            self._clear_bytes(offset, end)
            return
        self.zap(first, last, False)
        self._free(first, last)
        self._clear_bytes(offset, first * PAGE)
        self._clear_bytes(last * PAGE, end)

    def allocate(self, offset: int, length: int) -> None:
        """Reserve pages for a range; the size stays.  ENOSPC, ENOMEM: nothing is reserved"""
        table = self._table
        first, end = offset // PAGE, (offset + length + PAGE - 1) // PAGE
        missing = end - first - table.count(first, end)
        if self._budget is not None and missing > self._budget.free_pages():
            raise LinuxError(ENOSPC)
        if missing > self._frames.limit:
            raise LinuxError(ENOMEM)
        table.wrote(first, end)  # what was reserved before counts as written now, as in Linux
        made: list[tuple[int, int]] = []
        try:
            while first < end:
                number, stop = first >> 4, min((first | PAGES - 1) + 1, end)
                whole = stop - first == PAGES and number not in self._dense and number not in self._sparse
                if whole and self._add_granule(number) is not None:
                    made.append((first, stop))
                else:
                    for page in range(first, stop):
                        if not table.get(page):
                            self._add(page)
                            made.append((page, page + 1))
                first = stop
        except LinuxError:
            for low, high in made:
                self._free(low, high)
            raise
        for low, high in made:
            table.reserve(low, high)

    def seek(self, offset: int, hole: bool) -> int:
        """Return the next offset with data, or of a hole (the end is one), by pages.  ENXIO: behind the end"""
        if not 0 <= offset < self.size:
            raise LinuxError(ENXIO)
        page = offset // PAGE
        if hole:
            return min(max(offset, self._table.next_hole(page) * PAGE), self.size)
        found = self._table.next_data(page)
        if found is None or found * PAGE >= self.size:
            raise LinuxError(ENXIO)
        return max(offset, found * PAGE)

    def _clear_bytes(self, offset: int, end: int) -> None:
        """Write zeros within a page, if it is there."""
        frame = self._table.get(offset // PAGE)
        if frame and offset < end:
            start = frame + offset % PAGE
            self._ram[start : start + end - offset] = _ZEROES[: end - offset]
            if self.ran:
                self._rewritten()
