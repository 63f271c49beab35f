"""Read the headers of an ELF file with pyelftools, refusing what Linux's binfmt_elf refuses.

Only the ELF header, the program headers and the interpreter's name are read, through pyelftools' structures rather
than its `ELFFile`: that one also wants the section headers, which Linux never looks at and which a packer may have
removed. pyelftools takes longer to import than a program to start, so it is imported when a file is really parsed;
the caches of `lbw.loader.images` see to it that this is rare.
"""

from __future__ import annotations

from lbw.abi.elf import (
    EI_CLASS,
    EI_DATA,
    ELFCLASS32,
    ELFCLASS64,
    ELFDATA2LSB,
    ELFMAG,
    ET_DYN,
    ET_EXEC,
    PF_R,
    PF_W,
    PF_X,
)
from lbw.abi.errno import EIO, LinuxError
from lbw.abi.mman import PROT_EXEC, PROT_READ, PROT_WRITE
from lbw.loader.image import FormatError, Image, Segment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    #: Return up to `length` bytes at an offset of the file; fewer only at its end.
    Reader = Callable[[int, int], bytes]

#: Linux's limit on the size of the program header table, bytes.
PHDRS_MAX = 65536
PATH_MAX = 4096
PHDR_SIZE = {ELFCLASS32: 32, ELFCLASS64: 56}


def parse(read: Reader, machines: tuple[tuple[int, int], ...]) -> Image:
    """Return the image of the file behind `read`, unchecked (`Image.check`), if it is for one of `machines`.

    `machines` are pairs (EM_*, bytes of a word).  FormatError ENOEXEC: no program, or for another machine;
    LinuxError EIO: the interpreter's name lies beyond the end of the file
    """
    head = read(0, 64)
    if head[:4] != ELFMAG:
        raise FormatError("is neither an ELF program nor a script that begins with #!")
    if len(head) < 52:
        raise FormatError("is cut short")
    if head[EI_CLASS] not in PHDR_SIZE or head[EI_DATA] not in (1, 2):
        raise FormatError("has a damaged ELF header")
    try:
        return _parse(head, read, machines)
    except (ImportError, LinuxError):
        raise
    except Exception as error:  # whatever construct makes of rubbish
        raise FormatError("has damaged headers") from error


def _parse(head: bytes, read: Reader, machines: tuple[tuple[int, int], ...]) -> Image:
    from io import BytesIO

    from elftools.common.utils import struct_parse
    from elftools.elf.enums import ENUM_E_MACHINE
    from elftools.elf.structs import ELFStructs

    elf_class, word = head[EI_CLASS], 8 if head[EI_CLASS] == ELFCLASS64 else 4
    structs = ELFStructs(little_endian=head[EI_DATA] == ELFDATA2LSB, elfclass=word * 8)
    structs.create_basic_structs()
    header = struct_parse(structs.Elf_Ehdr, BytesIO(head))
    machine: int = ENUM_E_MACHINE.get(header["e_machine"], header["e_machine"])
    if header["e_type"] not in ("ET_EXEC", "ET_DYN"):
        raise FormatError("is an ELF file but no program")
    if (machine, word) not in machines or head[EI_DATA] != ELFDATA2LSB:
        raise FormatError(f"is built for {_machine_name(header['e_machine'], machine, word)}")
    size, count = PHDR_SIZE[elf_class], header["e_phnum"]
    if header["e_phentsize"] != size or not 0 < count * size <= PHDRS_MAX:
        raise FormatError("has damaged program headers")
    table = read(header["e_phoff"], count * size)
    if len(table) < count * size:
        raise FormatError("is cut short")

    structs.create_advanced_structs(header["e_type"], header["e_machine"], header["e_ident"]["EI_OSABI"])
    segments: list[Segment] = []
    interpreter: bytes | None = None
    stack_executable: bool | None = None
    phdr_vaddr = 0
    stream = BytesIO(table)
    for position in range(0, count * size, size):
        phdr = struct_parse(structs.Elf_Phdr, stream, position)
        kind = phdr["p_type"]
        if kind == "PT_LOAD":
            segments.append(_segment(phdr))
            if phdr["p_offset"] <= header["e_phoff"] < phdr["p_offset"] + phdr["p_filesz"]:
                phdr_vaddr = header["e_phoff"] - phdr["p_offset"] + phdr["p_vaddr"]
        elif kind == "PT_INTERP" and interpreter is None:
            interpreter = _interpreter(read, phdr["p_offset"], phdr["p_filesz"])
        elif kind == "PT_GNU_STACK":
            stack_executable = bool(phdr["p_flags"] & PF_X)
    return Image(
        type=ET_EXEC if header["e_type"] == "ET_EXEC" else ET_DYN, machine=machine, word=word, entry=header["e_entry"],
        phdr_vaddr=phdr_vaddr, phnum=count, segments=tuple(segments), interpreter=interpreter,
        stack_executable=stack_executable,
    )  # fmt: skip


def _segment(phdr: Any) -> Segment:
    flags = phdr["p_flags"]
    prot = (PROT_READ if flags & PF_R else 0) | (PROT_WRITE if flags & PF_W else 0) | (PROT_EXEC if flags & PF_X else 0)
    return Segment(phdr["p_vaddr"], phdr["p_memsz"], phdr["p_offset"], phdr["p_filesz"], prot, phdr["p_align"])


def _interpreter(read: Reader, offset: int, length: int) -> bytes:
    if not 2 <= length <= PATH_MAX:
        raise FormatError("names no proper interpreter")
    path = read(offset, length)
    if len(path) < length:
        raise FormatError("is cut short", EIO)
    if path[-1] != 0:
        raise FormatError("names no proper interpreter")
    return path[: path.index(0)]


def _machine_name(name: str | int, machine: int, word: int) -> str:
    from elftools.elf.descriptions import describe_e_machine

    if isinstance(name, int):
        return f"an unknown machine (number {machine})"
    text = describe_e_machine(name)
    if name == "EM_X86_64" and word == 4:
        return "the x32 ABI"
    return text if isinstance(text, str) and not text.startswith("<") else name.removeprefix("EM_")
