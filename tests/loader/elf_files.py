"""Small ELF files, made to measure."""

from __future__ import annotations

from struct import pack

CODE = b"\xb8\x3c\x00\x00\x00\x31\xff\x0f\x05"  # mov eax, 60; xor edi, edi; syscall
EHDR, PHDR = 64, 56
BASE = 0x400000


def phdr(kind, flags, offset, vaddr, filesz, memsz, align=4096):
    return pack("<IIQQQQQQ", kind, flags, offset, vaddr, vaddr, filesz, memsz, align)


def elf(phdrs, body=b"", *, type=2, machine=62, entry=None, phentsize=PHDR, phnum=None, phoff=EHDR, ident=b"\2\1\1"):
    """An x86-64 ELF file: header, program headers, `body`."""
    start = EHDR + PHDR * len(phdrs)
    if entry is None:
        entry = (BASE if type == 2 else 0) + start
    count = len(phdrs) if phnum is None else phnum
    header = b"\x7fELF" + ident.ljust(12, b"\0")
    header += pack("<HHIQQQIHHHHHH", type, machine, 1, entry, phoff, 0, 0, EHDR, phentsize, count, 0, 0, 0)
    return header + b"".join(phdrs) + body


def program(body=CODE, *, more=(), type=2, bss=0, **keywords):
    """A program of one segment that holds the whole file, writable if there is a `bss`; `more` program headers."""
    size = EHDR + PHDR * (1 + len(more)) + len(body)
    load = phdr(1, 7 if bss else 5, 0, BASE if type == 2 else 0, size, size + bss)
    return elf([load, *more], body, type=type, **keywords)


def dynamic(interpreter=b"/lib/ld.so\0", **keywords):
    """A program that names an interpreter."""
    offset = EHDR + PHDR * 2
    interp = phdr(3, 4, offset, offset, len(interpreter), len(interpreter), 1)
    return program(interpreter + CODE, more=[interp], type=3, **keywords)
