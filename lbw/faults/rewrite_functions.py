"""Where functions are, as sections say: symbols, unwind information, the procedure linkage table.

Sections may be missing, damaged or wrong; nothing here is believed without a look at the code. What is damaged is left
out.
"""

from __future__ import annotations

from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.faults.rewrite_image import ElfImage

_SECTION = {64: Struct("<IIQQQQIIQQ"), 32: Struct("<10I")}
_SYMBOL = {64: Struct("<IBBHQQ"), 32: Struct("<IIIBBH")}
_SHT_PROGBITS, _SHT_SYMTAB, _SHT_DYNSYM = 1, 2, 11
_SHF_EXECINSTR = 4
_SHN_LORESERVE = 0xFF00
_STT_NOTYPE, _STT_FUNC, _STT_GNU_IFUNC = 0, 2, 10


class Section:
    """A section header."""

    __slots__ = ("address", "flags", "name", "offset", "size", "type")

    def __init__(self, name: bytes, type: int, flags: int, address: int, offset: int, size: int) -> None:
        self.name = name
        self.type = type
        self.flags = flags
        self.address = address
        self.offset = offset
        self.size = size

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + self.size


def read_sections(image: ElfImage) -> list[Section]:
    """Return the sections of the file; none when the table is damaged."""
    form, data = _SECTION[image.bits], image.data
    start, size, count, names = image.header[6], *image.header[11:14]
    if size != form.size or not start or start + size * count > len(data):
        return []
    headers = [*form.iter_unpack(data[start : start + size * count])]
    strings = b""
    if names < count:
        strings = data[headers[names][4] : headers[names][4] + headers[names][5]]
    return [
        Section(strings[name : max(strings.find(b"\0", name), 0)], kind, flags, address, offset, length)
        for name, kind, flags, address, offset, length, *_ in headers
    ]


class Functions:
    """What a file says about its code."""

    __slots__ = ("_image", "areas", "ranges", "symbols")

    def __init__(self, image: ElfImage) -> None:
        self._image = image
        #: (start, end) of functions; end 0 if it is not known.
        self.ranges: set[tuple[int, int]] = {(image.entry, 0)} if image.entry else set()
        #: Addresses of functions and labels.
        self.symbols: set[int] = set()
        #: (start, end) of the sections that have code, by address; without sections, of the segments.
        self.areas: list[tuple[int, int]] = []
        for section in read_sections(image):
            content = image.data[section.offset : section.offset + section.size]
            if section.type in (_SHT_SYMTAB, _SHT_DYNSYM):
                self._read_symbols(content)
            elif section.name == b".eh_frame" and content:
                self._read_frames(content, section.address)
            elif section.type == _SHT_PROGBITS and section.flags & _SHF_EXECINSTR:
                self.areas.append((section.address, section.end))
                if section.name.startswith(b".plt"):
                    self.ranges.add((section.address, section.end))
        self.areas.sort()
        if not self.areas:
            self.areas = [(code.address, code.end) for code in image.codes()]

    def _read_symbols(self, table: bytes) -> None:
        form = _SYMBOL[self._image.bits]
        for fields in form.iter_unpack(table[: len(table) // form.size * form.size]):
            if self._image.bits == 64:
                _, info, _, section, value, length = fields
            else:
                _, value, length, info, _, section = fields
            if not section or section >= _SHN_LORESERVE or not value:
                continue
            if info & 15 in (_STT_FUNC, _STT_GNU_IFUNC):
                self.symbols.add(value)
                self.ranges.add((value, value + length if length else 0))
            elif info & 15 == _STT_NOTYPE:
                self.symbols.add(value)

    def _read_frames(self, content: bytes, address: int) -> None:
        """Add the ranges that unwind information describes."""
        from io import BytesIO

        from elftools.common.exceptions import DWARFError, ELFError
        from elftools.dwarf.callframe import FDE, CallFrameInfo
        from elftools.dwarf.structs import DWARFStructs

        structs = DWARFStructs(little_endian=True, dwarf_format=32, address_size=self._image.bits // 8)
        frames = CallFrameInfo(BytesIO(content), len(content), address, structs, for_eh_frame=True)
        try:
            for entry in frames.get_entries():
                if isinstance(entry, FDE):
                    start = entry["initial_location"]
                    self.ranges.add((start, start + entry["address_range"]))
        except (DWARFError, ELFError):
            pass
        except (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
            pass  # what pyelftools makes of damaged tables
