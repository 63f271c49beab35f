"""Pseudo-terminals: a terminal whose device is a program.  man 7 pty

The slave is a terminal like any other (`Tty`); what would go to a device, the bytes in `discipline.output.waiting`, is
read by the holder of the master, and what the master writes is what is typed. So there is one queue in each direction,
and a bound on each: QUEUE bytes. A writer that meets the bound waits; a reader who takes something wakes it.

Linux has two queues in each direction, one of the receiving line discipline and one in front of it, and a flush reaches
only the latter. That can be seen (^C leaves 4095 bytes to the master, not all), so it is done here: `delivered` of the
output, and `_arriving`, what the master wrote and the line discipline has no room for.

The master side of the line is always raw, and cannot be made otherwise, so it needs no line discipline of its own.

IXOFF and parity have no effect on a pseudo-terminal, on Linux either: there is no line that could be told to pause.
"""

from __future__ import annotations

from lbw.abi.errno import EIO, LinuxError
from lbw.abi.ioctl import (
    B38400,
    CREAD,
    CS8,
    CSIZE,
    EXTPROC,
    IXON,
    PARENB,
    TIOCPKT_DOSTOP,
    TIOCPKT_IOCTL,
    TIOCPKT_NOSTOP,
    TIOCPKT_START,
    TIOCPKT_STOP,
    VSTART,
    VSTOP,
)
from lbw.vfs.tty.ldisc import CAPACITY
from lbw.vfs.tty.termios import Termios
from lbw.vfs.tty.tty import Tty
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.context import FsContext
    from lbw.vfs.inode import Inode
    from lbw.vfs.tty.jobs import JobControl
    from lbw.vfs.tty.tty_file import TtyFile

#: Bytes that wait for the reader in either direction, beside those of its line discipline. Linux: 8 to 16 kB, as they
#: happen to lie in its buffers.
QUEUE = 12288
#: c_cflag of a fresh one.
CONTROL = B38400 | CS8 | CREAD
#: ^Q and ^S, which a program at the master may act on without asking (TIOCPKT_DOSTOP).
START, STOP = 0x11, 0x13


class PtySlave(Tty):
    """The terminal side of a pair, and what its master has to know."""

    def __init__(
        self, jobs: JobControl, remove: Callable[[int], None], release: Callable[[int], None]
    ) -> None:  # fmt: skip
        """Make a terminal; `index` and `device` are set by who numbers it.

        `remove(index)` is called when the master is closed, `release(index)` when nobody has the slave open either.
        """
        super().__init__(Termios(control=CONTROL), (0, 0, 0, 0), jobs)
        self.index = 0  # N of /dev/pts/N
        output = self.discipline.output
        output.capacity = CAPACITY + QUEUE
        output.delivered = CAPACITY
        self._arriving = bytearray()
        self._remove, self._release = remove, release
        self.locked_up = True  # TIOCSPTLCK: it cannot be opened
        self.opened = False  # once at least
        self.packet_mode = False
        self.packet_status = 0  # TIOCPKT_* that the master has not read
        self.master_stopped = False  # TCOOFF at the master
        self.master_queue = WaitQueue()

    @property
    def sending(self) -> bool:
        """Never: what is written has arrived."""
        return False

    # The terminal's side

    def open(self, ctx: FsContext, inode: Inode, flags: int) -> TtyFile:
        """Open the slave.  EIO: the master is closed, or has it locked (unlockpt)"""
        if self.locked_up:
            raise LinuxError(EIO)
        file = super().open(ctx, inode, flags)
        self.opened = True
        return file

    def closed(self) -> None:
        """Let the master see end of input when nobody has the slave open any more."""
        super().closed()
        if not self.opens:
            self.master_queue.wake_all()
            if self.dead:
                self._release(self.index)

    @property
    def deserted(self) -> bool:
        """Whether the slave was open and is no more: reading at the master is EIO."""
        return self.opened and not self.opens

    def push(self) -> None:
        """There is something to read at the master."""
        self.master_queue.wake_all()

    def resume_input(self) -> None:
        """Give the line discipline what has arrived."""
        if self._arriving:
            self._deliver()

    def announce(self, status: int) -> None:
        """Keep it for the master to read, if that is in packet mode."""
        if self.packet_mode:
            if status & (TIOCPKT_START | TIOCPKT_STOP):
                self.packet_status &= ~(TIOCPKT_START | TIOCPKT_STOP)
            self.packet_status |= status
            self.master_queue.wake_all()

    def flush_input(self) -> None:
        """Forget what was typed, also what the line discipline has not seen yet."""
        self._arriving.clear()
        super().flush_input()
        self.master_queue.wake_all()

    def configure(self, termios: Termios) -> None:
        """Use these attributes; a pseudo-terminal always has 8 bits and no parity."""
        old = self.termios
        control = termios.control & ~(CSIZE | PARENB) | CS8 | CREAD
        super().configure(termios.with_control(control) if control != termios.control else termios)
        status = TIOCPKT_IOCTL if (old.local | termios.local) & EXTPROC else 0
        flow = _usual_flow(termios)
        if flow != _usual_flow(old):
            self.packet_status &= ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP)
            status |= TIOCPKT_DOSTOP if flow else TIOCPKT_NOSTOP
        if status:
            self.announce(status)

    def hang_up(self) -> None:
        """Cut off who has it open; who opens it afterwards finds it fresh."""
        self._arriving.clear()
        super().hang_up()
        self.locked = None
        self.configure(Termios(control=CONTROL))
        self.packet_status = 0
        self.master_queue.wake_all()

    # The master's side

    @property
    def room(self) -> int:
        """How many bytes the master may write now."""
        return 0 if self.master_stopped else max(QUEUE - len(self._arriving), 0)

    def type(self, data: bytes) -> None:
        """Take what the master writes; never more than there is `room`."""
        self._arriving += data
        self._deliver()

    def _deliver(self) -> None:
        arriving = self._arriving
        while arriving:
            taken = self.discipline.receive(bytes(arriving))
            if not taken:
                break
            del arriving[:taken]
            self.after_input()
            self.master_queue.wake_all()  # there is room again

    def forget_arriving(self) -> None:
        """Forget what the master wrote and the line discipline has not seen (TCOFLUSH at the master)."""
        self._arriving.clear()
        self.master_queue.wake_all()

    def take(self, length: int) -> bytes:
        """Return up to `length` bytes for the master, at most what a line discipline holds."""
        output = self.discipline.output
        waiting = output.waiting
        was_full = not output.room
        data = bytes(waiting[: min(length, CAPACITY)])
        del waiting[: len(data)]
        if was_full:
            output.flush_echo()
        self.queue.wake_all()
        return data

    def master_closed(self) -> None:
        """The master is closed: the line is gone."""
        self.packet_mode = False
        self._remove(self.index)
        self.line_lost()
        if not self.opens:
            self._release(self.index)


def _usual_flow(termios: Termios) -> bool:
    """Whether ^S and ^Q stop and start output."""
    characters = termios.characters
    return bool(termios.input & IXON) and characters[VSTOP] == STOP and characters[VSTART] == START


#: The attributes of the master side: raw (drivers/tty/pty.c, ptm_driver). Only its characters can be seen.
MASTER_TERMIOS = Termios(0, 0, CONTROL, 0)
