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

    @classmethod
    def unpack(cls, data: bytes) -> Termios:
        """Read `struct termios`; the speed follows from its code."""
        flags_in, flags_out, control, local, line, characters = TERMIOS.unpack(data)
        speed = BAUD_RATES.get(control & abi.CBAUD, 38400)
        return cls(flags_in, flags_out, control, local, characters, line, speed, speed)

    @classmethod
    def unpack2(cls, data: bytes) -> Termios:
        """Read `struct termios2`."""
        flags_in, flags_out, control, local, line, characters, input_speed, output_speed = TERMIOS2.unpack(data)
        if control & abi.CBAUD != BOTHER:
            input_speed = output_speed = BAUD_RATES.get(control & abi.CBAUD, 38400)
        return cls(flags_in, flags_out, control, local, characters, line, input_speed, output_speed)

    def with_termio(self, data: bytes) -> Termios:
        """Return these attributes with what `struct termio` can say replaced."""
        flags_in, flags_out, control, local, line, characters = TERMIO.unpack(data)
        high = 0xFFFF0000
        return Termios(
            self.input & high | flags_in, self.output & high | flags_out, self.control & high | control,
            self.local & high | local, characters + self.characters[TERMIO_CHARACTERS:], line,
            self.input_speed, self.output_speed,
        )  # fmt: skip
