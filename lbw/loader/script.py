"""The `#!` line, as Linux reads it.  man 2 execve, "Interpreter scripts"; Linux fs/binfmt_script.c

Only the first 256 bytes of a file are looked at. A line that is longer is accepted when the interpreter's path
itself was not cut off; its argument may be. What follows the path, blanks trimmed on both sides, is one single
argument.
"""

from __future__ import annotations

from lbw.loader.image import FormatError

#: How much of a file Linux looks at (BINPRM_BUF_SIZE), bytes.
HEAD = 256
BLANKS = b" \t"
TERMINATORS = b" \t\0"


class Script:
    """A file that begins with `#!`."""

    __slots__ = ("argument", "interpreter")

    def __init__(self, interpreter: bytes, argument: bytes | None) -> None:
        self.interpreter = interpreter
        self.argument = argument

    def arguments(self, path: bytes, argv: list[bytes]) -> list[bytes]:
        """Return the argument list that the interpreter gets for the script `path`, started with `argv`."""
        head = [self.interpreter] if self.argument is None else [self.interpreter, self.argument]
        return [*head, path, *argv[1:]]


def parse_script(data: bytes) -> Script:
    """Return what the `#!` line at the start of `data` says; `data` may be longer than the line.

    FormatError ENOEXEC: no interpreter, or its path is cut off
    """
    head = data[:HEAD].ljust(HEAD, b"\0")
    end = head.find(b"\n")
    if end < 0:
        end = HEAD - 1
        name = _skip_blanks(head, 2, end)
        if name > end:
            raise FormatError("names no interpreter in its first line")
        if not any(byte in TERMINATORS for byte in head[name : end + 1]):
            raise FormatError("names an interpreter whose path is too long")
    while head[end - 1] in BLANKS:
        end -= 1
    name = _skip_blanks(head, 2, end)
    if name >= end:
        raise FormatError("names no interpreter in its first line")
    line = head[name:end]
    stop = next((i for i, byte in enumerate(line) if byte in TERMINATORS), len(line))
    if stop == len(line) or line[stop] == 0:
        return Script(line[:stop], None)
    argument = line[stop:].lstrip(BLANKS)
    return Script(line[:stop], argument.partition(b"\0")[0] if argument else None)


def _skip_blanks(data: bytes, start: int, end: int) -> int:
    """Return the first position in `start` ... `end` (inclusive) that holds no blank; `end` + 1 if all do."""
    while start <= end and data[start] in BLANKS:
        start += 1
    return start
