"""The master side of a pseudo-terminal: what a terminal emulator, sshd or tmux holds.  man 7 pty, man 4 ptmx

Most ioctls on a master are about the slave, as on Linux: attributes, window size, session, foreground group. Here are
the few that are about the master's own side of the line (flush, flow, queue lengths), and those that only a master has.
"""

from __future__ import annotations

from lbw.abi import ioctl as abi
from lbw.abi.errno import EAGAIN, EBADF, EINVAL, EIO, ENODEV, ENOTTY, EPERM, ESPIPE, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_RDONLY, O_WRONLY
from lbw.abi.poll import POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM
from lbw.abi.signal import SIGINT, SIGQUIT, SIGTSTP
from lbw.vfs.file import File, scatter
from lbw.vfs.tty.attribute_ioctls import ATTRIBUTE_IOCTLS, load_int, store_int
from lbw.vfs.tty.ioctls import get_device, get_discipline, set_discipline
from lbw.vfs.tty.job_ioctls import group_of, session_of, set_controlling, set_group
from lbw.vfs.tty.ldisc import CAPACITY
from lbw.vfs.tty.pty import MASTER_TERMIOS
from lbw.vfs.tty.tty_file import beginning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.context import FsContext
    from lbw.vfs.devpts.filesystem import DevptsFileSystem
    from lbw.vfs.file import GuestMemory
    from lbw.vfs.inode import Inode
    from lbw.vfs.tty.attribute_ioctls import Handler
    from lbw.vfs.tty.pty import PtySlave
    from lbw.waiting import WaitQueue

    MasterHandler = Callable[["PtyMaster", int, GuestMemory], int]


class PtyMaster(File):
    """An open master. There is one per pair: opening /dev/ptmx makes a new pair."""

    __slots__ = ("_devpts", "exclusive", "queue", "slave")

    def __init__(self, inode: Inode, flags: int, slave: PtySlave, devpts: DevptsFileSystem) -> None:
        super().__init__(inode, flags)
        self.slave = slave
        self._devpts = devpts
        self.exclusive = False
        self.queue: WaitQueue = slave.master_queue

    def close(self) -> None:
        self.slave.master_closed()

    def fdinfo(self) -> bytes:
        return b"tty-index:\t%d\n" % self.slave.index

    def open_peer(self, ctx: FsContext, flags: int) -> File:
        """Open the slave, wherever its node is and whoever may open it (TIOCGPTPEER).  EIO: it is locked"""
        return self._devpts.open_peer(ctx, self.slave.index, flags)

    def read(self, views: list[memoryview]) -> int:
        """Return what was written to the slave; in packet mode behind a byte of status.

        EIO: nobody has the slave open, and all is read
        """
        if self.flags & O_ACCMODE == O_WRONLY:
            raise LinuxError(EBADF)
        slave, length = self.slave, sum(map(len, views))
        if not length:
            return 0
        if slave.packet_mode and slave.packet_status:
            status, slave.packet_status = slave.packet_status, 0
            return scatter(bytes((status,)), views)
        if not slave.discipline.output.waiting:
            raise LinuxError(EIO if slave.deserted else EAGAIN)
        if slave.packet_mode:
            return scatter(b"\0" + slave.take(length - 1), views)
        return scatter(slave.take(length), views)

    def write(self, views: list[memoryview]) -> int:
        """Type."""
        if self.flags & O_ACCMODE == O_RDONLY:
            raise LinuxError(EBADF)
        slave = self.slave
        data = beginning(views)[: slave.room]
        if not data:
            if not slave.room and any(map(len, views)):
                raise LinuxError(EAGAIN)
            return 0
        slave.type(data)
        return len(data)

    def seek(self, offset: int, whence: int) -> int:
        raise LinuxError(ESPIPE)

    def allocate(self, mode: int, offset: int, length: int) -> None:
        raise LinuxError(ENODEV)

    def poll(self) -> int:
        slave, events = self.slave, 0
        if slave.discipline.output.waiting:
            events = POLLIN | POLLRDNORM
        if slave.packet_mode and slave.packet_status:
            events |= POLLPRI | POLLIN | POLLRDNORM
        if slave.deserted:
            events |= POLLHUP
        if slave.room:
            events |= POLLOUT | POLLWRNORM
        return events

    def ioctl(self, request: int, argument: int, memory: GuestMemory) -> int:
        request &= 0xFFFFFFFF
        own = _OWN.get(request)
        if own is not None:
            return own(self, argument, memory)
        handler = _OF_SLAVE.get(request)
        if handler is None:
            return super().ioctl(request, argument, memory)
        return handler(self.slave, self, argument, memory)


def get_number(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCGPTN: N of /dev/pts/N"""
    return store_int(memory, argument, master.slave.index)


def set_lock(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCSPTLCK: whether the slave can be opened"""
    master.slave.locked_up = load_int(memory, argument) != 0
    return 0


def get_lock(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCGPTLCK"""
    return store_int(memory, argument, int(master.slave.locked_up))


def set_packet_mode(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCPKT"""
    slave, wanted = master.slave, load_int(memory, argument) != 0
    if wanted and not slave.packet_mode:
        slave.packet_status = 0
    slave.packet_mode = wanted
    return 0


def get_packet_mode(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCGPKT"""
    return store_int(memory, argument, int(master.slave.packet_mode))


def signal_slave(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCSIG: send a signal to the slave's foreground group.  EINVAL: none of SIGINT, SIGQUIT, SIGTSTP"""
    if argument not in (SIGINT, SIGQUIT, SIGTSTP):
        raise LinuxError(EINVAL)
    master.slave.signal_foreground(argument)
    return 0


def input_queue(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCINQ, FIONREAD: what one read would get"""
    return store_int(memory, argument, min(len(master.slave.discipline.output.waiting), CAPACITY))


def output_queue(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCOUTQ: what is written has arrived"""
    return store_int(memory, argument, 0)


def flush(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TCFLSH"""
    slave = master.slave
    if argument not in (abi.TCIFLUSH, abi.TCOFLUSH, abi.TCIOFLUSH):
        raise LinuxError(EINVAL)
    if argument != abi.TCOFLUSH:
        slave.discipline.output.waiting.clear()
        slave.queue.wake_all()
    if argument != abi.TCIFLUSH:
        slave.forget_arriving()
    return 0


def flow(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TCXONC"""
    slave, characters = master.slave, MASTER_TERMIOS.characters
    if argument in (abi.TCOOFF, abi.TCOON):
        slave.master_stopped = argument == abi.TCOOFF
        slave.master_queue.wake_all()
    elif argument in (abi.TCIOFF, abi.TCION):
        slave.type(characters[abi.VSTOP if argument == abi.TCIOFF else abi.VSTART].to_bytes())
    else:
        raise LinuxError(EINVAL)
    return 0


def nothing_to_do(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TCSBRK, TCSBRKP and their like: no output to wait for, no line to send a break on"""
    return 0


def set_exclusive(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCEXCL: without effect, a master cannot be opened again"""
    master.exclusive = True
    return 0


def set_shared(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCNXCL"""
    master.exclusive = False
    return 0


def get_exclusive(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCGEXCL"""
    return store_int(memory, argument, int(master.exclusive))


def push_back(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCSTI: as if the slave had written it.  EPERM: without CAP_SYS_ADMIN"""
    if not master.slave.jobs.privileged():
        raise LinuxError(EPERM)
    master.slave.discipline.output.waiting += memory.read(argument, 1)
    master.queue.wake_all()
    return 0


def give_up(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCNOTTY: a master is nobody's controlling terminal"""
    raise LinuxError(ENOTTY)


def redirect_console(master: PtyMaster, argument: int, memory: GuestMemory) -> int:
    """TIOCCONS"""
    raise LinuxError(EINVAL)


_OWN: dict[int, MasterHandler] = {
    abi.TIOCGPTN: get_number,
    abi.TIOCSPTLCK: set_lock,
    abi.TIOCGPTLCK: get_lock,
    abi.TIOCPKT: set_packet_mode,
    abi.TIOCGPKT: get_packet_mode,
    abi.TIOCSIG: signal_slave,
    abi.FIONREAD: input_queue,
    abi.TIOCOUTQ: output_queue,
    abi.TCFLSH: flush,
    abi.TCXONC: flow,
    abi.TCSBRK: nothing_to_do,
    abi.TCSBRKP: nothing_to_do,
    abi.TIOCSBRK: nothing_to_do,
    abi.TIOCCBRK: nothing_to_do,
    abi.TIOCEXCL: set_exclusive,
    abi.TIOCNXCL: set_shared,
    abi.TIOCGEXCL: get_exclusive,
    abi.TIOCSTI: push_back,
    abi.TIOCNOTTY: give_up,
    abi.TIOCCONS: redirect_console,
}

_OF_SLAVE: dict[int, Handler] = {
    **ATTRIBUTE_IOCTLS,
    abi.TIOCGPGRP: group_of,
    abi.TIOCSPGRP: set_group,
    abi.TIOCGSID: session_of,
    abi.TIOCSCTTY: set_controlling,
    abi.TIOCGETD: get_discipline,
    abi.TIOCSETD: set_discipline,
    abi.TIOCGDEV: get_device,
}
