"""What a rewritten file says about itself: which fragment belongs to which site.

`lbw rewrite` puts everything into one loaded segment at the end of the file (`lbw.faults.rewrite`): program headers, a
note, a table, an entry stub, fragments. The note is found through PT_NOTE:

    name "lbw", type 1, description: version, layout (32 bits each); offsets in the file: table, its end, fragments,
    their end (64 bits each)

The segment lies in memory as in the file, and so does all code relative to it; so everything is said by offsets. The
table is little-endian words of 32 bits: the numbers n of fragments, m of templates, k of system calls, 0; then n starts
of fragments, as distances from the first; n sites, as signed distances from their fragments; n numbers of templates;
m + 1 offsets of templates in what follows the table; k system call instructions, as signed distances from the first
fragment. Templates follow, in their serialised form.
"""

from __future__ import annotations

from binascii import crc32
from bisect import bisect_right
from struct import Struct, error, unpack_from

from lbw.abi.thread_cell import CELL_DISPLACEMENT, FS_BASE, FS_NEGATIVE, GS_BASE, GS_NEGATIVE, SAVE_0, SAVE_1, TARGET
from lbw.faults.template import Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    #: Return `length` bytes at an offset of the file; fewer only at its end.
    Reader = Callable[[int, int], bytes]

NOTE_NAME, NOTE_TYPE = b"lbw\0", 1
DESCRIPTION = Struct("<IIQQQQ")
#: The form of the table, and what else a rewritten file depends on: the words of the thread cell. `layout` has both.
VERSION = 1
LAYOUT = crc32(
    repr((VERSION, CELL_DISPLACEMENT, FS_BASE, GS_BASE, FS_NEGATIVE, GS_NEGATIVE, SAVE_0, SAVE_1, TARGET)).encode()
)

_PT_NOTE = 4


class RewrittenImage:
    """The fragments of a rewritten file."""

    start: int  # offsets in the file of the first fragment, and of the end of the last
    end: int

    __slots__ = ("_distances", "_indices", "_read", "_starts", "_templates", "_texts", "end", "start", "syscalls")

    def __init__(self, description: bytes, read: Reader) -> None:
        """Read the table.  ValueError: it is damaged, or of another version"""
        version, layout, table, table_end, self.start, self.end = DESCRIPTION.unpack(description)
        if (version, layout) != (VERSION, LAYOUT):
            raise ValueError("rewritten by another version of lbw")
        raw = read(table, table_end - table)
        try:
            count, templates, syscalls, _ = unpack_from("<4I", raw)
            self._starts: tuple[int, ...] = unpack_from(f"<{count}I", raw, 16)
            self._distances: tuple[int, ...] = unpack_from(f"<{count}i", raw, 16 + 4 * count)
            self._indices: tuple[int, ...] = unpack_from(f"<{count}I", raw, 16 + 8 * count)
            at = 16 + 12 * count
            ends = unpack_from(f"<{templates + 1}I", raw, at)
            at += 4 * templates + 4
            #: Offsets of system call instructions relative to the first fragment.
            self.syscalls: tuple[int, ...] = unpack_from(f"<{syscalls}i", raw, at)
            at += 4 * syscalls
            self._texts = [raw[at + ends[i] : at + ends[i + 1]] for i in range(templates)]
        except error as damage:
            raise ValueError("the table is cut short") from damage
        self._templates: dict[int, Template] = {}

    def find(self, address: int, base: int) -> tuple[int, Template, int] | None:
        """Return (start of the fragment, template, site) for an address in the segment, None if no fragment is there.

        `base`: where the segment's mapping has offset 0 of the file, that is its address minus its offset.
        """
        offset = address - base
        if not self.start <= offset < self.end:
            return None
        index = bisect_right(self._starts, offset - self.start) - 1
        if index < 0:
            return None
        fragment = base + self.start + self._starts[index]
        try:
            template = self._template(index)
        except (ValueError, IndexError):  # damaged
            return None
        if address >= fragment + template.size:
            return None
        return fragment, template, fragment + self._distances[index]

    def covers(self, page: int, base: int) -> bool:
        """Tell whether fragments lie in the page at address `page`; `base` as for `find`."""
        offset = page - base
        return self.start < offset + 4096 and offset < self.end

    def __iter__(self) -> Iterator[tuple[int, int, Template, int]]:
        """Yield (start, end, template, site) of all fragments, for base 0."""
        for index, start in enumerate(self._starts):
            template = self._template(index)
            fragment = self.start + start
            yield fragment, fragment + template.size, template, fragment + self._distances[index]

    def _template(self, index: int) -> Template:
        number = self._indices[index]
        template = self._templates.get(number)
        if template is None:
            template = self._templates[number] = Template.from_bytes(self._texts[number])
        return template


def read_image(read: Reader) -> RewrittenImage | None:
    """Return what the file behind `read` says; None: it is not rewritten, or in a way that is not understood."""
    try:
        found = description(read)
        return RewrittenImage(found, read) if found is not None else None
    except (ValueError, error):
        return None


def description(read: Reader) -> bytes | None:
    """Return the description of the note of the file, None if it has none.  struct.error: damaged headers"""
    head = read(0, 64)
    if head[:4] != b"\x7fELF" or len(head) < 52:
        return None
    if head[4] == 2:
        (table,), (size, count) = unpack_from("<Q", head, 32), unpack_from("<HH", head, 54)
        fields = Struct("<I4xQ16xQ16x")
    else:
        (table,), (size, count) = unpack_from("<I", head, 28), unpack_from("<HH", head, 42)
        fields = Struct("<II8xI12x")
    if size != fields.size:
        return None
    headers = read(table, size * count)
    for kind, offset, length in fields.iter_unpack(headers[: len(headers) // size * size]):
        if kind == _PT_NOTE and length == NOTE_SIZE:
            note = read(offset, length)
            if note[:16] == _NOTE_HEAD:
                return note[16:]
    return None


_NOTE_HEAD = Struct("<III4s").pack(4, DESCRIPTION.size, NOTE_TYPE, NOTE_NAME)
NOTE_SIZE = len(_NOTE_HEAD) + DESCRIPTION.size


def make_note(table: int, table_end: int, fragments: int, fragments_end: int) -> bytes:
    """Return the note."""
    return _NOTE_HEAD + DESCRIPTION.pack(VERSION, LAYOUT, table, table_end, fragments, fragments_end)


def make_table(fragments: list[tuple[int, int, bytes]], syscalls: list[int]) -> bytes:
    """Return the table.

    `fragments`: (start, site, serialised template), ascending; they and `syscalls` relative to the first fragment.
    """
    numbers: dict[bytes, int] = {}
    indices = [numbers.setdefault(template, len(numbers)) for _, _, template in fragments]
    ends = [0]
    for template in numbers:
        ends.append(ends[-1] + len(template))
    count = len(fragments)
    return b"".join((
        Struct("<4I").pack(count, len(numbers), len(syscalls), 0),
        Struct(f"<{count}I").pack(*[start for start, _, _ in fragments]),
        Struct(f"<{count}i").pack(*[site - start for start, site, _ in fragments]),
        Struct(f"<{count}I").pack(*indices),
        Struct(f"<{len(ends)}I").pack(*ends),
        Struct(f"<{len(syscalls)}i").pack(*syscalls),
        *numbers,
    ))  # fmt: skip
