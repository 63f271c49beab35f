"""What code can be proven to be: instructions found by walking through functions that the file itself names.

Functions come from symbols, unwind information, the entry point and the PLT. A function is walked through from its
start, and what is met before the first byte that is no instruction counts as proven, because compilers and assemblers
put nothing but instructions between a function's start and there. The same walk collects where branches lead. What
lies between functions is walked through too, to know of branches and to count what is left, and proves nothing.
"""

from __future__ import annotations

from bisect import bisect_left

from lbw.abi.x86 import LEGACY_PREFIXES
from lbw.faults.lengths import instruction_length
from lbw.faults.rewrite_functions import Functions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.faults.rewrite_image import Code, ElfImage

#: Kinds of first bytes.
_PLAIN, _PREFIX, _SHORT, _NEAR, _TWO, _INT = range(6)
_OVERRIDES = frozenset(b"\x64\x65")


def _kinds(bits: int) -> list[int]:
    kinds = [_PLAIN] * 256
    for byte in LEGACY_PREFIXES:
        kinds[byte] = _PREFIX
    for byte in range(0x40, 0x50) if bits == 64 else ():
        kinds[byte] = _PREFIX
    for byte in (*range(0x70, 0x80), 0xEB, *range(0xE0, 0xE4)):
        kinds[byte] = _SHORT
    kinds[0xE8] = kinds[0xE9] = _NEAR
    kinds[0x0F] = _TWO
    kinds[0xCD] = _INT
    return kinds


class Survey:
    """What was found, by virtual address."""

    __slots__ = (
        "_bits", "_kinds", "_starts", "changing", "segments", "syscalls", "targets",
        "unproven", "unproven_syscalls",
    )  # fmt: skip

    def __init__(self, image: ElfImage) -> None:
        """Look through all code of `image`."""
        self._bits = image.bits
        self._kinds = _kinds(image.bits)
        #: Proven instructions with an FS or GS override: address -> bytes; and the others.
        self.segments: dict[int, bytes] = {}
        self.unproven: dict[int, bytes] = {}
        #: Proven `syscall` and `int 0x80` instructions, and the others.
        self.syscalls: set[int] = set()
        self.unproven_syscalls: set[int] = set()
        functions = Functions(image)
        ranges = sorted(functions.ranges, key=lambda pair: (pair[0], -pair[1]))
        #: Where branches lead, or other code may enter.
        self.targets: set[int] = functions.symbols
        #: Words of code that relocation changes, and code that the program may write to: (start, end).
        self.changing: list[tuple[int, int]] = []
        codes = image.codes()
        for _, address in image.relocations():
            if any(code.address - 8 < address < code.end for code in codes):
                self.changing.append((address, address + image.bits // 8))
        for code in codes:
            if code.writable:
                self.changing.append((code.address, code.end))
            self._starts = bytearray(len(code.bytes))
            gaps = self._walk_all(code, ranges)
            for low, high in functions.areas:
                for start, end in gaps:
                    self._walk_gap(code, max(start, low), min(end, high))

    def entered_inside(self, address: int, length: int) -> bool:
        """Tell whether a branch or a symbol leads into an instruction, behind its first byte."""
        targets = self.targets
        return any(inner in targets for inner in range(address + 1, address + length))

    def changes(self, address: int, length: int) -> bool:
        """Tell whether the bytes of an instruction may be others when it runs."""
        return any(address < end and start < address + length for start, end in self.changing)

    def _walk_all(self, code: Code, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Walk through all functions; return what lies between them, or behind what is no instruction."""
        base, limit = code.address, code.end
        begins = sorted({start for start, _ in ranges})
        gaps = []
        done = base  # all before it has been walked through
        for start, end in ranges:
            if not base <= start < limit:
                continue
            if not end:
                following = bisect_left(begins, start + 1)
                end = begins[following] if following < len(begins) else limit
            end = min(end, limit)
            if start < done and self._starts[start - base]:
                start = done  # inside a function that has been walked through
            elif start < done:
                self.targets.add(start)  # two disagree
            if start >= end:
                continue
            if start > done:
                gaps.append((done, start))
            stopped = self._walk(code, start, end, self.segments, self.syscalls)
            if stopped < end:
                gaps.append((stopped, end))
            done = max(done, end)
        gaps.append((done, limit))
        return gaps

    def _walk_gap(self, code: Code, start: int, end: int) -> None:
        while start < end:
            start = self._walk(code, start, end, self.unproven, self.unproven_syscalls) + 1

    def _walk(self, code: Code, start: int, end: int, segments: dict[int, bytes], syscalls: set[int]) -> int:
        """Walk through instructions of [start, end); return where it ended: at `end`, or at what is no instruction."""
        text, base, bits, kinds, starts = code.bytes, code.address, self._bits, self._kinds, self._starts
        at, stop = start - base, end - base
        add = self.targets.add
        while at < stop:
            length = instruction_length(text, at, bits)
            behind = at + length
            if not length or behind > stop:
                return at + base
            starts[at] = 1
            first = at
            kind = kinds[text[at]]
            if kind == _PREFIX:
                first += 1
                while kinds[text[first]] == _PREFIX:
                    first += 1
                if not _OVERRIDES.isdisjoint(text[at:first]):
                    segments[at + base] = text[at:behind]
                kind = kinds[text[first]]
            if kind:
                if kind == _SHORT:
                    add(base + behind + (text[behind - 1] ^ 0x80) - 0x80)
                elif kind == _NEAR or (kind == _TWO and text[first + 1] >> 4 == 8):
                    if behind - first > 4:
                        add(base + behind + int.from_bytes(text[behind - 4 : behind], "little", signed=True))
                elif text[first : first + 2] in (b"\x0f\x05", b"\xcd\x80"):
                    syscalls.add(at + base)
            at = behind
        return end
