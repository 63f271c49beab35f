"""Frames: allocation, reference counts, limits, giving memory back to the host."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbw.abi.errno import ENOMEM, LinuxError
from lbw.host.memory import Ram
from lbw.mm.frames import Frames

PAGE, GRANULE = 4096, 65536


def make(granules: int = 16, limit: int | None = None) -> Frames:
    return Frames(Ram(granules * GRANULE), limit)


def test_frames_are_distinct_aligned_and_zero():
    frames = make()
    taken = [frames.allocate() for _ in range(100)]
    assert len(set(taken)) == 100
    assert all(frame % PAGE == 0 for frame in taken)
    assert all(not any(frames.view[frame : frame + PAGE]) for frame in taken)
    assert 0 not in taken


def test_a_frame_used_again_is_zeroed():
    frames = make()
    frame = frames.allocate()
    frames.view[frame : frame + PAGE] = b"x" * PAGE
    frames.drop(frame)
    again = frames.allocate()
    assert not any(frames.view[again : again + PAGE])


def test_a_shared_frame_lives_until_its_last_reference():
    frames = make()
    frame = frames.allocate()
    frames.share(frame)
    used = frames.used
    frames.drop(frame)
    assert (frames.references(frame), frames.used) == (1, used)
    frames.drop(frame)
    assert frames.used == used - 1


def test_the_limit_is_enospc_for_memory():
    frames = make(limit=20 * PAGE)
    with pytest.raises(LinuxError) as error:
        while True:
            frames.allocate()
    assert error.value.errno == ENOMEM
    assert frames.used == 20


def test_ram_that_is_full_is_enomem_and_usable_again_after_a_drop():
    frames = make(4)
    taken = []
    with pytest.raises(LinuxError):
        while True:
            taken.append(frames.allocate())
    frames.drop(taken.pop())
    assert frames.allocate()


def test_reclaim_is_asked_before_enomem():
    frames = make(limit=20 * PAGE)
    spare = [frames.allocate() for _ in range(10)]

    def reclaim() -> bool:
        if not spare:
            return False
        frames.drop(spare.pop())
        return True

    frames.reclaim = reclaim
    for _ in range(19):
        frames.allocate()
    assert spare == []


def test_empty_granules_go_back_to_the_host():
    frames = make(1024)
    taken = [frames.allocate() for _ in range(12000)]
    for frame in taken:
        frames.view[frame] = 1
    before = frames.ram.resident()
    for frame in taken:
        frames.drop(frame)
    assert frames.ram.resident() < before / 2
    assert not any(frames.view[frames.allocate()] for _ in range(5000))


def test_frames_of_code_are_not_reused_before_translations_are_flushed():
    frames = make(64)
    flushed = []
    frames.flush_code = lambda: flushed.append(True)
    frame = frames.allocate()
    frames.code.add(frame)
    frames.drop(frame)
    others = [frames.allocate() for _ in range(200)]
    assert flushed or frame not in others


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=200))
def test_counts_agree_with_a_model(moves):
    frames = make(8)
    model: dict[int, int] = {}
    base = frames.used
    for move in moves:
        if move < 12 or not model:
            try:
                frame = frames.allocate()
            except LinuxError:
                continue
            assert frame not in model
            model[frame] = 1
        else:
            frame = sorted(model)[move % len(model)]
            if move % 3:
                frames.drop(frame)
                model[frame] -= 1
                if not model[frame]:
                    del model[frame]
            else:
                frames.share(frame)
                model[frame] += 1
        assert frames.used == base + len(model)
        assert all(frames.references(frame) == count for frame, count in model.items())


def test_a_granule_is_found_among_free_frames():
    ram = Ram(16 * GRANULE)
    frames = Frames(ram)
    taken = []
    with pytest.raises(LinuxError):
        while True:
            taken.append(frames.allocate())
    code = taken[: len(taken) // 2]
    frames.code.update(code)
    for frame in taken:
        frames.drop(frame)
    base = frames.allocate_granule()
    assert not any(frames.view[base : base + GRANULE])
    assert frames.used == 17  # with the frame of zeros


def test_a_granule_is_found_in_what_can_be_reclaimed():
    frames = Frames(Ram(16 * GRANULE))
    granules = []
    with pytest.raises(LinuxError):
        while True:
            granules.append(frames.allocate_granule())

    def reclaim() -> bool:
        if not granules:
            return False
        base = granules.pop()
        frames.code.update(range(base, base + GRANULE, PAGE))  # a program, perhaps
        for frame in range(base, base + GRANULE, PAGE):
            frames.drop(frame)
        return True

    frames.reclaim = reclaim
    assert frames.allocate_granule()
    while granules:
        assert frames.allocate()
