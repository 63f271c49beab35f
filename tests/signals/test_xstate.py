"""XSAVE images of frames: what is written is loaded again, and what XRSTOR makes of changed ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbw.abi.errno import LinuxError
from lbw.signals.xstate import (
    ENDING_32,
    ENDING_64,
    FRAMED,
    INITIAL,
    MAGIC1,
    MAGIC2,
    for_core,
    for_frame,
    from_compat_frame,
    from_frame,
)

IMAGES = st.binary(min_size=512, max_size=512).map(lambda data: data[:26] + b"\0\0" + data[28:])


def changed(image: bytes, at: int, value: int) -> bytes:
    return image[:at] + value.to_bytes(4, "little") + image[at + 4 :]


@given(IMAGES)
def test_what_a_frame_holds_is_loaded_again(image: bytes) -> None:
    for ending, extended in ((ENDING_64, FRAMED), (ENDING_32, FRAMED + 112)):
        data = for_frame(image, ending)
        assert len(data) == FRAMED
        assert int.from_bytes(data[464:468], "little") == MAGIC1
        assert int.from_bytes(data[468:472], "little") == extended
        assert int.from_bytes(data[576:580], "little") == MAGIC2
        assert from_frame(data)[:464] == image[:464]
        assert from_compat_frame(data) == (from_frame(data), True)
    assert for_core(image)[:464] == image[:464] and len(for_core(image)) == 576


@given(IMAGES, st.integers(0, 3), st.integers(0, 3))
def test_components_that_are_not_held_are_initial(image: bytes, wanted: int, held: int) -> None:
    data = changed(changed(for_frame(image), 472, wanted), 512, held)
    loaded = from_frame(data)
    both = wanted & held
    assert loaded[:24] == (image if both & 1 else INITIAL)[:24]
    assert loaded[32:160] == (image if both & 1 else INITIAL)[32:160]
    assert loaded[160:416] == (image if both & 2 else INITIAL)[160:416]
    assert loaded[24:28] == (image if wanted & 2 else INITIAL)[24:28]
    compat, x87 = from_compat_frame(data)
    assert compat[24:28] == (image if both & 2 else INITIAL)[24:28]
    assert x87 == bool(both & 1)


@pytest.mark.parametrize("at, value", [(464, 0), (480, 575), (480, 1 << 20), (468, 100), (576, 0)])
def test_without_its_magic_it_is_an_fxsave_image(at: int, value: int) -> None:
    data = changed(changed(for_frame(INITIAL), 512, 0), at, value)
    assert from_frame(data)[:464] == INITIAL[:464]
    assert from_frame(changed(data, 160, 7))[160] == 7  # the header does not count


@pytest.mark.parametrize("at, value", [(24, 0x10000), (24, 1 << 31), (512, 4), (520, 1), (528, 1), (516, 1)])
def test_what_the_processor_refuses(at: int, value: int) -> None:
    with pytest.raises(LinuxError):
        from_frame(changed(for_frame(INITIAL), at, value))
