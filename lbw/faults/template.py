"""Templates: what an instruction becomes, ready to be placed anywhere.

A template follows from the bytes of an instruction and the mode alone. Placing it is joining bytes; what depends on
the place is the jump at the end, and constants which contain the site's address. Fragments and how they recover:

    mov [cell.SAVE_0], rbp      SITE
    mov rbp, [cell.FS_BASE]     SITE
    mov [rbp + 0x28], rax       rbp from SAVE_0, SITE      the main instruction: the point of no return
    mov rbp, [cell.SAVE_0]      rbp from SAVE_0, BEHIND
    jmp behind                  BEHIND

The serialised form is what a template holds, so reading one from the store is slicing: a header of 8 bytes (length and
segment, borrowed registers, counts), the marks (two bytes for each instruction of the fragment: its offset, and how to
recover from there), the constants (2 + 8 bytes each), the code, the mnemonic.
"""

from __future__ import annotations

from struct import Struct

from lbw.abi.thread_cell import FS_NEGATIVE, GS_NEGATIVE, SAVE_0, SAVE_1

#: Where a recovered task goes on: at the site, behind the original instruction, at the address in cell word TARGET.
SITE, BEHIND, TARGET = range(3)

#: In marks, beside the above: which borrowed registers to restore, and whether the implied register is biased.
RESTORE_0, RESTORE_1, BIASED = 4, 8, 16

#: Bits of the first byte, above the length.
_GS, _MODE_64, _FALLS = 0x10, 0x20, 0x40

_HEADER = Struct("<8B")
_CONSTANT = Struct("<BBq")


class Recovery:
    """What to do with a task whose RIP is inside a fragment."""

    __slots__ = ("biases", "restores", "resume")

    def __init__(self, resume: int, restores: tuple[tuple[int, int], ...], biases: tuple[tuple[int, int], ...]) -> None:
        self.resume = resume  # SITE, BEHIND or TARGET
        self.restores = restores  # (register number, offset of the cell word to load it from)
        self.biases = biases  # (register number, offset of the cell word to add to it)


class Template:
    """The translation of one instruction."""

    __slots__ = (
        "_code", "_constants", "_raw", "_recoveries", "bits", "falls", "far_size", "length", "mnemonic", "segment",
        "size",
    )  # fmt: skip

    def __init__(self, raw: bytes) -> None:
        """Read the serialised form.  ValueError: it is none."""
        if len(raw) < 8:
            raise ValueError("a template has 8 bytes and more")
        first, _, _, marks, constants, code, name, _ = raw[:8]
        start = 8 + 2 * marks + 10 * constants
        end = start + code
        if end + name != len(raw):
            raise ValueError("a template that is cut off")
        self._raw = raw
        self._recoveries: dict[int, Recovery] | None = None
        self._constants = constants
        self._code = raw[start:end]
        self.falls = falls = bool(first & _FALLS)
        self.mnemonic = raw[end:].decode("ascii")
        self.length = first & 15
        self.segment = 5 if first & _GS else 4
        self.bits = 64 if first & _MODE_64 else 32
        self.size = code + 5 if falls else code
        self.far_size = code + 14 if falls else code

    def place(self, address: int, site: int) -> bytes:
        """Return the fragment for the instruction at `site`, to lie at `address`.

        OverflowError: in 64-bit mode, they are 2 GB or more apart.
        """
        code = self._with_constants(site) if self._constants else self._code
        if not self.falls:
            return code
        distance = site + self.length - address - self.size
        if self.bits == 64:
            return code + b"\xe9" + distance.to_bytes(4, "little", signed=True)
        return code + b"\xe9" + (distance & 0xFFFF_FFFF).to_bytes(4, "little")

    def place_far(self, address: int, site: int) -> bytes:
        """Return a fragment that may lie at any `address`; 64-bit mode only."""
        code = self._with_constants(site) if self._constants else self._code
        if not self.falls:
            return code
        return code + b"\xff\x25\0\0\0\0" + (site + self.length).to_bytes(8, "little")

    def recover(self, offset: int) -> Recovery:
        """Return how to recover when RIP is `offset` bytes into the fragment.

        Where no instruction begins (a program that jumped there itself), that of the instruction around it holds.
        """
        recoveries = self._recoveries
        if recoveries is None:
            recoveries = self._recoveries = self._read_recoveries()
        try:
            return recoveries[offset]
        except KeyError:
            return recoveries[max(start for start in recoveries if start <= max(offset, 0))]

    def boundaries(self) -> list[int]:
        """Return the offsets of all instructions of the fragment."""
        return [*self._raw[8 : 8 + 2 * self._raw[3] : 2]]

    def to_bytes(self) -> bytes:
        """Return the serialised form."""
        return self._raw

    @classmethod
    def from_bytes(cls, raw: bytes) -> Template:
        """Return the template that `to_bytes` gave.  ValueError"""
        return cls(raw)

    def _with_constants(self, site: int) -> bytes:
        code = bytearray(self._code)
        position = 8 + 2 * self._raw[3]
        for _ in range(self._constants):
            offset, width, addend = _CONSTANT.unpack_from(self._raw, position)
            position += 10
            code[offset : offset + width] = (site + addend & (1 << 8 * width) - 1).to_bytes(width, "little")
        return bytes(code)

    def _read_recoveries(self) -> dict[int, Recovery]:
        raw = self._raw
        borrowed, biased = raw[1], raw[2]
        word = GS_NEGATIVE if self.segment == 5 else FS_NEGATIVE
        recoveries = {}
        for position in range(8, 8 + 2 * raw[3], 2):
            mark = raw[position + 1]
            restores = []
            if mark & RESTORE_0:
                restores.append((borrowed & 15, SAVE_0))
            if mark & RESTORE_1:
                restores.append((borrowed >> 4, SAVE_1))
            biases = ((biased, word),) if mark & BIASED else ()
            recoveries[raw[position]] = Recovery(mark & 3, tuple(restores), biases)
        return recoveries


class Fragment:
    """A template in the making."""

    __slots__ = ("_code", "_constants", "_marks", "borrowed")

    def __init__(self) -> None:
        self.borrowed: list[int] = []
        self._code = bytearray()
        self._marks = bytearray()
        self._constants: list[tuple[int, int, int]] = []

    def step(self, code: bytes, recovery: int) -> None:
        """Append an instruction; `recovery` holds when RIP is at its beginning."""
        self._marks += bytes((len(self._code), recovery))
        self._code += code

    def data(self, size: int) -> None:
        """Append `size` bytes that are no instruction."""
        self._code += bytes(size)

    def constant(self, width: int, addend: int) -> None:
        """Make the last `width` bytes the site's address plus `addend`."""
        self._constants.append((len(self._code) - width, width, addend))

    @property
    def size(self) -> int:
        return len(self._code)

    def finish(self, bits: int, length: int, segment: int, mnemonic: str, falls: bool, biased: int = 0) -> Template:
        """Return the template of an instruction of `length` bytes; `falls`: it goes on behind it."""
        if falls:
            self._marks += bytes((len(self._code), BEHIND))
        borrowed = [*self.borrowed, 0, 0]
        first = length | (_GS if segment == 5 else 0) | (_MODE_64 if bits == 64 else 0) | (_FALLS if falls else 0)
        name = mnemonic.encode("ascii", "replace")
        header = _HEADER.pack(
            first, borrowed[0] | borrowed[1] << 4, biased, len(self._marks) >> 1, len(self._constants),
            len(self._code), len(name), 0,
        )  # fmt: skip
        constants = b"".join(_CONSTANT.pack(*constant) for constant in self._constants)
        return Template(header + self._marks + constants + self._code + name)
