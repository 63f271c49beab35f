"""Cached files: what all mappings of a file of the host show.

There is one `CachedFile` for each file (device, inode), whatever names, hard links or mounts lead to it. lbw never maps
such a file into itself: pages are read into frames (`lbw.mm.file_pages`) and written back from there
(`lbw.mm.writeback`). So a file that shrinks under lbw can never kill it.

Coherence.  write(2) and its kin go to the host's file at once; then the same bytes go into the pages that are here
(`lbw.mm.file_changes`). read(2) reads the host's file; then the pages that programs have stored to are laid over it.

The host.  A file changes there without a word. `look` compares a stamp (size, mtime, ctime) with that of the last time,
at open, mmap, exec and stat, and when it differs forgets all pages but the dirty ones: as NFS does. Changes of lbw's
own take the new stamp over (`adopt`), unless the one before them shows that somebody else was there too.

Dirty pages keep the file open for writing: the program may close, unlink or rename it.

Rejected: the stamp in the key of the cache (a changed file is another file): a mapping would never see a write.
"""

from __future__ import annotations

from lbw.abi.errno import EIO, LinuxError
from lbw.abi.mman import PROT_EXEC, PROT_WRITE
from lbw.cpu.contracts import PAGE
from lbw.host.clock import file_time_ns
from lbw.mm.file_changes import FileChanges
from lbw.mm.file_pages import END
from lbw.mm.writeback import write_back

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from lbw.mm.file_pages import Source, Stamp
    from lbw.mm.page_cache import PageCache
    from lbw.mm.vma import Vma


class CachedFile(FileChanges):
    """The pages of one file; the `Backing` of its mappings."""

    __slots__ = ("_is_open", "_newest", "error", "error_serial", "mappers_told", "modified", "reported", "writers")

    tracks_writes = True

    def __init__(self, cache: PageCache, identity: Hashable, source: Source) -> None:
        super().__init__(cache, identity, source)
        self._newest = source  # the one through which the file was found last
        self._is_open = False
        self.modified = 0  # when a page was last made dirty, ns
        self.writers: dict[Vma, None] = {}  # shared mappings that may write
        self.error = 0  # errno of the last write-back that failed
        self.error_serial = 0  # its number among all failures
        self.reported = True  # somebody was told of it
        self.mappers_told = 0  # the number of the last failure that msync has told

    # Mappings

    def offer(self, source: Source) -> None:
        """Let `source`, through which the file was found just now, serve it."""
        self._newest = source
        if not self._is_open:
            self.source = source

    def acquire(self, vma: Vma) -> None:
        """Add a mapping; the file stays open for what it may do."""
        mappings = self.mappings
        if not mappings:
            self.cache.keep(self)
            if not self._is_open:
                self.source.open(False)
                self._is_open = True
        if vma.shared and vma.max_prot & PROT_WRITE:
            if not self.writers and not self.dirty:
                self._open_for_writing()
            self.writers[vma] = None
        mappings[vma] = None
        if self.patched and self.writers:  # copies would not see what is stored
            self.zap(0, END, False)
            self.forgotten()
        if not self.ran and vma.prot & PROT_EXEC:
            self.will_run()

    def _open_for_writing(self) -> None:
        """Open the file through whom it was found last: the program that maps it can write to it."""
        newest, old = self._newest, self.source
        try:
            newest.open(True)
        except LinuxError:
            self.settle()
            raise
        if newest is not old:
            self.source = newest
            old.close()

    def release(self, vma: Vma) -> None:
        """Remove a mapping. With the last one that may write, what it has written goes to the host."""
        mappings = self.mappings
        del mappings[vma]
        if vma.shared and vma in self.writers:
            del self.writers[vma]
            if not self.writers and self.dirty:
                write_back(self)
        if not mappings:
            self.settle()

    def settle(self) -> None:
        """Close the file if nothing needs it."""
        if self._is_open and not self.mappings and not self.dirty:
            self._is_open = False
            useless = self.reported and (not self.present or self.source.is_deleted())
            self.source.close()
            if useless:
                self.cache.discard(self.identity)

    def is_writable(self) -> bool:
        """Whether a mapping can write to it, or may be made to."""
        return bool(self.writers)

    def forget(self) -> None:
        """Drop all pages; only without mappings."""
        assert not self.mappings
        self.forgotten()
        self.drop_pages(0, END)
        self.settle()

    def punch(self, offset: int, length: int) -> None:
        """Make a range of bytes a hole (MADV_REMOVE).  EOPNOTSUPP: the host's file system has none"""
        self.before_change(self.source.stamp())
        self.source.punch(offset, length)
        self.punched(offset, length)
        self.adopt(self.source.stamp())

    def abandon(self) -> None:
        """Give dirty pages up that the host has refused to the end."""
        self.cleaned(list(self.dirty))
        self.stale = True
        self.settle()

    # Dirty pages

    def dirtied(self, page: int) -> None:
        """Note that a shared mapping is about to write to `page`.  EIO: the file is not open for writing"""
        if page in self.dirty:
            return
        if not self.writers:
            raise LinuxError(EIO)
        self.dirty.add(page)
        self.modified = file_time_ns()
        self.cache.became_dirty(self)

    def cleaned(self, pages: list[int]) -> None:
        """Note that pages are no longer dirty."""
        super().cleaned(pages)
        if not self.dirty:
            self.cache.dirty_files.pop(self, None)

    def failed(self, errno: int) -> None:
        """Note that a write-back has failed."""
        self.cache.failures += 1
        self.error = errno
        self.error_serial = self.cache.failures
        self.reported = False

    def error_since(self, seen: int) -> int:
        """Return the errno of a write-back that failed after failure number `seen`, 0: none did. It counts as told."""
        if self.error_serial <= seen:
            return 0
        self.reported = True
        return self.error

    @property
    def errors_known(self) -> int:
        """The number of the last failure that somebody who comes now need not be told of."""
        return self.error_serial if self.reported else 0

    # The host

    def look(self, stamp: Stamp) -> None:
        """Take note of the stamp that the file has now; when somebody else has changed it, forget what was read."""
        if stamp == self.stamp and not self.stale:
            return
        self.stale = False
        self.stamp = stamp
        if stamp[0] < self.size:
            self.resized(stamp[0])
        self.size = stamp[0]
        self.pages = (self.size + PAGE - 1) // PAGE
        if self.present > len(self.dirty):
            self.zap(0, END, False)
            if self.ran:
                self.forgotten()
            self.drop_pages(0, END, keep_dirty=True)

    def before_change(self, stamp: Stamp) -> None:
        """Note the stamp that the file has just before lbw changes it itself, through a system call."""
        if stamp != self.stamp:
            self.stale = True

    def adopt(self, stamp: Stamp) -> None:
        """Take over the stamp that the file has after a change of lbw's own."""
        self.stamp = stamp
