"""Segment accesses of programs that a machine has run, for people: which instruction, in which file, what became of it.

Everything here is found out when it is asked for, from what the fault path keeps anyway. `lbw.faults.path`
"""

from __future__ import annotations

import os

from lbw.abi.errno import LinuxError
from lbw.abi.fcntl import O_RDONLY
from lbw.abi.stat import S_IFREG
from lbw.faults.site import Site, all_sites, instruction
from lbw.vfs.location import Location
from lbw.vfs.opening import open_location
from lbw.vfs.operations import path_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.faults.path import FaultPath
    from lbw.machine.symbols import Symbols
    from lbw.vfs.context import FsContext

#: Symbols of larger files are not looked for, bytes.
LARGEST = 1 << 28


class SegmentSite:
    """An instruction that reaches memory through FS or GS and trapped, because the base is withheld."""

    __slots__ = (
        "address", "bits", "code", "fragment", "fragment_code", "kind", "mnemonic", "offset", "overlap", "patch",
        "path", "reason", "symbol", "traps",
    )  # fmt: skip

    def __init__(self, site: Site, path: str, symbol: str) -> None:
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
        template = site.template
        if template is None or not site.fragment:
            self.fragment_code = b""
        else:
            place = template.place_far if site.far else template.place
            self.fragment_code = place(site.fragment, site.address)  # the code of the translation

    def __repr__(self) -> str:
        return f"SegmentSite({self.path!r}, {self.offset:#x}, {self.kind})"

    def as_dict(self) -> dict[str, str | int]:
        """Return everything as JSON can have it: bytes become hexadecimal digits."""
        values = {name: getattr(self, name) for name in ("path", *(n for n in self.__slots__ if n != "path"))}
        return {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}


def collect(faults: FaultPath, ctx: FsContext) -> list[SegmentSite]:
    """Return all sites that are known, by file and offset; paths are as `ctx` sees them."""
    known: dict[Location, tuple[str, Symbols | None]] = {}
    result = []
    for site in all_sites(faults):
        path, symbol = os.fsdecode(site.name), ""
        location = site.location
        if isinstance(location, Location):
            if location not in known:
                known[location] = os.fsdecode(path_of(ctx, location)), _symbols(ctx, location)
            path, symbols = known[location]
            symbol = symbols.name(site.offset) if symbols is not None else ""
        result.append(SegmentSite(site, path, symbol))
    result.sort(key=lambda site: (site.path, site.offset, site.address))
    return result


def _symbols(ctx: FsContext, location: Location) -> Symbols | None:
    """Return the symbols of a file; None: it cannot be read any more."""
    from lbw.machine.symbols import Symbols

    if location.kind != S_IFREG:
        return None
    try:
        size = location.inode.stat().size
        if size > LARGEST:
            return None
        file = open_location(ctx, location, O_RDONLY).acquire()
        try:
            data = bytearray(size)
            del data[file.pread([memoryview(data)], 0) :]
        finally:
            file.release()
    except (LinuxError, MemoryError):
        return None
    return Symbols(bytes(data))
