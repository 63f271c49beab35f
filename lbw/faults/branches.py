"""Branches into the middle of an instruction, which a patch over that instruction would break.

There are such: code that skips a LOCK prefix (`je 1f; lock; 1: cmpxchg ...`) is the classic. They are searched for in
two steps. First, which bytes could be the displacement of a branch to one of the inner bytes? For each position there
is exactly one displacement that leads to a given target, so the ramp of these is compared with the code, all positions
at once, as two long integers. Usually nothing is left; then that is all. (What overlaps the instruction itself is no
branch: the instruction is one, it has faulted.)

Second, is it an instruction, or does it only look like one? Code is walked from many starting points before it. Walks
that begin inside of an instruction fall into step with the true instructions after a few, so a true instruction is
met by nearly all of them, a false one by few. That is very probable, not a proof; `Verdict` says what was not certain.

What cannot be seen: indirect jumps (a table, a register) and branches from code that was not given.
"""

from __future__ import annotations

from lbw.abi.x86 import LEGACY_PREFIXES, LONGEST
from lbw.faults.lengths import instruction_length

#: rel32 branches from farther away than this are not looked for: two pages.
REACH = 8192

#: Displacement bytes by position: entry k of `_RAMP_8` is the rel8 that leads 128 - k bytes on from its own position.
_RAMP_8 = bytes((127 - k) & 0xFF for k in range(256))
#: Second and highest byte of REACH - 1 - k, by k; as numbers whose lowest byte is that of k = 0.
_BLOCKS = REACH // 256
_RAMP_32 = int.from_bytes(b"".join(bytes((k & 0xFF,)) * 256 for k in range(_BLOCKS - 1, -_BLOCKS - 1, -1)), "little")
_SIGN_32 = int.from_bytes(bytes(REACH) + b"\xff" * REACH, "little")

_SHORT = frozenset((*range(0x70, 0x80), 0xEB, *range(0xE0, 0xE4)))  # jcc, jmp, loop, jcxz
_NEAR = frozenset((0xE8, 0xE9))

#: Walks begin at each of so many positions, so far before the instruction in question, bytes.
_WALKS, _RUN_UP = 24, 32
#: Share of walks that meet a true instruction: surely, and possibly.
_SURE, _POSSIBLE = 0.75, 0.25


class Verdict:
    """What is known about branches into an instruction."""

    __slots__ = ("certain", "possible")

    def __init__(self) -> None:
        #: Target addresses of branches that (nearly) all walks meet, and of those that only some meet or that lie too
        #: near to the beginning of the code to tell.
        self.certain: set[int] = set()
        self.possible: set[int] = set()


def targets_inside(code: bytes, code_address: int, site: int, length: int, bits: int) -> set[int]:
    """Return the addresses strictly inside [site, site + length) that a branch in `code` may jump to.

    `code` is what lies at `code_address`: the page of the site and its neighbours, as far as they are executable.
    """
    found = candidates(code, code_address, site, length)
    if not found:
        return set()
    verdict = judge(code, code_address, site, found, bits)
    return verdict.certain | verdict.possible


def candidates(code: bytes, code_address: int, site: int, length: int) -> list[tuple[int, int]]:
    """Return (position of the opcode in `code`, target address) of all that look like a branch into the instruction."""
    size = len(code)
    start = site - code_address
    end = start + length
    found = []
    for target in range(start + 1, end):
        shift = target - 128
        low, high = max(shift, 1), min(target + 128, size)
        if low >= high:
            continue
        ramp = int.from_bytes(_RAMP_8[low - shift : high - shift], "little")
        same = (int.from_bytes(code[low:high], "little") ^ ramp).to_bytes(high - low, "little")
        at = same.find(0)
        while at >= 0:
            if code[low + at - 1] in _SHORT and not start - 2 < low + at - 1 < end:
                found.append((low + at - 1, target + code_address))
            at = same.find(0, at + 1)
    # A field at `at` leads to target - at - 4. Its upper three bytes are the same for all targets of a site, but where
    # the lowest one overflows between them: so they are compared for the first and for the last target.
    positions = set()
    first = end - 1 - 3 - REACH  # where both ramps have begun
    low, high = max(first, 1), min(start + 1 - 3 + REACH, size - 3)
    if low < high:
        count = high - low
        second = int.from_bytes(code[low + 1 : high + 3], "little")  # the byte above the lowest one, of each field
        skip = 8 * (low - first)
        sign = _SIGN_32 >> skip
        other = (second >> 8 ^ sign) | (second >> 16 ^ sign)
        for target in {start + 1, end - 1}:
            differs = (second ^ _RAMP_32 >> 8 * (low - target + 3 + REACH)) | other
            same = (differs & (1 << 8 * count) - 1).to_bytes(count, "little")
            at = same.find(0)
            while at >= 0:
                positions.add(low + at)
                at = same.find(0, at + 1)
    for at in positions:
        target = at + 4 + int.from_bytes(code[at : at + 4], "little", signed=True)
        opcode = at - 1
        if code[opcode] not in _NEAR:
            opcode = at - 2
            if opcode < 0 or code[opcode] != 0x0F or code[opcode + 1] >> 4 != 8:
                continue
        if start < target < end and not start - 4 < at < end + at - opcode:
            found.append((opcode, target + code_address))
    return found


def judge(code: bytes, code_address: int, site: int, found: list[tuple[int, int]], bits: int) -> Verdict:
    """Tell which of the candidates are instructions."""
    verdict = Verdict()
    start = site - code_address
    for position, target in found:
        if start <= position < start + LONGEST + 128:
            share = float(_meets(code, start, position, bits))  # the site is an instruction, and those behind it
            if share == 0 and position >= start + instruction_length(code, start, bits):
                share = min(_share(code, position, bits), _SURE - 0.01)  # there may be data between
        else:
            share = _share(code, position, bits)
        if share >= _SURE:
            verdict.certain.add(target)
        elif share >= _POSSIBLE:
            verdict.possible.add(target)
    verdict.possible -= verdict.certain
    return verdict


def _share(code: bytes, position: int, bits: int) -> float:
    """Return the share of walks that meet an instruction with its opcode at `position`."""
    last = position - _RUN_UP
    if last < 0:
        return _POSSIBLE  # nothing to walk through
    starts = range(last, max(last - _WALKS, -1), -1)
    return sum(_meets(code, start, position, bits) for start in starts) / len(starts)


def _meets(code: bytes, start: int, position: int, bits: int) -> bool:
    """Walk from `start`; tell whether an instruction begins at `position`, or with prefixes before it."""
    at = start
    while at < position:
        length = instruction_length(code, at, bits)
        if at + length > position:
            return all(byte in LEGACY_PREFIXES or (bits == 64 and byte >> 4 == 4) for byte in code[at:position])
        at += length or 1
    return at == position
