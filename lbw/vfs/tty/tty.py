"""A terminal device: attributes, window size, line discipline, session and foreground group.  man 4 tty

Where its bytes go to and come from is a subclass's business (`push`, `resume_input`): the host's terminal
(`lbw.vfs.tty.host_tty`) or the other side of a pseudo-terminal. Open files on it are `TtyFile`; the ioctls are in
`lbw.vfs.tty.ioctls`.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EBUSY, EIO, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_NOCTTY, O_WRONLY
from lbw.abi.ioctl import TOSTOP
from lbw.abi.signal import SIGCONT, SIGHUP, SIGTTIN, SIGTTOU, SIGWINCH
from lbw.vfs.tty.jobs import JobControl
from lbw.vfs.tty.ldisc import LineDiscipline
from lbw.vfs.tty.termios import Termios
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.context import FsContext
    from lbw.vfs.inode import Inode
    from lbw.vfs.tty.jobs import Group, Session
    from lbw.vfs.tty.tty_file import TtyFile

    Size = tuple[int, int, int, int]

#: Bytes that wait for the device before writers have to wait.
BACKLOG = 65536


class Tty:
    """A terminal. `jobs` is set by the kernel, `device` (st_rdev, shown in /proc) by who registers its driver."""

    def __init__(
        self, termios: Termios | None = None, size: Size = (24, 80, 0, 0), jobs: JobControl | None = None
    ) -> None:
        self.termios = termios or Termios()
        self.size = size  # rows, columns, pixels across, pixels down
        self.discipline = LineDiscipline(self.termios)
        self.jobs = jobs or JobControl()
        #: Whose controlling terminal this is.
        self.session: Session | None = None
        self.foreground: Group | None = None
        self.queue = WaitQueue()
        self.device = 0
        self.exclusive = False  # TIOCEXCL
        self.dead = False  # the line is gone: reads end, writes fail

    # For the device

    def push(self) -> None:
        """Give `discipline.output.waiting` to the device, as much as it takes."""

    def resume_input(self) -> None:
        """There is room for input again."""

    def feed(self, data: bytes) -> int:
        """Take bytes from the device; return how many (fewer when the queue is full)."""
        taken = self.discipline.receive(data)
        self.after_input()
        return taken

    def after_input(self) -> None:
        """Send the signals, show the echo, wake whoever waits."""
        discipline = self.discipline
        if discipline.signals:
            signals, discipline.signals = discipline.signals, []
            for number in signals:
                self.signal_foreground(number)
        if discipline.output.waiting:
            self.push()
        self.queue.wake_all()

    def resize(self, size: Size) -> None:
        """The window has `size` now; the foreground group learns of a change (SIGWINCH)."""
        if size != self.size:
            self.size = size
            self.signal_foreground(SIGWINCH)

    def line_lost(self) -> None:
        """The device hung up: no more input or output; SIGHUP to the session leader, whose end tells the others."""
        if not self.dead:
            self.dead = True
            if self.session is not None:
                self.jobs.signal_leader(self.session, SIGHUP)
                self.jobs.signal_leader(self.session, SIGCONT)
            self.queue.wake_all()

    # Jobs

    def signal_foreground(self, number: int) -> None:
        """Send a signal to the foreground group, if there is one."""
        if self.foreground is not None:
            self.jobs.signal_group(self.foreground, number)

    def attach(self, session: Session, group: Group) -> None:
        """Become the controlling terminal of `session`, with `group` in the foreground."""
        self.session = session
        self.foreground = group
        session.terminal = self

    def hang_up(self) -> None:
        """The session leader is gone: forget session and foreground group (the kernel has told the latter)."""
        if self.session is not None:
            self.session.terminal = None
        self.session = self.foreground = None

    def give_up(self) -> None:
        """The session leader gives the terminal up (TIOCNOTTY): tell the foreground group, forget both."""
        group = self.foreground
        self.hang_up()
        if group is not None:
            self.jobs.signal_group(group, SIGHUP)
            self.jobs.signal_group(group, SIGCONT)

    def check_foreground(self, number: int) -> None:
        """Stop a caller that is a background job with signal `number` (SIGTTIN, SIGTTOU).

        EIO: it cannot be stopped, since nobody would continue it (or it ignores SIGTTIN). Ignored SIGTTOU lets it pass.
        """
        foreground = self.foreground
        if foreground is None:
            return
        caller = self.jobs.current()
        if caller is None or caller.session is not self.session or caller.group is foreground:
            return
        if self.jobs.ignores(number):
            if number == SIGTTIN:
                raise LinuxError(EIO)
            return
        if caller.group.orphaned:
            raise LinuxError(EIO)
        self.jobs.signal_group(caller.group, number)
        self.jobs.interrupted()

    def is_controlling(self) -> bool:
        """Whether this is the caller's controlling terminal."""
        caller = self.jobs.current()
        return caller is not None and self.session is not None and caller.session is self.session

    # For programs

    def open(self, ctx: FsContext, inode: Inode, flags: int) -> TtyFile:
        """Open the terminal (a driver of the device table). A session leader without one gets it as its terminal.

        EIO: the line is gone; EBUSY: TIOCEXCL
        """
        from lbw.vfs.tty.tty_file import TtyFile

        if self.dead:
            raise LinuxError(EIO)
        if self.exclusive and not self.jobs.privileged():
            raise LinuxError(EBUSY)
        if not flags & O_NOCTTY and flags & O_ACCMODE != O_WRONLY and self.session is None:
            caller = self.jobs.current()
            if caller is not None and caller.session.sid == caller.pid and caller.session.terminal is None:
                self.attach(caller.session, caller.group)
        return TtyFile(inode, flags, self)

    def read(self, length: int, patient: bool, nonblocking: bool) -> bytes:
        """Return what a read of `length` bytes gets; empty: end of file.

        EAGAIN: nothing yet, or less than VMIN. Not `patient`: VTIME is over, take what is there.
        """
        self.check_foreground(SIGTTIN)
        discipline = self.discipline
        if self.dead or not length:
            return b""
        if discipline.canonical:
            if not discipline.readable():
                self.resume_input()
                raise LinuxError(EAGAIN)
        else:
            available, minimum = discipline.available(), discipline.minimum
            if available < min(minimum or 1, length) and patient and not (nonblocking and available):
                if not minimum and not discipline.patience:
                    return b""
                self.resume_input()
                raise LinuxError(EAGAIN)
        data = discipline.read(length)
        self.resume_input()
        return data

    def write(self, data: bytes) -> int:
        """Take what a program writes.  EAGAIN: stopped, or the device is behind; EIO: the line is gone"""
        if self.termios.local & TOSTOP:
            self.check_foreground(SIGTTOU)
        if self.dead:
            raise LinuxError(EIO)
        output = self.discipline.output
        if output.stopped or len(output.waiting) >= BACKLOG:
            self.push()
            if output.stopped or len(output.waiting) >= BACKLOG:
                raise LinuxError(EAGAIN)
        self.put(data)
        self.push()
        return len(data)

    def put(self, data: bytes) -> None:
        """Process output; a device that does it itself overrides this."""
        self.discipline.output.write(data)

    def configure(self, termios: Termios) -> None:
        """Use these attributes from now on."""
        self.termios = termios
        self.discipline.configure(termios)
        self.push()
        self.queue.wake_all()
