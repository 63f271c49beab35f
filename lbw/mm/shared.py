"""Shared anonymous memory: what MAP_SHARED|MAP_ANONYMOUS mappings have in common across fork."""

from __future__ import annotations

from lbw.mm.backing import MappedObject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.mm.frames import Frames
    from lbw.mm.vma import Vma


class SharedMemory(MappedObject):
    """Pages that appear, zeroed, when first touched by anybody; a `Backing`."""

    #: Inode number in /proc/PID/maps.
    number = 0
    in_memory = True

    __slots__ = ("_frames", "_pages", "size", "users")

    def __init__(self, frames: Frames, size: int) -> None:
        super().__init__(("shared", id(self)))
        self._frames = frames
        self._pages: dict[int, int] = {}  # page number -> physical address
        self.size = size  # pages, most of them perhaps never touched
        self.users = 0

    @property
    def resident(self) -> int:
        """How many pages were ever touched."""
        return len(self._pages)

    def acquire(self, vma: Vma) -> None:
        """Add a mapping."""
        super().acquire(vma)
        self.users += 1

    def release(self, vma: Vma) -> None:
        """Remove a mapping."""
        super().release(vma)
        self.let_go()

    def let_go(self) -> None:
        """Drop a user; the last one frees the memory."""
        self.users -= 1
        if self.users == 0:
            for frame in self._pages.values():
                self._frames.drop(frame)
            self._pages.clear()

    def frame(self, page: int) -> int | None:
        """Return the frame of page `page`, made if needed; None beyond the end."""
        if page >= self.size:
            return None
        frame = self._pages.get(page)
        if frame is None:
            frame = self._pages[page] = self._frames.allocate()
        return frame

    def cached_run(self, page: int, count: int) -> list[int]:
        """Return what is in memory of `count` pages from `page` on: physical addresses, 0 for absent ones."""
        get = self._pages.get
        return [get(number, 0) for number in range(page, min(page + count, self.size))]
