"""The proc file system: its root, `self`, and the directory of every process.

Most runs never look into /proc, so mounting it imports next to nothing: the root fills itself when it is first asked.
"""

from __future__ import annotations

from lbw.abi.errno import ENOENT, LinuxError
from lbw.abi.fs import PROC_SUPER_MAGIC
from lbw.abi.stat import S_IFDIR, S_IFMT
from lbw.vfs.pseudo import LinkInode, PseudoDirectory, PseudoFileSystem, PseudoInode, StaticDirectory, TextInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.inode import Inode
    from lbw.vfs.proc.source import ProcSource, TaskView

#: Inode number of the root, as on Linux.
ROOT_INO = 1


class ProcFileSystem(PseudoFileSystem):
    """procfs, showing what `source` knows."""

    type_name = "proc"
    magic = PROC_SUPER_MAGIC
    block_size = 1024

    def __init__(self, source: ProcSource, dev: int = 0x15) -> None:
        super().__init__(dev)
        self.source = source
        self._last_ino = 0xF0000000
        self.root = ProcRoot(self)
        self._network_files: dict[bytes, PseudoInode] = {}

    @property
    def network_files(self) -> dict[bytes, PseudoInode]:
        """What the net directories of all processes have in them."""
        if not self._network_files:
            for name, table in self.source.network_tables().items():
                self._network_files[name] = TextInode(self, self.next_ino(), table)
        return self._network_files


class ProcRoot(PseudoDirectory):
    """/proc."""

    __slots__ = ("_known",)

    fs: ProcFileSystem

    def __init__(self, fs: ProcFileSystem) -> None:
        super().__init__(fs, ROOT_INO, 0o555)
        self._known: dict[bytes, PseudoInode] = {}

    @property
    def _children(self) -> dict[bytes, PseudoInode]:
        """The entries that are no processes."""
        children = self._known
        if not children:
            from lbw.vfs.proc import terminals
            from lbw.vfs.proc.sysctl import build
            from lbw.vfs.proc.system import TEXTS

            fs = self.fs
            for name, text in TEXTS.items():
                children[name] = TextInode(fs, fs.next_ino(), self._producer(text))
            children[b"mounts"] = LinkInode(fs, fs.next_ino(), lambda: b"self/mounts")
            children[b"net"] = LinkInode(fs, fs.next_ino(), lambda: b"self/net")
            children[b"self"] = LinkInode(fs, fs.next_ino(), self._self)
            children[b"thread-self"] = LinkInode(fs, fs.next_ino(), self._thread_self)
            children[b"sys"] = build(fs)
            children[b"tty"] = terminals.build(fs)
            children[b"sysvipc"] = ipc = StaticDirectory(fs, fs.next_ino())
            for name, table in fs.source.ipc_tables().items():
                ipc.children[name] = TextInode(fs, fs.next_ino(), table)
        return children

    def _producer(self, text: Callable[[ProcSource], bytes]) -> Callable[[], bytes]:
        source = self.fs.source
        return lambda: text(source)

    def _current(self) -> TaskView:
        view = self.fs.source.current
        if view is None:
            raise LinuxError(ENOENT)
        return view

    def _self(self) -> bytes:
        return b"%d" % self._current().pid

    def _thread_self(self) -> bytes:
        view = self._current()
        return b"%d/task/%d" % (view.pid, view.tid)

    def lookup(self, name: bytes) -> Inode:
        child = self._children.get(name)
        if child is not None:
            return child
        if name.isdigit() and name[0] != 48 and len(name) < 8:
            view = self.fs.source.process(int(name))
            if view is not None:
                from lbw.vfs.proc.process import TaskEntry

                return TaskEntry(self.fs, view)
        raise LinuxError(ENOENT)

    def revalidate(self, name: bytes, known: Inode) -> Inode:
        view: TaskView | None = getattr(known, "view", None)
        return known if view is None or view.alive else self.lookup(name)

    def entries(self) -> list[tuple[bytes, int, int]]:
        from lbw.vfs.proc.process import task_ino

        listed = [(name, child.ino, child.mode & S_IFMT) for name, child in self._children.items()]
        return listed + [(b"%d" % pid, task_ino(pid, False), S_IFDIR) for pid in self.fs.source.pids()]
