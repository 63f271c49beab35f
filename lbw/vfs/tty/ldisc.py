"""The line discipline N_TTY: what happens between the keys and a program's read(2).  man 3 termios

A mechanism without input or output of its own: whoever drives the device feeds `receive` with what was typed, collects
`signals`, and writes out `output.waiting`. Programs read with `read`.

The rules, and their odd corners, are those of Linux' drivers/tty/n_tty.c, as POSIX leaves them open; the tests compare
with a pseudo-terminal of the host.
"""

from __future__ import annotations

from lbw.abi.ioctl import (
    ECHO,
    ECHOCTL,
    ECHONL,
    EXTPROC,
    ICANON,
    ICRNL,
    IEXTEN,
    IGNCR,
    INLCR,
    ISIG,
    ISTRIP,
    IUCLC,
    IXANY,
    IXON,
    NOFLSH,
    PARMRK,
    TIOCPKT_FLUSHREAD,
    TIOCPKT_FLUSHWRITE,
    TIOCPKT_START,
    TIOCPKT_STOP,
    VEOF,
    VEOL,
    VEOL2,
    VERASE,
    VINTR,
    VKILL,
    VLNEXT,
    VQUIT,
    VREPRINT,
    VSTART,
    VSTOP,
    VSUSP,
    VWERASE,
)  # fmt: skip
from lbw.abi.signal import SIGINT, SIGQUIT, SIGTSTP
from lbw.vfs.tty.editing import InputQueue
from lbw.vfs.tty.output import BACKSPACE, NEWLINE, RETURN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.tty.termios import Termios

#: What the queue holds (N_TTY_BUF_SIZE); one byte of it stays free.
CAPACITY = 4095


class LineDiscipline(InputQueue):
    """The state between a terminal device and its readers."""

    __slots__ = ("_special", "forced_stop", "signals", "status")

    def __init__(self, termios: Termios) -> None:
        super().__init__(termios)
        #: Signals for the foreground group, in order; whoever drives the device takes them out.
        self.signals: list[int] = []
        #: TIOCPKT_* of what happened; whoever drives the device takes them out.
        self.status = 0
        self.forced_stop = False  # stopped by tcflow(TCOOFF): ^Q does not help
        self._special: set[int] = set()  # bytes that are more than themselves
        self.configure(termios)

    # Attributes

    def configure(self, termios: Termios) -> None:
        """Use these attributes from now on."""
        old = self.termios
        self.termios = termios
        self.output.configure(termios)
        flags, local = termios.input, termios.local
        self._characters = characters = termios.characters
        special: set[int] = set()
        if flags & (IGNCR | ICRNL):
            special.add(RETURN)
        if flags & INLCR:
            special.add(NEWLINE)
        if local & ICANON:
            special.update((characters[VERASE], characters[VKILL], characters[VEOF], NEWLINE, characters[VEOL]))
            if local & IEXTEN:
                special.update((characters[VWERASE], characters[VLNEXT], characters[VEOL2]))
                if local & ECHO:
                    special.add(characters[VREPRINT])
        if flags & IXON:
            special.update((characters[VSTART], characters[VSTOP]))
        if local & ISIG:
            special.update((characters[VINTR], characters[VQUIT], characters[VSUSP]))
        special.discard(0)
        self._special = special
        if (old.local ^ local) & (ICANON | EXTPROC):
            self._change_mode(local & ICANON != 0)
        if old.input & IXON and not flags & IXON and not self.forced_stop:
            self.start()

    # Flow control

    def stop(self) -> None:
        """Hold output (^S)."""
        if not self.output.stopped:
            self.output.stopped = True
            self.status = self.status & ~TIOCPKT_START | TIOCPKT_STOP

    def start(self, echo: bool = True) -> None:
        """Let output flow (^Q); without `echo` what was echoed meanwhile is shown by the next key."""
        if not self.forced_stop and self.output.stopped:
            self.output.stopped = False
            self.status = self.status & ~TIOCPKT_STOP | TIOCPKT_START
        if echo:
            self.output.flush_echo()

    # From the device

    def room(self) -> int:
        """Return how many bytes `receive` takes now; 0 only when a reader must take something first."""
        room = CAPACITY - len(self._input)
        if room > 0:
            return room
        return 1 if self.termios.local & ICANON and not self._lines else 0

    def receive(self, data: bytes) -> int:
        """Take typed bytes; return how many were taken (fewer when the queue is full)."""
        done, length = 0, len(data)
        if not self._special and not self.termios.local & (ECHO | ICANON) and not self.termios.input & (
            ISTRIP | IUCLC | PARMRK
        ):  # fmt: skip
            done = min(length, self.room())
            self._input += data[:done]
            return done
        while done < length:
            room = self.room()
            if not room:
                break
            if len(self._input) > CAPACITY:  # a line that is too long: its last character is replaced
                del self._input[-1]
            for byte in data[done : done + room]:
                self._character(byte)
            done += min(room, length - done)
        if self.output.fresh_echo and self.termios.local & (ECHO | ECHONL):
            self.output.flush_echo()
        return done

    def _character(self, byte: int) -> None:
        termios = self.termios
        flags, local = termios.input, termios.local
        if flags & ISTRIP:
            byte &= 0x7F
        if flags & IUCLC and local & IEXTEN:
            byte = _lower(byte)
        if local & EXTPROC:
            self._input.append(byte)
        elif self._lnext:
            self._lnext = False
            self._ordinary(byte)
        elif byte in self._special:
            self._special_character(byte)
        else:
            self._ordinary(byte)

    def _ordinary(self, byte: int) -> None:
        self._restart_on_any()
        if self.termios.local & ECHO:
            self._finish_erasing()
            self._mark_line()
            self.output.echo(byte)
        self._store(byte)

    def _store(self, byte: int) -> None:
        if byte == 0xFF and self.termios.input & PARMRK:
            self._input.append(byte)
        self._input.append(byte)

    def _mark_line(self) -> None:
        """Remember the column at which the first character of a line is echoed."""
        if self._head == len(self._input):
            self.output.echo_mark_line()

    def _restart_on_any(self) -> None:
        if self.output.stopped and not self.forced_stop and self.termios.input & (IXON | IXANY) == IXON | IXANY:
            self.start()

    def _special_character(self, byte: int) -> None:
        flags, local, characters = self.termios.input, self.termios.local, self._characters
        if flags & IXON:
            if byte == characters[VSTART]:
                self.start()
                return
            if byte == characters[VSTOP]:
                self.stop()
                return
        if local & ISIG:
            for index, number in ((VINTR, SIGINT), (VQUIT, SIGQUIT), (VSUSP, SIGTSTP)):
                if byte == characters[index]:
                    self._signal(number, byte)
                    return
        self._restart_on_any()
        if byte == RETURN:
            if flags & IGNCR:
                return
            if flags & ICRNL:
                byte = NEWLINE
        elif byte == NEWLINE and flags & INLCR:
            byte = RETURN
        if local & ICANON and self._canonical(byte):
            return
        if local & ECHO:
            self._finish_erasing()
            if byte == NEWLINE:
                self.output.echo_raw(NEWLINE)
            else:
                self._mark_line()
                self.output.echo(byte)
        self._store(byte)

    def _signal(self, number: int, byte: int) -> None:
        self.signals.append(number)
        if not self.termios.local & NOFLSH:
            self.output.discard_echo()
            self.output.discard()
            self.flush_input()
            self.status |= TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE
        if self.termios.input & IXON:
            self.start()
        if self.termios.local & ECHO:
            self.output.echo(byte)

    def _canonical(self, byte: int) -> bool:
        """Handle an editing character; False: it is an ordinary one after all."""
        characters, output = self._characters, self.output
        local = self.termios.local
        extended, echo = local & IEXTEN, local & ECHO
        if byte in (characters[VERASE], characters[VKILL]) or (byte == characters[VWERASE] and extended):
            self._erase(byte)
        elif byte == characters[VLNEXT] and extended:
            self._lnext = True
            if echo:
                self._finish_erasing()
                if local & ECHOCTL:
                    output.echo_raw(0x5E, BACKSPACE)
        elif byte == characters[VREPRINT] and extended and echo:
            self._finish_erasing()
            output.echo(byte)
            output.echo_raw(NEWLINE)
            for typed in self._input[self._head :]:
                output.echo(typed)
        elif byte == NEWLINE:
            if local & (ECHO | ECHONL):
                output.echo_raw(NEWLINE)
            self._end_line(byte)
        elif byte == characters[VEOF]:
            self._end_line(0)
        elif byte == characters[VEOL] or (byte == characters[VEOL2] and extended):
            if echo:
                self._mark_line()
                output.echo(byte)
            if byte == 0xFF and self.termios.input & PARMRK:
                self._input.append(byte)
            self._end_line(byte)
        else:
            return False
        return True


def _lower(byte: int) -> int:
    """tolower in the kernel's Latin-1."""
    if 0x41 <= byte <= 0x5A or (0xC0 <= byte <= 0xDE and byte != 0xD7):
        return byte + 32
    return byte
