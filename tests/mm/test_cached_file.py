"""Cached files: what mappings show of a file, what is written back and when, what happens when the host refuses."""

from __future__ import annotations

import pytest
from file_source import FileSource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbw.abi.errno import EIO, ENOSPC, LinuxError
from lbw.abi.mman import MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.abi.signal import SIGBUS
from lbw.cpu.contracts import PF_USER, PF_WRITE
from lbw.mm.faults import SegmentationFault
from lbw.mm.homes import HomeAddresses
from lbw.mm.writeback import flush, write_back

PAGE = 4096
RW = PROT_READ | PROT_WRITE
BASE = 0x1000_0000


def cached(bench, source: FileSource, name: str = "file"):
    return bench.page_cache.file(name, source)


def shared(bench, source: FileSource, pages: int, space=None):
    space = space or bench.space()
    return space, space.mmap(0, pages * PAGE, RW, MAP_SHARED, cached(bench, source))


def written(bench, source: FileSource, data: bytes, offset: int) -> None:
    """Write as a system call does: to the host's file, and then to the pages."""
    end = offset + len(data)
    source.data += bytes(max(0, offset - len(source.data)))
    source.data[offset:end] = data
    source.time += 1
    file = bench.page_cache.files["file"]
    file.written([memoryview(data)], offset, len(data))
    file.adopt(source.stamp())


def bus_error(space, address: int, code: int = PF_USER) -> bool:
    with pytest.raises(SegmentationFault) as fault:
        space.fault(address, code)
    return fault.value.signo == SIGBUS


def test_stores_reach_the_file_when_the_last_writable_mapping_goes(bench):
    source = FileSource(bytes(4 * PAGE))
    space, address = shared(bench, source, 4)
    child = space.fork()
    space.write(address + PAGE, b"parent")
    child.write(address + 2 * PAGE, b"child")
    assert space.read(address + 2 * PAGE, 5) == b"child"
    assert bench.page_cache.dirty_pages == 2 and source.opened == 2 and not source.writes
    space.release()
    assert not source.writes
    child.release()
    assert source.writes == [(PAGE, 2 * PAGE)], "pages that follow each other go out together"
    assert source.data[PAGE : PAGE + 6] == b"parent" and source.data[2 * PAGE : 2 * PAGE + 5] == b"child"
    assert bench.page_cache.dirty_pages == 0 and source.opened == 0


def test_a_page_is_written_again_only_after_another_store(bench):
    source = FileSource(bytes(2 * PAGE))
    space, address = shared(bench, source, 2)
    space.write(address, b"one")
    assert bench.page_cache.write_back() == 1
    assert bench.page_cache.write_back() == 0
    space.write(address + 5, b"two")
    assert bench.page_cache.write_back() == 1
    assert source.data[:8] == b"one\0\0two"


def test_nothing_behind_the_end_is_written(bench):
    source = FileSource(b"x" * 100)
    space, address = shared(bench, source, 1)
    space.write(address + 90, b"y" * 30)
    bench.page_cache.write_back()
    assert source.data == b"x" * 90 + b"y" * 10
    assert space.read(address + 100, 20) == bytes(20)


def test_when_the_host_is_full_pages_stay_dirty_and_are_tried_again(bench):
    source = FileSource(bytes(8 * PAGE))
    space, address = shared(bench, source, 8)
    source.room = 2 * PAGE
    for page in range(8):
        space.write(address + page * PAGE, b"data")
    file = cached(bench, source)
    with pytest.raises(LinuxError) as error:
        flush(file)
    assert error.value.errno == ENOSPC and bench.page_cache.dirty_pages == 8
    space.release()  # the error of this attempt is nobody's any more
    assert bench.page_cache.dirty_pages == 8 and source.opened == 2
    source.room = -1
    assert bench.page_cache.write_back() == 8
    assert all(source.data[page * PAGE : page * PAGE + 4] == b"data" for page in range(8))
    assert source.opened == 0


def test_a_failure_is_told_once(bench):
    source = FileSource(bytes(PAGE))
    space, address = shared(bench, source, 1)
    space.write(address, b"data")
    source.write_error = EIO
    file = cached(bench, source)
    bench.page_cache.write_back()  # in the background
    assert file.errors_known == 0
    source.write_error = 0
    with pytest.raises(LinuxError) as error:
        flush(file)
    assert error.value.errno == EIO and source.data[:4] == b"data"
    flush(file)
    assert file.error_since(0) == EIO, "an open file was not told"
    assert file.error_since(file.errors_known) == 0, "who opens it now need not be told"


def test_changes_of_the_host_are_seen_at_the_next_look_but_stores_stay(bench):
    source = FileSource(b"a" * (40 * PAGE))
    space, address = shared(bench, source, 40)
    private = space.mmap(0, 40 * PAGE, RW, MAP_PRIVATE, cached(bench, source))
    space.read(address, 40 * PAGE)
    space.write(private + 7 * PAGE, b"mine")
    space.write(address + 5 * PAGE, b"stored")
    source.change(5 * PAGE, b"b" * (30 * PAGE))
    cached(bench, source)
    assert space.read(address + 4 * PAGE, 1) == b"a" and space.read(address + 6 * PAGE, 1) == b"b"
    assert space.read(private + 9 * PAGE, 1) == b"b" and space.read(private + 7 * PAGE, 4) == b"mine"
    assert space.read(address + 5 * PAGE, 8) == b"storedaa"
    del source.data[3 * PAGE :]
    source.time += 1
    cached(bench, source)
    assert bus_error(space, address + 5 * PAGE) and bus_error(space, private + 7 * PAGE)
    assert bench.page_cache.dirty_pages == 0


def test_own_changes_keep_the_pages_unless_the_host_was_there_too(bench):
    source = FileSource(b"a" * (4 * PAGE))
    space, address = shared(bench, source, 4)
    space.read(address, PAGE)
    reads = len(source.reads)
    written(bench, source, b"own", PAGE)
    cached(bench, source)
    assert space.read(address + PAGE, 4) == b"owna" and len(source.reads) == reads
    source.change(2 * PAGE, b"host")
    bench.page_cache.files["file"].before_change(source.stamp())
    written(bench, source, b"both", 3 * PAGE)
    cached(bench, source)
    assert space.read(address + 2 * PAGE, 4) == b"host" and space.read(address + 3 * PAGE, 4) == b"both"


def test_growth_on_the_host_is_seen_instead_of_a_bus_error(bench):
    source = FileSource(b"a" * 10)
    space, address = shared(bench, source, 3)
    assert space.read(address, 11) == b"a" * 10 + b"\0"
    assert bus_error(space, address + PAGE)
    source.data += b"b" * (2 * PAGE)
    source.time += 1
    assert space.read(address + PAGE, 1) == b"b"
    cached(bench, source)
    assert space.read(address, 11) == b"a" * 10 + b"b"


def test_only_absent_pages_of_a_granule_are_read(bench):
    source = FileSource(b"a" * (16 * PAGE))
    space, address = shared(bench, source, 32)
    space.write(address + 3 * PAGE, b"dirty")
    source.change(0, b"b" * (16 * PAGE))
    cached(bench, source)
    assert space.read(address + 2 * PAGE, 1) == b"b" and space.read(address + 3 * PAGE, 6) == b"dirtya"
    source.data += b"c" * (16 * PAGE)
    written(bench, source, b"d", 32 * PAGE - 1)
    assert space.read(address + 16 * PAGE, 1) == b"c" and space.read(address + 32 * PAGE - 1, 1) == b"d"


def test_a_sparse_terabyte_costs_what_is_touched(bench):
    class Sparse(FileSource):
        size = 1 << 40

        def stamp(self) -> tuple[int, int, int]:
            return self.size, self.time, 0

        def read_at(self, views: list[memoryview], offset: int) -> int:
            return sum(map(len, views))

        def write_at(self, views: list[memoryview], offset: int) -> int:
            self.writes.append((offset, sum(map(len, views))))
            return self.writes[-1][1]

    source = Sparse()
    used = bench.frames.used
    space = bench.space()
    address = space.mmap(0, 1 << 40, RW, MAP_SHARED, cached(bench, source))
    places = [0, 5 << 30, (1 << 40) - PAGE]
    for place in places:
        space.write(address + place, b"here")
    bench.page_cache.write_back()
    assert source.writes == [(place, PAGE) for place in places]
    assert bench.frames.used - used < 100
    source.size = 6 << 30
    bench.page_cache.files["file"].resized(source.size)
    assert bus_error(space, address + (1 << 40) - PAGE, PF_USER | PF_WRITE)
    space.release()
    assert bench.page_cache.shrink(0) and bench.page_cache.pages == 0


def test_pressure_takes_clean_pages_of_mapped_files_and_they_come_back(bench):
    source = FileSource(b"".join(bytes([page]) * PAGE for page in range(64)))
    space, address = shared(bench, source, 64)
    private = space.mmap(0, 64 * PAGE, RW, MAP_PRIVATE, cached(bench, source))
    space.read(address, 64 * PAGE)
    space.write(private + PAGE, b"mine")
    space.write(address + 9 * PAGE, b"dirty")
    assert not bench.page_cache.shrink(0), "it is mapped"
    used = bench.frames.used
    assert bench.page_cache.reclaim_mapped(100) == 3
    assert bench.frames.used == used - 63 and bench.page_cache.pages == 1
    assert space.read(private + PAGE, 5) == b"mine\1" and space.read(address + 9 * PAGE, 5) == b"dirty"
    assert space.read(address + 63 * PAGE, 1) == b"\77"
    assert bench.page_cache.write_back(1) == 1 and bench.page_cache.reclaim_mapped(1) >= 1


def test_sequential_reading_reads_ahead(bench):
    source = FileSource(bytes(1024 * PAGE))
    space = bench.space()
    address = space.mmap(0, 1024 * PAGE, PROT_READ, MAP_PRIVATE, cached(bench, source))
    for page in range(1024):
        space.read(address + page * PAGE, 1)
    assert len(source.reads) < 12
    source.reads.clear()
    other = FileSource(bytes(1024 * PAGE))
    address = space.mmap(0, 1024 * PAGE, PROT_READ, MAP_PRIVATE, cached(bench, other, "other"))
    for page in (900, 100, 500, 300):
        space.read(address + page * PAGE, 1)
    assert [length for _, length in other.reads] == [16 * PAGE] * 4


def test_copies_with_patches_go_when_the_file_changes(bench):
    source = FileSource(b"\x90" * (2 * PAGE))
    space = bench.space()
    file = cached(bench, source)
    space.mmap(BASE, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file)
    space.read(BASE, 1)
    told = []
    file.forgotten = lambda: told.append(True)
    file.will_run()
    written(bench, source, b"\xcc", 5)
    assert told and space.read(BASE + 5, 1) == b"\xcc"
    told.clear()
    source.change(0, b"\xc3")
    cached(bench, source)
    assert told


def test_homes_are_kept_and_outgrown(bench):
    homes, window = HomeAddresses(), (0x1000_0000, 0x2000_0000)
    first = homes.home("a", 5 * PAGE, window)
    second = homes.home("b", PAGE, window)
    assert homes.home("a", 5 * PAGE, window) == first and homes.home("a", PAGE, window) == first
    larger = homes.home("a", 100 * PAGE, window)
    assert larger > second and homes.home("a", 150 * PAGE, window) == larger
    assert homes.home("huge", 1 << 27, window) == 0


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("store"), st.integers(0, 6 * PAGE - 1), st.binary(min_size=1, max_size=9000)),
        st.tuples(st.just("write"), st.integers(0, 6 * PAGE - 1), st.binary(min_size=1, max_size=9000)),
        st.tuples(st.just("resize"), st.integers(0, 6 * PAGE), st.just(b"")),
        st.tuples(st.just("punch"), st.integers(0, 5 * PAGE), st.binary(min_size=1, max_size=9000)),
        st.tuples(st.just("write back"), st.integers(0, 6), st.just(b"")),
        st.tuples(st.just("reclaim"), st.integers(0, 2), st.just(b"")),
        st.tuples(st.just("look"), st.just(0), st.just(b"")),
    ),
    max_size=25,
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_mapping_and_file_agree_whatever_happens(bench, operations):
    source = FileSource(b"start" * 3000)
    model = bytearray(source.data)
    space = bench.space()
    file = cached(bench, source)
    address = space.mmap(0, 6 * PAGE, RW, MAP_SHARED, file)
    view = space.mmap(0, 6 * PAGE, PROT_READ, MAP_PRIVATE, file)
    for kind, at, data in operations:
        if kind == "store":
            data = data[: max(0, len(model) - at)]
            if data:
                space.write(address + at, data)
                model[at : at + len(data)] = data
        elif kind == "write":
            model += bytes(max(0, at - len(model)))
            model[at : at + len(data)] = data
            written(bench, source, data, at)
        elif kind == "resize":
            del model[at:]
            model += bytes(at - len(model))
            del source.data[at:]
            source.data += bytes(at - len(source.data))
            source.time += 1
            file.resized(at)
            file.adopt(source.stamp())
        elif kind == "punch":
            end = min(at + len(data), len(model))
            if at < end:
                model[at:end] = bytes(end - at)
                file.punch(at, len(data))
        elif kind == "write back":
            write_back(file, limit=at)
        elif kind == "reclaim":
            bench.page_cache.reclaim_mapped(at)
        else:
            cached(bench, source)
        length = min(len(model), 6 * PAGE)
        assert space.read(address, length) == model[:length] if length else True
        assert space.read(view, length) == model[:length] if length else True
        read = bytearray(source.data)
        file.show_dirty([memoryview(read)], 0, len(read))
        assert read == model
    space.release()
    assert source.data == model and source.opened == 0 and bench.page_cache.dirty_pages == 0
    bench.page_cache.shrink(0)
    assert bench.page_cache.pages == 0
