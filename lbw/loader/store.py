"""Parsed images kept between runs, so that a warm start does not import pyelftools.

An image follows from the first page of its file alone whenever the program headers and the interpreter's name lie
in it, as they do in practice. So the key is a digest of that page, not device and inode numbers: entries never go
stale, and serve every copy of a file, in any root, on any file system. The price is one read of a page that is
mapped anyway.

The store is one text file, a line per image, appended in one write. A line carries a checksum: torn, damaged and
foreign lines are skipped, as are numbers that make no sense; `Image.check` judges the rest against the file at
hand, as it does after parsing. A store that cannot be read or written is no error, only slower.
"""

from __future__ import annotations

import os
from binascii import crc32, hexlify, unhexlify

from lbw.abi.elf import ET_DYN, ET_EXEC
from lbw.loader.image import Image, Segment

try:
    from _blake2 import blake2b  # hashlib would load OpenSSL: 3 ms
except ImportError:  # not CPython
    from hashlib import blake2b

#: Bytes at the start of a file that the key covers.
HEAD = 4096
#: Start afresh when the file has grown to this many bytes.
LIMIT = 1 << 20
#: Names the format of a line; change it with the format.
MAGIC = b"1"


class ImageStore:
    """The store in the file `path`, whose directory exists or will not be missed."""

    __slots__ = ("_lines", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._lines: dict[bytes, bytes] | None = None

    def get(self, key: bytes) -> Image | None:
        """Return the image stored under `key` (see `key_of`), unchecked."""
        lines = self._lines
        if lines is None:
            lines = self._lines = self._read()
        line = lines.get(key)
        return None if line is None else _decode(line)

    def put(self, key: bytes, image: Image) -> None:
        """Store `image` under `key`."""
        lines = self._lines
        if lines is None:
            lines = self._lines = self._read()
        line = _encode(key, image)
        try:
            full = os.path.getsize(self.path) > LIMIT
        except OSError:
            full = False
        try:
            if full:
                os.unlink(self.path)
            with open(self.path, "ab", buffering=0) as file:
                file.write(line)
        except OSError:
            pass
        lines[key] = line

    def _read(self) -> dict[bytes, bytes]:
        try:
            with open(self.path, "rb") as file:
                text = file.read(2 * LIMIT)
        except OSError:
            return {}
        return {line[:32]: line for line in text.split(b"\n")}


def key_of(head: bytes) -> bytes:
    """Return the key of a file that begins with `head`: its first `HEAD` bytes, or all it has."""
    return hexlify(blake2b(head[:HEAD], digest_size=16).digest())


def _encode(key: bytes, image: Image) -> bytes:
    numbers = [
        image.type, image.machine, image.word, image.entry, image.phdr_vaddr, image.phnum,
        -1 if image.stack_executable is None else int(image.stack_executable),
    ]  # fmt: skip
    for segment in image.segments:
        numbers += segment.vaddr, segment.memsz, segment.offset, segment.filesz, segment.prot, segment.align
    interpreter = b"-" if image.interpreter is None else b"+" + hexlify(image.interpreter)
    line = b" ".join((key, MAGIC, interpreter, *(b"%d" % number for number in numbers)))
    return line + b" %08x\n" % crc32(line)


def _decode(line: bytes) -> Image | None:
    body, _, check = line.strip().rpartition(b" ")
    if check != b"%08x" % crc32(body):
        return None
    try:
        _, magic, interpreter, *words = body.split(b" ")
        if magic != MAGIC:
            return None
        kind, machine, word, entry, phdr_vaddr, phnum, stack, *rest = map(int, words)
        path = unhexlify(interpreter[1:]) if interpreter[:1] == b"+" else None
    except ValueError:
        return None
    if len(rest) % 6 or min(entry, phdr_vaddr, phnum, *rest) < 0 or kind not in (ET_EXEC, ET_DYN):
        return None
    return Image(
        type=kind, machine=machine, word=word, entry=entry, phdr_vaddr=phdr_vaddr, phnum=phnum,
        segments=tuple(Segment(*rest[i : i + 6]) for i in range(0, len(rest), 6)), interpreter=path,
        stack_executable=None if stack < 0 else bool(stack),
    )  # fmt: skip
