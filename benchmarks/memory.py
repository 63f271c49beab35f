"""Memory: what mappings, page faults and copies on write cost, and how fast it is once it is there.

guests/memory.c has the works. Those that read a whole file read one that is in the host's cache, not in that of lbw,
which starts anew for every round.
"""

from __future__ import annotations

import os

from benchmarks.peers import Lbw, Native, Peer, Proot
from benchmarks.works import Measure, Places, Work, number_of, run

#: Bytes of the file that is read.
DATA = 64 << 20


def memory(work: str, scale: float = 1e-3, milliseconds: int = 200) -> Measure:
    """Measure one work of guests/memory.c by the guest's own clock; `scale` converts nanoseconds."""

    def measure(peer: Peer, places: Places) -> float | None:
        words = peer.command(places.guests, "/memory", work, str(milliseconds))
        if words is None or not (places.guests / "memory").exists():
            return None
        return number_of(run(words)) * scale

    return measure


def whole_file(work: str) -> Measure:
    """Measure a work that reads a file of 64 MB, in ms."""
    measure_guest = memory(work, 1e-6)

    def measure(peer: Peer, places: Places) -> float | None:
        data = places.guests / "data"
        if not data.exists():
            data.write_bytes(os.urandom(1 << 20) * (DATA >> 20))
        if isinstance(peer, Native | Proot) or peer.name == "qemu-user":
            data.read_bytes()  # others do not read all of it into the host's cache
        return measure_guest(peer, places)

    return measure


def spawn(peer: Peer, places: Places) -> float | None:
    """Return what fork, exec and wait of a dynamic program cost when all of it is warm, ms."""
    program = places.guests / "memory"
    arguments = ("spawn", "500")
    if not program.exists() or not peer.children:
        return None
    if isinstance(peer, Native):
        words: list[str] | None = [str(program), *arguments]  # the host's own /bin/true
    else:
        words = peer.command(places.debian, "/mnt/memory", *arguments)
    if words is None:
        return None
    if isinstance(peer, Lbw):
        at = words.index("run") + 1
        words[at:at] = ["--overlay", "-b", f"{places.guests}:/mnt:ro"]
    elif isinstance(peer, Proot):
        words[1:1] = ["-b", f"{places.guests}:/mnt"]
    return number_of(run(words)) * 1e-6


MEMORY_WORKS: tuple[Work, ...] = (
    Work("demand-zero: each page", "us", memory("touch"), 6),
    Work("demand-zero: every 2nd page", "us", memory("touch-second"), 6),
    Work("demand-zero: touching 64 MB", "ms", memory("touch-64", 1e-6), 40),
    Work("copy on write after fork: each page", "us", memory("cow"), 8),
    Work("copy on write after fork: every 2nd page", "us", memory("cow-second"), 8),
    Work("file of 64 MB, private: all read", "ms", whole_file("file-private"), 60),
    Work("file of 64 MB, shared: all read", "ms", whole_file("file-shared"), 60),
    Work("file of 64 MB, private: a word of each page", "ms", whole_file("file-pages")),
    Work("file of 64 MB, shared: all written, msync", "ms", memory("file-write", 1e-6)),
    Work("mmap + munmap of a page", "us", memory("mmap"), 12),
    Work("mmap + touch + munmap of a page", "us", memory("mmap-touch")),
    Work("mprotect: a page of many, to and fro", "us", memory("mprotect"), 8),
    Work("mremap: grow by a page", "us", memory("mremap")),
    Work("mremap: move 1 MB", "us", memory("mremap-move")),
    Work("brk: 64 kB, to and fro", "us", memory("brk")),
    Work("mmap, each of 10,000", "us", memory("many")),
    Work("madvise: DONTNEED of 1 MB", "us", memory("dontneed")),
    Work("fork + exit + wait, 1 MB touched", "ms", memory("fork-1", 1e-6)),
    Work("fork + exit + wait, 500 MB touched", "ms", memory("fork-500", 1e-6), 5),
    Work("fork + exit + wait, 1 GB touched", "ms", memory("fork-1000", 1e-6)),
    Work("fork alone, 1 GB touched", "ms", memory("fork-alone", 1e-6), 3),
    Work("fork + exec + wait, dynamic /bin/true", "ms", spawn, 4),
    Work("memcpy of 4 kB", "us", memory("copy-page")),
    Work("memcpy of 1 MB", "us", memory("copy-1")),
    Work("memcpy of 64 MB", "ms", memory("copy-64", 1e-6)),
    Work("memset of 4 kB", "us", memory("set-page")),
    Work("memset of 1 MB", "us", memory("set-1")),
    Work("memset of 64 MB", "ms", memory("set-64", 1e-6)),
    Work("random read over 256 MB", "ns", memory("random", 1)),
    Work("tmpfs: write 4 kB", "us", memory("write-page")),
    Work("tmpfs: read 4 kB", "us", memory("read-page")),
    Work("tmpfs: write 1 MB", "us", memory("write-1")),
    Work("tmpfs: read 1 MB", "us", memory("read-1")),
)
