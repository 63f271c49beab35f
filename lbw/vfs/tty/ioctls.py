"""The ioctls of terminals.  man 2 ioctl_tty

What changes a terminal stops background jobs first (SIGTTOU). Requests that only some drivers know (modem lines, serial
settings, the master side of a pseudo-terminal) are not in the table: ENOTTY, as Linux answers for such a terminal.
"""

from __future__ import annotations

from lbw.abi import ioctl as abi
from lbw.abi.errno import EINVAL, EIO, ENOTTY, EPERM, ESRCH, LinuxError
from lbw.abi.signal import SIGTTOU
from lbw.vfs.tty.termios import TERMIO, TERMIOS, TERMIOS2, WINSIZE, Termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.file import GuestMemory
    from lbw.vfs.tty.jobs import Caller
    from lbw.vfs.tty.tty import Tty
    from lbw.vfs.tty.tty_file import TtyFile

    Handler = Callable[[Tty, TtyFile, int, GuestMemory], int]


def _store_int(memory: GuestMemory, address: int, value: int) -> int:
    memory.write(address, (value & 0xFFFFFFFF).to_bytes(4, "little"))
    return 0


def _load_int(memory: GuestMemory, address: int) -> int:
    return int.from_bytes(memory.read(address, 4), "little", signed=True)


# Attributes


def get_termios(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TCGETS"""
    memory.write(argument, tty.termios.pack())
    return 0


def get_termios2(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TCGETS2"""
    memory.write(argument, tty.termios.pack2())
    return 0


def get_termio(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TCGETA"""
    memory.write(argument, tty.termios.pack_termio())
    return 0


def _setter(size: int, unpack: Callable[[Tty, bytes], Termios], flush: bool) -> Handler:
    """Make a TCSET*. Waiting for output (the W forms) is nothing to do here: output goes out as it is written."""

    def set_attributes(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
        tty.check_foreground(SIGTTOU)
        termios = unpack(tty, memory.read(argument, size))
        tty.push()
        if flush:
            tty.discipline.flush_input()
            tty.resume_input()
        tty.configure(termios)
        return 0

    return set_attributes


def _unpack(tty: Tty, data: bytes) -> Termios:
    return Termios.unpack(data)


def _unpack2(tty: Tty, data: bytes) -> Termios:
    return Termios.unpack2(data)


def _unpack_termio(tty: Tty, data: bytes) -> Termios:
    return tty.termios.with_termio(data)


def get_size(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCGWINSZ"""
    memory.write(argument, WINSIZE.pack(*tty.size))
    return 0


def set_size(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCSWINSZ"""
    tty.resize(WINSIZE.unpack(memory.read(argument, WINSIZE.size)))
    return 0


# Jobs


def _caller(tty: Tty) -> Caller:
    """Return the calling process.  ENOTTY: this is not its controlling terminal"""
    caller = tty.jobs.current()
    if caller is None or not tty.is_controlling():
        raise LinuxError(ENOTTY)
    return caller


def get_group(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCGPGRP"""
    _caller(tty)
    return _store_int(memory, argument, tty.foreground.pgid if tty.foreground is not None else 0)


def set_group(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCSPGRP.  ESRCH: no such group; EPERM: it is of another session"""
    try:
        tty.check_foreground(SIGTTOU)
    except LinuxError as error:
        raise LinuxError(ENOTTY if error.errno == EIO else error.errno) from None
    caller = _caller(tty)
    pgid = _load_int(memory, argument)
    if pgid < 0:
        raise LinuxError(EINVAL)
    group = tty.jobs.find_group(pgid)
    if group is None:
        raise LinuxError(ESRCH)
    if group.session is not caller.session:
        raise LinuxError(EPERM)
    tty.foreground = group
    return 0


def get_session(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCGSID"""
    return _store_int(memory, argument, _caller(tty).session.sid)


def set_controlling(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCSCTTY.  EPERM: not a session leader, or it has a terminal, or the terminal has a session (1: steal it)"""
    caller = tty.jobs.current()
    if caller is None:
        raise LinuxError(EPERM)
    session = caller.session
    leader = session.sid == caller.pid
    if leader and tty.session is session:
        return 0
    if not leader or session.terminal is not None:
        raise LinuxError(EPERM)
    if tty.session is not None:
        if argument != 1 or not tty.jobs.privileged():
            raise LinuxError(EPERM)
        tty.session.terminal = None
    if not file.readable and not tty.jobs.privileged():
        raise LinuxError(EPERM)
    tty.attach(session, caller.group)
    return 0


def give_up(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCNOTTY. Only for session leaders: here the terminal belongs to the session, not to each process."""
    caller = _caller(tty)
    if caller.session.sid != caller.pid:
        raise LinuxError(ENOTTY)
    tty.give_up()
    return 0


# Queues and flow


def input_queue(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCINQ, FIONREAD"""
    return _store_int(memory, argument, tty.discipline.available())


def output_queue(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCOUTQ"""
    return _store_int(memory, argument, len(tty.discipline.output.waiting))


def flush(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TCFLSH"""
    tty.check_foreground(SIGTTOU)
    if argument not in (abi.TCIFLUSH, abi.TCOFLUSH, abi.TCIOFLUSH):
        raise LinuxError(EINVAL)
    if argument != abi.TCOFLUSH:
        tty.discipline.flush_input()
        tty.resume_input()
    if argument != abi.TCIFLUSH:
        tty.discipline.output.waiting.clear()
        tty.queue.wake_all()
    return 0


def send_break(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TCSBRK, TCSBRKP: there is no line that a break could be sent on; Linux' pseudo-terminals answer the same."""
    tty.check_foreground(SIGTTOU)
    tty.push()
    return 0


def flow(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TCXONC"""
    tty.check_foreground(SIGTTOU)
    discipline, characters = tty.discipline, tty.termios.characters
    if argument == abi.TCOOFF:
        discipline.forced_stop = True
        discipline.stop()
    elif argument == abi.TCOON:
        if discipline.forced_stop:
            discipline.forced_stop = False
            discipline.start()
    elif argument in (abi.TCIOFF, abi.TCION):
        character = characters[abi.VSTOP if argument == abi.TCIOFF else abi.VSTART]
        if character:
            discipline.output.waiting.append(character)
    else:
        raise LinuxError(EINVAL)
    tty.after_input()
    return 0


# The rest


def set_exclusive(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCEXCL"""
    tty.exclusive = True
    return 0


def set_shared(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCNXCL"""
    tty.exclusive = False
    return 0


def get_exclusive(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCGEXCL"""
    return _store_int(memory, argument, int(tty.exclusive))


def get_discipline(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCGETD: N_TTY"""
    return _store_int(memory, argument, 0)


def set_discipline(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCSETD.  EINVAL: anything but N_TTY"""
    if _load_int(memory, argument) != 0:
        raise LinuxError(EINVAL)
    return 0


def push_back(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCSTI.  EIO: as with dev.tty.legacy_tiocsti = 0"""
    raise LinuxError(EIO)


def vhangup(tty: Tty, file: TtyFile, argument: int, memory: GuestMemory) -> int:
    """TIOCVHANGUP.  EPERM: without CAP_SYS_ADMIN"""
    if not tty.jobs.privileged():
        raise LinuxError(EPERM)
    tty.line_lost()
    return 0


IOCTLS: dict[int, Handler] = {
    abi.TCGETS: get_termios,
    abi.TCSETS: _setter(TERMIOS.size, _unpack, flush=False),
    abi.TCSETSW: _setter(TERMIOS.size, _unpack, flush=False),
    abi.TCSETSF: _setter(TERMIOS.size, _unpack, flush=True),
    abi.TCGETS2: get_termios2,
    abi.TCSETS2: _setter(TERMIOS2.size, _unpack2, flush=False),
    abi.TCSETSW2: _setter(TERMIOS2.size, _unpack2, flush=False),
    abi.TCSETSF2: _setter(TERMIOS2.size, _unpack2, flush=True),
    abi.TCGETA: get_termio,
    abi.TCSETA: _setter(TERMIO.size, _unpack_termio, flush=False),
    abi.TCSETAW: _setter(TERMIO.size, _unpack_termio, flush=False),
    abi.TCSETAF: _setter(TERMIO.size, _unpack_termio, flush=True),
    abi.TIOCGWINSZ: get_size,
    abi.TIOCSWINSZ: set_size,
    abi.TIOCGPGRP: get_group,
    abi.TIOCSPGRP: set_group,
    abi.TIOCGSID: get_session,
    abi.TIOCSCTTY: set_controlling,
    abi.TIOCNOTTY: give_up,
    abi.FIONREAD: input_queue,
    abi.TIOCOUTQ: output_queue,
    abi.TCFLSH: flush,
    abi.TCSBRK: send_break,
    abi.TCSBRKP: send_break,
    abi.TCXONC: flow,
    abi.TIOCEXCL: set_exclusive,
    abi.TIOCNXCL: set_shared,
    abi.TIOCGEXCL: get_exclusive,
    abi.TIOCGETD: get_discipline,
    abi.TIOCSETD: set_discipline,
    abi.TIOCSTI: push_back,
    abi.TIOCVHANGUP: vhangup,
}
