"""The output half of the line discipline: what OPOST does to what programs write, and echoing what is typed.

Both keep the column of the cursor, because a tab's width, `\\r` at the margin and the erasing of an echoed tab depend
on it. Echo is kept as operations until output may flow, since a stopped terminal (^S) shows nothing, not even echo.

This follows Linux' N_TTY, quirks included: without OPOST the column is not kept.
"""

from __future__ import annotations

from lbw.abi.ioctl import (
    ECHOCTL,
    IUTF8,
    OCRNL,
    OLCUC,
    ONLCR,
    ONLRET,
    ONOCR,
    OPOST,
    TABDLY,
    XTABS,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.tty.termios import Termios

TAB, BACKSPACE, NEWLINE, RETURN = 9, 8, 10, 13

#: Kinds of echo operations that are no byte: a byte is its own value, a control character shown as ^X has CARET added.
CARET = 0x100
SET_CANON_COLUMN = 0x200
MOVE_BACK = 0x201
ERASE_TAB = 0x400  # + the columns used before the tab, modulo 8; + AFTER_TAB when counted from another tab
AFTER_TAB = 8

#: Echo that a stopped terminal remembers, in operations; the oldest is dropped (Linux: 4096 bytes).
MOST_ECHO = 4096
#: Bytes that wait for the device before writers have to wait, and echo too.
CAPACITY = 65536


def is_control(byte: int) -> bool:
    """iscntrl in the kernel's Latin-1."""
    return byte < 32 or byte == 127


class Output:
    """Turns what programs write, and echo, into bytes for the device."""

    __slots__ = (
        "_echo", "_usual", "canon_column", "capacity", "column", "delivered", "fresh_echo", "stopped", "termios",
        "waiting",
    )  # fmt: skip

    def __init__(self, termios: Termios) -> None:
        #: Bytes for the device; who drives the device takes them from the front.
        self.waiting = bytearray()
        self.capacity = CAPACITY
        #: How many of the first bytes of `waiting` the device has taken already, so that no flush reaches them.
        self.delivered = 0
        self.column = 0
        self.canon_column = 0  # where the line that is being edited begins
        self.stopped = False  # ^S
        self._echo: list[int] = []
        self.fresh_echo = False  # there is echo that nobody has tried to show
        self.configure(termios)

    def configure(self, termios: Termios) -> None:
        """Use these attributes from now on."""
        self.termios = termios
        # The usual attributes: a newline becomes two bytes, everything else is passed on.
        changing = OPOST | ONLCR | OLCUC | OCRNL | ONOCR
        self._usual = termios.output & changing == OPOST | ONLCR and termios.output & TABDLY != XTABS

    @property
    def room(self) -> int:
        """How many bytes more may wait for the device."""
        return max(self.capacity - len(self.waiting), 0)

    # Programs

    def write(self, data: bytes) -> None:
        """Take what a program writes; it must not be called while stopped."""
        flags = self.termios.output
        if not flags & OPOST:
            self.waiting += data
        elif self._usual:
            self.waiting += data.replace(b"\n", b"\r\n")
            margin = max(data.rfind(b"\n"), data.rfind(b"\r"))
            if margin >= 0:
                self.column = self.canon_column = 0
            self._advance(data[margin + 1 :])
        else:
            put = self._put
            for byte in data:
                put(byte)

    def _advance(self, data: bytes) -> None:
        """Move the column over `data`, which has no newline and no return."""
        column, utf8 = self.column, self.termios.input & IUTF8
        for byte in data:
            if byte >= 32:
                if byte != 127 and not (utf8 and byte & 0xC0 == 0x80):
                    column += 1
            elif byte == TAB:
                column += 8 - (column & 7)
            elif byte == BACKSPACE and column:
                column -= 1
        self.column = column

    def _put(self, byte: int) -> None:
        """Process one byte with OPOST (N_TTY: do_output_char)."""
        flags = self.termios.output
        if byte >= 32 and byte != 127:
            if flags & OLCUC:
                byte = _upper(byte)
            if not (self.termios.input & IUTF8 and byte & 0xC0 == 0x80):
                self.column += 1
        elif byte == NEWLINE:
            if flags & ONLRET:
                self.column = 0
            if flags & ONLCR:
                self.column = self.canon_column = 0
                self.waiting += b"\r\n"
                return
            self.canon_column = self.column
        elif byte == RETURN:
            if flags & ONOCR and not self.column:
                return
            if flags & OCRNL:
                byte = NEWLINE
                if flags & ONLRET:
                    self.column = self.canon_column = 0
            else:
                self.column = self.canon_column = 0
        elif byte == TAB:
            spaces = 8 - (self.column & 7)
            self.column += spaces
            if flags & TABDLY == XTABS:
                self.waiting += b" " * spaces
                return
        elif byte == BACKSPACE and self.column:
            self.column -= 1
        self.waiting.append(byte)

    # Echo

    def echo(self, byte: int) -> None:
        """Echo a character; a control character as ^X with ECHOCTL."""
        if self.termios.local & ECHOCTL and is_control(byte) and byte != TAB:
            byte |= CARET
        self._add(byte)

    def echo_raw(self, *data: int) -> None:
        """Echo bytes as they are."""
        for byte in data:
            self._add(byte)

    def echo_mark_line(self) -> None:
        """The line that is being edited begins here."""
        self._add(SET_CANON_COLUMN)

    def echo_move_back(self) -> None:
        """The last byte took no column of its own."""
        self._add(MOVE_BACK)

    def echo_erase_tab(self, columns: int, after_tab: bool) -> None:
        """Go back over a tab that `columns` columns precede, counted from another tab or from the line's beginning."""
        self._add(ERASE_TAB + (columns & 7) + (AFTER_TAB if after_tab else 0))

    def _add(self, operation: int) -> None:
        echo = self._echo
        echo.append(operation)
        self.fresh_echo = True
        if len(echo) > MOST_ECHO:
            del echo[0]

    def flush_echo(self) -> None:
        """Show the echo, unless output is stopped or the device is behind."""
        echo = self._echo
        self.fresh_echo = False
        if not echo or self.stopped or not self.room:
            return
        self._echo = []
        for operation in echo:
            if operation == 0xFF:  # N_TTY's escape byte: its echo bypasses OPOST
                self.waiting.append(operation)
                self.column += 1
            elif operation < CARET:
                if self.termios.output & OPOST:
                    self._put(operation)
                else:
                    self.waiting.append(operation)
            elif operation < SET_CANON_COLUMN:
                self.waiting += bytes((0x5E, operation & 0xFF ^ 0x40))
                self.column += 2
            elif operation == SET_CANON_COLUMN:
                self.canon_column = self.column
            elif operation == MOVE_BACK:
                self.column = max(0, self.column - 1)
            else:
                used = operation & 7
                if not operation & AFTER_TAB:
                    used += self.canon_column
                back = 8 - (used & 7)
                self.waiting += b"\b" * back
                self.column = max(0, self.column - back)

    def discard(self) -> None:
        """Forget what the device has not taken."""
        del self.waiting[self.delivered :]

    def discard_echo(self) -> None:
        """Forget echo that was not shown."""
        self._echo.clear()


def _upper(byte: int) -> int:
    """toupper in the kernel's Latin-1, which takes the sharp s and the y with diaeresis for ordinary ones."""
    if 0x61 <= byte <= 0x7A or (byte >= 0xDF and byte != 0xF7):
        return byte - 32
    return byte
