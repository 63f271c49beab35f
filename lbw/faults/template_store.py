"""Templates kept between runs, so that a warm start does not import capstone.

A template follows from the bytes of an instruction and the mode alone, so entries never go stale. The store is a text
file, a line per instruction, in hexadecimal: the key, padded to one width, the template ("-": there is none), and a
checksum. It is read as a whole at the first use and only cut into lines, 0.1 us each; a line is judged when it is
wanted. Torn, damaged and foreign lines do not matter. New lines are appended in one write at `close`, so several
processes may share a store; what two of them learn at the same time is there twice. A file that has grown too large,
is none of ours or has another version is replaced.

An instruction is looked up by the bytes at its site before its length is known: no instruction is the beginning of
another one, so all lengths are tried, the commonest first.
"""

from __future__ import annotations

import os
from binascii import crc32, hexlify, unhexlify

from lbw.abi.thread_cell import CELL_DISPLACEMENT, FS_BASE, FS_NEGATIVE, GS_BASE, GS_NEGATIVE, SAVE_0, SAVE_1, TARGET
from lbw.abi.x86 import LONGEST
from lbw.faults.template import Template
from lbw.faults.translate import translate

#: Start afresh when the file has grown to this many bytes: some 5,000 instructions.
LIMIT = 1 << 19
#: Remember no more instructions than this: a guest may make up any number of them.
MOST = 16384
#: The version of the templates' form and of what fragments do. Change it with either.
VERSION = 3

_WORDS = (CELL_DISPLACEMENT, FS_BASE, GS_BASE, FS_NEGATIVE, GS_NEGATIVE, SAVE_0, SAVE_1, TARGET)
_LAYOUT = crc32(repr((VERSION, _WORDS)).encode())
#: First line of the file.
_MAGIC = b"lbw templates %08x\n" % _LAYOUT
#: Keys: mode, instruction.
_MODES = {64: b"6", 32: b"3"}
_KEY = 1 + 2 * LONGEST
_LENGTHS = tuple(1 + 2 * length for length in (9, 4, 8, 3, 5, 7, 6, 10, 12, 11, 13, 2, 14, 15))
_NOTHING = b"-"


class TemplateStore:
    """The store in the file `path`; None: it lives in memory only."""

    __slots__ = ("_found", "_lines", "_new", "_replace", "path")

    def __init__(self, path: str | None) -> None:
        self.path = path
        self._lines: dict[bytes, bytes] | None = None  # by key
        self._found: dict[bytes, Template | None] = {}
        self._new: list[bytes] = []
        self._replace = False

    def get(self, code: bytes, bits: int) -> Template | None:
        """Return what `translate` returns for these arguments, from the store if it knows."""
        lines = self._lines
        if lines is None:
            lines = self._lines = self._read()
        text = _MODES[bits] + hexlify(code[:LONGEST])
        found = self._found
        for length in _LENGTHS:
            key = text[:length].ljust(_KEY, b".")
            if key in found:
                return found[key]
            if key in lines:
                try:
                    template = found[key] = _decode(lines[key])
                except ValueError:
                    break
                return template
        return self._learn(text, code, bits)

    def close(self) -> None:
        """Append what was learnt to the file. A file that cannot be written is no error."""
        new, self._new = self._new, []
        if not new or self.path is None:
            return
        try:
            if self._replace or not os.path.exists(self.path):
                temporary = f"{self.path}.{os.getpid()}"
                with open(temporary, "wb") as file:
                    file.write(_MAGIC + b"".join(new))
                try:
                    os.replace(temporary, self.path)
                except OSError:
                    os.unlink(temporary)
                self._replace = False
            else:
                with open(self.path, "ab", buffering=0) as file:
                    file.write(b"\n" + b"".join(new))  # the last line may be torn
        except OSError:
            pass

    def _learn(self, text: bytes, code: bytes, bits: int) -> Template | None:
        template = translate(code, bits)
        if len(self._found) >= MOST or (template is None and len(code) < LONGEST):
            return template  # what is cut off may be the beginning of anything
        key = (text if template is None else text[: 1 + 2 * template.length]).ljust(_KEY, b".")
        line = key + (_NOTHING if template is None else hexlify(template.to_bytes()))
        self._new.append(b"%b %08x\n" % (line, crc32(line, _LAYOUT)))
        self._found[key] = template
        return template

    def _read(self) -> dict[bytes, bytes]:
        if self.path is None:
            return {}
        try:
            with open(self.path, "rb") as file:
                text = file.read(LIMIT + 1)
        except OSError:
            return {}
        self._replace = len(text) > LIMIT or not text.startswith(_MAGIC)
        if not text.startswith(_MAGIC):
            return {}
        return {line[:_KEY]: line for line in text.split(b"\n")}


def _decode(line: bytes) -> Template | None:
    """Return what a line holds.  ValueError: it is damaged."""
    body, _, check = line.partition(b" ")
    if check != b"%08x" % crc32(body, _LAYOUT):
        raise ValueError("a damaged line")
    value = body[_KEY:]
    return None if value == _NOTHING else Template(unhexlify(value))
