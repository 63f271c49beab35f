"""Address spaces: mmap and its family against a page-by-page model, fork, faults, user copies."""

from __future__ import annotations

import pytest
from file_source import FileSource
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbw.abi.errno import EEXIST, EFAULT, EINVAL, ENAMETOOLONG, ENOMEM, EPERM, LinuxError
from lbw.abi.mman import (
    MADV_DODUMP,
    MADV_DONTDUMP,
    MADV_DONTNEED,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_FIXED_NOREPLACE,
    MAP_GROWSDOWN,
    MAP_NORESERVE,
    MAP_PRIVATE,
    MAP_SHARED,
    MREMAP_FIXED,
    MREMAP_MAYMOVE,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
)  # fmt: skip
from lbw.abi.signal import BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGSEGV
from lbw.cpu.contracts import PF_FETCH, PF_PRESENT, PF_USER, PF_WRITE
from lbw.mm.advice import madvise
from lbw.mm.faults import SegmentationFault
from lbw.mm.remap import mremap

PAGE = 4096
BASE = 0x1000_0000
RW = PROT_READ | PROT_WRITE
PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS


def errno_of(call, *arguments, **keywords) -> int:
    with pytest.raises(LinuxError) as error:
        call(*arguments, **keywords)
    return error.value.errno


def fault_of(space, address: int, code: int) -> tuple[int, int, int]:
    with pytest.raises(SegmentationFault) as fault:
        space.fault(address, code)
    return fault.value.signo, fault.value.code, fault.value.address


def test_anonymous_memory_is_zero_and_keeps_what_is_written(bench):
    space = bench.space()
    address = space.mmap(0, 3 * PAGE, RW, PRIVATE)
    assert space.read(address, 3 * PAGE) == bytes(3 * PAGE)
    space.write(address + PAGE - 3, b"across")
    assert space.read(address + PAGE - 3, 6) == b"across"


def test_bad_arguments_are_refused_as_linux_does(bench):
    space = bench.space()
    assert errno_of(space.mmap, 0, 0, RW, PRIVATE) == EINVAL
    assert errno_of(space.mmap, 0, PAGE, RW, MAP_ANONYMOUS) == EINVAL
    assert errno_of(space.mmap, BASE + 1, PAGE, RW, PRIVATE | MAP_FIXED) == EINVAL
    assert errno_of(space.mmap, 0, PAGE, RW, PRIVATE | MAP_FIXED) == EPERM
    assert errno_of(space.mmap, 0, 1 << 47, RW, PRIVATE) == ENOMEM
    assert errno_of(space.mmap, 1 << 47, PAGE, RW, PRIVATE | MAP_FIXED) == ENOMEM
    space.mmap(BASE, PAGE, RW, PRIVATE | MAP_FIXED)
    assert errno_of(space.mmap, BASE, PAGE, RW, PRIVATE | MAP_FIXED_NOREPLACE) == EEXIST
    assert errno_of(space.munmap, BASE + 1, PAGE) == EINVAL
    assert errno_of(space.munmap, BASE, 0) == EINVAL
    assert errno_of(space.mprotect, BASE, 2 * PAGE, PROT_READ) == ENOMEM


def test_faults_name_signal_code_and_address(bench):
    space = bench.space()
    space.mmap(BASE, PAGE, PROT_READ, PRIVATE | MAP_FIXED)
    space.mmap(BASE + PAGE, PAGE, PROT_NONE, PRIVATE | MAP_FIXED)
    assert fault_of(space, BASE + 5, PF_USER | PF_WRITE) == (SIGSEGV, SEGV_ACCERR, BASE + 5)
    space.fault(BASE + 5, PF_USER | PF_FETCH)  # the page comes first, as on Linux
    assert fault_of(space, BASE + 5, PF_USER | PF_FETCH | PF_PRESENT) == (SIGSEGV, SEGV_ACCERR, BASE + 5)
    assert fault_of(space, BASE + PAGE, PF_USER) == (SIGSEGV, SEGV_ACCERR, BASE + PAGE)
    assert fault_of(space, BASE + 2 * PAGE, PF_USER) == (SIGSEGV, SEGV_MAPERR, BASE + 2 * PAGE)
    file = bench.page_cache.file("short", FileSource(b"abc"))
    space.mmap(BASE, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file)
    assert space.read(BASE, 4) == b"abc\0"
    assert fault_of(space, BASE + PAGE, PF_USER) == (SIGBUS, BUS_ADRERR, BASE + PAGE)


def test_a_file_mapping_shows_the_file_and_copies_on_write(bench):
    data = bytes(i % 251 for i in range(200_000))
    source = FileSource(data)
    file = bench.page_cache.file("data", source)
    one, two = bench.space(), bench.space()
    a = one.mmap(0, len(data), RW, MAP_PRIVATE, file)
    b = two.mmap(0, len(data), PROT_READ, MAP_PRIVATE, file)
    assert a == b, "a file has the same home everywhere"
    assert one.read(a, len(data)) == data
    reads = len(source.reads)
    assert two.read(b, len(data)) == data
    assert len(source.reads) == reads, "the page cache is shared"
    one.write(a + 70_000, b"private")
    assert one.read(a + 69_999, 9) == data[69_999:70_000] + b"private" + data[70_007:70_008]
    assert two.read(b, len(data)) == data


def test_any_page_of_a_file_maps_at_any_page(bench):
    data = b"".join(bytes([i]) * PAGE for i in range(40))
    file = bench.page_cache.file("pages", FileSource(data))
    space = bench.space()
    for offset in (0, 1, 15, 16, 17, 39):
        space.mmap(BASE + 7 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, offset * PAGE)
        assert space.read(BASE + 7 * PAGE, 1) == bytes([offset])


def test_a_source_is_open_while_something_maps_it(bench):
    source = FileSource(bytes(PAGE * 3))
    file = bench.page_cache.file("open", source)
    space = bench.space()
    address = space.mmap(0, PAGE * 3, PROT_READ, MAP_PRIVATE, file)
    space.munmap(address + PAGE, PAGE)
    child = space.fork()
    assert source.opened == 1
    space.release()
    assert source.opened == 1
    child.release()
    assert source.opened == 0


def test_the_page_cache_lets_unmapped_files_go_when_memory_is_short(bench):
    space = bench.space()
    for number in range(8):
        file = bench.page_cache.file(number, FileSource(bytes(1 << 20)))
        address = space.mmap(0, 1 << 20, PROT_READ, MAP_PRIVATE, file)
        space.read(address, 1 << 20)
        space.munmap(address, 1 << 20)
    before = bench.frames.used
    assert bench.page_cache.shrink(0)
    assert bench.frames.used <= before - 8 * 256


def test_present_pages_are_those_that_were_touched_whatever_their_protection(bench):
    space = bench.space()
    address = space.mmap(BASE, 1 << 30, RW, PRIVATE | MAP_FIXED | MAP_NORESERVE)
    touched = [address, address + 5 * PAGE, address + (3 << 21) - PAGE, address + (1 << 30) - PAGE]
    for page in touched:
        space.write(page + 7, b"here")
    space.read(address + 9 * PAGE, 1)
    space.mprotect(address + 5 * PAGE, PAGE, PROT_NONE)
    found = [
        (page, bytes(view[7:11]), private)
        for page, view, private in space.mmu.present(address, address + (1 << 30))
        if bytes(view[7:11]) == b"here"
    ]
    assert found == [(page, b"here", True) for page in touched]
    assert [page for page, _, _ in space.mmu.present(touched[1], touched[2])] == [touched[1]]


def test_advice_about_core_files_stays_with_the_pages(bench):
    space = bench.space()
    address = space.mmap(BASE, 8 * PAGE, RW, PRIVATE | MAP_FIXED)
    madvise(space, address + 2 * PAGE, 3 * PAGE, MADV_DONTDUMP)
    madvise(space, address + 3 * PAGE, PAGE, MADV_DODUMP)
    child = space.fork()
    for each in (space, child):
        assert [each.find(address + page * PAGE).dont_dump for page in range(8)] == [0, 0, 1, 0, 1, 0, 0, 0]
    child.release()


def test_fork_copies_on_write_in_both_directions(bench):
    parent = bench.space()
    address = parent.mmap(0, 600 * PAGE, RW, PRIVATE)
    for page in range(0, 600, 7):
        parent.write(address + page * PAGE, b"old")
    child = parent.fork()
    parent.write(address, b"parent")
    child.write(address + 7 * PAGE, b"child")
    grandchild = child.fork()
    child.write(address + 14 * PAGE, b"late")
    assert parent.read(address, 6) == b"parent"
    assert child.read(address, 6) == b"old\0\0\0"
    assert parent.read(address + 7 * PAGE, 5) == b"old\0\0"
    assert grandchild.read(address + 7 * PAGE, 5) == b"child"
    assert grandchild.read(address + 14 * PAGE, 4) == b"old\0"
    parent.release()
    assert child.read(address + 21 * PAGE, 3) == b"old"


def test_shared_anonymous_memory_is_shared_across_fork(bench):
    parent = bench.space()
    address = parent.mmap(0, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS)
    parent.write(address, b"before")
    child = parent.fork()
    child.write(address, b"BEFORE")
    child.write(address + PAGE, b"new")
    assert parent.read(address, 6) == b"BEFORE"
    assert parent.read(address + PAGE, 3) == b"new"
    parent.write(address + 2 * PAGE, b"back")
    assert child.read(address + 2 * PAGE, 4) == b"back"


def test_everything_is_given_back(bench):
    before = bench.frames.used
    space = bench.space()
    address = space.mmap(0, 3000 * PAGE, RW, PRIVATE)
    for page in range(0, 3000, 5):
        space.write(address + page * PAGE, b"x")
    child = space.fork()
    for page in range(0, 3000, 11):
        child.write(address + page * PAGE, b"y")
    child.munmap(address + 100 * PAGE, 1000 * PAGE)
    child.release()
    assert space.read(address + 500 * PAGE, 1) == b"x"
    space.release()
    assert bench.frames.used == before


def test_brk_moves_both_ways(bench):
    space = bench.space()
    space.start_brk = space.brk_end = BASE
    assert space.brk(0) == BASE
    assert space.brk(BASE + 5000) == BASE + 5000
    space.write(BASE + 4990, b"0123456789")
    assert space.brk(BASE + 4096) == BASE + 4096
    assert errno_of(space.read, BASE + 4096, 1) == EFAULT
    assert space.brk(BASE + 9000) == BASE + 9000
    assert space.read(BASE + 4096, 100) == bytes(100)
    space.mmap(BASE + 16 * PAGE, PAGE, RW, PRIVATE | MAP_FIXED)
    assert space.brk(BASE + 20 * PAGE) == BASE + 9000


def test_mremap_grows_moves_and_shrinks(bench):
    space = bench.space()
    address = space.mmap(BASE, 4 * PAGE, RW, PRIVATE | MAP_FIXED)
    space.write(address, b"head")
    space.write(address + 3 * PAGE, b"tail")
    assert mremap(space, address, 4 * PAGE, 8 * PAGE, 0) == address
    space.mmap(BASE + 8 * PAGE, PAGE, RW, PRIVATE | MAP_FIXED)
    assert errno_of(mremap, space, address, 8 * PAGE, 9 * PAGE, 0) == ENOMEM
    moved = mremap(space, address, 8 * PAGE, 600 * PAGE, MREMAP_MAYMOVE)
    assert moved != address
    assert (space.read(moved, 4), space.read(moved + 3 * PAGE, 4)) == (b"head", b"tail")
    assert errno_of(space.read, address, 1) == EFAULT
    target = mremap(space, moved, 600 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 0x1000_0000)
    assert space.read(target, 4) == b"head"
    assert errno_of(space.read, target + 2 * PAGE, 1) == EFAULT
    assert errno_of(mremap, space, BASE + 0x5000_0000, PAGE, PAGE, 0) == EFAULT


def test_dontneed_forgets_private_changes(bench):
    space = bench.space()
    file = bench.page_cache.file("advice", FileSource(b"file" * 2048))
    mapped = space.mmap(0, 2 * PAGE, RW, MAP_PRIVATE, file)
    anonymous = space.mmap(0, 2 * PAGE, RW, PRIVATE)
    for address in (mapped, anonymous):
        space.write(address, b"mine")
        madvise(space, address, 2 * PAGE, MADV_DONTNEED)
    assert space.read(mapped, 4) == b"file"
    assert space.read(anonymous, 4) == bytes(4)


def test_a_stack_grows_down_to_its_limit(bench):
    space = bench.space()
    top = 0x7000_0000
    space.mmap(top - 4 * PAGE, 4 * PAGE, RW, PRIVATE | MAP_FIXED | MAP_GROWSDOWN)
    space.stack_limit = 1 << 20
    space.write(top - 100 * PAGE, b"deep")
    assert space.read(top - 100 * PAGE, 4) == b"deep"
    assert fault_of(space, top - 300 * PAGE, PF_USER | PF_WRITE)[:2] == (SIGSEGV, SEGV_MAPERR)


def test_user_copies_stop_at_the_first_bad_page(bench):
    space = bench.space()
    space.mmap(BASE, 2 * PAGE, RW, PRIVATE | MAP_FIXED)
    assert sum(map(len, space.views(BASE + PAGE, 3 * PAGE, True))) == PAGE
    assert errno_of(space.views, BASE + 2 * PAGE, 1, False) == EFAULT
    assert errno_of(space.write, BASE + PAGE, bytes(PAGE + 1)) == EFAULT
    assert errno_of(space.read, 1 << 63, 8) == EFAULT
    assert errno_of(space.read, (1 << 64) - 4, 8) == EFAULT
    space.write(BASE + 2 * PAGE - 4, b"abcd")
    assert errno_of(space.read_cstring, BASE + 2 * PAGE - 4, 100) == EFAULT
    space.write(BASE, b"x" * PAGE + b"x" * 10 + b"\0")
    assert errno_of(space.read_path, BASE) == ENAMETOOLONG
    assert space.read_path(BASE + PAGE) == b"x" * 10


def test_a_readable_page_is_not_writable_for_the_kernel_either(bench):
    space = bench.space()
    space.mmap(BASE, PAGE, RW, PRIVATE | MAP_FIXED)
    space.write(BASE, b"data")
    space.mprotect(BASE, PAGE, PROT_READ)
    assert errno_of(space.write, BASE, b"x") == EFAULT
    space.mprotect(BASE, PAGE, PROT_NONE)
    assert errno_of(space.read, BASE, 1) == EFAULT
    space.mprotect(BASE, PAGE, RW)
    assert space.read(BASE, 4) == b"data"


PAGES = 24
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["mmap", "munmap", "mprotect", "write", "fork", "swap", "dontneed", "shared"]),
        st.integers(0, PAGES - 1), st.integers(1, 8), st.sampled_from([PROT_NONE, PROT_READ, RW, RW | PROT_EXEC]),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MOVES)
def test_mappings_agree_with_a_model(bench, moves):
    """The model: for each page its protection and first byte; forks are deep copies, shared pages are cells."""
    used = bench.frames.used
    spaces = [bench.space()]
    models: list[dict[int, tuple[int, list[int], bool]]] = [{}]
    for step, (move, first, count, prot) in enumerate(moves):
        space, model = spaces[-1], models[-1]
        count = min(count, PAGES - first)
        start, pages = BASE + first * PAGE, range(first, first + count)
        value = step % 255 + 1
        if move in ("mmap", "shared"):
            kind = MAP_SHARED if move == "shared" else MAP_PRIVATE
            space.mmap(start, count * PAGE, prot, kind | MAP_ANONYMOUS | MAP_FIXED)
            model.update({page: (prot, [0], move == "shared") for page in pages})
        elif move == "munmap":
            space.munmap(start, count * PAGE)
            for page in pages:
                model.pop(page, None)
        elif move == "mprotect":
            whole = all(page in model for page in pages)
            if whole:
                space.mprotect(start, count * PAGE, prot)
                model.update({page: (prot, *model[page][1:]) for page in pages})
            else:
                assert errno_of(space.mprotect, start, count * PAGE, prot) == ENOMEM
                for page in pages:
                    if page not in model:
                        break
                    model[page] = (prot, *model[page][1:])
        elif move == "write":
            if first in model and model[first][0] & PROT_WRITE:
                space.write(start, bytes([value]))
                model[first][1][0] = value
            else:
                assert errno_of(space.write, start, b"x") == EFAULT
        elif move == "dontneed":
            if all(page in model for page in pages):
                madvise(space, start, count * PAGE, MADV_DONTNEED)
                for page in pages:
                    if not model[page][2]:
                        model[page] = (model[page][0], [0], False)
        elif move == "fork" and len(spaces) < 4:
            spaces.append(space.fork())
            models.append({p: (a, cell if shared else cell[:], shared) for p, (a, cell, shared) in model.items()})
        elif move == "swap":
            spaces.insert(0, spaces.pop())
            models.insert(0, models.pop())
        for other, expected in zip(spaces, models, strict=True):
            for page in range(PAGES):
                address = BASE + page * PAGE
                if page in expected and expected[page][0]:
                    assert other.read(address, 1)[0] == expected[page][1][0]
                else:
                    assert errno_of(other.read, address, 1) == EFAULT
    for space in spaces:
        space.release()
    assert bench.frames.used == used
