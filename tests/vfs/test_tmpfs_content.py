"""The bytes of files in memory, against a plain string of bytes; and sizes that no memory holds."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lbw.abi.errno import ENOSPC, ENXIO, LinuxError
from lbw.vfs.tmpfs.content import CHUNK, PAGE, Content

SPAN = 4 * CHUNK
OFFSETS = st.one_of(st.integers(0, SPAN), st.integers(0, 4).map(lambda n: n * CHUNK))
LENGTHS = st.integers(1, CHUNK + PAGE)
CHANGES = st.tuples(st.sampled_from(["write", "punch", "truncate", "allocate"]), OFFSETS, LENGTHS)


class Space:
    """A file system with room for `free` pages."""

    def __init__(self, free: int = 1 << 20) -> None:
        self.free = free
        self.used_pages = 0

    def free_pages(self) -> int:
        return self.free - self.used_pages

    def take_pages(self, count: int) -> None:
        if count > self.free_pages():
            raise LinuxError(ENOSPC)
        self.used_pages += count


def next_of(content: Content, offset: int, hole: bool) -> int | None:
    try:
        return content.seek(offset, hole)
    except LinuxError as error:
        assert error.errno == ENXIO
        return None


@given(st.lists(CHANGES, max_size=8))
def test_content_is_what_was_written(changes):
    space = Space()
    content, model = Content(space), bytearray()
    for number, (kind, offset, length) in enumerate(changes):
        end = offset + length
        if kind == "write":
            data = bytes([number + 1]) * length
            content.write(memoryview(data), offset)
            model.extend(bytes(max(0, end - len(model))))
            model[offset:end] = data
        elif kind == "punch":
            content.punch(offset, length)
            stop = min(end, len(model))
            if offset < stop:
                model[offset:stop] = bytes(stop - offset)
        elif kind == "truncate":
            content.truncate(offset)
            model = model[:offset] + bytes(max(0, offset - len(model)))
        else:
            content.allocate(offset, length)
        assert content.size == len(model)
        assert content.pages == space.used_pages
        buffer = bytearray(len(model))
        assert content.read_into(memoryview(buffer), 0) == len(model)
        assert buffer == model


@given(st.lists(CHANGES, max_size=5), OFFSETS)
@example([("write", 2 * CHUNK, 1), ("allocate", 2 * CHUNK, 2), ("punch", 2 * CHUNK + 2, 1)], 0)
def test_data_and_holes_take_turns_and_holes_are_zeros(changes, offset):
    content = Content(Space())
    for kind, start, length in changes:
        if kind == "write":
            content.write(memoryview(b"x" * length), start)
        elif kind == "truncate":
            content.truncate(start)
        else:
            getattr(content, kind)(start, length)
    while offset < content.size:
        data = next_of(content, offset, hole=False)
        end = content.size if data is None else data
        assert end >= offset
        buffer = bytearray(end - offset)
        content.read_into(memoryview(buffer), offset)
        assert not any(buffer)
        if data is None:
            return
        offset = content.seek(data, hole=True)
        assert data < offset <= content.size


def test_what_no_memory_holds_is_refused_at_once():
    space = Space(free=100)
    content = Content(space)
    content.allocate(0, 10 * PAGE)
    for offset, length in ((0, 1 << 62), (1 << 60, 1 << 60), (0, 101 * PAGE), (50 * CHUNK, 60 * CHUNK)):
        with pytest.raises(LinuxError) as caught:
            content.allocate(offset, length)
        assert caught.value.errno == ENOSPC
    assert space.used_pages == content.pages == 10
    content.allocate(0, 16 * PAGE)
    assert space.used_pages == 16


def test_ends_of_huge_files_are_found_at_once():
    content = Content(Space())
    content.truncate(1 << 50)
    assert next_of(content, 0, hole=False) is None
    content.write(memoryview(b"x"), (1 << 49) + 5)
    assert content.seek(0, hole=False) == 1 << 49
    assert content.seek(1 << 49, hole=True) == (1 << 49) + PAGE
