"""An ELF file as `lbw rewrite` sees it: headers, segments, the dynamic section.  System V ABI, chapters 4 and 5

What is read here is also written, so it is not pyelftools that reads it.
"""

from __future__ import annotations

from struct import Struct

from lbw.errors import RewriteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_PHDR = 1, 2, 4, 6
PF_X, PF_W = 1, 2
ET_EXEC, ET_DYN = 2, 3
DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_INIT, DT_SONAME = 2, 7, 8, 12, 14
DT_REL, DT_RELSZ, DT_JMPREL = 17, 18, 23
_MACHINES = {62: 64, 3: 32}

EHDR = {64: Struct("<16sHHIQQQIHHHHHH"), 32: Struct("<16sHHIIIIIHHHHHH")}
PHDR = {64: Struct("<IIQQQQQQ"), 32: Struct("<IIIIIIII")}


class Segment:
    """A program header."""

    __slots__ = ("align", "filesz", "flags", "memsz", "offset", "paddr", "type", "vaddr")

    def __init__(
        self, type: int, flags: int, offset: int, vaddr: int, paddr: int, filesz: int, memsz: int, align: int
    ) -> None:
        self.type = type
        self.flags = flags
        self.offset = offset
        self.vaddr = vaddr
        self.paddr = paddr
        self.filesz = filesz
        self.memsz = memsz
        self.align = align

    def pack(self, bits: int) -> bytes:
        """Return the entry of the program header table."""
        rest = (self.offset, self.vaddr, self.paddr, self.filesz, self.memsz)
        if bits == 64:
            return PHDR[64].pack(self.type, self.flags, *rest, self.align)
        return PHDR[32].pack(self.type, *rest, self.flags, self.align)


class Code:
    """An executable segment."""

    __slots__ = ("address", "bytes", "end", "writable")

    def __init__(self, address: int, code: bytes, writable: bool) -> None:
        self.address = address
        self.writable = writable
        self.bytes = code
        self.end = address + len(code)


class ElfImage:
    """A program or a shared library for x86-64 or i386."""

    __slots__ = ("bits", "data", "entry", "header", "segments", "type")

    def __init__(self, data: bytes) -> None:
        """Read the headers.  RewriteError: it is no such file"""
        if data[:4] != b"\x7fELF":
            raise RewriteError("not an ELF file")
        if len(data) < 52 or data[4] not in (1, 2) or data[5] != 1:
            raise RewriteError("not a little-endian ELF file of 32 or 64 bits")
        self.data = data
        self.bits = bits = 64 if data[4] == 2 else 32
        if len(data) < EHDR[bits].size:
            raise RewriteError("it is cut short")
        self.header = EHDR[bits].unpack_from(data)
        _, self.type, machine, _, self.entry, phoff, *_ = self.header
        if _MACHINES.get(machine) != bits:
            raise RewriteError("it is not built for x86-64 or i386")
        if self.type not in (ET_EXEC, ET_DYN):
            raise RewriteError("neither a program nor a shared library: link it first")
        size, count = self.header[9:11]
        if size != PHDR[bits].size or not count or phoff + count * size > len(data):
            raise RewriteError("it has damaged program headers")
        self.segments = []
        for fields in PHDR[bits].iter_unpack(data[phoff : phoff + count * size]):
            if bits == 64:
                self.segments.append(Segment(*fields))
            else:
                kind, offset, vaddr, paddr, filesz, memsz, flags, align = fields
                self.segments.append(Segment(kind, flags, offset, vaddr, paddr, filesz, memsz, align))
        for segment in self.loads:
            if segment.offset + segment.filesz > len(data) or segment.filesz > segment.memsz:
                raise RewriteError("it is cut short, or has damaged program headers")
        if not self.loads:
            raise RewriteError("it has nothing to load")

    @property
    def loads(self) -> list[Segment]:
        """The segments that are loaded."""
        return [segment for segment in self.segments if segment.type == PT_LOAD]

    @property
    def position_independent(self) -> bool:
        """Whether addresses are relative to where it is loaded."""
        return bool(self.type == ET_DYN)

    def codes(self) -> list[Code]:
        """Return the executable segments."""
        return [
            Code(
                segment.vaddr, self.data[segment.offset : segment.offset + segment.filesz], bool(segment.flags & PF_W)
            )
            for segment in self.loads
            if segment.flags & PF_X and segment.filesz
        ]

    def offset(self, address: int) -> int | None:
        """Return where the byte at a virtual address is in the file."""
        for segment in self.loads:
            if segment.vaddr <= address < segment.vaddr + segment.filesz:
                return address - segment.vaddr + segment.offset
        return None

    def notes(self) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield (name, type, description) of the notes in PT_NOTE segments; damaged ones end the list."""
        for segment in self.segments:
            if segment.type != PT_NOTE:
                continue
            area = self.data[segment.offset : segment.offset + segment.filesz]
            step = 8 if segment.align == 8 else 4
            at = 0
            while at + 12 <= len(area):
                names, size, kind = Struct("<III").unpack_from(area, at)
                start = at + 12 + (names + 3 & -4)
                start = start + step - 1 & -step
                if start + size > len(area):
                    break
                yield area[at + 12 : at + 12 + names], kind, area[start : start + size]
                at = start + size + step - 1 & -step

    def dynamic(self) -> dict[int, int]:
        """Return the dynamic section, the first value of each tag."""
        return {tag: value for _, tag, value in reversed([*self.dynamic_entries()])}

    def dynamic_entries(self) -> Iterator[tuple[int, int, int]]:
        """Yield (offset in the file, tag, value) of the dynamic section, trailing DT_NULLs included."""
        for segment in self.segments:
            if segment.type == PT_DYNAMIC:
                form = Struct("<QQ" if self.bits == 64 else "<II")
                count = min(segment.filesz, len(self.data) - segment.offset) // form.size
                for number in range(count):
                    at = segment.offset + number * form.size
                    yield at, *form.unpack_from(self.data, at)

    def relocations(self) -> Iterator[tuple[int, int]]:
        """Yield (position of the entry in the file, address it changes) of the dynamic relocations."""
        dynamic = self.dynamic()
        size = 24 if self.bits == 64 else 8
        main = (DT_RELA, DT_RELASZ) if self.bits == 64 else (DT_REL, DT_RELSZ)
        for start, length in (main, (DT_JMPREL, DT_PLTRELSZ)):
            at = self.offset(dynamic[start]) if start in dynamic else None
            if at is None:
                continue
            word = self.bits // 8
            for position in range(at, min(at + dynamic.get(length, 0), len(self.data)) - size + 1, size):
                yield position, int.from_bytes(self.data[position : position + word], "little")
