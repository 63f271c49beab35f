"""Punning: a jump over an instruction of any length, without moving the instructions behind it.

A jump is `E9` and four bytes of displacement. Over a site of five bytes or more all of them fit. Over a shorter one the
last bytes of the displacement are bytes of the following instructions, which must stay as they are: they are read both
ways. So only the low bytes of the displacement are free, and the jump leads into a window of 1, 256, 64 K or 16 M
contiguous addresses. A prefix that means nothing to a jump moves the displacement by a byte: a smaller window, but
another one, as other bytes of the followers become its upper end. It does not matter which prefix: only their number
does. (SDM vol. 2, 2.1.1: segment overrides have no effect on branches but as hints. Operand size, 66, is the one that
must not be used: processors differ about it.)

    site of 3 bytes, followed by 48 8b 45 f8:  E9 xx xx 48 8b     disp 0x8b48xxxx     64 K places
                                               2E E9 xx 48 8b 45  disp 0x458b48xx     256 places
                                               2E 2E E9 48 8b 45 f8  disp 0xf8458b48   one place
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

JUMP = b"\xe9"
#: CS override: ignored in 64-bit mode, a branch hint at most in both modes.
PREFIX = b"\x2e"
#: Bytes of a jump without prefixes.
JUMP_LENGTH = 5

#: Where user programs may have memory: (lowest, end).
USER_64 = (0x1_0000, 0x7FFF_FFFF_F000)
USER_32 = (0x1_0000, 0xFFFF_E000)

_REACH = 1 << 31


def windows(site: int, length: int, following: bytes, bits: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (prefix, low, high): a jump over `length` bytes at `site` may lead to any address of [low, high).

    The widest window comes first. `following` are the bytes behind the site, four at most are looked at; where it is
    shorter than needed (the end of a mapping), windows that depend on more are not offered.
    """
    if length >= JUMP_LENGTH:
        end = site + JUMP_LENGTH
        yield from _clipped(b"", end - _REACH, end + _REACH, bits)
        return
    found = []
    for padding in range(length):
        found += _punned(site, length, following, padding, bits)
    found.sort(key=_width, reverse=True)  # stable: fewer prefixes first
    yield from found


def jump(site: int, length: int, prefix: bytes, target: int) -> bytes:
    """Return what to write at `site` for a jump to `target` out of the window that came with `prefix`.

    At most `length` bytes: what follows them stays as it is. The upper half of a punned displacement is not looked at.
    """
    displacement = target - site - len(prefix) - JUMP_LENGTH & 0xFFFF_FFFF
    return (prefix + JUMP + displacement.to_bytes(4, "little"))[:length]


def _punned(site: int, length: int, following: bytes, padding: int, bits: int) -> list[tuple[bytes, int, int]]:
    """Return the window, or the parts of it, of a jump with `padding` prefixes."""
    free = length - 1 - padding
    fixed = following[: 4 - free]
    if len(fixed) < 4 - free:
        return []
    low = site + padding + JUMP_LENGTH + int.from_bytes(bytes(free) + fixed, "little", signed=True)
    return list(_clipped(PREFIX * padding, low, low + (1 << 8 * free), bits))


def _clipped(prefix: bytes, low: int, high: int, bits: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield what of a window lies in the user half."""
    if bits == 64:
        first, end = USER_64
        low, high = max(low, first), min(high, end)
        if low < high:
            yield prefix, low, high
        return
    first, end = USER_32
    if high - low >= 1 << 32:
        yield prefix, first, end
        return
    low, high = low % (1 << 32), low % (1 << 32) + high - low  # 4 GB wrap around
    for start, stop in ((max(low, first), min(high, end)), (first, min(high - (1 << 32), end))):
        if start < stop:
            yield prefix, start, stop


def _width(window: tuple[bytes, int, int]) -> int:
    return window[2] - window[1]
