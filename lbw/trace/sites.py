"""Segment accesses as text: the instruction and what was written over it, beside its fragment.

    /usr/lib/x86_64-linux-gnu/libc.so.6
    0x9d1c3 malloc+0x43 at 0x7ffe38074153: patched, 1 trap
        64 48 8b 03       mov rax, qword ptr fs:[rbx]   7ffdb82e4000  48 89 04 25 20 f0 ff ff   mov qword ptr [...
        e9 a8 01 27 [80]  jmp 0x7ffdb82e4000            ...

Bytes in brackets are those of the next instructions that a punned jump uses. Addresses in the thread cell are named.
"""

from __future__ import annotations

import json

from lbw.abi.thread_cell import (
    CELL_32,
    CELL_64,
    CELL_DISPLACEMENT,
    FS_BASE,
    FS_NEGATIVE,
    GS_BASE,
    GS_NEGATIVE,
    SAVE_0,
    SAVE_1,
    TARGET,
)
from lbw.faults.site import PATCHED, PUNNED, REDIRECTED, STEPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from lbw.machine.sites import SegmentSite

KINDS = (PATCHED, PUNNED, REDIRECTED, STEPPED)
_COLOURS = {PATCHED: "green", PUNNED: "cyan", REDIRECTED: "yellow", STEPPED: "red"}
_WORDS = {
    FS_BASE: "FS_BASE", GS_BASE: "GS_BASE", FS_NEGATIVE: "-FS_BASE", GS_NEGATIVE: "-GS_BASE",
    SAVE_0: "SAVE_0", SAVE_1: "SAVE_1", TARGET: "TARGET",
}  # fmt: skip
#: How capstone spells the address of a word of the cell.
_SPELLINGS = [
    (f"[{spelling}]", f"[cell {name}]")
    for offset, name in _WORDS.items()
    for spelling in (
        f"{CELL_64 + offset:#x}", f"{CELL_32 + offset:#x}", f"-{(1 << 32) - CELL_DISPLACEMENT - offset:#x}",
    )
]  # fmt: skip

Row = tuple[str, str, str, str, str]


def heading(sites: Sequence[SegmentSite]) -> str:
    """Return a line that sums up."""
    parts = []
    for kind in KINDS:
        number = sum(site.kind == kind for site in sites)
        if number:
            parts.append(f"{number:,} {kind}")
    line = f"{_counted(len(sites), 'site')}, {_counted(sum(site.traps for site in sites), 'trap')}"
    return f"{line}: {', '.join(parts)}" if parts else line


def title(site: SegmentSite) -> str:
    """Return the first line of a site."""
    name = f" {site.symbol}" if site.symbol else ""
    why = f" ({site.reason})" if site.reason else ""
    return f"{site.offset:#x}{name} at {site.address:#x}: {site.kind}{why}, {_counted(site.traps, 'trap')}"


def rows(site: SegmentSite) -> list[Row]:
    """Return lines in columns: bytes and text on the left, address, bytes and text of the fragment on the right.

    On the left is what the instructions of the fragment stand for, and below the first what is written over it.
    """
    table: list[list[str]] = []
    ends = [*(at for at, _, _ in site.steps), len(site.fragment_code)][1:]
    for (at, original, code), end in zip(site.steps, ends, strict=True):
        left = instruction(code, original, site.bits) if code else ("", "")
        for text in _part(site.fragment_code[at:end], site.fragment + at, site.bits):
            table.append([*left, *text])
            left = ("", "")
    if not table:
        table.append([*instruction(site.code, site.address, site.bits), "", "", ""])
    if site.patch and site.fragment:  # else the file is gone, and the fragment with it
        overlap = f" [{site.overlap.hex(' ')}]" if site.overlap else ""
        table[1][:2] = site.patch.hex(" ") + overlap, f"jmp {site.fragment:#x}"
    return [(a, b, c, d, e) for a, b, c, d, e in table]


def _part(code: bytes, address: int, bits: int) -> Iterator[tuple[str, str, str]]:
    """Yield the instructions of a part of a fragment, and the address that may lie behind a jump."""
    while code:
        text, name = instruction(code, address, bits)
        yield f"{address:x}", text, name
        length = len(bytes.fromhex(text))
        code, address = code[length:], address + length
        if bits == 64 and len(code) == 8 and name.startswith("jmp"):
            yield f"{address:x}", code.hex(" "), f"address {int.from_bytes(code, 'little'):#x}"
            return


def instruction(code: bytes, address: int, bits: int) -> tuple[str, str]:
    """Return bytes and text of an instruction."""
    (_, text, name), *_ = disassembly(code, address, bits)
    return text, name


def disassembly(code: bytes, address: int, bits: int) -> list[tuple[int, str, str]]:
    """Return address, bytes and text of each instruction."""
    from lbw.faults.disassembler import disassembler

    result = []
    position = 0
    for instruction in disassembler(bits).disasm(code, address):
        text = f"{instruction.mnemonic} {instruction.op_str}".rstrip()
        for spelling, name in _SPELLINGS:
            text = text.replace(spelling, name)
        result.append((instruction.address, instruction.bytes.hex(" "), text))
        position += instruction.size
    if position < len(code):
        result.append((address + position, code[position:].hex(" "), "?"))
    return result


def write_text(sites: Sequence[SegmentSite], stream: TextIO) -> None:
    """Print all sites for people, in colours on a terminal."""
    lines = list(_lines(sites))
    if not stream.isatty():
        stream.writelines(f"{line}\n" for line, _ in lines)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream)
    for line, style in lines:
        console.print(Text(line, style=style), soft_wrap=True)


def write_json(sites: Sequence[SegmentSite], stream: TextIO) -> None:
    """Print all sites for programs: an array with an object for each."""
    json.dump([site.as_dict() for site in sites], stream, indent=1)
    stream.write("\n")


def _lines(sites: Sequence[SegmentSite]) -> Iterator[tuple[str, str]]:
    """Yield lines and how they are to look."""
    path = None
    for site in sites:
        table = rows(site)
        widths = [max(len(row[column]) for row in table) for column in range(4)]
        if site.path != path:
            path = site.path
            yield "", ""
            yield path or "memory of no file", "bold"
        yield title(site), _COLOURS[site.kind]
        for row in table:
            *columns, last = (f"{text:<{width}}" for text, width in zip(row, (*widths, 0), strict=True))
            yield f"    {'  '.join((*columns, last))}".rstrip(), ""
    if sites:
        yield "", ""
    yield heading(sites), "bold"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
