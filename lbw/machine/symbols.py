"""Names of functions in an ELF file, by offset in the file."""

from __future__ import annotations

from bisect import bisect_right
from struct import Struct
from struct import error as StructError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

_SYMBOL_64, _SYMBOL_32 = Struct("<IBBHQQ"), Struct("<IIIBBH")
#: Types of symbols that name code: STT_NOTYPE (assembly has these), STT_FUNC, STT_GNU_IFUNC.
_CODE = frozenset((0, 2, 10))


class Symbols:
    """The functions of a file; none if it has no symbols, or is damaged."""

    def __init__(self, data: bytes) -> None:
        self._segments: list[tuple[int, int, int]] = []  # offset, its end, address - offset
        self._functions: list[tuple[int, int, str]] = []  # address, its end, name
        from io import BytesIO

        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile

        try:
            self._read(ELFFile(BytesIO(data)))
        except (ELFError, StructError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
            self._functions.clear()
        self._functions.sort()

    def name(self, offset: int) -> str:
        """Return "function+0x12" for an offset in the file; "": no function is there."""
        for start, end, distance in self._segments:
            if start <= offset < end:
                address = offset + distance
                break
        else:
            return ""
        index = bisect_right(self._functions, (address, 1 << 64, "")) - 1
        if index < 0:
            return ""
        start, end, name = self._functions[index]
        return f"{name}+{address - start:#x}" if address < end else ""

    def _read(self, elf: ELFFile) -> None:
        for segment in elf.iter_segments("PT_LOAD"):
            offset = segment["p_offset"]
            self._segments.append((offset, offset + segment["p_filesz"], segment["p_vaddr"] - offset))
        section = elf.get_section_by_name(".symtab") or elf.get_section_by_name(".dynsym")
        if section is None:
            return
        names = elf.get_section(section["sh_link"]).data()
        data = section.data()
        wide = elf.elfclass == 64
        layout = _SYMBOL_64 if wide else _SYMBOL_32
        for fields in layout.iter_unpack(data[: len(data) // layout.size * layout.size]):
            name, info, index, value, size = (
                (fields[0], fields[1], fields[3], fields[4], fields[5]) if wide
                else (fields[0], fields[3], fields[5], fields[1], fields[2])
            )  # fmt: skip
            if info & 15 in _CODE and index and value and name < len(names):
                text = names[name : names.index(b"\0", name)].decode(errors="replace")
                if text:
                    self._functions.append((value, value + (size or 16), text))
