"""What the kernel must know of an ELF file to start it: a few numbers, checked, small enough to keep.

An `Image` has no reference to the file it came from, so it serves every program with the same headers. Nothing in
it is trusted until `check` has seen it: it may come from a hostile file or from a damaged cache, and afterwards all
sums of its fields stay inside the user half of the address space.
"""

from __future__ import annotations

from lbw.abi.elf import ET_DYN
from lbw.abi.errno import EINVAL, ENOEXEC, LinuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.abi.x86_64 import Abi

PAGE_MASK = 4095


class FormatError(LinuxError):
    """A file is no program that can be started here; `reason` says why, as a clause ("is built for AArch64")."""

    __slots__ = ("reason",)

    def __init__(self, reason: str, errno: int = ENOEXEC) -> None:
        super().__init__(errno)
        self.reason = reason


class Segment:
    """A PT_LOAD program header: `filesz` bytes at `offset` of the file go to `vaddr`, zeros follow up to `memsz`."""

    __slots__ = ("align", "filesz", "memsz", "offset", "prot", "vaddr")

    def __init__(self, vaddr: int, memsz: int, offset: int, filesz: int, prot: int, align: int) -> None:
        self.vaddr = vaddr
        self.memsz = memsz
        self.offset = offset
        self.filesz = filesz
        self.prot = prot  # PROT_*
        self.align = align  # as the file says, any number


class Image:
    """The loadable part of an ELF file. Addresses are those in the file, before relocation."""

    __slots__ = (
        "entry", "interpreter", "machine", "phdr_vaddr", "phnum", "segments", "stack_executable", "type", "word",
    )  # fmt: skip

    def __init__(
        self, *, type: int, machine: int, word: int, entry: int, phdr_vaddr: int, phnum: int,
        segments: tuple[Segment, ...], interpreter: bytes | None, stack_executable: bool | None,
    ) -> None:  # fmt: skip
        self.type = type  # ET_EXEC or ET_DYN
        self.machine = machine  # EM_*
        self.word = word  # bytes: 4 or 8
        self.entry = entry
        self.phdr_vaddr = phdr_vaddr  # where the program headers are mapped; 0: nowhere
        self.phnum = phnum
        self.segments = segments
        self.interpreter = interpreter  # a path without its NUL
        self.stack_executable = stack_executable  # PT_GNU_STACK; None: there is none

    @property
    def position_independent(self) -> bool:
        """Whether the image may be loaded anywhere."""
        return self.type == ET_DYN

    @property
    def start(self) -> int:
        """The first page of the image."""
        return min(segment.vaddr for segment in self.segments) & ~PAGE_MASK

    @property
    def end(self) -> int:
        """The end of the last segment, not rounded."""
        return max(segment.vaddr + segment.memsz for segment in self.segments)

    @property
    def alignment(self) -> int:
        """The largest sensible alignment that a segment asks for, in bytes, at least a page."""
        wanted = [s.align for s in self.segments if s.align & (s.align - 1) == 0]
        return max(PAGE_MASK + 1, *wanted, 0)

    def abi(self, abis: tuple[Abi, ...]) -> Abi | None:
        """Return the ABI among `abis` that this image is built for."""
        for abi in abis:
            if abi.elf_machine == self.machine and abi.word == self.word:
                return abi
        return None

    def check(self, size: int, limit: int) -> None:
        """Refuse what cannot be loaded from a file of `size` bytes into an address space that ends at `limit`.

        Linux lets a program start whose segments lie beyond the end of its file, and kills it when it gets there; a
        file cut short is refused here instead, so that the user learns what is wrong.  EINVAL, ENOEXEC: cut short
        """
        if not self.segments:
            raise FormatError("has nothing to load", EINVAL)
        file_end = (size + PAGE_MASK) & ~PAGE_MASK
        for segment in self.segments:
            if segment.filesz > segment.memsz:
                raise FormatError("has a segment larger in the file than in memory", EINVAL)
            if segment.vaddr >= limit or segment.memsz > limit - segment.vaddr:
                raise FormatError("has a segment outside the address space", EINVAL)
            if segment.filesz:
                if (segment.vaddr ^ segment.offset) & PAGE_MASK:
                    raise FormatError("has a misaligned segment", EINVAL)
                if segment.offset + segment.filesz > file_end:
                    raise FormatError("is cut short")
        if self.type != ET_DYN and self.entry >= limit:
            raise FormatError("has an entry point outside the address space", EINVAL)
