"""Standard streams that lbw itself was started with: its terminal, or whatever pipes and files they are."""

from __future__ import annotations

from lbw.abi.errno import ENXIO, LinuxError
from lbw.abi.fcntl import O_LARGEFILE, O_NOCTTY, O_RDWR
from lbw.errors import HostError
from lbw.host.stdio import TERMINAL, InheritedStream, occupy_standard
from lbw.kernel.jobs import KernelJobs
from lbw.vfs.devpts.filesystem import TTY_GID
from lbw.vfs.operations import open_file
from lbw.vfs.tty.host_stream import host_stream
from lbw.vfs.tty.host_tty import find_host_tty
from lbw.vfs.tty.tty import Tty

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lbw.host.events import HostEvents
    from lbw.kernel.kernel import Kernel
    from lbw.kernel.process import Process
    from lbw.machine.tree import Tree
    from lbw.vfs.context import FsContext
    from lbw.vfs.file import File
    from lbw.vfs.inode import Inode
    from lbw.vfs.tty.host_tty import HostTty


class StandardStreams:
    """The host's streams as files of the guest."""

    def __init__(self, kernel: Kernel, events: HostEvents, tree: Tree, ctx: FsContext) -> None:
        self._kernel = kernel
        self._events = events
        self._tree = tree
        self._ctx = ctx
        self._closed = occupy_standard()  # descriptors that lbw was started without
        self._terminal: HostTty | None = None
        self._looked = False
        self._index = 0
        tree.terminals.jobs = self._jobs = KernelJobs(kernel)
        tree.devices.register(5, 0, self._open_controlling, "/dev/tty")
        tree.devices.register(5, 1, self._open_console, "/dev/console")

    @property
    def terminal(self) -> HostTty | None:
        """The terminal that lbw was started on, known to the guest as /dev/pts/0."""
        if not self._looked:
            self._looked = True
            self._terminal = tty = find_host_tty(self._events, self._jobs)
            if tty is not None:
                self._index = self._tree.terminals.add(tty, 0, TTY_GID)
        return self._terminal

    def inherit(self, number: int) -> File | None:
        """Return lbw's own stream 0, 1 or 2; None when it was started without."""
        return None if number in self._closed else self.host_file(number, number)

    def host_file(self, fd: int, number: int) -> File:
        """Return the open file of a host descriptor, to be the guest's descriptor `number`."""
        try:
            if InheritedStream(fd).kind == TERMINAL and self.terminal is not None:
                return open_file(self._ctx, b"/dev/pts/%d" % self._index, O_RDWR | O_NOCTTY | O_LARGEFILE, 0)
            return host_stream(fd, self._events)
        except OSError as error:
            raise HostError(f"standard stream {number} cannot be used: {error.strerror}") from None

    def start(self, process: Process, owned: bool) -> None:
        """Make the terminal, if any, that of `process`; with `owned`, take it over from the host at once."""
        tty = self.terminal
        if tty is not None:
            tty.attach(process)
            if process.leader is not None:
                self._tree.terminals.give(self._index, process.leader.credentials.ruid)
            tty.start(owned)

    def _open_controlling(self, ctx: FsContext, inode: Inode, flags: int) -> File:
        """Open /dev/tty: the caller's controlling terminal.  ENXIO: it has none"""
        task = self._kernel.current
        tty = task.process.terminal if task is not None else None
        if not isinstance(tty, Tty):
            raise LinuxError(ENXIO)
        return tty.open(ctx, inode, flags | O_NOCTTY)

    def _open_console(self, ctx: FsContext, inode: Inode, flags: int) -> File:
        """Open /dev/console: lbw's terminal, which it makes nobody's controlling one, or else its standard streams.

        ENXIO: lbw was started without the streams that are asked for
        """
        tty = self.terminal
        if tty is not None:
            return tty.open(ctx, inode, flags | O_NOCTTY)
        from lbw.vfs.tty.console import open_console

        return open_console(inode, flags, self.inherit)

    def close(self) -> None:
        """Give the terminal back to the host."""
        if self._terminal is not None:
            self._terminal.close()
            self._tree.terminals.release(self._index)

