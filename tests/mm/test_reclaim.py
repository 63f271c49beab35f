"""Memory gets scarce: who is told, what goes first, what comes back to the host, and a host that has none."""

from __future__ import annotations

import random

import pytest
from file_source import FileSource
from strict_ram import StrictRam

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.abi.mman import MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE
from lbw.abi.x86_64 import X86_64
from lbw.cpu.unicorn.engine import UnicornEngine
from lbw.host.memory import Ram
from lbw.mm.address_space import AddressSpace
from lbw.mm.frames import Frames
from lbw.mm.homes import HomeAddresses
from lbw.mm.locking import lock, unlock
from lbw.mm.page_cache import PageCache
from lbw.mm.reclaim import between_traps, unmapped, watermark
from lbw.mm.vma import VM_LOCKED

PAGE, GRANULE, MB = 4096, 65536, 1 << 20
RW = PROT_READ | PROT_WRITE
PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS


# Marks


def make(granules: int = 64, minimum: int = 40) -> tuple[Frames, list[int]]:
    frames = Frames(Ram((granules + 8) * GRANULE), granules * GRANULE)
    told: list[int] = []
    frames.pressed = lambda: told.append(frames.available)
    frames.minimum = minimum
    frames.relieved()
    return frames, told


def test_somebody_is_told_once_when_memory_gets_scarce():
    frames, told = make()
    taken = [frames.allocate() for _ in range(frames.available - 80)]
    assert told == []
    taken.append(frames.allocate())
    assert told == [80]
    taken += [frames.allocate() for _ in range(79)]
    assert told == [80]
    with pytest.raises(LinuxError):
        frames.allocate()
    assert told == [80, 0]
    frames.drop_many(taken)


def test_the_next_mark_depends_on_what_is_left():
    frames, told = make()
    taken = [frames.allocate() for _ in range(frames.available - 70)]
    told.clear()
    frames.relieved()  # 70 left: less than twice the minimum, but enough to go on
    assert not frames.short
    taken += frames.allocate_many(30)
    assert told == []
    taken += frames.allocate_many(1)
    assert told == [40]
    assert frames.short
    frames.drop_many(taken[:100])
    frames.relieved()
    assert frames.mark == frames.limit - 80


def test_watermarks_follow_linux_but_allow_a_step_of_a_system_call():
    assert watermark(16 * MB // PAGE) == 256
    assert watermark(64 * MB // PAGE) == 512
    assert watermark(4096 * MB // PAGE) == 2048
    assert watermark(65536 * MB // PAGE) == 8192


# What goes


class Crowd:
    """A space with files of 1 MB: one that nobody maps, one that is mapped, one that is dirty, one that is locked."""

    def __init__(self, bench) -> None:
        self.bench = bench
        self.space = bench.space()
        names = ("left", "kept", "dyed", "tied")
        self.sources = {name: FileSource(name.encode() * (MB // 4)) for name in names}
        self.files = {name: bench.page_cache.file(name, source) for name, source in self.sources.items()}
        self.addresses = {}
        for name, file in self.files.items():
            prot = RW if name == "dyed" else PROT_READ
            self.addresses[name] = self.space.mmap(0, MB, prot, MAP_SHARED, file)
            self.space.read(self.addresses[name], MB)
        self.space.munmap(self.addresses["left"], MB)
        self.space.write(self.addresses["dyed"], b"DYED" * (MB // 4))
        lock(self.space, self.addresses["tied"], MB, VM_LOCKED)

    def present(self) -> set[str]:
        return {name for name, file in self.files.items() if file.present}

    def scarce(self, pages: int) -> None:
        """Let `pages` be missing to what `between_traps` wants."""
        frames = self.bench.frames
        frames.minimum = (frames.available + pages) // 4
        frames.limit = frames.minimum  # the other goal, a share of everything, plays no part
        frames.limit = frames.used + frames.minimum * 4 - pages


def test_nothing_goes_without_need(bench):
    crowd = Crowd(bench)
    between_traps(bench.frames, bench.page_cache)
    assert crowd.present() == {"left", "kept", "dyed", "tied"}


def test_first_goes_what_nobody_maps(bench):
    crowd = Crowd(bench)
    crowd.scarce(200)
    between_traps(bench.frames, bench.page_cache)
    assert crowd.present() == {"kept", "dyed", "tied"}
    assert crowd.sources["dyed"].writes == []


def test_then_what_is_clean(bench):
    crowd = Crowd(bench)
    crowd.scarce(500)
    between_traps(bench.frames, bench.page_cache)
    assert crowd.present() == {"dyed", "tied"}
    assert crowd.sources["dyed"].writes == []
    assert crowd.space.read(crowd.addresses["kept"], 8) == b"keptkept"  # read again


def test_then_what_is_dirty_and_never_what_is_locked(bench):
    crowd = Crowd(bench)
    crowd.scarce(5000)
    between_traps(bench.frames, bench.page_cache)
    assert crowd.present() == {"tied"}
    assert bytes(crowd.sources["dyed"].data) == b"DYED" * (MB // 4)
    assert crowd.space.read(crowd.addresses["dyed"], MB) == b"DYED" * (MB // 4)
    unlock(crowd.space, crowd.addresses["tied"], MB)
    between_traps(bench.frames, bench.page_cache)
    assert crowd.present() == set()


def test_deep_inside_only_what_nobody_maps_goes(bench):
    crowd = Crowd(bench)
    while unmapped(bench.frames, bench.page_cache):
        pass
    assert crowd.present() == {"kept", "dyed", "tied"}


# The host


def test_memory_goes_back_to_the_host():
    """256 MB are touched, and nearly all of the host's memory is given back: the numbers are the host's own."""
    ram = Ram(512 * MB)
    frames = Frames(ram)
    before = ram.resident()
    taken = frames.allocate_many(256 * MB // PAGE)
    for frame in taken:
        frames.view[frame] = 1
    peak = ram.resident()
    assert peak - before >= 256 * MB
    frames.drop_many(taken[:-1])
    assert ram.resident() - before < 16 * MB
    frames.gather()
    frames.granules.cool()
    assert ram.resident() - before <= GRANULE
    frames.drop(taken[-1])
    ram.close()


def test_no_call_breaks_the_granularity_and_fragmentation_stays_bounded():
    ram = StrictRam(64 * MB)
    frames = Frames(ram)
    chance = random.Random(7)
    held: list[int] = []
    most = 0
    for _ in range(400):
        move = chance.random()
        if move < 0.3:
            held += frames.allocate_many(chance.randrange(1, 600)) if frames.available > 600 else []
        elif move < 0.4 and frames.available > 16:
            base = frames.allocate_granule()
            held += range(base, base + GRANULE, PAGE)
        elif move < 0.6:
            held += [frames.allocate() for _ in range(min(100, frames.available))]
        else:
            chance.shuffle(held)
            gone = held[: len(held) // 3]
            del held[: len(gone)]
            frames.code.update(gone[:3])
            frames.drop_many(gone)
        most = max(most, frames.used)
        # Single frames never take a granule while others lie free, so there are never more than at the peak.
        assert len(ram.committed) * 16 <= most * 5 // 4 + 2048 + 16 * 40
    frames.drop_many(held)
    frames.gather()
    assert len(ram.committed) <= 32 + 8 + 1  # warm ones, the reserve, the page of zeros


def test_nearly_empty_granules_become_empty():
    """What stays behind after a peak attracts what is allocated next, so that the rest goes back to the host."""
    ram = StrictRam(64 * MB)
    frames = Frames(ram)
    held = frames.allocate_many(12000)
    rare = held[::160]  # one frame in ten granules
    dense = [frame for index, frame in enumerate(held[:1600]) if index % 16 and frame not in rare]
    keep = set(rare) | set(dense)
    frames.drop_many([frame for frame in held if frame not in keep])
    frames.gather()
    more = frames.allocate_many(80)
    assert sum(any(frame >> 16 == other >> 16 for other in dense) for frame in more) > 70
    frames.drop_many([*rare, *dense, *more])


def test_memory_in_pieces_serves_everybody(bench):
    """No whole granule is free, but half of the memory is: files are read into pieces, and nothing is searched for."""
    frames = bench.frames
    held = []
    with pytest.raises(LinuxError):
        while True:
            held.append(frames.allocate())
    kept = [frame for frame in held if frame >> 12 & 1]
    frames.drop_many([frame for frame in held if not frame >> 12 & 1])
    with pytest.raises(LinuxError):
        frames.allocate_granule()
    trims: list[bool] = []
    trim = frames.trim
    frames.trim = lambda: (trims.append(True), trim())[1]
    space = bench.space()
    source = FileSource(b"file" * (8 * MB // 4))
    address = space.mmap(0, 8 * MB, PROT_READ, MAP_SHARED, bench.page_cache.file("file", source))
    for at in range(0, 8 * MB, GRANULE):
        assert space.read(address + at, 4) == b"file"
    assert len(trims) <= 1
    space.release()
    frames.drop_many(kept)


class Poor:
    """A machine of 64 MB on a host that has only `budget` granules."""

    def __init__(self, budget: int) -> None:
        self.ram = StrictRam(64 * MB, budget)
        self.frames = Frames(self.ram)
        self.engine = UnicornEngine(self.ram, self.frames, code_cache=16 << 20)
        self.page_cache = PageCache(self.frames, 32 * MB)
        self.homes = HomeAddresses()
        self.frames.minimum = watermark(self.frames.limit)
        self.frames.reclaim = lambda: unmapped(self.frames, self.page_cache)

    def space(self) -> AddressSpace:
        return AddressSpace(self.engine.create_mmu(), self.frames, self.homes, X86_64)


def test_a_host_without_memory_is_no_bug_of_lbw():
    poor = Poor(100)  # 6.4 MB
    told: list[bool] = []
    poor.frames.pressed = lambda: told.append(poor.frames.granules.starved)
    space = poor.space()
    area = space.mmap(0, 16 * MB, RW, PRIVATE)
    written = failures = 0
    while not poor.frames.short:
        try:
            space.write(area + written, b"%8d" % written)
            written += PAGE
        except LinuxError as error:  # perhaps it asked for more than one page
            assert error.errno == ENOMEM
            failures += 1
            assert failures < 3
    assert written > 4 * MB
    assert True in told
    assert poor.ram.refusals
    for at in range(0, written, PAGE):  # nothing was lost
        assert space.read(area + at, 8) == b"%8d" % at
    children = []
    with pytest.raises(LinuxError):
        while len(children) < 1000:
            children.append(space.fork())
    for child in children:
        child.release()
    space.munmap(area, 16 * MB)
    poor.frames.gather()
    assert not poor.frames.granules.low and not poor.frames.short
    space.release()
    poor.engine.close()


def test_on_such_a_host_pages_of_files_make_room():
    poor = Poor(100)
    space = poor.space()
    source = FileSource(b"file" * (MB // 4) * 16)
    file = space.mmap(0, 16 * MB, PROT_READ, MAP_SHARED, poor.page_cache.file("file", source))
    scarce: list[bool] = []
    poor.frames.pressed = lambda: scarce.append(True)
    for at in range(0, 16 * MB, PAGE):
        assert space.read(file + at, 4) == b"file"
        if scarce:  # as between two traps
            scarce.clear()
            between_traps(poor.frames, poor.page_cache)
            assert not poor.frames.short
    assert poor.ram.refusals
    space.release()
    poor.engine.close()
