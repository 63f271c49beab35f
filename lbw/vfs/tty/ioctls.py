"""The ioctls of terminals: queues, flow, and the table of all.  man 2 ioctl_tty

What changes a terminal stops background jobs first (SIGTTOU). Requests that only some drivers know (modem lines, serial
settings, the master side of a pseudo-terminal) are not in the table: ENOTTY, as Linux answers for such a terminal.
"""

from __future__ import annotations

from lbw.abi import ioctl as abi
from lbw.abi.errno import EINVAL, EPERM, LinuxError
from lbw.abi.signal import SIGTTOU
from lbw.vfs.tty.attribute_ioctls import ATTRIBUTE_IOCTLS, load_int, store_int, wait_for_output
from lbw.vfs.tty.job_ioctls import JOB_IOCTLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.file import File, GuestMemory
    from lbw.vfs.tty.attribute_ioctls import Handler
    from lbw.vfs.tty.tty import Tty


def input_queue(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCINQ, FIONREAD"""
    return store_int(memory, argument, tty.discipline.available())


def output_queue(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCOUTQ: nothing, where what is written has arrived at once"""
    return store_int(memory, argument, len(tty.discipline.output.waiting) if tty.sending else 0)


def flush(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TCFLSH"""
    tty.check_foreground(SIGTTOU)
    if argument not in (abi.TCIFLUSH, abi.TCOFLUSH, abi.TCIOFLUSH):
        raise LinuxError(EINVAL)
    if argument != abi.TCOFLUSH:
        tty.flush_input()
    if argument != abi.TCIFLUSH:
        tty.flush_output()
    return 0


def send_break(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TCSBRK and its like: wait for output (tcdrain); there is no line to send a break on, as with any such terminal"""
    tty.check_foreground(SIGTTOU)
    wait_for_output(tty)
    return 0


def flow(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TCXONC"""
    tty.check_foreground(SIGTTOU)
    discipline, characters = tty.discipline, tty.termios.characters
    if argument == abi.TCOOFF:
        discipline.forced_stop = True
        discipline.stop()
    elif argument == abi.TCOON:
        if discipline.forced_stop:
            discipline.forced_stop = False
            discipline.start(echo=False)
    elif argument in (abi.TCIOFF, abi.TCION):
        character = characters[abi.VSTOP if argument == abi.TCIOFF else abi.VSTART]
        if character:
            discipline.output.waiting.append(character)
    else:
        raise LinuxError(EINVAL)
    tty.after_input()
    return 0


def set_exclusive(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCEXCL"""
    tty.exclusive = True
    return 0


def set_shared(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCNXCL"""
    tty.exclusive = False
    return 0


def get_exclusive(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCGEXCL"""
    return store_int(memory, argument, int(tty.exclusive))


def get_discipline(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCGETD: N_TTY"""
    return store_int(memory, argument, 0)


def set_discipline(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCSETD.  EINVAL: anything but N_TTY"""
    tty.check_foreground(SIGTTOU)
    if load_int(memory, argument) != 0:
        raise LinuxError(EINVAL)
    return 0


def get_device(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCGDEV: the device number, also through /dev/tty, /dev/console and the master"""
    return store_int(memory, argument, tty.device)


def push_back(tty: Tty, file: File, argument: int, memory: GuestMemory) -> int:
    """TIOCSTI: as if a byte had been typed.  EPERM: neither the controlling terminal nor CAP_SYS_ADMIN"""
    if not tty.is_controlling() and not tty.jobs.privileged():
        raise LinuxError(EPERM)
    tty.feed(memory.read(argument, 1))
    return 0


IOCTLS: dict[int, Handler] = {
    **ATTRIBUTE_IOCTLS,
    **JOB_IOCTLS,
    abi.FIONREAD: input_queue,
    abi.TIOCOUTQ: output_queue,
    abi.TCFLSH: flush,
    abi.TCSBRK: send_break,
    abi.TCSBRKP: send_break,
    abi.TIOCSBRK: send_break,
    abi.TIOCCBRK: send_break,
    abi.TCXONC: flow,
    abi.TIOCEXCL: set_exclusive,
    abi.TIOCNXCL: set_shared,
    abi.TIOCGEXCL: get_exclusive,
    abi.TIOCGETD: get_discipline,
    abi.TIOCSETD: set_discipline,
    abi.TIOCGDEV: get_device,
    abi.TIOCSTI: push_back,
}
