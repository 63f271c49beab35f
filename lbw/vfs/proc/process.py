"""/proc/PID and /proc/PID/task/TID: the directory of a process or thread.

A file is a row of `ENTRIES`: its permissions, whether only those may open it who may look into the task, and the
function that makes its text.
"""

from __future__ import annotations

from lbw.abi.errno import EINVAL, ENOENT, ESRCH, LinuxError
from lbw.abi.fcntl import O_ACCMODE, O_RDONLY
from lbw.abi.stat import S_IFDIR, S_IFLNK, S_IFREG
from lbw.vfs.proc import arguments, coredump, mounts, oom, small, spaces, status
from lbw.vfs.proc.fds import FdDirectory, FdInfoDirectory
from lbw.vfs.proc.inspect import owner_of, require_inspection
from lbw.vfs.proc.map_files import MapFilesDirectory
from lbw.vfs.proc.sizes import statm
from lbw.vfs.pseudo import Governed, PseudoDirectory, PseudoInode, StaticDirectory, TextInode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lbw.vfs.file import File
    from lbw.vfs.inode import Inode
    from lbw.vfs.location import Location
    from lbw.vfs.proc.fs import ProcFileSystem
    from lbw.vfs.proc.source import ProcSource, TaskView


def task_ino(tid: int, thread: bool) -> int:
    """Return the inode number of /proc/PID or, with `thread`, /proc/PID/task/TID.

    What is below it has the 32,767 numbers behind; all fit 32 bits, for programs whose ino_t has no more.
    """
    return 1 << 31 | (tid & 0x7FFF) << 16 | thread << 15


class TaskEntry(Governed, PseudoDirectory):
    """/proc/PID, or /proc/PID/task/TID (`thread`)."""

    __slots__ = ("source", "thread", "view")

    fs: ProcFileSystem

    def __init__(self, fs: ProcFileSystem, view: TaskView, thread: bool = False) -> None:
        super().__init__(fs, task_ino(view.tid, thread), 0o555)
        self.source: ProcSource = fs.source
        self.view = view
        self.thread = thread

    def owner(self) -> tuple[int, int]:
        return owner_of(self.view)

    def path_of(self, location: Location) -> bytes:
        """Return the path of `location` as the asking task sees it."""
        from lbw.vfs.operations import path_of

        reader = self.source.current
        ctx = (reader.fs if reader is not None else None) or self.view.fs
        if ctx is None:
            raise LinuxError(ENOENT)
        return path_of(ctx, location)

    def require_alive(self) -> None:
        """ESRCH: the task is gone."""
        if not self.view.alive:
            raise LinuxError(ESRCH)

    def lookup(self, name: bytes) -> Inode:
        row = ENTRIES.get(name)
        if row is None or name in self._elsewhere or not self.view.alive:
            raise LinuxError(ENOENT)
        kind, permissions, guarded, produce = row
        ino = self.ino + 1 + _NAMES.index(name)
        if kind == S_IFLNK:
            return TaskLink(self, ino, name)
        if kind == S_IFREG:
            if produce is None:
                return spaces.SpaceInode(self, ino, permissions, name)
            return TaskText(self, ino, permissions, guarded, produce, name)
        if name == b"task":
            return ThreadDirectory(self, ino, permissions)
        if name == b"net":
            network = StaticDirectory(self.fs, ino, permissions)
            network.children = self.fs.network_files
            return network
        if name == b"map_files":
            return MapFilesDirectory(self, ino, permissions)
        return (FdDirectory if name == b"fd" else FdInfoDirectory)(self, ino, permissions)

    @property
    def _elsewhere(self) -> tuple[bytes, ...]:
        """Entries that only processes, or only threads, have."""
        return (b"task", b"timerslack_ns", b"map_files") if self.thread else (b"children",)

    def link_count(self) -> int:
        return 2 + (3 if self.thread else 4)

    def revalidate(self, name: bytes, known: Inode) -> Inode:
        if not self.view.alive:
            raise LinuxError(ENOENT)
        return known

    def entries(self) -> list[tuple[bytes, int, int]]:
        self.require_alive()
        return [
            (name, self.ino + 1 + number, row[0])
            for number, (name, row) in enumerate(ENTRIES.items())
            if name not in self._elsewhere
        ]


class TaskText(Governed, TextInode):
    """A text about a task."""

    __slots__ = ("_entry", "_guarded", "_name")

    def __init__(
        self, entry: TaskEntry, ino: int, permissions: int, guarded: bool,
        produce: Callable[[TaskEntry], bytes], name: bytes,
    ) -> None:  # fmt: skip
        def make() -> bytes:
            entry.require_alive()
            return produce(entry)

        super().__init__(entry.fs, ino, make, permissions)
        self._entry = entry
        self._guarded = guarded
        self._name = name
        writer = small.WRITERS.get(name)
        if writer is not None:
            self.accept = self._write

    def owner(self) -> tuple[int, int]:
        return owner_of(self._entry.view)

    def open(self, flags: int) -> File:
        if self._guarded:
            require_inspection(self._entry.source, self._entry.view)
        elif flags & O_ACCMODE != O_RDONLY and self._name == b"comm":
            # comm: only the process itself may name its threads, whoever owns it.
            caller = self._entry.source.current
            if caller is not None and caller.pid != self._entry.view.pid:
                raise LinuxError(EINVAL)
        return super().open(flags)

    def _write(self, data: bytes) -> None:
        self._entry.require_alive()
        small.WRITERS[self._name](self._entry, data)


class TaskLink(Governed, PseudoInode):
    """exe, cwd, root: links that lead straight to a location."""

    __slots__ = ("_entry", "_name")
    type = S_IFLNK

    def __init__(self, entry: TaskEntry, ino: int, name: bytes) -> None:
        super().__init__(entry.fs, ino, 0o777)
        self._entry = entry
        self._name = name

    def owner(self) -> tuple[int, int]:
        return owner_of(self._entry.view)

    def magic_link(self) -> Location:
        """ENOENT: it has none (any more)."""
        view = self._entry.view
        require_inspection(self._entry.source, view)
        if self._name == b"exe":
            target = view.executable
        else:
            ctx = view.fs
            target = None if ctx is None else ctx.cwd if self._name == b"cwd" else ctx.root
        if target is None:
            raise LinuxError(ENOENT)
        return target

    def readlink(self) -> bytes:
        return self._entry.path_of(self.magic_link())


class ThreadDirectory(Governed, PseudoDirectory):
    """/proc/PID/task."""

    __slots__ = ("_entry",)

    fs: ProcFileSystem

    def __init__(self, entry: TaskEntry, ino: int, permissions: int) -> None:
        super().__init__(entry.fs, ino, permissions)
        self._entry = entry

    def owner(self) -> tuple[int, int]:
        return owner_of(self._entry.view)

    def lookup(self, name: bytes) -> Inode:
        view = self._entry.view.thread(int(name)) if name.isdigit() and len(name) < 8 else None
        if view is None:
            raise LinuxError(ENOENT)
        return TaskEntry(self.fs, view, thread=True)

    def revalidate(self, name: bytes, known: Inode) -> Inode:
        return known if isinstance(known, TaskEntry) and known.view.alive else self.lookup(name)

    def entries(self) -> list[tuple[bytes, int, int]]:
        return [(b"%d" % tid, task_ino(tid, True), S_IFDIR) for tid in self._entry.view.threads()]


#: Name: (type, permissions, only for those who may look into the task, text; None: directories, and files that
#: `spaces` has).
ENTRIES: dict[bytes, tuple[int, int, bool, Callable[[TaskEntry], bytes] | None]] = {
    b"task": (S_IFDIR, 0o555, False, None),
    b"fd": (S_IFDIR, 0o500, True, None),
    b"map_files": (S_IFDIR, 0o500, True, None),
    b"fdinfo": (S_IFDIR, 0o555, True, None),
    b"net": (S_IFDIR, 0o555, False, None),
    b"environ": (S_IFREG, 0o400, True, arguments.environ),
    b"auxv": (S_IFREG, 0o400, True, arguments.auxv),
    b"status": (S_IFREG, 0o444, False, status.status),
    b"personality": (S_IFREG, 0o400, True, small.personality),
    b"limits": (S_IFREG, 0o444, False, status.limits),
    b"comm": (S_IFREG, 0o644, False, small.comm),
    b"cmdline": (S_IFREG, 0o444, False, arguments.cmdline),
    b"stat": (S_IFREG, 0o444, False, status.stat),
    b"statm": (S_IFREG, 0o444, False, statm),
    b"maps": (S_IFREG, 0o444, True, None),
    b"numa_maps": (S_IFREG, 0o444, True, None),
    b"mem": (S_IFREG, 0o600, True, None),
    b"cwd": (S_IFLNK, 0o777, True, None),
    b"root": (S_IFLNK, 0o777, True, None),
    b"exe": (S_IFLNK, 0o777, True, None),
    b"mounts": (S_IFREG, 0o444, False, mounts.mounts),
    b"mountinfo": (S_IFREG, 0o444, False, mounts.mountinfo),
    b"clear_refs": (S_IFREG, 0o200, False, None),
    b"smaps": (S_IFREG, 0o444, True, None),
    b"smaps_rollup": (S_IFREG, 0o444, True, None),
    b"pagemap": (S_IFREG, 0o400, True, None),
    b"wchan": (S_IFREG, 0o444, False, small.wchan),
    b"cgroup": (S_IFREG, 0o444, False, small.cgroup),
    b"loginuid": (S_IFREG, 0o444, False, small.unset),
    b"uid_map": (S_IFREG, 0o444, False, small.id_map),
    b"gid_map": (S_IFREG, 0o444, False, small.id_map),
    b"projid_map": (S_IFREG, 0o444, False, small.id_map),
    b"sessionid": (S_IFREG, 0o444, False, small.unset),
    b"syscall": (S_IFREG, 0o400, True, small.system_call),
    b"schedstat": (S_IFREG, 0o444, False, small.schedstat),
    b"cpuset": (S_IFREG, 0o444, False, small.cpuset),
    b"oom_score": (S_IFREG, 0o444, False, oom.score),
    b"oom_adj": (S_IFREG, 0o644, False, oom.old_adjustment),
    b"oom_score_adj": (S_IFREG, 0o644, False, oom.adjustment),
    b"timerslack_ns": (S_IFREG, 0o444, False, small.timer_slack),
    b"children": (S_IFREG, 0o444, False, small.children),
    b"setgroups": (S_IFREG, 0o444, False, small.setgroups),
    b"coredump_filter": (S_IFREG, 0o644, False, coredump.show),
}
_NAMES = list(ENTRIES)
