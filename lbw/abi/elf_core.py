"""Core files as Linux writes them: headers, notes and their structures, by size of a word.

man 5 core, elf; linux/elfcore.h, asm/elf.h; Linux' fs/binfmt_elf.c has the order
"""

from __future__ import annotations

from struct import Struct

ET_CORE = 4
PT_NOTE = 4

NT_PRSTATUS = 1
NT_PRFPREG = 2
NT_PRPSINFO = 3
NT_AUXV = 6
NT_386_TLS = 0x200
NT_X86_XSTATE = 0x202
NT_PRXFPREG = 0x46E62B7F
NT_FILE = 0x46494C45
NT_SIGINFO = 0x53494749

#: Owner of the notes that every Unix has, and of those that Linux has added.
CORE, LINUX = b"CORE", b"LINUX"

_NOTE = Struct("<III")


class CoreLayouts:
    """The structures of a core file for programs with words of `word` bytes."""

    __slots__ = ("elf_class", "file_entry", "header", "number", "program_header", "psinfo", "status")

    def __init__(self, word: int) -> None:
        wide = word == 8
        self.elf_class = 2 if wide else 1
        # type machine version | entry phoff shoff | flags ehsize phentsize phnum shentsize shnum shstrndx
        self.header = Struct("<16sHHI" + ("QQQ" if wide else "III") + "IHHHHHH")
        # 64: type flags offset vaddr paddr filesz memsz align; 32: type offset vaddr paddr filesz memsz flags align
        self.program_header = Struct("<IIQQQQQQ" if wide else "<IIIIIIII")
        # signo code errno, cursig | sigpend sighold | pid ppid pgrp sid | times: user system children's | registers, fp
        self.status = Struct("<iiihxx QQ iiii 8q 27Q i4x" if wide else "<iiihxx II iiii 8i 17I i")
        # state sname zombie nice | flag | uid gid | pid ppid pgrp sid | fname | psargs
        self.psinfo = Struct("<bcbb4x Q II iiii 16s 80s" if wide else "<bcbb I HH iiii 16s 80s")
        self.number = Struct("<Q" if wide else "<I")
        self.file_entry = Struct("<QQQ" if wide else "<III")  # start, end, page of the file

    def segment(self, kind: int, flags: int, offset: int, address: int, held: int, size: int, align: int) -> bytes:
        """Return a program header; `held` bytes of `size` are in the file."""
        if self.elf_class == 2:
            return self.program_header.pack(kind, flags, offset, address, 0, held, size, align)
        return self.program_header.pack(kind, offset, address, 0, held, size, flags, align)


LAYOUTS = {8: CoreLayouts(8), 4: CoreLayouts(4)}


def note(owner: bytes, kind: int, data: bytes) -> bytes:
    """Return a note; name and data are padded to 4 bytes."""
    name = owner + b"\0"
    return (
        _NOTE.pack(len(name), len(data), kind)
        + name.ljust(len(name) + 3 & ~3, b"\0")
        + data.ljust(len(data) + 3 & ~3, b"\0")
    )


assert LAYOUTS[8].status.size == 336 and LAYOUTS[4].status.size == 144
assert LAYOUTS[8].psinfo.size == 136 and LAYOUTS[4].psinfo.size == 124
