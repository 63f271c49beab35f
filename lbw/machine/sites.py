"""Segment accesses of programs that a machine has run, for people: which instruction, in which file, what became of it.

Everything here is found out when it is asked for, from what the fault path keeps anyway. `lbw.faults.path`
"""

from __future__ import annotations

import os

from lbw.abi.errno import LinuxError
from lbw.abi.fcntl import O_RDONLY
from lbw.abi.stat import S_IFREG
from lbw.faults.lengths import instruction_length
from lbw.faults.site import Site, all_sites, instruction
from lbw.vfs.location import Location
from lbw.vfs.opening import open_location
from lbw.vfs.operations import is_deleted, path_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.faults.path import FaultPath
    from lbw.vfs.context import FsContext

#: Larger files are not read for symbols, bytes.
LARGEST = 1 << 28


class SegmentSite:
    """An instruction that reaches memory through FS or GS and trapped, because the base is withheld."""

    __slots__ = (
        "address", "bits", "code", "fragment", "fragment_code", "kind", "mnemonic", "offset", "overlap", "patch",
        "path", "reason", "steps", "symbol", "traps",
    )  # fmt: skip

    def __init__(self, site: Site, path: str, symbol: str, file: bytes = b"") -> None:
        self.path = path  # of the file in the root; "[heap]" and the like; "" for nameless memory
        self.offset = site.offset  # bytes into the file or mapping
        self.symbol = symbol  # "malloc+0x1a", "" if the file has none there
        self.address = site.address  # where the program has it
        self.bits = site.bits  # 64 or 32
        self.kind = site.kind  # "patched", "punned", "redirected" or "stepped"
        self.reason = site.reason  # why it was not patched, or ""
        self.traps = site.faults
        self.fragment = site.fragment  # address of its translation, 0 if there is none
        self.patch = site.patch  # bytes written over it, b"" if it is not patched
        self.overlap = site.overlap  # bytes of the next instructions that are part of the jump, too
        self.mnemonic, self.code = instruction(site)
        self.fragment_code = site.place(site.fragment) if site.fragment else b""  # the code of the translation
        #: What parts of the translation stand for: where they begin in `fragment_code`; address and bytes of the
        #: original instruction, b"" for jumps back.
        self.steps = [
            (at, address, self._original(address, length, file))
            for at, address, length in _steps(site, self.fragment_code)
        ]

    def _original(self, address: int, length: int, file: bytes) -> bytes:
        """Return the bytes of an instruction near the site."""
        start = self.offset + address - self.address
        return self.code if address == self.address else file[start : start + length] if start >= 0 else b""

    def __repr__(self) -> str:
        return f"SegmentSite({self.path!r}, {self.offset:#x}, {self.kind})"

    def as_dict(self) -> dict[str, object]:
        """Return everything as JSON can have it: bytes become hexadecimal digits."""
        names = ("path", *(name for name in self.__slots__ if name not in ("path", "steps")))
        result: dict[str, object] = {}
        for name in names:
            value = getattr(self, name)
            result[name] = value.hex() if isinstance(value, bytes) else value
        result["steps"] = [[at, address, code.hex()] for at, address, code in self.steps]
        return result


def _steps(site: Site, code: bytes) -> list[tuple[int, int, int]]:
    """Return where in a fragment something begins that stands for another original; its address and length."""
    result = []
    at, end = 0, 0
    last = (-1, 0)
    while at < len(code):
        found = site.locate(at)
        if code[at : at + 8] == end.to_bytes(8, "little"):  # where to go on, or what a call pushes
            at += 8
            continue
        if found is not None and found[1:] != last:
            last = address, length = found[1:]
            result.append((at, address, length))
            end = address + length if length else end
        at += instruction_length(code, at, site.bits) or 1
    return result


def collect(faults: FaultPath, ctx: FsContext) -> list[SegmentSite]:
    """Return all sites that are known, by file and offset; paths are as `ctx` sees them."""
    from lbw.machine.symbols import Symbols

    known: dict[Location, tuple[str, bytes, Symbols | None]] = {}
    result = []
    for site in all_sites(faults):
        path, data, symbol = os.fsdecode(site.name), b"", ""
        location = site.location
        if isinstance(location, Location):
            if location not in known:
                data = _contents(ctx, location)
                known[location] = os.fsdecode(path_of(ctx, location)), data, Symbols(data) if data else None
            path, data, symbols = known[location]
            if not data.startswith(site.code, site.offset):  # it was changed since
                data, symbols = b"", None
            symbol = symbols.name(site.offset) if symbols is not None else ""
        result.append(SegmentSite(site, path, symbol, data))
    result.sort(key=lambda site: (site.path, site.offset, site.address))
    return result


def _contents(ctx: FsContext, location: Location) -> bytes:
    """Return what is in a file; nothing if it cannot be read any more."""
    if location.kind != S_IFREG or is_deleted(location):
        return b""
    try:
        size = location.inode.stat().size
        if size > LARGEST:
            return b""
        file = open_location(ctx, location, O_RDONLY).acquire()
        try:
            data = bytearray(size)
            del data[file.pread([memoryview(data)], 0) :]
        finally:
            file.release()
    except (LinuxError, MemoryError):
        return b""
    return bytes(data)
