"""Templates kept between runs, so that a warm start does not import capstone.

A template follows from the bytes of an instruction and the mode alone, so entries never go stale. The store is a text
file, a line per instruction, in hexadecimal: the key as it is looked up, the template ("-": it has none), a checksum.
It is read as a whole at the first use and only split into lines; a line is judged when it is wanted. Torn, damaged and
foreign lines do not matter. New lines are appended in one write at `close`, so several processes may share a store;
what two of them learn at the same time is there twice. A store that has grown too large, or that is none, is replaced.

An instruction is looked up by the bytes at its site before its length is known: no instruction is the beginning of
another one, so each length that was seen after the first two bytes is tried.
"""

from __future__ import annotations

import os
from binascii import crc32, hexlify, unhexlify

from lbw.abi.thread_cell import CELL_DISPLACEMENT, FS_BASE, FS_NEGATIVE, GS_BASE, GS_NEGATIVE, SAVE_0, SAVE_1, TARGET
from lbw.faults.decode import LONGEST
from lbw.faults.template import Template
from lbw.faults.translate import translate

#: Start afresh when the file has grown to this many bytes: some 10,000 instructions.
LIMIT = 2 << 20
#: Remember no more instructions than this: a guest may make up any number of them.
MOST = 16384
#: Begins each key: the version of the templates' form and of what fragments do. Change it with either.
VERSION = 2
_WORDS = (CELL_DISPLACEMENT, FS_BASE, GS_BASE, FS_NEGATIVE, GS_NEGATIVE, SAVE_0, SAVE_1, TARGET)
_LAYOUT = crc32(repr((VERSION, _WORDS)).encode()) & 0xFFFF
_MODES = {64: b"%04x6" % _LAYOUT, 32: b"%04x3" % _LAYOUT}

_NOTHING = b"-"


class TemplateStore:
    """The store in the file `path`; None: it lives in memory only."""

    __slots__ = ("_found", "_lengths", "_lines", "_new", "_replace", "path")

    def __init__(self, path: str | None) -> None:
        self.path = path
        self._lines: dict[bytes, bytes] | None = None  # by mode and instruction, in hexadecimal
        self._lengths: dict[bytes, list[int]] = {}  # by mode and two bytes: lengths of keys
        self._found: dict[bytes, Template | None] = {}
        self._new: list[bytes] = []
        self._replace = False

    def get(self, code: bytes, bits: int) -> Template | None:
        """Return what `translate` returns for these arguments, from the store if it knows."""
        lines = self._lines
        if lines is None:
            lines = self._lines = self._read()
        text = _MODES[bits] + hexlify(code[:LONGEST])
        for length in self._lengths.get(text[:9], ()):
            key = text[:length]
            if key in lines:
                try:
                    return self._found[key]
                except KeyError:
                    pass
                try:
                    template = self._found[key] = _decode(key, lines[key])
                    return template
                except ValueError:
                    break
        return self._learn(text, code, bits)

    def close(self) -> None:
        """Append what was learnt to the file. A file that cannot be written is no error."""
        new, self._new = self._new, []
        if not new or self.path is None:
            return
        try:
            if self._replace:
                temporary = f"{self.path}.{os.getpid()}"
                with open(temporary, "wb") as file:
                    file.write(b"".join(new))
                os.replace(temporary, self.path)
                self._replace = False
            else:
                with open(self.path, "ab", buffering=0) as file:
                    file.write(b"\n" + b"".join(new))  # the last line may be torn
        except OSError:
            pass

    def _learn(self, text: bytes, code: bytes, bits: int) -> Template | None:
        template = translate(code, bits)
        if len(self._found) >= MOST:
            return template
        key = text if template is None else text[: 5 + 2 * template.length]
        value = _NOTHING if template is None else hexlify(template.to_bytes())
        value += b" %08x" % crc32(key + b" " + value)
        self._new.append(b"%b %b\n" % (key, value))
        self._remember(key, value)
        self._found[key] = template
        return template

    def _remember(self, key: bytes, value: bytes) -> None:
        assert self._lines is not None
        self._lines[key] = value
        lengths = self._lengths.setdefault(key[:9], [])
        if len(key) not in lengths:
            lengths.append(len(key))

    def _read(self) -> dict[bytes, bytes]:
        lines: dict[bytes, bytes] = {}
        self._lines = lines
        if self.path is None:
            return lines
        try:
            with open(self.path, "rb") as file:
                text = file.read(LIMIT + 1)
        except OSError:
            return lines
        modes = tuple(_MODES.values())
        for line in text.split(b"\n"):
            key, _, value = line.partition(b" ")
            if key.startswith(modes):
                self._remember(key, value)
        self._replace = len(text) > LIMIT or bool(text and not lines)
        return lines


def _decode(key: bytes, line: bytes) -> Template | None:
    """Return what the rest of a line holds.  ValueError: it is damaged."""
    value, _, check = line.partition(b" ")
    if check != b"%08x" % crc32(key + b" " + value):
        raise ValueError("a damaged line")
    return None if value == _NOTHING else Template(unhexlify(value))
