"""Superblocks: a fragment that goes on with copies of the instructions behind its site.

A jump out of a page costs the processor a look into its table of translated blocks, and a block that ends early costs
its own prologue: a fragment that only does the work of one instruction and jumps back pays both twice. Memory for
`malloc`, say, is got in 20 instructions of which three go through FS. So a fragment continues with what follows the
site, translated where it goes through a segment and copied where it does not, along direct branches within the page,
until a return, a call, an instruction that is best left where it is, or the limit. Then it jumps to the original.

Nothing is moved: the originals stay, so whoever jumps to one of them finds it. What is copied does not depend on its
own address (a displacement relative to RIP is corrected, a call pushes the original return address), and raises only
exceptions that the engine can tell without looking at the code. For each instruction of the copy it is known which
original it stands for: a trap in the middle shows that, with nothing to restore.

Only bytes of the site's own page are copied. They change together with the patch: the page is shown with all its
patches, or without any.
"""

from __future__ import annotations

from bisect import bisect_right

from lbw.abi.x86 import LEGACY_PREFIXES
from lbw.faults.lengths import instruction_length
from lbw.faults.template import SITE, Recovery

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.faults.template import Template

    Translate = Callable[[bytes, int], Template | None]

#: At most so many instructions, and bytes.
INSTRUCTIONS, BYTES = 64, 1200

_AT_ORIGINAL = Recovery(SITE, (), ())

#: What may be copied as it is, by opcode: 0 no, 1 yes, 2 yes and nothing follows.
_COPY, _LAST = 1, 2

#: Kinds of parts: nothing depends on the place; a branch, which may stay in the superblock; a call, which may not; an
#: operand relative to RIP; an instruction that goes through a segment.
FIXED, BRANCH, CALL, RELATIVE, ACCESS = range(5)


def _allowed(copied: str, last: str = "") -> bytes:
    table = bytearray(256)
    for kind, text in ((_COPY, copied), (_LAST, last)):
        for word in text.split():
            first, _, end = word.partition("-")
            for opcode in range(int(first, 16), int(end or first, 16) + 1):
                table[opcode] = kind
    return bytes(table)


# Left out: whatever ends in a trap by its nature, far transfers, segment registers, x87 and what the engine may lack.
_ONE = _allowed(
    "00-05 08-0d 10-15 18-1d 20-25 28-2d 30-35 38-3d 50-5f 63 68-6b 80-8b 8d 8f 90-99 a0-af b0-bf c0 c1 c6 c7 c9 d0-d3 "
    "f5-f9 fc-ff",
    "c2 c3",
)
_ONE_32 = _allowed("40-4f")
_TWO = _allowed("10-17 18 1e 1f 28-2f 40-76 7e 7f 90-9f a3-a5 ab-ad af b0 b1 b3 b6 b7 ba-bf c0-c2 c4-c6 c8-cf d0-fe")
#: ModRM.reg values that are meant, for opcodes where the others mean something else.
_FIELDS = {0x8F: 1, 0xC6: 1, 0xC7: 1, 0xFE: 0b11, 0xFF: 0b1010011}
_JUMP_INDIRECT = 4
#: 0F C8 and the next seven have no ModRM.
_SWAP = 0xC8 >> 3
_CHANGE_BRANCHES = frozenset((0x66, 0x67, 0xF2, 0xF3))
_HAVE_MODRM = frozenset((
    *(row + column for row in range(0, 0x40, 8) for column in range(4)), 0x63, 0x69, 0x6B, *range(0x80, 0x90),
    0xC0, 0xC1, 0xC6, 0xC7, *range(0xD0, 0xD4), 0xF6, 0xF7, 0xFE, 0xFF,
))  # fmt: skip


class Part:
    """An instruction of a superblock."""

    __slots__ = ("branch", "code", "field", "kind", "length", "offset", "original", "template")

    def __init__(self, kind: int, original: int, length: int, code: bytes, field: int = 0, branch: int = 0) -> None:
        self.kind = kind
        self.original = original  # address of the instruction that it stands for
        self.length = length  # and its length; 0: it is only a jump to the next one
        self.code = code
        self.field = field  # where in `code` 32 bits are that depend on the place ...
        self.branch = branch  # ... and where they lead to, an address of the original
        self.offset = 0  # within the superblock
        self.template: Template | None = None


class Superblock:
    """The code of a fragment, and what each byte of it stands for."""

    __slots__ = ("_offsets", "_parts", "_wide", "size")

    def __init__(self, parts: list[Part], bits: int) -> None:
        self._wide = bits == 64
        self._parts = parts
        self._offsets: list[int] = []
        offset = 0
        for part in parts:
            part.offset = offset
            self._offsets.append(offset)
            offset += len(part.code)
        self.size = offset

    def place(self, address: int) -> bytes:
        """Return the code, to lie at `address`.  OverflowError: what it leads to is out of reach"""
        inside = {part.original: address + part.offset for part in self._parts if part.length}
        pieces = []
        for part in self._parts:
            code, here, kind = part.code, address + part.offset, part.kind
            if kind == ACCESS:
                assert part.template is not None
                code = part.template.place(here, part.original)[: len(code)]
            elif kind != FIXED:
                target, field = part.branch, part.field
                if kind == BRANCH:
                    target = inside.get(target, target)
                distance = target - here - (len(code) if kind == RELATIVE else field + 4)
                if not self._wide:
                    distance = (distance + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
                code = code[:field] + distance.to_bytes(4, "little", signed=True) + code[field + 4 :]
            pieces.append(code)
        return b"".join(pieces)

    def locate(self, offset: int) -> tuple[Recovery, int, int] | None:
        """Return how to recover at `offset`, and the address and length of the original; None: it is in the middle."""
        part = self._parts[bisect_right(self._offsets, offset) - 1]
        inner = offset - part.offset
        if part.template is not None:
            recovery = part.template.recover(inner)
            return None if recovery is None else (recovery, part.original, part.length)
        if not inner:
            return _AT_ORIGINAL, part.original, part.length
        if part.kind in (CALL, BRANCH) and inner == part.field - 1:  # the return address is pushed, or the branch taken
            return _AT_ORIGINAL, part.branch, 0
        return None

    def begins(self, offset: int) -> bool:
        """Tell whether an original instruction other than the site begins at `offset`."""
        at = bisect_right(self._offsets, offset) - 1
        return at > 0 and self._offsets[at] == offset


class _Builder:
    """What `build` needs to know."""

    def __init__(self, page: bytes, page_address: int, bits: int, translate: Translate) -> None:
        self.page = page
        self.start = page_address
        self.bits = bits
        self.translate = translate

    def contains(self, address: int) -> bool:
        """Tell whether the page contains `address`."""
        return 0 <= address - self.start < len(self.page)

    def part(self, address: int) -> tuple[Part, bool] | None:
        """Return the copy of the instruction at `address`, and whether the next one follows; None: do not copy it."""
        code, at, wide = self.page, address - self.start, self.bits == 64
        length = instruction_length(code, at, self.bits)
        if not length:
            return None
        opcode_at = at
        prefixed = False  # by what changes branches
        while True:
            opcode = code[opcode_at]
            if opcode in LEGACY_PREFIXES:
                if opcode == 0x64 or opcode == 0x65:
                    return self.access(address, code[at : at + length])
                prefixed |= opcode in _CHANGE_BRANCHES
            elif not wide or opcode >> 4 != 4:
                break
            opcode_at += 1
        end = at + length
        if opcode == 0x0F:
            opcode = code[opcode_at + 1]
            if opcode >> 4 == 8 and not prefixed:
                return self.conditional(address, length, opcode, self.target(end, 4)), True
            if not _TWO[opcode]:
                return None
            return self.copy(address, length, opcode_at + 2 if opcode >> 3 != _SWAP else 0)
        if opcode >> 4 == 7 and not prefixed:
            return self.conditional(address, length, opcode, self.target(end, 1)), True
        if (opcode == 0xE8 or opcode == 0xE9 or opcode == 0xEB) and not prefixed:
            return self.transfer(address, length, opcode, end), False
        kind = _ONE[opcode] or (0 if wide else _ONE_32[opcode])
        if not kind:
            return None
        field = code[opcode_at + 1] >> 3 & 7 if opcode in _FIELDS else 0
        if opcode in _FIELDS and not _FIELDS[opcode] >> field & 1:
            return None
        if kind == _LAST or (opcode == 0xFF and field == _JUMP_INDIRECT):
            if prefixed and code[at] != 0xF3:  # `rep ret` is what compilers write
                return None
            found = self.copy(address, length, opcode_at + 1 if opcode == 0xFF else 0)
            return None if found is None else (found[0], False)
        return self.copy(address, length, opcode_at + 1 if opcode in _HAVE_MODRM else 0)

    def copy(self, address: int, length: int, modrm_at: int) -> tuple[Part, bool] | None:
        """Return the instruction as it is; `modrm_at`: where its ModRM is in the page, 0 if it has none."""
        page, at = self.page, address - self.start
        code = page[at : at + length]
        if not modrm_at or self.bits == 32 or page[modrm_at] & 0xC7 != 5:
            return Part(FIXED, address, length, code), True
        if 0x67 in page[at:modrm_at]:
            return None
        field = modrm_at + 1 - at
        target = address + length + int.from_bytes(code[field : field + 4], "little", signed=True)
        return Part(RELATIVE, address, length, code, field, target), True

    def access(self, address: int, code: bytes) -> tuple[Part, bool] | None:
        """Return the translation of an instruction that goes through a segment."""
        template = self.translate(code, self.bits)
        if template is None or template.length != len(code):
            return None
        part = Part(ACCESS, address, len(code), bytes(template.size - 5 if template.falls else template.size))
        part.template = template
        return part, template.falls

    def target(self, end: int, size: int) -> int:
        """Return where the branch leads whose displacement ends at `end` in the page."""
        target = self.start + end + int.from_bytes(self.page[end - size : end], "little", signed=True)
        return target if self.bits == 64 else target & 0xFFFF_FFFF

    def conditional(self, address: int, length: int, opcode: int, target: int) -> Part:
        """Return a conditional branch; in 32-bit code around a jump, because Unicorn cuts only those to 32 bits."""
        if self.bits == 64:
            return Part(BRANCH, address, length, bytes((0x0F, 0x80 | opcode & 15, 0, 0, 0, 0)), 2, target)
        return Part(BRANCH, address, length, bytes((0x70 | opcode & 15 ^ 1, 5, 0xE9, 0, 0, 0, 0)), 3, target)

    def transfer(self, address: int, length: int, opcode: int, end: int) -> Part:
        """Return a jump, or a call as what it does: push the return address and jump."""
        target, back = self.target(end, 1 if opcode == 0xEB else 4), address + length
        if opcode != 0xE8:
            return Part(BRANCH, address, length, b"\xe9\0\0\0\0", 1, target)
        if self.bits == 64:  # push [rip + 5]; jmp; the constant
            code = b"\xff\x35\5\0\0\0\xe9\0\0\0\0" + back.to_bytes(8, "little")
            return Part(CALL, address, length, code, 7, target)
        return Part(CALL, address, length, b"\x68" + back.to_bytes(4, "little") + b"\xe9\0\0\0\0", 6, target)


def build(first: Template, site: int, page: bytes, page_address: int, bits: int, translate: Translate) -> Superblock:
    """Return the superblock that begins with the instruction at `site`, whose translation is `first`.

    `page` are the original bytes of its page. `translate` gives the translations of other instructions in it.
    """
    builder = _Builder(page, page_address, bits, translate)
    parts: list[Part] = []
    seen: set[int] = set()
    waiting: list[int] = []
    part = Part(ACCESS, site, first.length, bytes(first.size - 5 if first.falls else first.size))
    part.template = first
    follows, size = first.falls, 0
    while True:
        parts.append(part)
        seen.add(part.original)
        size += len(part.code)
        if part.kind == BRANCH:
            waiting.append(part.branch)
        address, found = part.original + part.length, None
        room = len(parts) < INSTRUCTIONS and size < BYTES
        if follows:
            if room and address not in seen and builder.contains(address):
                found = builder.part(address)
            if found is None:
                parts.append(Part(BRANCH, address, 0, b"\xe9\0\0\0\0", 1, address))
                size += 5
        while found is None and room and waiting:
            address = waiting.pop()
            if address not in seen and builder.contains(address):
                found = builder.part(address)
        if found is None:
            return Superblock(parts, bits)
        part, follows = found
