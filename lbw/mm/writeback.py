"""Write-back: from dirty pages to the host's file.

Programs make pages dirty by storing through shared mappings. They are written by msync, fsync, sync, when the last
mapping that may write goes (munmap, exec, exit), when the run ends, when memory is short, and by a pass of the kernel
some seconds after the first store (`lbw.kernel.flusher`). Pages are made read-only before they are written, so that the
next store makes them dirty again; adjacent ones go out in one write, at most up to the end of the file. What lies
behind that in the last page is zeroed, not written.

Failures.  Pages that could not be written stay dirty and are tried again. The error has a number; each open file knows
up to which number it has been told, so each of them is told once, by fsync or msync (Linux calls that errseq).

Times.  A file is modified when a program stores to it, not when lbw writes it back: the time of the last first store
to a page is put back afterwards, where the host allows it.
"""

from __future__ import annotations

from itertools import islice

from lbw.abi.errno import EIO, LinuxError
from lbw.cpu.contracts import PAGE
from lbw.mm.file_pages import CHUNK, END, rest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.cached_file import CachedFile

#: The most pages of one write.
_RUN = 2048


def write_back(cached: CachedFile, first: int = 0, end: int = END, limit: int | None = None) -> int:
    """Write the dirty pages from `first` to `end`, at most `limit`; return how many. A failure is kept in `cached`."""
    dirty = _dirty(cached.dirty, first, end, limit)
    if not dirty:
        return 0
    written = 0
    try:
        stamp = cached.source.stamp()
        cached.before_change(stamp)
        size = stamp[0]
        beyond = [page for page in dirty if page * PAGE >= size]  # the host has cut the file off
        if beyond:
            cached.cleaned(beyond)
            del dirty[len(dirty) - len(beyond) :]
        for run in _runs(dirty):
            cached.write_protect(run[0], run[-1] + 1)
            _write(cached, run, size)
            cached.cleaned(run)
            written += len(run)
            cached.cache.frames.paged_out += len(run)
    except LinuxError as error:
        cached.failed(error.errno)
    if written:
        try:
            cached.source.modified_at(max(stamp[1], cached.modified))
            cached.adopt(cached.source.stamp())
        except LinuxError:
            cached.stale = True
    cached.settle()
    return written


def _dirty(pages: set[int], first: int, end: int, limit: int | None) -> list[int]:
    """Return the pages from `first` to `end`, ascending; at most `limit`, whichever are found first."""
    if end - first <= len(pages):
        found = [page for page in range(first, end) if page in pages]
    elif first or end < END:
        found = sorted(page for page in pages if first <= page < end)
    else:
        found = sorted(islice(pages, limit))
    return found if limit is None else found[:limit]


def flush(cached: CachedFile, first: int = 0, end: int = END) -> None:
    """Write pages back for a mapping, durably.  LinuxError: that failed, or has failed since the last such call"""
    write_back(cached, first, end)
    cached.source.sync(True)
    error = cached.error_since(cached.mappers_told)
    if error:
        cached.mappers_told = cached.error_serial
        raise LinuxError(error)


def _runs(pages: list[int]) -> list[list[int]]:
    """Cut an ascending list where pages do not follow each other."""
    runs = []
    start = 0
    for index in range(1, len(pages) + 1):
        if index == len(pages) or pages[index] != pages[index - 1] + 1 or index - start == _RUN:
            runs.append(pages[start:index])
            start = index
    return runs


def _write(cached: CachedFile, run: list[int], size: int) -> None:
    """Write a run of pages.  LinuxError"""
    chunks = cached.chunks
    frames = [chunks[page // CHUNK][page % CHUNK] for page in run]
    offset, length = run[0] * PAGE, len(run) * PAGE
    if offset + length > size:
        tail = offset + length - size
        last = frames[-1] + PAGE
        cached.cache.frames.view[last - tail : last] = bytes(tail)
        length -= tail
    views, done = cached.views(frames), 0
    if done + length < len(run) * PAGE:
        views[-1] = views[-1][: len(views[-1]) - (len(run) * PAGE - length)]
    while done < length:
        count = cached.source.write_at(views, offset + done)
        if count <= 0:
            raise LinuxError(EIO)
        done += count
        if done < length:
            views = rest_of(views, count)
