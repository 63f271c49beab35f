"""A terminal device: attributes, window size, line discipline, session and foreground group.  man 4 tty

Where its bytes go to and come from is a subclass's business (`push`, `resume_input`): the host's terminal
(`lbw.vfs.tty.host_tty`) or the other side of a pseudo-terminal (`lbw.vfs.tty.pty`). Open files on it are `TtyFile`; the
ioctls are in `lbw.vfs.tty.ioctls`.

A hang-up is for those who have the terminal open now: it counts `generation` up, and a file of an older one reads
end of file and writes EIO for ever. Who opens the terminal afterwards finds it fresh (login does that), unless the line
itself is gone (`dead`).

Whose controlling terminal this is stands in two places, as in Linux: the terminal knows the session, and each process
knows its terminal. A process has it from its parent, and a process that was there before the session leader got the
terminal has none.
"""

from __future__ import annotations

from lbw.abi.errno import EAGAIN, EBUSY, EIO, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_NOCTTY, O_WRONLY
from lbw.abi.ioctl import TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHWRITE, TOSTOP
from lbw.abi.signal import SIGCONT, SIGHUP, SIGTTIN, SIGTTOU, SIGWINCH
from lbw.vfs.tty.jobs import JobControl
from lbw.vfs.tty.ldisc import LineDiscipline
from lbw.vfs.tty.termios import Termios
from lbw.waiting import WaitQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.vfs.context import FsContext
    from lbw.vfs.inode import Inode
    from lbw.vfs.tty.jobs import Caller, Group, Session
    from lbw.vfs.tty.tty_file import TtyFile

    Size = tuple[int, int, int, int]


class Tty:
    """A terminal. `jobs` is set by the kernel, `device` (st_rdev, shown in /proc) by who registers its driver."""

    def __init__(
        self, termios: Termios | None = None, size: Size = (24, 80, 0, 0), jobs: JobControl | None = None
    ) -> None:
        self.termios = termios or Termios()
        #: What cannot be changed (TIOCSLCKTRMIOS): the bits and characters that are not 0 here.
        self.locked: Termios | None = None
        self.size = size  # rows, columns, pixels across, pixels down
        self.discipline = LineDiscipline(self.termios)
        self.jobs = jobs or JobControl()
        #: Whose controlling terminal this is.
        self.session: Session | None = None
        self.foreground: Group | None = None
        self.queue = WaitQueue()
        self.device = 0
        self.exclusive = False  # TIOCEXCL
        self.dead = False  # the line is gone: nobody can open it any more
        self.generation = 0
        self.opens = 0  # open files
        self.last_read = self.last_write = 0  # ns since the epoch; 0: never

    # For the device

    def push(self) -> None:
        """Give `discipline.output.waiting` to the device, as much as it takes."""

    def resume_input(self) -> None:
        """There is room for input again."""

    def announce(self, status: int) -> None:
        """Tell who drives the terminal of TIOCPKT_* events; only the master of a pseudo-terminal wants to know."""

    @property
    def sending(self) -> bool:
        """Whether there is output that the device has still to take (tcdrain waits for it)."""
        return bool(self.discipline.output.waiting)

    def feed(self, data: bytes) -> int:
        """Take bytes from the device; return how many (fewer when the queue is full)."""
        taken = self.discipline.receive(data)
        self.after_input()
        return taken

    def after_input(self) -> None:
        """Send the signals, show the echo, wake whoever waits."""
        discipline = self.discipline
        if discipline.status:
            status, discipline.status = discipline.status, 0
            self.announce(status)
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

    def flush_input(self) -> None:
        """Forget what was typed and not read (TCIFLUSH)."""
        self.discipline.flush_input()
        self.announce(TIOCPKT_FLUSHREAD)
        self.resume_input()

    def flush_output(self) -> None:
        """Forget what programs wrote and the device has not taken (TCOFLUSH)."""
        self.discipline.output.discard()
        self.announce(TIOCPKT_FLUSHWRITE)
        self.queue.wake_all()

    def closed(self) -> None:
        """An open file is gone."""
        self.opens -= 1

    # Hanging up

    def line_lost(self) -> None:
        """The device hung up: no more input or output, for anybody."""
        if not self.dead:
            self.dead = True
            self.hang_up()

    def hang_up(self) -> None:
        """Cut off everybody who has the terminal open; SIGHUP to the session leader, whose end tells the others.

        man 2 vhangup; Linux: __tty_hangup
        """
        self.generation += 1
        session, foreground = self.session, self.foreground
        self.session = self.foreground = None
        if session is not None:
            for process in list(self.jobs.members(session)):
                if process.terminal is self:
                    process.terminal = None
            session.left_behind = foreground
            self.jobs.signal_leader(session, SIGHUP)
            self.jobs.signal_leader(session, SIGCONT)
        self.discipline.flush_input()
        self.discipline.output.discard()
        self.queue.wake_all()

    # Jobs

    def signal_foreground(self, number: int) -> None:
        """Send a signal to the foreground group, if there is one."""
        if self.foreground is not None:
            self.jobs.signal_group(self.foreground, number)

    def attach(self, leader: Caller) -> None:
        """Become the controlling terminal of the session that `leader` leads, its group in the foreground."""
        self.session = leader.session
        self.foreground = leader.group
        leader.terminal = self
        leader.session.left_behind = None

    def detach(self) -> None:
        """Be nobody's controlling terminal any more. Nobody is told."""
        session = self.session
        self.session = self.foreground = None
        if session is not None:
            for process in self.jobs.members(session):
                process.terminal = None

    def check_foreground(self, number: int) -> None:
        """Stop a caller that is a background job with signal `number` (SIGTTIN, SIGTTOU).

        EIO: it cannot be stopped, since nobody would continue it (or it ignores SIGTTIN). Ignored SIGTTOU lets it pass.
        """
        foreground = self.foreground
        if foreground is None:
            return
        caller = self.jobs.current()
        if caller is None or caller.terminal is not self or caller.group is foreground:
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
        return caller is not None and caller.terminal is self

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
            if caller is not None and caller.session.sid == caller.pid and caller.terminal is None:
                self.attach(caller)
        self.opens += 1
        return TtyFile(inode, flags, self)

    def read(self, length: int, patient: bool, nonblocking: bool) -> bytes:
        """Return what a read of `length` bytes gets; empty: end of file.

        EAGAIN: nothing yet, or less than VMIN. Not `patient`: VTIME is over, take what is there.
        """
        discipline = self.discipline
        if not length:
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

    @property
    def writable(self) -> bool:
        """Whether a write would take something."""
        output = self.discipline.output
        return not output.stopped and output.room > 0

    def write(self, data: bytes) -> int:
        """Take what a program writes, as much as there is room for.  EAGAIN: stopped, or the device is behind"""
        if self.termios.local & TOSTOP:
            self.check_foreground(SIGTTOU)
        output = self.discipline.output
        output.flush_echo()
        if not self.writable:
            self.push()
            if not self.writable:
                raise LinuxError(EAGAIN)
        room = output.room
        if len(data) > room:
            data = data[:room]
        self.put(data)
        self.push()
        return len(data)

    def put(self, data: bytes) -> None:
        """Process output; a device that does it itself overrides this."""
        self.discipline.output.write(data)

    def configure(self, termios: Termios) -> None:
        """Use these attributes from now on, but for what is locked."""
        if self.locked is not None:
            termios = termios.keep(self.termios, self.locked)
        self.termios = termios
        self.discipline.configure(termios)
        self.after_input()
        self.push()
