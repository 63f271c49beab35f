"""The input queue of a line discipline: lines being edited, lines to be read, bytes to be read.

One queue of bytes. In canonical mode `_lines` has the positions of line ends in it, and what lies behind the last of
them, from `_head` on, is being edited and cannot be read yet. ^D is a line end whose byte (NUL) is never handed out.
"""

from __future__ import annotations

from collections import deque

from lbw.abi.ioctl import (
    ECHO,
    ECHOCTL,
    ECHOE,
    ECHOK,
    ECHOKE,
    ECHOPRT,
    EXTPROC,
    ICANON,
    IEXTEN,
    IUTF8,
    VERASE,
    VKILL,
    VMIN,
    VTIME,
    VWERASE,
)
from lbw.vfs.tty.output import BACKSPACE, NEWLINE, TAB, Output, is_control

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.tty.termios import Termios

SPACE = 32


class InputQueue:
    """What was typed and not read, with the editing that canonical mode offers."""

    __slots__ = ("_characters", "_erasing", "_head", "_input", "_lines", "_lnext", "output", "termios")

    def __init__(self, termios: Termios) -> None:
        self.termios = termios
        self.output = Output(termios)
        self._characters = termios.characters
        self._input = bytearray()
        self._lines: deque[int] = deque()  # positions in _input that end a line
        self._head = 0  # canonical: where the line that is being edited begins
        self._lnext = False  # ^V was typed
        self._erasing = False  # between \\ and / of ECHOPRT

    def _change_mode(self, canonical: bool) -> None:
        """Entering canonical mode makes a line of what is there; leaving it makes everything readable."""
        self._lines.clear()
        self._head = len(self._input) if canonical else 0
        if canonical and self._input:
            self._lines.append(len(self._input) - 1)
        self._erasing = self._lnext = False

    def _end_line(self, byte: int) -> None:
        self._lines.append(len(self._input))
        self._input.append(byte)
        self._head = len(self._input)

    # Editing

    def _finish_erasing(self) -> None:
        if self._erasing:
            self.output.echo_raw(0x2F)
            self._erasing = False

    def _erase(self, byte: int) -> None:
        """Erase a character, a word or the line, on the screen too (N_TTY: eraser)."""
        typed, local, characters = self._input, self.termios.local, self._characters
        if len(typed) == self._head:
            return
        whole_line = False
        if byte != characters[VERASE] and not (byte == characters[VWERASE] and local & IEXTEN):
            if not local & ECHO:
                del typed[self._head :]
                return
            if local & (ECHOK | ECHOKE | ECHOE) != ECHOK | ECHOKE | ECHOE:
                del typed[self._head :]
                self._finish_erasing()
                self.output.echo(characters[VKILL])
                if local & ECHOK:
                    self.output.echo_raw(NEWLINE)
                return
            whole_line = True
        one = byte == characters[VERASE]
        seen_word = False
        utf8 = self.termios.input & IUTF8
        while len(typed) > self._head:
            start = len(typed) - 1
            while utf8 and typed[start] & 0xC0 == 0x80 and start > self._head:
                start -= 1
            first = typed[start]
            if utf8 and first & 0xC0 == 0x80:
                break  # half a character: Linux leaves it alone
            if not one and not whole_line:
                if _is_word(first):
                    seen_word = True
                elif seen_word:
                    break
            erased = bytes(typed[start:])
            del typed[start:]
            if local & ECHO:
                self._show_erased(erased, one)
            if one:
                break
        if len(typed) == self._head and local & ECHO:
            self._finish_erasing()

    def _show_erased(self, erased: bytes, one: bool) -> None:
        output, local, first = self.output, self.termios.local, erased[0]
        if local & ECHOPRT:
            if not self._erasing:
                output.echo_raw(0x5C)
                self._erasing = True
            output.echo(first)
            for byte in erased[1:]:
                output.echo_raw(byte)
                output.echo_move_back()
        elif one and not local & ECHOE:
            output.echo(self._characters[VERASE])
        elif first == TAB:
            output.echo_erase_tab(*self._columns_before())
        else:
            if is_control(first) and local & ECHOCTL:
                output.echo_raw(BACKSPACE, SPACE, BACKSPACE)
            if not is_control(first) or local & ECHOCTL:
                output.echo_raw(BACKSPACE, SPACE, BACKSPACE)

    def _columns_before(self) -> tuple[int, bool]:
        """Return the columns used since the last tab or the line's beginning, and whether it was a tab."""
        columns = 0
        for byte in reversed(self._input[self._head :]):
            if byte == TAB:
                return columns, True
            if is_control(byte):
                if self.termios.local & ECHOCTL:
                    columns += 2
            elif not (self.termios.input & IUTF8 and byte & 0xC0 == 0x80):
                columns += 1
        return columns, False

    # To programs

    @property
    def minimum(self) -> int:
        """Bytes that satisfy a read in non-canonical mode (VMIN)."""
        return self._characters[VMIN]

    @property
    def patience(self) -> int:
        """How long a non-canonical read waits for the first or next byte, in ns; 0: for ever (VTIME)."""
        return self._characters[VTIME] * 100_000_000

    @property
    def canonical(self) -> bool:
        """Whether programs read lines that were edited here."""
        return self.termios.local & (ICANON | EXTPROC) == ICANON

    def available(self) -> int:
        """Return how many bytes a read may take now (FIONREAD)."""
        if not self.canonical:
            return len(self._input)
        return self._head - sum(1 for position in self._lines if self._input[position] == 0)

    def readable(self) -> bool:
        """Whether a read finds something (also an end of file)."""
        return bool(self._lines) if self.canonical else bool(self._input)

    def read(self, length: int) -> bytes:
        """Return up to `length` bytes, in canonical mode of one line; empty: ^D. Only when `readable`."""
        typed = self._input
        if not self.canonical:
            data = bytes(typed[:length])
            del typed[:length]
            return data
        end = self._lines[0]
        if length <= end:
            data = bytes(typed[:length])
            # A read that ends exactly before a ^D eats it, else the next read would see an end of file.
            taken = length + 1 if length == end and typed[end] == 0 else length
        else:
            data = bytes(typed[: end if typed[end] == 0 else end + 1])
            taken = end + 1
        del typed[:taken]
        if taken > end:
            self._lines.popleft()
        self._head -= taken
        for index in range(len(self._lines)):
            self._lines[index] -= taken
        return data

    def flush_input(self) -> None:
        """Forget what was typed and not read."""
        self._input.clear()
        self._lines.clear()
        self._head = 0
        self._lnext = self._erasing = False


def _is_word(byte: int) -> bool:
    """isalnum or `_` in the kernel's Latin-1."""
    return (
        0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x5A or 0x61 <= byte <= 0x7A or byte == 0x5F
        or (byte >= 0xC0 and byte not in (0xD7, 0xF7))
    )  # fmt: skip
