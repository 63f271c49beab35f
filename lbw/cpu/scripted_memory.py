"""The address spaces of the scripted engine: pages of frames in a dictionary, copied at once by fork."""

from __future__ import annotations

from lbw.abi.mman import PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.cpu.contracts import PAGE, WRITE
from lbw.cpu.mmu import ANONYMOUS, FILE, USER_END

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lbw.cpu.mmu import Census, Region
    from lbw.cpu.scripted import ScriptedEngine


class ScriptedMmu:
    """Pages of frames, in a dictionary."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self._engine = engine
        self.held: dict[int, tuple[int, int, bool]] = {}  # page address -> (frame, prot, owned)
        self.tables = 0
        self.peak = 0
        engine.mmus += 1

    @property
    def resident(self) -> int:
        """How many pages are resident."""
        return len(self.held)

    def enter(self, census: Census) -> None:
        """Add the pages."""
        for frame, _, owned in self.held.values():
            (census.several if owned else census.of_backings).add(frame)

    def forget_peak(self) -> None:
        """Let the peak be what is resident now."""
        self.peak = len(self.held)

    def usage(self, start: int = 0, end: int = USER_END) -> tuple[int, int, int, int]:
        """Return how many pages the range has, by kind."""
        owned = [known[2] for page, known in self.held.items() if start <= page < end]
        return sum(owned), len(owned) - sum(owned), 0, self.tables

    def pages(self, start: int = 0, end: int = USER_END) -> Iterator[tuple[int, int, int, bool]]:
        """Yield (address, frame, kind, writable) of each page."""
        for page, (frame, prot, owned) in sorted(self.held.items()):
            if start <= page < end:
                yield page, frame, ANONYMOUS if owned else FILE, bool(prot & PROT_WRITE)

    def age(self, start: int, end: int) -> None:
        """Do nothing."""

    def referenced(self, start: int, end: int) -> int:
        """Return how many pages the range has."""
        return sum(start <= page < end for page in self.held)

    def owned(self, start: int, end: int) -> Iterator[tuple[int, list[int]]]:
        """Yield the frames of ANONYMOUS pages."""
        yield start >> 21, [known[0] for page, known in self.held.items() if start <= page < end and known[2]]

    def shown(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield where pages of backings are."""
        for page, (_, _, owned) in self.held.items():
            if start <= page < end and not owned:
                yield page, 1, 1

    def sharing(self) -> dict[int, int]:
        """Return nothing: tables are not shared."""
        return {}

    def mappers(self) -> dict[int, int]:
        """Return nothing: frames are not shared."""
        return {}

    def touch(self, region: Region, address: int, access: int, reported: bool = False) -> bool:
        """Make the page usable for `access`."""
        frames, page = self._engine.frames, address & -PAGE
        known = self.held.get(page)
        if known is None:
            if region.backing is None:
                self.held[page] = frames.allocate(), region.prot, True
                self.peak = max(self.peak, len(self.held))
                return True
            frame = region.backing.frame((page - region.start + region.offset) // PAGE)
            if frame is None:
                return False
            known = self.held[page] = frame, region.prot if region.shared else region.prot & ~PROT_WRITE, False
        frame, prot, owned = known
        if access == WRITE and not prot & PROT_WRITE:
            if not owned and not region.shared:
                frame = frames.allocate_copy(frame)
                owned = True
            self.held[page] = frame, region.prot, owned
        return True

    def populate(self, region: Region, start: int, end: int, access: int) -> bool:
        """Make pages usable for `access`."""
        return all(self.touch(region, address, access) for address in range(start, end, PAGE))

    def unmap(self, start: int, end: int) -> None:
        """Forget the pages of the range."""
        for page in [page for page in self.held if start <= page < end]:
            frame, _, owned = self.held.pop(page)
            if owned:
                self._engine.frames.drop(frame)

    def protect(self, start: int, end: int, prot: int) -> None:
        """Apply `prot`, without making what is copied on write writable."""
        for page, (frame, _, owned) in list(self.held.items()):
            if start <= page < end:
                self.held[page] = frame, prot if owned else prot & ~PROT_WRITE, owned

    def move(self, start: int, end: int, target: int) -> None:
        """Move pages."""
        for page in [page for page in self.held if start <= page < end]:
            self.held[page - start + target] = self.held.pop(page)

    def zap(self, start: int, end: int, private: bool) -> None:
        """Forget pages of backings."""
        for page in [page for page, known in self.held.items() if start <= page < end and (private or not known[2])]:
            self.unmap(page, page + PAGE)

    def clean(self, start: int, end: int) -> None:
        """Make shared pages read-only."""
        for page, (frame, prot, owned) in self.held.items():
            if start <= page < end and not owned:
                self.held[page] = frame, prot & ~PROT_WRITE, owned

    def fork(self) -> ScriptedMmu:
        """Return a copy."""
        frames, copy = self._engine.frames, ScriptedMmu(self._engine)
        for page, (frame, prot, owned) in self.held.items():
            copy.held[page] = frames.allocate_copy(frame) if owned else frame, prot, owned
        return copy

    def view(self, address: int, length: int, write: bool) -> memoryview | None:
        """Return the bytes at `address`."""
        known = self.held.get(address & -PAGE)
        if known is None or not known[1] & (PROT_WRITE if write else PROT_READ | PROT_EXEC):
            return None
        start = known[0] + (address & (PAGE - 1))
        return self._engine.frames.view[start : start + length]

    def present(self, start: int, end: int) -> Iterator[tuple[int, memoryview, bool]]:
        """Yield (address, bytes, private) for each page of the range."""
        for page, (frame, _, owned) in sorted(self.held.items()):
            if start <= page < end:
                yield page, self._engine.frames.view[frame : frame + PAGE], owned

    def release(self) -> None:
        """Give everything back."""
        self.unmap(0, 1 << 64)
        self._engine.mmus -= 1
