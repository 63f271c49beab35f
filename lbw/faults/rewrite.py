"""Ahead of time: what the fault path would do to a file's segment accesses, done in the file.

Proven sites (`lbw.faults.rewrite_survey`) of five bytes or more get a jump to a fragment in a segment that is added
behind the last one. Shorter ones are left: a punned jump leads anywhere within 2 GB, where a file has no room; they
trap and are patched when they run, like everything else that is left. System calls are left as they are too: they trap
by themselves; they are listed in the table.

The new segment begins with the program headers, which have grown by two. Its address minus its offset is that of the
file's first byte, as some programs (ld.so) compute the address of their headers from the offset. So in the file there
is a hole as large as the .bss.

Fragments do not work without lbw. So a rewritten file asks for it first (`lbw.faults.rewrite_stub`): a program at its
entry point; a library in the first IFUNC resolver that relocation calls, which is before any other of its code, else in
its DT_INIT.
"""

from __future__ import annotations

from struct import Struct, pack_into

from lbw.errors import RewriteError
from lbw.faults.rewrite_image import (
    DT_INIT,
    DT_SONAME,
    EHDR,
    ET_DYN,
    PF_X,
    PHDR,
    PT_LOAD,
    PT_NOTE,
    PT_PHDR,
    ElfImage,
    Segment,
)
from lbw.faults.rewrite_stub import stub
from lbw.faults.rewrite_survey import Survey
from lbw.faults.rewritten import NOTE_NAME, NOTE_SIZE, make_note, make_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.faults.template import Template

PAGE = 4096
#: The hole for .bss may be so large; it is made of zeros.
LARGEST_HOLE = 256 << 20

#: Why a site is left.
SHORT = "too short for a jump"
UNTRANSLATED = "no translation"
ENTERED = "a branch may lead into it"
UNPROVEN = "not proven to be code"
CHANGES = "its bytes may change before it runs"
OWN_ADDRESS = "its fragment depends on where it is loaded"

_PT_INTERP = 3
_IRELATIVE = {64: 37, 32: 42}


class RewriteResult:
    """The rewritten file, and what was done. Addresses are those in the file."""

    __slots__ = ("bits", "data", "left", "patched", "syscalls")

    def __init__(
        self, data: bytes, bits: int, patched: list[tuple[int, str]], left: list[tuple[int, str, str]],
        syscalls: list[int],
    ) -> None:  # fmt: skip
        self.data: bytes = data  # the file that was given, when there was nothing to patch
        self.bits: int = bits  # 64 or 32
        self.patched: list[tuple[int, str]] = patched  # (address, mnemonic)
        self.left: list[tuple[int, str, str]] = left  # (address, mnemonic, reason)
        self.syscalls: list[int] = syscalls  # addresses of proven system call instructions, which stay as they are

    @property
    def reasons(self) -> dict[str, int]:
        """How many segment accesses were left, by reason."""
        counts: dict[str, int] = {}
        for _, _, reason in self.left:
            counts[reason] = counts.get(reason, 0) + 1
        return counts


def rewrite_elf(data: bytes) -> RewriteResult:
    """Rewrite a program or shared library for lbw: segment accesses that would trap at first do not any more.

    x86-64 and i386. The result runs under lbw only.  RewriteError: not such a file, damaged, or rewritten already
    """
    image = ElfImage(bytes(data))
    if any(name == NOTE_NAME for name, _, _ in image.notes()):
        raise RewriteError("it has been rewritten already")
    survey = Survey(image)
    sites, left = _choose(image, survey)
    syscalls = sorted(survey.syscalls)
    patched = [(address, template.mnemonic) for address, template in sites]
    new = _Writer(image, sites, syscalls).write() if sites else image.data
    return RewriteResult(new, image.bits, patched, left, syscalls)


def _choose(image: ElfImage, survey: Survey) -> tuple[list[tuple[int, Template]], list[tuple[int, str, str]]]:
    """Return the sites to patch, by address, and those to leave, with mnemonic and reason."""
    from lbw.faults.translate import translate

    known: dict[bytes, Template | None] = {}
    sites, left = [], []
    proven = survey.segments
    for address, code in sorted({**survey.unproven, **proven}.items()):
        if code not in known:
            known[code] = translate(code, image.bits)
        template = known[code]
        if template is None and not _accesses(code, image.bits):
            continue
        reason = None
        if address not in proven:
            reason = UNPROVEN
        elif template is None:
            reason = UNTRANSLATED
        elif len(code) < 5:
            reason = SHORT
        elif survey.entered_inside(address, len(code)):
            reason = ENTERED
        elif survey.changes(address, len(code)):
            reason = CHANGES
        elif image.position_independent and template.place(0, 0) != template.place(PAGE, PAGE):
            reason = OWN_ADDRESS
        if reason is None and template is not None:
            sites.append((address, template))
        elif reason is not None:
            left.append((address, template.mnemonic if template is not None else code.hex(" "), reason))
    return sites, left


def _accesses(code: bytes, bits: int) -> bool:
    """Tell whether an instruction with an override that has no translation accesses memory through it."""
    from lbw.faults.decode import decode

    return decode(code, bits) is not None


class _Writer:
    """Lays out the new segment and changes what points to it."""

    def __init__(self, image: ElfImage, sites: list[tuple[int, Template]], syscalls: list[int]) -> None:
        self.image = image
        self.bits = image.bits
        self.sites = sites
        self.syscalls = syscalls
        first = min(image.loads, key=lambda segment: segment.offset)
        self.bias = first.vaddr - first.offset
        top = max(segment.vaddr + segment.memsz for segment in image.loads)
        self.address = max(top, self.bias + len(image.data)) + PAGE - 1 & -PAGE
        self.offset = self.address - self.bias
        if self.offset - len(image.data) > LARGEST_HOLE:
            raise RewriteError("its zero-filled data are too large")
        if self.address + LARGEST_HOLE >= 1 << (47 if self.bits == 64 else 32):
            raise RewriteError("there is no address left for another segment")
        code = [*syscalls, *(address for address, _ in sites)]
        if self.address + LARGEST_HOLE - min(code) >= 1 << 31 or max(code) >= self.address:
            raise RewriteError("its code is too far from its end for a jump")
        self.data = bytearray(image.data)

    def write(self) -> bytes:
        """Return the new file."""
        headers = (len(self.image.segments) + 2) * PHDR[self.bits].size
        table_at = headers + NOTE_SIZE
        fragments, starts = self._sizes()
        table = self._table(starts, self.address)  # its size does not depend on where things are
        stubs_at = table_at + len(table) + 15 & -16
        stubs = self._stubs(self.address + stubs_at)
        fragments_at = stubs_at + len(stubs) + PAGE - 1 & -PAGE
        base = self.address + fragments_at
        code = b"".join(
            template.place(base + start, address).ljust(size, b"\xcc")
            for (address, template), start, size in zip(self.sites, starts, _gaps(starts, fragments), strict=True)
        )
        table = self._table(starts, base)
        note = make_note(
            self.offset + table_at, self.offset + table_at + len(table), self.offset + fragments_at,
            self.offset + fragments_at + fragments,
        )  # fmt: skip
        for (address, template), start in zip(self.sites, starts, strict=True):
            self._patch(address, base + start, template.length)
        size = fragments_at + len(code)
        segment = self._headers(size, headers) + note + table
        segment = segment.ljust(stubs_at, b"\xcc") + stubs
        segment = segment.ljust(fragments_at, b"\xcc") + code
        self.data += bytes(self.offset - len(self.data))
        return bytes(self.data) + segment

    def _sizes(self) -> tuple[int, list[int]]:
        """Return the size of all fragments, and where each begins; none crosses a page."""
        at, starts = 0, []
        for _, template in self.sites:
            if at % PAGE + template.size > PAGE:
                at = at + PAGE - 1 & -PAGE
            starts.append(at)
            at += template.size
        return at, starts

    def _table(self, starts: list[int], base: int) -> bytes:
        fragments = [
            (start, address - base, template.to_bytes())
            for (address, template), start in zip(self.sites, starts, strict=True)
        ]
        return make_table(fragments, [address - base for address in self.syscalls])

    def _patch(self, site: int, fragment: int, length: int) -> None:
        offset = self.image.offset(site)
        assert offset is not None and length >= 5
        self.data[offset : offset + 5] = b"\xe9" + (fragment - site - 5 & 0xFFFF_FFFF).to_bytes(4, "little")

    def _headers(self, size: int, headers: int) -> bytes:
        """Return the program headers with the new segment and its note; the ELF header points to them."""
        loaded = Segment(PT_LOAD, PF_X | 4, self.offset, self.address, self.address, size, size, PAGE)
        address = self.address + headers
        note = Segment(PT_NOTE, 4, self.offset + headers, address, address, NOTE_SIZE, NOTE_SIZE, 4)
        table = []
        last = max(number for number, segment in enumerate(self.image.segments) if segment.type == PT_LOAD)
        for number, segment in enumerate(self.image.segments):
            if segment.type == PT_PHDR:
                segment = Segment(PT_PHDR, 4, self.offset, self.address, self.address, headers, headers, segment.align)
            table.append(segment)
            if number == last:
                table.append(loaded)
        table.append(note)
        fields = list(self.image.header)
        fields[5], fields[10] = self.offset, len(table)
        fields[4] = self.entry
        EHDR[self.bits].pack_into(self.data, 0, *fields)
        return b"".join(segment.pack(self.bits) for segment in table)

    # The question whether lbw is there

    def _stubs(self, address: int) -> bytes:
        """Return the stubs, to lie at `address`; what leads to the original code leads to them."""
        code = b""
        self.entry = self.image.entry
        if self.entry:
            code = stub(address, self.bits, self.entry, entry=True)
            self.entry = address
        if self.image.type == ET_DYN:
            code += self._library_stub(address + len(code))
        return code

    def _library_stub(self, address: int) -> bytes:
        dynamic = self.image.dynamic()
        program = any(segment.type == _PT_INTERP for segment in self.image.segments)
        if not dynamic or (program and DT_SONAME not in dynamic):
            return b""
        form = Struct("<QQ" if self.bits == 64 else "<II")
        resolver = self._resolver()
        if resolver is not None:
            at, original = resolver
            pack_into("<Q" if self.bits == 64 else "<I", self.data, at, address)
            return stub(address, self.bits, original)
        entries = [*self.image.dynamic_entries()]
        for at, tag, original in entries:
            if tag == DT_INIT:
                form.pack_into(self.data, at, tag, address)
                return stub(address, self.bits, original)
        if self.image.entry:
            return b""  # ld.so has nothing of this, and is a program
        spare = next((number for number, (_, tag, _) in enumerate(entries) if tag == 0), len(entries))
        if spare + 1 < len(entries) and entries[spare + 1][1] == 0:
            form.pack_into(self.data, entries[spare][0], DT_INIT, address)
            return stub(address, self.bits, None)
        return b""

    def _resolver(self) -> tuple[int, int] | None:
        """Return (offset of its address in the file, address) of the first IFUNC resolver that relocation calls."""
        for position, slot in self.image.relocations():
            if self.bits == 64:
                _, info, addend = Struct("<QQq").unpack_from(self.data, position)
                if info & 0xFFFF_FFFF == _IRELATIVE[64]:
                    return position + 16, addend
            elif self.data[position + 4] == _IRELATIVE[32]:
                offset = self.image.offset(slot)
                if offset is not None:
                    return offset, int.from_bytes(self.data[offset : offset + 4], "little")
        return None


def _gaps(starts: list[int], end: int) -> list[int]:
    return [following - start for start, following in zip(starts, [*starts[1:], end], strict=True)]
