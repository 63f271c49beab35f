"""The host's terminal as a terminal of the guest.

The host's terminal is raw while lbw reads from it, so every key comes here as bytes and the guest's line discipline
makes lines and signals of them. Input is taken as soon as the host has it and the queue has room, whether or not a
program reads: else ^C would not reach a program that only computes.

When lbw's input and output are both the terminal, it goes raw at once. In `lbw run ls | less` it belongs to the pager
as well: then it goes raw only when a guest reads from it or changes its attributes, and until then the host edits
lines, processes output, and turns ^C into a signal to lbw, which is passed on to the guest's foreground group.
"""

from __future__ import annotations

import os

from lbw.abi.signal import SIGINT, SIGQUIT
from lbw.host.events import READABLE, WRITABLE
from lbw.host.stdio import TERMINAL, InheritedStream
from lbw.host.terminal import HostTerminal
from lbw.vfs.tty.termios import Termios
from lbw.vfs.tty.tty import Tty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.host.events import HostEvents
    from lbw.vfs.tty.jobs import JobControl

#: Most bytes taken from the host at once.
PIECE = 4096


class HostTty(Tty):
    """The terminal behind the host's descriptors `fd_in` and `fd_out`."""

    def __init__(self, events: HostEvents, fd_in: int, fd_out: int, jobs: JobControl | None = None) -> None:
        self.terminal = HostTerminal(fd_in, fd_out)
        attributes = self.terminal.attributes()
        termios = Termios(*attributes) if attributes is not None else None
        super().__init__(termios, self.terminal.window_size(), jobs)
        self._events = events
        self._input = InheritedStream(fd_in)
        self._output = InheritedStream(fd_out)
        self._reading = 0  # tokens of watches
        self._writing = 0
        self._own_fd = -1  # /dev/tty, when we opened it
        self._ours = True  # lbw's input and output are both the terminal

    def start(self, raw: bool) -> None:
        """Follow the host's signals; with `raw`, take the terminal over at once, if nobody else writes to it."""
        on_signal = self._events.on_signal
        on_signal("WINCH", self._window_changed)
        on_signal("TSTP", self._suspend)
        on_signal("CONT", self._continued)
        on_signal("INT", lambda: self.signal_foreground(SIGINT))
        on_signal("QUIT", lambda: self.signal_foreground(SIGQUIT))
        if raw and self._ours and self.terminal.enter_raw():
            self._watch_input()

    def close(self) -> None:
        """Show what is left and give the terminal back."""
        self._drain()
        for token in (self._reading, self._writing):
            self._events.unwatch(token)
        self._reading = self._writing = 0
        self.terminal.restore()
        if self._own_fd >= 0:
            os.close(self._own_fd)
            self._own_fd = -1

    @property
    def sending(self) -> bool:
        """Whether the host's terminal has still to take some output."""
        return bool(self.discipline.output.waiting) and not self.dead

    def closed(self) -> None:
        """An open file is gone; with the last one goes TIOCEXCL."""
        super().closed()
        if not self.opens:
            self.exclusive = False

    # Input

    def _watch_input(self) -> None:
        if not self._reading and not self.dead and self.discipline.room():
            self._reading = self._events.watch(self._input.fd, READABLE, self._input_ready)

    def _input_ready(self) -> None:
        self._reading = 0
        try:
            data = self._input.read(min(PIECE, self.discipline.room()))
        except BlockingIOError:  # somebody else who has this terminal was faster
            data = None
        except OSError:
            data = b""
        if data:
            self.feed(data)
        elif data is not None:
            self.line_lost()
        self._watch_input()

    def resume_input(self) -> None:
        """A program wants input, or there is room again."""
        terminal = self.terminal
        if terminal.raw or (terminal.wait_foreground() and terminal.enter_raw()):
            self._watch_input()

    # Output

    def put(self, data: bytes) -> None:
        """Process output, unless the host does."""
        if self.terminal.raw:
            super().put(data)
        else:
            self.discipline.output.waiting += data

    def push(self) -> None:
        """Write what the host's terminal takes now; the rest follows when it is ready."""
        output = self.discipline.output
        waiting = output.waiting
        if not waiting or output.stopped:
            return
        try:
            done = self._output.write(waiting)
        except BlockingIOError:
            done = 0
        except OSError:
            waiting.clear()
            self.line_lost()
            return
        del waiting[:done]
        if waiting and not self._writing:
            self._writing = self._events.watch(self._output.fd, WRITABLE, self._output_ready)

    def _output_ready(self) -> None:
        self._writing = 0
        self.push()
        self.queue.wake_all()

    def _drain(self) -> None:
        """Write out everything, waiting for the terminal."""
        waiting = self.discipline.output.waiting
        while waiting and not self.dead:
            try:
                del waiting[: os.write(self._output.fd, waiting[:PIECE])]
            except OSError:
                return

    # The host's signals

    def configure(self, termios: Termios) -> None:
        """Use these attributes; from now on the guest decides how the terminal behaves."""
        if not self.terminal.raw and self.terminal.enter_raw():
            self._watch_input()
        super().configure(termios)

    def _window_changed(self) -> None:
        self.resize(self.terminal.window_size())

    def _suspend(self) -> None:
        self.terminal.suspend()
        self._continued()

    def _continued(self) -> None:
        self.terminal.reenter()
        if self.terminal.raw:
            self._watch_input()
        self._window_changed()


def find_host_tty(events: HostEvents, jobs: JobControl | None = None) -> HostTty | None:
    """Return the terminal that lbw was started on, if any; not yet started.

    That of stdin, else of stdout or stderr, else /dev/tty: `lbw run less < file` reads its keys from there.
    """
    terminals = [fd for fd in (0, 1, 2) if _is_terminal(fd)]
    own = -1
    if 0 in terminals:
        fd_in = 0
    else:
        fd_in = next((fd for fd in terminals if InheritedStream(fd).access()[0]), -1)
        if fd_in < 0:
            try:
                fd_in = own = os.open("/dev/tty", os.O_RDWR | getattr(os, "O_NOCTTY", 0))
            except OSError:
                return None
    fd_out = next((fd for fd in (1, 2) if fd in terminals), fd_in)
    tty = HostTty(events, fd_in, fd_out, jobs)
    tty._own_fd = own
    tty._ours = 0 in terminals and 1 in terminals
    return tty


def _is_terminal(fd: int) -> bool:
    try:
        return InheritedStream(fd).kind == TERMINAL
    except OSError:
        return False
