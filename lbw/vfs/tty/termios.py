"""Terminal attributes: `struct termios` and its relatives as the ioctls pass them.  man 3 termios, man 2 ioctl_tty"""

from __future__ import annotations

from struct import Struct

from lbw.abi import ioctl as abi

#: Linux' attributes of a fresh terminal (drivers/tty, tty_std_termios).
DEFAULT_INPUT = abi.ICRNL | abi.IXON
DEFAULT_OUTPUT = abi.OPOST | abi.ONLCR
DEFAULT_CONTROL = abi.B38400 | abi.CS8 | abi.CREAD | abi.HUPCL
DEFAULT_LOCAL = (
    abi.ISIG | abi.ICANON | abi.ECHO | abi.ECHOE | abi.ECHOK | abi.ECHOCTL | abi.ECHOKE | abi.IEXTEN
)  # fmt: skip
#: ^C ^\ DEL ^U ^D, time 0, min 1, no VSWTC, ^Q ^S ^Z, no VEOL, ^R ^O ^W ^V, no VEOL2.
DEFAULT_CHARACTERS = b"\x03\x1c\x7f\x15\x04\x00\x01\x00\x11\x13\x1a\x00\x12\x0f\x17\x16\x00\x00\x00"

#: struct termios: four flag words, the line discipline, the control characters.
TERMIOS = Struct(f"<4IB{abi.NCCS}s")
#: struct termios2: the same and two speeds in bits per second.
TERMIOS2 = Struct(f"<4IB{abi.NCCS}s2I")
#: struct termio of System V: 16-bit flags and 8 control characters, padded.
TERMIO = Struct("<4HB8sx")
TERMIO_CHARACTERS = 8
#: struct winsize: rows, columns, and pixels across and down.
WINSIZE = Struct("<4H")

BAUD_RATES = {getattr(abi, name): int(name[1:]) for name in dir(abi) if name[0] == "B" and name[1:].isdigit()}
#: c_cflag has a code for the input speed too, this many bits further up; 0: as the output speed.
IBSHIFT = 16
#: In CBAUD: the speed is in the word of its own that termios2 has.
BOTHER = 0o10000


class Termios:
    """The attributes of a terminal, with Linux' flag values."""

    __slots__ = ("characters", "control", "input", "input_speed", "line", "local", "output", "output_speed")

    def __init__(
        self, input: int = DEFAULT_INPUT, output: int = DEFAULT_OUTPUT, control: int = DEFAULT_CONTROL,
        local: int = DEFAULT_LOCAL, characters: bytes = DEFAULT_CHARACTERS, line: int = 0,
        input_speed: int = 38400, output_speed: int = 38400,
    ) -> None:  # fmt: skip
        self.input = input  # c_iflag
        self.output = output  # c_oflag
        self.control = control  # c_cflag
        self.local = local  # c_lflag
        self.line = line
        self.characters = characters.ljust(abi.NCCS, b"\0")[: abi.NCCS]  # c_cc
        self.input_speed = input_speed  # bits per second
        self.output_speed = output_speed

    def pack(self) -> bytes:
        """Return `struct termios`."""
        return TERMIOS.pack(self.input, self.output, self.control, self.local, self.line, self.characters)

    def pack2(self) -> bytes:
        """Return `struct termios2`."""
        return TERMIOS2.pack(
            self.input, self.output, self.control, self.local, self.line, self.characters,
            self.input_speed, self.output_speed,
        )  # fmt: skip

    def pack_termio(self) -> bytes:
        """Return `struct termio`."""
        return TERMIO.pack(
            self.input & 0xFFFF, self.output & 0xFFFF, self.control & 0xFFFF, self.local & 0xFFFF, self.line,
            self.characters[:TERMIO_CHARACTERS],
        )  # fmt: skip

    def with_termios(self, data: bytes) -> Termios:
        """Return what `struct termios` says; a speed that it has no code for (BOTHER) stays what it is here."""
        return self._decode(*(*TERMIOS.unpack(data), self.input_speed, self.output_speed))

    def with_termios2(self, data: bytes) -> Termios:
        """Return what `struct termios2` says."""
        return self._decode(*TERMIOS2.unpack(data))

    @staticmethod
    def _decode(
        flags_in: int, flags_out: int, control: int, local: int, line: int, characters: bytes,
        input_speed: int, output_speed: int,
    ) -> Termios:  # fmt: skip
        """Make attributes in which the speeds agree with their codes."""
        code = control & abi.CBAUD
        output_speed = output_speed if code == BOTHER else BAUD_RATES.get(code, 0)
        code = control >> IBSHIFT & abi.CBAUD
        if code != BOTHER:
            input_speed = BAUD_RATES.get(code, 0) if code else output_speed
        return Termios(flags_in, flags_out, control, local, characters, line, input_speed, output_speed)

    def with_termio(self, data: bytes) -> Termios:
        """Return these attributes with what `struct termio` can say replaced."""
        flags_in, flags_out, control, local, line, characters = TERMIO.unpack(data)
        high = 0xFFFF0000
        return self._decode(
            self.input & high | flags_in, self.output & high | flags_out, self.control & high | control,
            self.local & high | local, line, characters + self.characters[TERMIO_CHARACTERS:],
            self.input_speed, self.output_speed,
        )  # fmt: skip

    def with_control(self, control: int) -> Termios:
        """Return these attributes with `control` as c_cflag."""
        return self._decode(
            self.input, self.output, control, self.local, self.line, self.characters,
            self.input_speed, self.output_speed,
        )  # fmt: skip

    def keep(self, old: Termios, locked: Termios) -> Termios:
        """Return these attributes, but what is not 0 in `locked` as in `old` (TIOCSLCKTRMIOS)."""
        characters = bytes(
            was if lock else now
            for now, was, lock in zip(self.characters, old.characters, locked.characters, strict=True)
        )

        def mix(now: int, was: int, lock: int) -> int:
            return now & ~lock | was & lock

        return self._decode(
            mix(self.input, old.input, locked.input), mix(self.output, old.output, locked.output),
            mix(self.control, old.control, locked.control), mix(self.local, old.local, locked.local),
            old.line if locked.line else self.line, characters, self.input_speed, self.output_speed,
        )  # fmt: skip
