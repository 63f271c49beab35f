"""The ioctls that read and change a terminal's attributes.  man 2 ioctl_tty

What changes attributes stops background jobs first (SIGTTOU). The forms that wait for output raise EAGAIN while the
device has still to take some; the system call waits on the file's queue and calls again.
"""

from __future__ import annotations

from lbw.abi import ioctl as abi
from lbw.abi.errno import EAGAIN, EPERM, LinuxError
from lbw.abi.signal import SIGTTOU
from lbw.vfs.tty.termios import TERMIO, TERMIOS, TERMIOS2, WINSIZE, Termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.file import File, GuestMemory
    from lbw.vfs.tty.tty import Tty

    Handler = Callable[[Tty, File, int, GuestMemory], int]

#: Attributes of which nothing is set.
_NOTHING = Termios(0, 0, 0, 0, b"", 0, 0, 0)


def store_int(memory: GuestMemory, address: int, value: int) -> int:
    """Store a C int; return 0."""
    memory.write(address, (value & 0xFFFFFFFF).to_bytes(4, "little"))
    return 0


def load_int(memory: GuestMemory, address: int) -> int:
    """Return a C int."""
    return int.from_bytes(memory.read(address, 4), "little", signed=True)


def wait_for_output(tty: Tty) -> None:
    """EAGAIN while there is output that the device has still to take."""
    tty.push()
    if tty.sending:
        raise LinuxError(EAGAIN)


def get_termios(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TCGETS"""
    memory.write(argument, tty.termios.pack())
    return 0


def get_termios2(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TCGETS2"""
    memory.write(argument, tty.termios.pack2())
    return 0


def get_termio(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TCGETA"""
    memory.write(argument, tty.termios.pack_termio())
    return 0


def _setter(size: int, change: Callable[[Termios, bytes], Termios], wait: bool = False, flush: bool = False) -> Handler:
    """Make a TCSET*: at once, or when all output is out, then perhaps forgetting the input."""

    def set_attributes(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
        tty.check_foreground(SIGTTOU)
        termios = change(tty.termios, memory.read(argument, size))
        if wait:
            wait_for_output(tty)
        if flush:
            tty.flush_input()
        tty.configure(termios)
        return 0

    return set_attributes


def get_locked(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCGLCKTRMIOS"""
    memory.write(argument, (tty.locked or _NOTHING).pack())
    return 0


def set_locked(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCSLCKTRMIOS.  EPERM: without CAP_SYS_ADMIN"""
    if not tty.jobs.privileged():
        raise LinuxError(EPERM)
    tty.locked = _NOTHING.with_termios(memory.read(argument, TERMIOS.size))
    return 0


def get_carrier(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCGSOFTCAR: whether the modem's carrier is ignored (CLOCAL)"""
    return store_int(memory, argument, int(bool(tty.termios.control & abi.CLOCAL)))


def set_carrier(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCSSOFTCAR"""
    wanted = abi.CLOCAL if load_int(memory, argument) else 0
    tty.configure(tty.termios.with_control(tty.termios.control & ~abi.CLOCAL | wanted))
    return 0


def get_size(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCGWINSZ"""
    memory.write(argument, WINSIZE.pack(*tty.size))
    return 0


def set_size(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCSWINSZ"""
    tty.resize(WINSIZE.unpack(memory.read(argument, WINSIZE.size)))
    return 0


_termios, _termios2, _termio = Termios.with_termios, Termios.with_termios2, Termios.with_termio

ATTRIBUTE_IOCTLS: dict[int, Handler] = {
    abi.TCGETS: get_termios,
    abi.TCSETS: _setter(TERMIOS.size, _termios),
    abi.TCSETSW: _setter(TERMIOS.size, _termios, wait=True),
    abi.TCSETSF: _setter(TERMIOS.size, _termios, wait=True, flush=True),
    abi.TCGETS2: get_termios2,
    abi.TCSETS2: _setter(TERMIOS2.size, _termios2),
    abi.TCSETSW2: _setter(TERMIOS2.size, _termios2, wait=True),
    abi.TCSETSF2: _setter(TERMIOS2.size, _termios2, wait=True, flush=True),
    abi.TCGETA: get_termio,
    abi.TCSETA: _setter(TERMIO.size, _termio),
    abi.TCSETAW: _setter(TERMIO.size, _termio, wait=True),
    abi.TCSETAF: _setter(TERMIO.size, _termio, wait=True, flush=True),
    abi.TIOCGLCKTRMIOS: get_locked,
    abi.TIOCSLCKTRMIOS: set_locked,
    abi.TIOCGSOFTCAR: get_carrier,
    abi.TIOCSSOFTCAR: set_carrier,
    abi.TIOCGWINSZ: get_size,
    abi.TIOCSWINSZ: set_size,
}
