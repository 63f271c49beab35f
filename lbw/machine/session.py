"""A run: a kernel with its streams, from the first program to the last."""

from __future__ import annotations

import os
import sys
from functools import partial

from lbw.abi.errno import ENOENT, ENOTDIR, LinuxError
from lbw.abi.fcntl import O_LARGEFILE, O_RDONLY, O_WRONLY
from lbw.abi.x86_64 import X86_64
from lbw.errors import UsageError
from lbw.host.events import HostEvents, Ticker
from lbw.host.ticker import PERIOD
from lbw.kernel.counter_clock import CounterClock
from lbw.kernel.fds import FileTable
from lbw.kernel.kernel import Kernel
from lbw.kernel.proc_source import KernelProcSource
from lbw.kernel.start import start_program
from lbw.machine import DEFAULT_PATH, Result
from lbw.machine.hardware import ABIS
from lbw.machine.streams import DEVNULL, PIPE, STDOUT, Capture, Feed
from lbw.machine.users import User, find_user
from lbw.syscalls.loading import load_table
from lbw.vfs.credentials import Credentials
from lbw.vfs.operations import chdir, open_file, resolve
from lbw.vfs.permissions import EXECUTE, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from lbw.machine import Machine, Stream
    from lbw.machine.hardware import Board
    from lbw.machine.standard import StandardStreams
    from lbw.machine.tree import Tree
    from lbw.vfs.context import FsContext
    from lbw.vfs.file import File

#: Host signals that end the run; the guests see SIGKILL, lbw exits with 128+N.
_ENDING = {"TERM": 15, "HUP": 1, "INT": 2, "QUIT": 3}


class Session:
    """One run of a program in a machine."""

    def __init__(self, machine: Machine, board: Board, tree: Tree) -> None:
        self.machine = machine
        self.board = board
        self.tree = tree
        self.events = HostEvents()
        self.standard: StandardStreams | None = None
        self.repeatable = None
        period = PERIOD
        if machine.deterministic is not None:
            from lbw.kernel.repeatable import PATIENCE, Repeatable

            self.repeatable = Repeatable(machine.deterministic)
            period = PATIENCE / 1e9
        self.ticker = Ticker(board.engine.nudge, period, prepare=board.engine.expect_interrupts)
        self.events.interrupt = board.engine.interrupt
        self.trace = None
        if machine.strace is not None:
            from lbw.trace.strace import Strace

            self.trace = Strace(open_trace(machine.strace))
        self.kernel = Kernel(
            board.engine, self.events, ticker=self.ticker, frames=board.frames, page_cache=board.page_cache,
            vfs=tree.vfs, create_memory=board.create_memory, images=board.images, hardware=board.hardware,
            homes=board.homes, hostname=os.fsencode(machine.hostname), strict=machine.strict, observer=self.trace,
            faults=board.faults, repeatable=self.repeatable,
            clock=CounterClock(board.engine.counter, board.vdso.clocks()) if self.repeatable is None else None,
        )  # fmt: skip
        for abi in ABIS:
            self.kernel.tables.offer(abi, load_table)
        tree.keep_time(self.kernel.clock.realtime, self.kernel.random)
        tree.use_cache(board.page_cache)
        tree.mount_proc(KernelProcSource(self.kernel, tree.devices))
        tree.mount_queues(self.kernel.queues)

    def run(
        self, argv: list[bytes], stdin: Stream, stdout: Stream, stderr: Stream,
        env: Mapping[str, str], cwd: str | None, user: str | None,
    ) -> Result:  # fmt: skip
        """Run the program; see `Machine.run`."""
        kernel = self.kernel
        ctx = self.tree.vfs.context()
        who = find_user(ctx, user if user is not None else "0")
        environment = login_environment(who)
        environment.update({os.fsencode(k): os.fsencode(v) for k, v in env.items()})
        files = FileTable()
        outputs = self._standard_files(ctx, files, stdin, stdout, stderr)
        self._enter(ctx, who, cwd)
        path = find_on_path(ctx, argv[0], environment.get(b"PATH", b""))
        envp = [name + b"=" + value for name, value in environment.items()]
        for name, number in _ENDING.items():
            self.events.on_signal(name, partial(kernel.shutdown, number))
        process = start_program(kernel, X86_64, ctx, files, path, argv, envp)
        assert self.standard is not None
        self.standard.start(process, stdin is None and stdout is None)
        status = kernel.run()
        captured = [file.data if isinstance(file, Capture) else None for file in outputs]
        return Result(status, captured[0], captured[1])

    def _enter(self, ctx: FsContext, who: User, cwd: str | None) -> None:
        """Become the user, in the working directory."""
        try:
            chdir(ctx, resolve(ctx, os.fsencode(cwd if cwd is not None else who.home)))
        except LinuxError:
            if cwd is not None:
                raise UsageError(f"the working directory {cwd} cannot be entered in the root") from None
        ctx.credentials = Credentials(who.uid, who.gid, tuple(who.groups))

    def _standard_files(
        self, ctx: FsContext, files: FileTable, stdin: Stream, stdout: Stream, stderr: Stream
    ) -> tuple[File | None, File | None]:
        from lbw.machine.standard import StandardStreams

        self.standard = standard = StandardStreams(self.kernel, self.events, self.tree, ctx)
        opened: list[File | None] = []
        for number, wish in enumerate((stdin, stdout, stderr)):
            file: File | None
            if wish is None:
                file = standard.inherit(number)
            elif isinstance(wish, bytes):
                if number:
                    raise UsageError("bytes are for stdin only")
                file = Feed(wish)
            elif not isinstance(wish, int):
                file = standard.host_file(wish.fileno(), number)
            elif wish == PIPE:
                file = Feed(b"") if number == 0 else Capture()
            elif wish == DEVNULL:
                file = open_file(ctx, b"/dev/null", O_LARGEFILE | (O_WRONLY if number else O_RDONLY), 0)
            elif wish == STDOUT and number == 2:
                file = opened[1]
            elif wish >= 0:
                file = standard.host_file(wish, number)
            else:
                raise UsageError(f"not a stream: {wish}")
            opened.append(file)
            if file is not None:
                files.duplicate_to(file, number)
        return opened[1], opened[2] if opened[2] is not opened[1] else None

    def stats(self) -> str:
        """Return the summary of what happened."""
        from lbw.trace.stats import summary

        return summary(self.kernel)

    def close(self) -> None:
        """Let the host go: terminal, threads, descriptors."""
        if self.standard is not None:
            self.standard.close()
        self.ticker.close()
        self.events.close()
        if self.trace is not None:
            self.trace.close()


def open_trace(path: str) -> TextIO:
    """Return where the trace goes.  UsageError"""
    if path == "-":
        return sys.stderr
    try:
        return open(path, "w", encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write the trace to {path}: {error.strerror}") from None


def login_environment(who: User) -> dict[bytes, bytes]:
    """Return the variables that a login would set; TERM is the host's."""
    values = {
        "PATH": DEFAULT_PATH, "HOME": who.home, "USER": who.name, "LOGNAME": who.name, "SHELL": who.shell,
        "TERM": os.environ.get("TERM", "xterm" if sys.platform == "win32" else "dumb"),
    }  # fmt: skip
    return {os.fsencode(name): os.fsencode(value) for name, value in values.items()}


def find_on_path(ctx: FsContext, name: bytes, path: bytes) -> bytes:
    """Return the path of program `name` as execvp finds it; `name` itself when it has a slash or is nowhere."""
    if b"/" in name or not name:
        return name
    for directory in path.split(b":"):
        candidate = (directory or b".") + b"/" + name
        try:
            location = resolve(ctx, candidate)
            if not location.inode.is_directory:
                require(ctx.credentials, location.inode, EXECUTE)
                return candidate
        except LinuxError as error:
            if error.errno not in (ENOENT, ENOTDIR):
                continue
    return name

