"""The decision about a page fault: every row of the table, brought about and looked at."""

from __future__ import annotations

import itertools

import pytest
from file_source import FileSource
from table_check import check

from lbw.abi.mman import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_GROWSDOWN,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)  # fmt: skip
from lbw.abi.signal import BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGSEGV
from lbw.cpu.contracts import EXECUTE, PF_FETCH, PF_PRESENT, PF_USER, PF_WRITE, READ, WRITE
from lbw.cpu.paging import (
    ABSENT,
    ALLOW,
    ANONYMOUS,
    BORROWED,
    CLEAN,
    COMMON,
    COPY,
    COPY_IN,
    DECISIONS,
    FILL,
    LET_RUN,
    NOTE_AND_ALLOW,
    NOTE_AND_SHOW,
    NOTHING,
    PRIVATE,
    READY,
    SHARED,
    SHOW,
    SHOW_WRITABLE,
    SHOW_ZEROES,
    SOLE,
    TRACKED,
    UNRUN,
    ZEROES,
)
from lbw.cpu.unicorn.page_bits import FRAME, NX
from lbw.cpu.unicorn.page_bits import WRITE as WRITABLE
from lbw.cpu.unicorn.table_tree import OWNED, ZERO
from lbw.mm.faults import ALLOWS, SegmentationFault

PAGE = 4096
BASE = 0x4000_0000
RW = PROT_READ | PROT_WRITE
RWX = RW | PROT_EXEC
CODES = {READ: PF_USER, WRITE: PF_USER | PF_WRITE, EXECUTE: PF_USER | PF_FETCH}


class World:
    """One page of a kind, in a state; the page is the third of four."""

    def __init__(self, bench, kind: int, prot: int = RW) -> None:
        self.frames = bench.frames
        self.space = space = bench.space()
        self.file = bench.page_cache.file("file", FileSource(b"file" * (4 * PAGE // 4)))
        flags = MAP_FIXED | (MAP_PRIVATE if kind in (ANONYMOUS, PRIVATE) else MAP_SHARED)
        backed = kind in (PRIVATE, TRACKED)
        space.mmap(BASE, 4 * PAGE, prot, flags if backed else flags | MAP_ANONYMOUS, self.file if backed else None)
        self.page = BASE + 2 * PAGE
        self.told: list[int] = []
        if kind == TRACKED:
            self.space.find(self.page).backing = Listener(self.file, self.told)

    def entry(self) -> int:
        mmu = self.space.mmu
        at = mmu.leaf(self.page)
        return mmu.words[at] if at else 0

    def bring_about(self, state: int, access: int) -> None:
        """Make the page be in `state` for an access."""
        space, page, mmu = self.space, self.page, self.space.mmu
        if state == READY:
            space.fault(page, CODES[access])
        elif state in (ZEROES, BORROWED):
            space.fault(page, CODES[READ])
        elif state == UNRUN:
            space.fault(page, CODES[WRITE])
        elif state == SOLE:
            space.fault(page, CODES[WRITE])
            mmu.words[mmu.leaf(page)] &= ~WRITABLE
        elif state == COMMON:
            space.fault(page, CODES[WRITE])
            self.other = space.fork()
        elif state == CLEAN:
            space.fault(page, CODES[READ])
            mmu.clean(BASE, BASE + 4 * PAGE)
        mmu.own_table(page)
        assert mmu.state(self.entry(), access) == state


class Listener:
    """A backing that tells when it is told."""

    def __init__(self, file, told: list[int]) -> None:
        self._file, self._told = file, told

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def dirtied(self, page: int) -> None:
        self._told.append(page)


def owned(world, before) -> bool:
    entry = world.entry()
    return bool(entry & OWNED and entry & WRITABLE) and world.frames.references(entry & FRAME) == 1


#: Action -> whether it was done, by the world now and the entry before.
EFFECTS = {
    NOTHING: lambda world, before: world.entry() == before,
    SHOW_ZEROES: lambda world, before: world.entry() & ZERO and world.entry() & FRAME == world.frames.zero,
    FILL: lambda world, before: owned(world, before) and not any(world.space.read(world.page, PAGE)),
    SHOW: lambda world, before: not world.entry() & OWNED and not world.told,
    COPY_IN: lambda world, before: owned(world, before) and world.space.read(world.page, 4) == b"file",
    COPY: lambda world, before: owned(world, before) and world.entry() & FRAME != before & FRAME,
    ALLOW: lambda world, before: world.entry() == before | WRITABLE and not world.told,
    SHOW_WRITABLE: lambda world, before: not world.entry() & OWNED and world.entry() & WRITABLE,
    NOTE_AND_SHOW: lambda world, before: world.entry() & WRITABLE and not world.entry() & OWNED and world.told == [2],
    NOTE_AND_ALLOW: lambda world, before: world.entry() == before | WRITABLE and world.told == [2],
    LET_RUN: lambda world, before: world.entry() == before & ~NX != before and before & FRAME in world.frames.code,
}  # fmt: skip


@pytest.mark.parametrize(("row", "action"), DECISIONS.items())
def test_a_row_of_the_table(bench, row, action):
    kind, write, state = row
    world = World(bench, kind, RWX if state == UNRUN else RW)
    access = EXECUTE if state == UNRUN else WRITE if write else READ
    world.bring_about(state, access)
    if kind == TRACKED and state == READY:
        world.told.clear()
    before = world.entry()
    content = bytes(world.space.read(world.page, PAGE)) if before else None
    world.space.fault(world.page, CODES[access])
    assert EFFECTS[action](world, before)
    if content is not None:
        assert world.space.read(world.page, PAGE) == content
    check(bench.engine)


class Flushes:
    """Counts how often translations are forgotten."""

    def __init__(self, bench, monkeypatch) -> None:
        self.count = 0
        monkeypatch.setattr(type(bench.engine), "flush_code", self)

    def __call__(self) -> None:
        self.count += 1

    def took(self) -> int:
        count, self.count = self.count, 0
        return count


def test_lazily_executable(bench, monkeypatch):
    """Pages that may be written to and executed lack NX when, and only when, code was fetched from them."""
    flushes = Flushes(bench, monkeypatch)
    space = bench.space()
    space.mmap(BASE, 600 * PAGE, RWX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    space.populate(BASE, BASE + 600 * PAGE, WRITE)

    def run(space, *pages):
        for page in pages:
            space.fault(BASE + page * PAGE, CODES[EXECUTE] | PF_PRESENT)

    def runnable(space) -> list[int]:
        return [page for page in range(600) if not space.mmu.words[space.mmu.leaf(BASE + page * PAGE)] & NX]

    assert runnable(space) == [] and not bench.frames.code
    run(space, 3, 590)
    assert runnable(space) == [3, 590] and len(bench.frames.code) == 2
    space.write(BASE + 4 * PAGE, b"data")  # remembered by the kernel's own access
    assert flushes.took() == 0
    run(space, 4)
    monkeypatch.setattr(type(bench.engine), "forget_code", lambda *_: setattr(flushes, "count", flushes.count + 1))
    space.write(BASE + 4 * PAGE, b"code")
    space.write(BASE + 5 * PAGE, b"data")
    assert flushes.took() == 1
    child = space.fork()
    for other in (space, child):
        other.write(BASE + 2 * PAGE, b"copied")
        other.write(BASE + 4 * PAGE, b"copied")
        assert runnable(other) == [3, 4, 590]
    flushes.took()
    run(child, 7)  # whose frame the parent has too, and may write to unnoticed when it is the only one again
    child.release()
    space.write(BASE + 7 * PAGE, b"new")
    assert runnable(space) == [3, 4, 590] and flushes.took() == 0
    run(space, 7)
    assert flushes.took() == 1
    space.mprotect(BASE, 600 * PAGE, RW)
    assert runnable(space) == []
    space.mprotect(BASE, 600 * PAGE, RWX)
    assert runnable(space) == [] and flushes.took() == 0
    run(space, 3)
    run(space, 8)
    assert runnable(space) == [3, 8] and flushes.took() == 1
    space.mprotect(BASE, 600 * PAGE, PROT_READ | PROT_EXEC)
    assert len(runnable(space)) == 600 and flushes.took() == 1
    space.mprotect(BASE, 600 * PAGE, RWX)
    assert len(runnable(space)) == 600 and flushes.took() == 0
    check(bench.engine)


def test_every_state_has_a_row():
    """What the Mmu can tell for a kind of mapping is in the table."""
    possible = {
        ANONYMOUS: {ABSENT, ZEROES, SOLE, COMMON, READY},
        PRIVATE: {ABSENT, BORROWED, SOLE, COMMON, READY},
        SHARED: {ABSENT, CLEAN, READY},
        TRACKED: {ABSENT, CLEAN, READY},
    }
    rows = {(kind, True, state) for kind, states in possible.items() for state in states}
    rows |= {(kind, False, state) for kind in possible for state in (ABSENT, READY)}
    rows |= {(kind, False, UNRUN) for kind in (ANONYMOUS, PRIVATE)}
    assert rows == set(DECISIONS)
    assert set(DECISIONS.values()) == set(EFFECTS)


@pytest.mark.parametrize(("prot", "access"), list(itertools.product(range(8), CODES)))
def test_protections(bench, prot, access):
    space = bench.space()
    space.mmap(BASE, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    allowed = prot != 0 if access == READ else bool(prot & (PROT_WRITE if access == WRITE else PROT_EXEC))
    assert bool(prot & ALLOWS[access]) == allowed
    if allowed:
        space.fault(BASE + 5, CODES[access])
    else:
        if prot and access == EXECUTE:
            space.fault(BASE + 5, CODES[access])  # the page comes first
        with pytest.raises(SegmentationFault) as fault:
            space.fault(BASE + 5, CODES[access] | PF_PRESENT)
        assert (fault.value.signo, fault.value.code, fault.value.address) == (SIGSEGV, SEGV_ACCERR, BASE + 5)
        assert not space.mmu.usage()[0]


@pytest.mark.parametrize("access", CODES)
def test_where_nothing_is_mapped(bench, access):
    space = bench.space()
    space.mmap(BASE, PAGE, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    for address in (BASE - 1, BASE + PAGE, 0, (1 << 47) - 1):
        with pytest.raises(SegmentationFault) as fault:
            space.fault(address, CODES[access])
        assert (fault.value.signo, fault.value.code, fault.value.address) == (SIGSEGV, SEGV_MAPERR, address)
    space.mmap(BASE + (1 << 24), PAGE, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN)
    space.fault(BASE + (1 << 24) - 3 * PAGE, CODES[access])
    assert space.find(BASE + (1 << 24) - 1).start == BASE + (1 << 24) - 3 * PAGE


@pytest.mark.parametrize("kind", [MAP_PRIVATE, MAP_SHARED])
@pytest.mark.parametrize("access", [READ, WRITE])
def test_beyond_the_end(bench, kind, access):
    space = bench.space()
    file = bench.page_cache.file("file", FileSource(bytes(100)))
    space.mmap(BASE, 2 * PAGE, RW, kind | MAP_FIXED, file)
    space.fault(BASE + PAGE - 1, CODES[access])
    with pytest.raises(SegmentationFault) as fault:
        space.fault(BASE + PAGE, CODES[access])
    assert (fault.value.signo, fault.value.code, fault.value.address) == (SIGBUS, BUS_ADRERR, BASE + PAGE)
    check(bench.engine)


def test_filling_upwards_takes_as_much_as_is_filled(bench):
    space = bench.space()
    space.mmap(BASE, 1024 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    faults = 0
    for address in range(BASE, BASE + 1024 * PAGE, PAGE):
        if space.mmu.view(address, 1, True) is None:
            space.fault(address, CODES[WRITE])
            faults += 1
            touched = (address - BASE) // PAGE + 1
            assert space.mmu.resident <= (touched if touched < 5 else 2 * touched)
    assert faults == 12  # four singly, then 4, 8, ... 256 to the end of the leaf table, then all of the next one
    assert space.mmu.resident == 1024
    check(bench.engine)


def test_populate_is_what_touching_each_page_is(bench):
    space = bench.space()
    space.mmap(BASE, 700 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    space.write(BASE + 5 * PAGE, b"kept")
    space.read(BASE + 7 * PAGE, 1)
    other = space.fork()
    space.populate(BASE, BASE + 600 * PAGE, WRITE)
    assert space.mmu.usage(BASE, BASE + 600 * PAGE)[0] == 600
    assert space.mmu.resident == 600
    assert all(space.mmu.view(BASE + page * PAGE, 1, True) is not None for page in range(600))
    assert space.read(BASE + 5 * PAGE, 4) == b"kept"
    other.populate(BASE, BASE + 600 * PAGE, READ)
    assert other.mmu.resident == 1
    file = bench.page_cache.file("file", FileSource(bytes(3 * PAGE)))
    space.mmap(BASE, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, file)
    with pytest.raises(SegmentationFault):
        space.populate(BASE, BASE + 4 * PAGE, READ)
    assert space.mmu.usage(BASE, BASE + 4 * PAGE)[1] == 3
    check(bench.engine)




def test_reading_upwards_shows_zeroes_and_filling_replaces_them(bench):
    space = bench.space()
    space.mmap(BASE, 1024 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    faults = 0
    for code, write in ((CODES[READ], False), (CODES[WRITE], True)):
        for address in range(BASE, BASE + 1024 * PAGE, PAGE):
            if space.mmu.view(address, 1, write) is None:
                space.fault(address, code)
                faults += 1
            assert not any(space.mmu.view(address, PAGE, False))
            if write:
                space.mmu.view(address, 4, True)[:] = b"full"
        check(bench.engine)
    assert faults == 24
    assert all(space.read(BASE + page * PAGE, 4) == b"full" for page in range(1024))
    assert space.mmu.resident == 1024


def test_filling_stops_at_what_is_there(bench):
    space = bench.space()
    space.mmap(BASE, 64 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    space.write(BASE + 13 * PAGE, b"kept")
    other = space.fork()
    for address in range(BASE, BASE + 40 * PAGE, PAGE):
        space.write(address, space.read(address, 4) + b"more")
    assert space.read(BASE + 13 * PAGE, 8) == b"keptmore"
    assert other.read(BASE + 13 * PAGE, 8) == b"kept" + bytes(4)
    assert other.mmu.usage()[0] == 1
    check(bench.engine)


@pytest.mark.parametrize("forked", [False, True])
def test_protections_of_many_pages_at_once(bench, forked):
    space = bench.space()
    space.mmap(BASE, 600 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    for page in range(600):
        if page % 3 == 0:
            space.write(BASE + page * PAGE, b"full")
        elif page % 5 == 0:
            space.read(BASE + page * PAGE, 1)
    other = space.fork() if forked else None
    present = {(address - BASE) // PAGE for address, *_ in space.mmu.pages()}
    bench.engine.active = space.mmu
    for prot in (PROT_READ, RW, 0, PROT_READ | PROT_EXEC, RW | PROT_EXEC, RW, PROT_EXEC, RW):
        bench.engine.flush_pending = 0
        before = {address: writable for address, _, _, writable in space.mmu.pages()}
        space.mprotect(BASE, 600 * PAGE, prot)
        assert {(address - BASE) // PAGE for address, *_ in space.mmu.pages()} == present
        after = {address: writable for address, _, _, writable in space.mmu.pages()}
        assert prot & PROT_WRITE or not any(after.values())
        assert bench.engine.flush_pending or not any(before[a] and not after[a] for a in before)
        for page in range(600):
            view = space.mmu.view(BASE + page * PAGE, 4, False)
            assert (view is not None) == (prot != 0 and page in present)
            assert view is None or view.tobytes() == (b"full" if page % 3 == 0 else bytes(4))
            view = space.mmu.view(BASE + page * PAGE, 4, True)
            assert (view is not None) == bool(prot & PROT_WRITE and page % 3 == 0 and not forked)
        check(bench.engine)
    space.write(BASE, b"mine")
    assert space.read(BASE, 4) == b"mine" and (other is None or other.read(BASE, 4) == b"full")
