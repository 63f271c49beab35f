"""/proc/PID/numa_maps: pages by the memory node where they lie. There is one node.  Linux fs/proc/task_mmu.c"""

from __future__ import annotations

from lbw.cpu.mmu import ANONYMOUS
from lbw.mm.page_figures import PageShares
from lbw.vfs.proc.maps import Naming
from lbw.vfs.proc.records import mappings_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lbw.mm.address_space import AddressSpace
    from lbw.vfs.location import Location
    from lbw.vfs.proc.records import Producer

#: How characters of a path are shown that would end a field.
ESCAPES = {ord(c): b"\\%03o" % ord(c) for c in "\n\t= "}


def numa_maps(path_of: Callable[[Location], bytes]) -> Producer:
    """Return what makes the lines."""

    def produce(memory: AddressSpace, address: int) -> Iterator[tuple[bytes, int]]:
        names, shares = Naming(memory, path_of), PageShares(memory)
        for vma in mappings_from(memory, address):
            line = b"%08x default" % vma.start
            origin = names.file(vma)
            place = names.place(vma)
            if origin is not None:
                line += b" file=" + b"".join([ESCAPES.get(c) or b"%c" % c for c in origin[2]])
            elif place in (b"[heap]", b"[stack]"):
                line += b" " + place[1:-1]
            tally = shares.tally(vma)
            pages = sum(tally.values())
            if pages:
                anonymous = sum([count for (kind, _, _), count in tally.items() if kind == ANONYMOUS])
                dirty = sum([count for (_, _, is_dirty), count in tally.items() if is_dirty])
                most = max([mappers for _, mappers, _ in tally])
                if anonymous:
                    line += b" anon=%d" % anonymous
                if dirty:
                    line += b" dirty=%d" % dirty
                if pages not in (anonymous, dirty):
                    line += b" mapped=%d" % pages
                if most > 1:
                    line += b" mapmax=%d" % most
                line += b" active=0 N0=%d kernelpagesize_kB=4" % pages
            yield line + b"\n", vma.end

    return produce
