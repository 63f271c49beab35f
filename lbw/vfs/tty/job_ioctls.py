"""The ioctls of job control: session, foreground group, controlling terminal, hang-up.  man 2 ioctl_tty, man 4 tty

Each is told the terminal and the file through which it was asked: the master of a pseudo-terminal asks about the other
side (`lbw.vfs.tty.pty_master`), and may do so without having it as its controlling terminal.
"""

from __future__ import annotations

from lbw.abi import ioctl as abi
from lbw.abi.errno import EINVAL, EIO, ENOTTY, EPERM, ESRCH, LinuxError
from lbw.abi.signal import SIGCONT, SIGHUP, SIGTTOU
from lbw.vfs.tty.attribute_ioctls import load_int, store_int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.file import File, GuestMemory
    from lbw.vfs.tty.attribute_ioctls import Handler
    from lbw.vfs.tty.jobs import Caller
    from lbw.vfs.tty.tty import Tty


def _caller(tty: Tty) -> Caller:
    """Return the calling process.  ENOTTY: this is not its controlling terminal"""
    caller = tty.jobs.current()
    if caller is None or caller.terminal is not tty:
        raise LinuxError(ENOTTY)
    return caller


def get_group(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCGPGRP"""
    _caller(tty)
    return group_of(tty, file, argument, memory)


def group_of(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCGPGRP at the master: the foreground group, 0 when there is none."""
    return store_int(memory, argument, tty.foreground.pgid if tty.foreground is not None else 0)


def set_group(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCSPGRP.  ESRCH: no such group; EPERM: it is of another session"""
    try:
        tty.check_foreground(SIGTTOU)
    except LinuxError as error:
        raise LinuxError(ENOTTY if error.errno == EIO else error.errno) from None
    pgid = load_int(memory, argument)
    if pgid < 0:
        raise LinuxError(EINVAL)
    caller = _caller(tty)
    if tty.session is not caller.session:
        raise LinuxError(ENOTTY)
    group = tty.jobs.find_group(pgid)
    if group is None:
        raise LinuxError(ESRCH)
    if group.session is not caller.session:
        raise LinuxError(EPERM)
    tty.foreground = group
    return 0


def get_session(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCGSID"""
    _caller(tty)
    return session_of(tty, file, argument, memory)


def session_of(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCGSID at the master.  ENOTTY: it is nobody's controlling terminal"""
    if tty.session is None:
        raise LinuxError(ENOTTY)
    return store_int(memory, argument, tty.session.sid)


def set_controlling(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCSCTTY.  EPERM: not a session leader, or it has a terminal, or the terminal has a session (1: steal it)"""
    caller = tty.jobs.current()
    if caller is None:
        raise LinuxError(EPERM)
    session = caller.session
    leader = session.sid == caller.pid
    if leader and tty.session is session:
        return 0
    if not leader or caller.terminal is not None:
        raise LinuxError(EPERM)
    if tty.session is not None:
        if argument != 1 or not tty.jobs.privileged():
            raise LinuxError(EPERM)
        tty.detach()
    if not file.readable and not tty.jobs.privileged():
        raise LinuxError(EPERM)
    tty.attach(caller)
    return 0


def give_up(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCNOTTY. A session leader gives the terminal up for the whole session: the foreground group is told."""
    caller = _caller(tty)
    if caller.session.sid == caller.pid:
        group = tty.foreground
        if group is not None:
            tty.jobs.signal_group(group, SIGHUP)
            tty.jobs.signal_group(group, SIGCONT)
        tty.detach()
    caller.terminal = None
    return 0


def hang_up(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCVHANGUP.  EPERM: without CAP_SYS_ADMIN"""
    if not tty.jobs.privileged():
        raise LinuxError(EPERM)
    tty.hang_up()
    return 0


JOB_IOCTLS: dict[int, Handler] = {
    abi.TIOCGPGRP: get_group,
    abi.TIOCSPGRP: set_group,
    abi.TIOCGSID: get_session,
    abi.TIOCSCTTY: set_controlling,
    abi.TIOCNOTTY: give_up,
    abi.TIOCVHANGUP: hang_up,
}
