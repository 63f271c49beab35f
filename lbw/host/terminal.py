"""The host's terminal: raw while guests run, as it was afterwards.

Raw means that the host passes every key and every byte on: ^C is a byte, and it is the guest's line discipline that
makes a signal of it. Restoring is registered with atexit, is idempotent, and works from the background (SIGTTOU is
blocked meanwhile). lbw enters raw mode only while it is the terminal's foreground job: started with `&` it must not
disturb the shell.

Attributes travel as Linux' numbers (`lbw.abi.ioctl`), whatever the host's are, translated by name.
"""

from __future__ import annotations

import os
import signal
import sys

from lbw.abi import ioctl as abi

#: rows, columns, pixels across, pixels down
DEFAULT_SIZE = (24, 80, 0, 0)

INPUT_FLAGS = (
    "IGNBRK", "BRKINT", "IGNPAR", "PARMRK", "INPCK", "ISTRIP", "INLCR", "IGNCR", "ICRNL", "IUCLC", "IXON", "IXANY",
    "IXOFF", "IMAXBEL", "IUTF8",
)  # fmt: skip
OUTPUT_FLAGS = ("OPOST", "OLCUC", "ONLCR", "OCRNL", "ONOCR", "ONLRET", "OFILL", "OFDEL")
CONTROL_FLAGS = ("CSTOPB", "CREAD", "PARENB", "PARODD", "HUPCL", "CLOCAL")
LOCAL_FLAGS = (
    "ISIG", "ICANON", "ECHO", "ECHOE", "ECHOK", "ECHONL", "NOFLSH", "TOSTOP", "IEXTEN", "ECHOCTL", "ECHOPRT", "ECHOKE",
)  # fmt: skip
CHARACTERS = (
    "VINTR", "VQUIT", "VERASE", "VKILL", "VEOF", "VTIME", "VMIN", "VSTART", "VSTOP", "VSUSP", "VEOL", "VREPRINT",
    "VDISCARD", "VWERASE", "VLNEXT", "VEOL2",
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    #: c_iflag, c_oflag, c_cflag, c_lflag, c_cc
    Attributes = tuple[int, int, int, int, bytes]

if sys.platform == "win32":
    from lbw.host.windows_terminal import WindowsTerminal as HostTerminal
else:
    import termios

    class HostTerminal:
        """The terminal behind `fd_in` and `fd_out`."""

        __slots__ = ("_registered", "_saved", "fd_in", "fd_out", "raw")

        def __init__(self, fd_in: int, fd_out: int) -> None:
            self.fd_in = fd_in
            self.fd_out = fd_out
            self.raw = False
            self._saved: list[int | list[bytes | int]] | None = None
            self._registered = False

        def enter_raw(self) -> bool:
            """Pass every byte on; False: not in the foreground, or no terminal any more. Keys typed before are kept."""
            if self.raw:
                return True
            if not self.in_foreground():
                return False
            try:
                attributes = termios.tcgetattr(self.fd_in)
                self._saved = [*attributes[:6], list(attributes[6])]
                # PARMRK, ISTRIP and their like, as cfmakeraw(3) clears them; IUTF8 and the speed stay.
                attributes[0] &= ~(
                    termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP | termios.INLCR | termios.IGNCR
                    | termios.ICRNL | termios.IXON | termios.IXOFF
                )  # fmt: skip
                attributes[1] &= ~termios.OPOST
                attributes[2] = attributes[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
                attributes[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
                attributes[6][termios.VMIN], attributes[6][termios.VTIME] = 1, 0
                termios.tcsetattr(self.fd_in, termios.TCSANOW, attributes)
            except termios.error:
                return False
            self.raw = True
            if not self._registered:
                import atexit

                self._registered = True
                atexit.register(self.restore)
            return True

        def restore(self) -> None:
            """Give the terminal back as it was; harmless when it is."""
            if not self.raw or self._saved is None:
                return
            self.raw = False
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
            try:
                termios.tcsetattr(self.fd_in, termios.TCSANOW, self._saved)
            except termios.error:
                pass  # the terminal is gone
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

        def suspend(self) -> None:
            """Stop lbw as a job of the host's shell (it got SIGTSTP); return when it is continued."""
            was_raw = self.raw
            self.restore()
            os.kill(os.getpid(), signal.SIGSTOP)
            if was_raw:
                self.enter_raw()

        def reenter(self) -> None:
            """lbw was stopped and continued behind our back: the shell has changed the attributes."""
            if self.raw:
                self.raw = False
                self.enter_raw()

        def in_foreground(self) -> bool:
            """Whether lbw is the terminal's foreground job, or the terminal has no jobs."""
            try:
                return os.tcgetpgrp(self.fd_in) == os.getpgrp()
            except OSError:  # ENOTTY: not our controlling terminal, so nobody else's jobs are disturbed
                return True

        def wait_foreground(self) -> bool:
            """Do as a job that reads from the terminal in the background: stop until the shell says `fg`.

            False: still in the background, because the shell ignores that or is gone.
            """
            if not self.in_foreground():
                os.killpg(os.getpgrp(), signal.SIGTTIN)
            return self.in_foreground()

        def window_size(self) -> tuple[int, int, int, int]:
            """Return rows, columns, and the pixels across and down."""
            import struct
            from fcntl import ioctl

            for fd in (self.fd_out, self.fd_in):
                try:
                    size: tuple[int, int, int, int] = struct.unpack("4H", ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
                except OSError:
                    continue
                if size[0] and size[1]:
                    return size
            return DEFAULT_SIZE

        def attributes(self) -> Attributes | None:
            """Return the attributes as they were before raw mode, in Linux' numbers; None: no terminal."""
            saved = self._saved
            if saved is None:
                try:
                    saved = termios.tcgetattr(self.fd_in)
                except termios.error:
                    return None
            return _to_linux(saved)

    def _host_flag(name: str) -> int:
        """Return the host's value of a flag; Python does not know all that Linux has (IUTF8)."""
        value: int = getattr(termios, name, getattr(abi, name) if sys.platform == "linux" else 0)
        return value

    def _to_linux(attributes: list[int | list[bytes | int]]) -> Attributes:
        """Translate what tcgetattr gave to Linux' values, flag by flag."""
        numbers = [word for word in attributes[:4] if isinstance(word, int)]
        translated = [
            sum(getattr(abi, name) for name in names if number & _host_flag(name))
            for number, names in zip(numbers, (INPUT_FLAGS, OUTPUT_FLAGS, CONTROL_FLAGS, LOCAL_FLAGS), strict=True)
        ]
        flags_in, flags_out, control, local = translated
        if numbers[1] & getattr(termios, "TABDLY", 0) == getattr(termios, "TAB3", -1):
            flags_out |= abi.TAB3
        sizes = {termios.CS5: abi.CS5, termios.CS6: abi.CS6, termios.CS7: abi.CS7, termios.CS8: abi.CS8}
        control |= sizes.get(numbers[2] & termios.CSIZE, abi.CS8) | abi.B38400
        cells = attributes[6]
        disabled = os.fpathconf(0, "PC_VDISABLE") if sys.platform == "darwin" else 0
        characters = bytearray(abi.NCCS)
        if isinstance(cells, list):
            for name in CHARACTERS:
                index = getattr(termios, name, None)
                if index is not None and index < len(cells):
                    cell = cells[index]
                    value = cell if isinstance(cell, int) else cell[0]
                    characters[getattr(abi, name)] = 0 if value == disabled else value
        if local & abi.ICANON:  # elsewhere they share the cells of VEOF and VEOL
            characters[abi.VMIN], characters[abi.VTIME] = 1, 0
        return flags_in, flags_out, control, local, bytes(characters)
