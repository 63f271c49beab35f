"""The composition root and the public API: a machine, and programs that run in it.

A machine keeps what is worth keeping between runs: guest memory, the page cache, translated code, the tree of files.
Each run gets a kernel of its own, with its own processes.
"""

from __future__ import annotations

import os

from lbw.errors import UsageError
from lbw.machine.streams import DEVNULL, PIPE, STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO

    from lbw.machine.hardware import Board
    from lbw.machine.sites import SegmentSite
    from lbw.machine.tree import Tree

    Stream = int | bytes | IO[bytes] | None

#: Guest memory, bytes, when nothing else is asked for. It is reserved, not taken.
DEFAULT_MEMORY = 4 << 30
MINIMUM_MEMORY = 16 << 20

#: What `segments` may be; see `lbw.faults.path`.
SEGMENTS = ("patch", "fault", "base")

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

__all__ = ["Bind", "Machine", "Result", "PIPE", "STDOUT", "DEVNULL"]


class Bind:
    """A host file or directory that the guest sees at `guest`."""

    __slots__ = ("guest", "host", "read_only")

    def __init__(self, host: str | os.PathLike[str], guest: str, read_only: bool = False) -> None:
        self.host = os.fspath(host)
        self.guest = guest
        self.read_only = read_only


class Result:
    """How a program ended. `status`: its exit status, or 128+N when signal N ended it."""

    __slots__ = ("signal", "status", "stderr", "stdout")

    def __init__(self, wait_status: int, stdout: bytes | None, stderr: bytes | None) -> None:
        self.signal = wait_status & 0x7F  # 0: it exited by itself
        self.status = 128 + self.signal if self.signal else wait_status >> 8 & 0xFF
        self.stdout = stdout  # what was captured with PIPE
        self.stderr = stderr

    def __repr__(self) -> str:
        return f"Result(status={self.status})"


class Machine:
    """A guest machine on a root directory."""

    def __init__(
        self, root: str | os.PathLike[str] | None = None, *, binds: Sequence[Bind] = (), overlay: bool = False,
        memory: int | None = None, hostname: str | None = None, strace: str | None = None, strict: bool = False,
        segments: str = "patch", deterministic: int | None = None,
    ) -> None:  # fmt: skip
        """Prepare a machine; nothing runs yet.

        `root`: a directory with a Linux system in it; None: the default Debian root, built if there is none. "/" on a
        Linux host implies `overlay`, which throws all changes away. `memory`: bytes of guest memory. `strace`: a host
        file that gets the trace of system calls, "-" for standard error. `strict`: an unknown system call or
        instruction ends the run. `segments`: how programs reach thread-local memory: "patch", "fault" or "base"
        (docs/fault-path.md). `deterministic`: a seed; every run of a new machine with this seed is the same
        (lbw.kernel.repeatable).

        RootError, UsageError, HostError, EngineError
        """
        if root is None:
            from lbw.chroot.default import default_root

            root = default_root()
        self.root = os.fspath(root)
        self.binds = list(binds)
        self.overlay = overlay or os.path.realpath(self.root) == os.path.realpath(os.sep)
        self.memory = DEFAULT_MEMORY if memory is None else memory
        if self.memory < MINIMUM_MEMORY:
            raise UsageError(f"{self.memory} bytes of memory are too few: at least {MINIMUM_MEMORY >> 20}M are needed")
        self.hostname = hostname or "lbw"
        if len(os.fsencode(self.hostname)) > 64:
            raise UsageError(f"a host name has at most 64 bytes: {self.hostname!r}")
        self.strace = strace
        self.strict = strict
        if segments not in SEGMENTS:
            raise UsageError(f"--segments is one of {', '.join(SEGMENTS)}, not {segments!r}")
        self.segments = segments
        self.deterministic = deterministic
        self._board: Board | None = None
        self._tree: Tree | None = None
        self._stats = ""

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give everything back to the host; with `overlay`, forget what the guest wrote."""
        tree, self._tree = self._tree, None
        board, self._board = self._board, None
        if tree is not None:
            tree.close()
        if board is not None:
            board.close()

    def run(
        self, argv: Sequence[str | bytes], *, stdin: Stream = None, stdout: Stream = None, stderr: Stream = None,
        env: Mapping[str, str] | None = None, cwd: str | None = None, user: str | None = None,
    ) -> Result:  # fmt: skip
        """Run a program until it ends, and everything it started is killed.

        `argv[0]` is looked for in the root, along PATH when it has no slash. Streams: None passes lbw's own on; PIPE
        captures output into the result; DEVNULL; `stderr=STDOUT` joins the two; for `stdin` also bytes. `env` adds to
        the few variables that a login sets. `user` is NAME or number, with :GROUP, as in the root's /etc/passwd.

        ProgramNotFoundError, NotExecutableError, UsageError, RootError
        """
        if not argv:
            raise UsageError("no program was named")
        words = [os.fsencode(word) for word in argv]
        if any(b"\0" in word for word in words) or any(
            "\0" in name + value or "=" in name for name, value in (env or {}).items()
        ):
            raise UsageError("arguments and variables must not contain zero bytes, nor names of variables '='")
        from lbw.machine.session import Session

        session = Session(self, self.board, self.tree)
        try:
            return session.run(words, stdin, stdout, stderr, env or {}, cwd, user)
        finally:
            self._stats = session.stats()
            session.close()

    def stats(self) -> str:
        """Return a summary of the last run: traps, system calls, memory."""
        return self._stats

    def sites(self) -> list[SegmentSite]:
        """Return the accesses to thread-local memory that trapped in all runs so far, by file and offset."""
        if self._board is None:
            return []
        from lbw.machine.sites import collect

        return collect(self._board.faults, self.tree.vfs.context())

    @property
    def board(self) -> Board:
        """Processor and memory."""
        if self._board is None:
            from lbw.machine.hardware import Board

            self._board = Board(self.memory, self.segments, self.deterministic is not None)
        return self._board

    @property
    def tree(self) -> Tree:
        """The files."""
        if self._tree is None:
            from lbw.machine.tree import Tree

            self._tree = Tree(self.root, self.binds, self.overlay, self.memory, self.board.frames)
        return self._tree
