"""The address spaces of the scripted engine: pages of frames in a dictionary, copied at once by fork."""

from __future__ import annotations

from lbw.abi.mman import PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.cpu.contracts import PAGE, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.cpu.mmu import Region
    from lbw.cpu.scripted import ScriptedEngine


class ScriptedMmu:
    """Pages of frames, in a dictionary."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self._engine = engine
        self.pages: dict[int, tuple[int, int, bool]] = {}  # page address -> (frame, prot, owned)
        self.resident = 0
        self.tables = 0
        engine.mmus += 1

    def touch(self, region: Region, address: int, access: int, reported: bool = False) -> bool:
        """Make the page usable for `access`."""
        frames, page = self._engine.frames, address & -PAGE
        known = self.pages.get(page)
        if known is None:
            if region.backing is None:
                self.pages[page] = frames.allocate(), region.prot, True
                self.resident += 1
                return True
            frame = region.backing.frame((page - region.start + region.offset) // PAGE)
            if frame is None:
                return False
            known = self.pages[page] = frame, region.prot if region.shared else region.prot & ~PROT_WRITE, False
        frame, prot, owned = known
        if access == WRITE and not prot & PROT_WRITE:
            if not owned and not region.shared:
                frame = frames.allocate_copy(frame)
                self.resident += 1
                owned = True
            self.pages[page] = frame, region.prot, owned
        return True

    def unmap(self, start: int, end: int) -> None:
        """Forget the pages of the range."""
        for page in [page for page in self.pages if start <= page < end]:
            frame, _, owned = self.pages.pop(page)
            if owned:
                self._engine.frames.drop(frame)
                self.resident -= 1

    def protect(self, start: int, end: int, prot: int) -> None:
        """Apply `prot`, without making what is copied on write writable."""
        for page, (frame, _, owned) in list(self.pages.items()):
            if start <= page < end:
                self.pages[page] = frame, prot if owned else prot & ~PROT_WRITE, owned

    def move(self, start: int, end: int, target: int) -> None:
        """Move pages."""
        for page in [page for page in self.pages if start <= page < end]:
            self.pages[page - start + target] = self.pages.pop(page)

    def zap(self, start: int, end: int, private: bool) -> None:
        """Forget pages of backings."""
        for page in [page for page, known in self.pages.items() if start <= page < end and (private or not known[2])]:
            self.unmap(page, page + PAGE)

    def clean(self, start: int, end: int) -> None:
        """Make shared pages read-only."""
        for page, (frame, prot, owned) in self.pages.items():
            if start <= page < end and not owned:
                self.pages[page] = frame, prot & ~PROT_WRITE, owned

    def fork(self) -> ScriptedMmu:
        """Return a copy."""
        frames, copy = self._engine.frames, ScriptedMmu(self._engine)
        for page, (frame, prot, owned) in self.pages.items():
            copy.pages[page] = frames.allocate_copy(frame) if owned else frame, prot, owned
        copy.resident = self.resident
        return copy

    def view(self, address: int, length: int, write: bool) -> memoryview | None:
        """Return the bytes at `address`."""
        known = self.pages.get(address & -PAGE)
        if known is None or not known[1] & (PROT_WRITE if write else PROT_READ | PROT_EXEC):
            return None
        start = known[0] + (address & (PAGE - 1))
        return self._engine.frames.view[start : start + length]

    def present(self, start: int, end: int) -> Iterator[tuple[int, memoryview, bool]]:
        """Yield (address, bytes, private) for each page of the range."""
        for page, (frame, _, owned) in sorted(self.pages.items()):
            if start <= page < end:
                yield page, self._engine.frames.view[frame : frame + PAGE], owned

    def release(self) -> None:
        """Give everything back."""
        self.unmap(0, 1 << 64)
        self._engine.mmus -= 1
